"""How Plitka logs: one line a stage on standard error, as text or as JSON, without secrets.

PLITKA_LOG_LEVEL is DEBUG, INFO, WARNING or ERROR, and PLITKA_LOG_FORMAT text or json. Libraries
are heard from WARNING on: at INFO an HTTP client writes down addresses, signatures and all.
"""

import contextvars
import logging
import os
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO

from pythonjsonlogger.json import JsonFormatter

from plitka.runtime.timing import log

if TYPE_CHECKING:
    _Stream = logging.StreamHandler[TextIO]
else:
    _Stream = logging.StreamHandler

LEVEL, FORMAT = "PLITKA_LOG_LEVEL", "PLITKA_LOG_FORMAT"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
FORMATS = ("text", "json")

PREDICTION: contextvars.ContextVar[str | None] = contextvars.ContextVar("prediction", default=None)
"""The id of the prediction that is made, for the lines that are written meanwhile."""

_ID = re.compile(r"[\w.-]{1,128}", re.ASCII)
_HIDDEN = "[hidden]"
_SECRET_NAMES = re.compile(r"(TOKEN|SECRET|PASSWORD|API_?KEY|CREDENTIALS?)$", re.IGNORECASE)
_SECRETS = re.compile(
    r"\b(?:hf|r8)_[A-Za-z0-9]{8,}"  # of Hugging Face, of Replicate
    r"|(?<=Bearer )[\w.~+/=-]+"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # user and password of an address
    r"|(?<=[?&])[\w-]*(?:token|signature|secret|key)[\w-]*=[^&\s\"')]+",
    re.IGNORECASE,
)
_SHORTEST = 6  # characters of a secret; a shorter one would hide ordinary words


class LogError(ValueError):
    """A setting of the log that is not one; the message says what is allowed."""


def configure(usual: str = "INFO", env: Mapping[str, str] = os.environ) -> None:
    """Log as the environment says, at the level `usual` where it names none. Raises LogError."""
    level = _read_choice(env, LEVEL, LEVELS, usual)
    form = _read_choice(env, FORMAT, FORMATS, "text")
    handler = _Handler()
    handler.addFilter(_add_prediction)
    handler.setFormatter(_Json(env) if form == "json" else _Text(env))
    root = logging.getLogger()
    for earlier in [known for known in root.handlers if isinstance(known, _Handler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    log.setLevel(level)


def is_json(env: Mapping[str, str] = os.environ) -> bool:
    """Whether every line must be JSON, so that a progress bar has no place."""
    return (env.get(FORMAT) or "").lower() == "json"


def set_prediction(prediction: object, otherwise: str) -> None:
    """From here on lines are about this prediction; `otherwise` stands where it is no id."""
    is_id = isinstance(prediction, str) and _ID.fullmatch(prediction)
    PREDICTION.set(str(prediction) if is_id else otherwise)


def hide_secrets(text: str, known: tuple[str, ...] = ()) -> str:
    """The text with `known` secrets, and what has the form of one, hidden."""
    for secret in known:
        text = text.replace(secret, _HIDDEN)
    return _SECRETS.sub(_HIDDEN, text)


def _read_choice(env: Mapping[str, str], name: str, options: tuple[str, ...], usual: str) -> str:
    given = env.get(name) or usual
    for option in options:
        if given.lower() == option.lower():
            return option
    raise LogError(f"{name}: got {given!r}; allowed: {', '.join(options)}")


def _add_prediction(record: logging.LogRecord) -> bool:
    record.prediction = PREDICTION.get()
    return True


class _Handler(_Stream):
    """Ours, on the standard error of the moment at which it was made."""


class _Text(logging.Formatter):
    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__("%(message)s")
        self._known = _list_secrets(env)

    def format(self, record: logging.LogRecord) -> str:
        return hide_secrets(super().format(record), self._known)


class _Json(JsonFormatter):
    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(prediction)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            json_ensure_ascii=False,
        )
        self.default_time_format, self.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
        self.converter = time.gmtime
        self._known = _list_secrets(env)

    def format(self, record: logging.LogRecord) -> str:
        return hide_secrets(super().format(record), self._known)


def _list_secrets(env: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets that the environment holds."""
    named = (value for name, value in env.items() if _SECRET_NAMES.search(name))
    return tuple(value for value in named if len(value) >= _SHORTEST)
