"""Logging: one line a stage on standard error, as text or as JSON, without secrets.

Libraries are heard from WARNING on: at INFO an HTTP client writes down addresses, signatures and
all.
"""

import contextvars
import json
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from pythonjsonlogger.json import JsonFormatter

from plitka.runtime import redaction
from plitka.runtime.redaction import Redact
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
_MOST_LINES = 100  # of a secret; a private key has 50
_SHORTEST = 6  # characters of a secret; a shorter one would hide ordinary words


class LogError(ValueError):
    """A setting of the log that is not one; the message says what is allowed."""


@dataclass(frozen=True)
class LogSettings:
    """level: of LEVELS, None where none is named. form: of FORMATS. secrets: never written."""

    level: str | None = None
    form: str = "text"
    secrets: tuple[str, ...] = ()


def read_log_settings(env: Mapping[str, str]) -> LogSettings:
    """Read level and format, and which values are secrets. Raises LogError."""
    level = _read_choice(env, LEVEL, LEVELS) if env.get(LEVEL) else None
    form = _read_choice(env, FORMAT, FORMATS) if env.get(FORMAT) else "text"
    return LogSettings(level, form, _list_secrets(env))


def configure(settings: LogSettings, usual: str = "INFO") -> None:
    """Log by the settings, at the level `usual` where they name none."""
    handler = _Handler()
    handler.addFilter(_add_prediction)
    as_json = settings.form == "json"
    handler.setFormatter(_Json(settings.secrets) if as_json else _Text(settings.secrets))
    root = logging.getLogger()
    for earlier in [known for known in root.handlers if isinstance(known, _Handler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    log.setLevel(settings.level or usual)
    for level in LEVELS:  # asked for the first time, it takes a lock of logging's: see _Handler
        log.isEnabledFor(getattr(logging, level))


def shows_progress() -> bool:
    """Whether a progress bar has its place: stages are logged, and lines need not be JSON."""
    handlers = logging.getLogger().handlers
    as_json = any(isinstance(handler.formatter, _Json) for handler in handlers)
    return log.isEnabledFor(logging.INFO) and not as_json


def set_prediction(prediction: object, otherwise: str) -> None:
    """From here on lines are about this prediction; `otherwise` stands where it is no id."""
    is_id = isinstance(prediction, str) and _ID.fullmatch(prediction)
    PREDICTION.set(str(prediction) if is_id else otherwise)


def make_redactor(secrets: tuple[str, ...] = ()) -> Redact:
    """Make the function that hides these secrets in a text, and what has the form of one."""
    hide_known = redaction.make_redactor(secrets)
    return lambda text: redaction.hide_forms(hide_known(text))


def _read_choice(env: Mapping[str, str], name: str, options: tuple[str, ...]) -> str:
    given = env[name]
    for option in options:
        if given.lower() == option.lower():
            return option
    raise LogError(f"{name}: got {given!r}; allowed: {', '.join(options)}")


def _add_prediction(record: logging.LogRecord) -> bool:
    record.prediction = PREDICTION.get()
    return True


class _Handler(_Stream):
    """Ours, on the standard error of the moment at which it was made.

    Without a lock, which a prediction that is cancelled while it logs could leave taken
    (runtime/background.py): a line is written by one call, so none is torn.
    """

    def createLock(self) -> None:  # logging's name
        self.lock = None


class _Text(logging.Formatter):
    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__("%(message)s")
        self._redact = make_redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


class _Json(JsonFormatter):
    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(prediction)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            json_ensure_ascii=False,
        )
        self.default_time_format, self.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
        self.converter = time.gmtime
        self._redact = make_redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        # Value by value: a secret that ends at a quotation mark would take JSON's own with it.
        fields = json.loads(super().format(record))
        return json.dumps(redaction.redact_value(fields, self._redact), ensure_ascii=False)


def _list_secrets(env: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets that the environment holds: by the variables' names, and in addresses."""
    named = (value for name, value in env.items() if redaction.has_secret_name(name))
    passwords = (word for value in env.values() for word in redaction.find_passwords(value))
    # As it is, and as those who read it take it: without the last line break, or line by line.
    known = {
        form
        for secret in (*named, *passwords)
        for form in (secret, secret.strip(), *map(str.strip, secret.splitlines()[:_MOST_LINES]))
    }
    return tuple(secret for secret in sorted(known) if len(secret) >= _SHORTEST)
