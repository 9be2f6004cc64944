"""The trigger word of a LoRA or of embeddings: what a package says, or the notes in a file."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from plitka.weights.header import Header
from plitka.weights.json_text import parse_json
from plitka.weights.settings import LONGEST_TRIGGER, TRIGGER, is_trigger

_TOKENS = re.compile(r"<s\d+>")
_NOTES = ("modelspec.trigger_phrase", "trigger_phrase", "trigger_word")


@dataclass(frozen=True)
class Trigger:
    """What a file says of its trigger word. word: None where it cannot stand in a prompt.

    origin: what sentences call the place that says so.
    """

    word: str | None
    origin: str

    @property
    def verdict(self) -> str:
        """What `check` says of it."""
        if self.word is not None:
            return f"{self.word}, as {self.origin} says"
        return (
            f"that of {self.origin} is not one line of at most {LONGEST_TRIGGER} characters, and is"
            f" not used; {TRIGGER} names another"
        )


def read_special_params(values: Mapping[str, Any], title: str) -> Trigger | None:
    """Read Replicate's special_params.json, {"TOK": "<s0><s1>"}; the first word of several."""
    for word, tokens in values.items():
        if isinstance(tokens, str) and re.fullmatch(r"(<s\d+>)+", tokens):
            return _make_trigger(word, title)
    return None


def read_notes(header: Header) -> Trigger | None:
    """Read the notes of a file, in which trainers and Civitai's tools write the trigger word.

    ai-toolkit writes it as the only tag of its only folder, `{"1_word": {"word": 1}}`.
    """
    for key in _NOTES:
        text = _TOKENS.sub("", header.metadata.get(key, "")).strip()
        if text:
            return _make_trigger(text, f"{key} of {header.title}")
    try:
        folders = parse_json(header.metadata.get("ss_tag_frequency", "{}"))
    except ValueError:
        return None
    if isinstance(folders, dict) and len(folders) == 1:
        folder, tags = next(iter(folders.items()))
        if isinstance(tags, dict) and list(tags) == [folder.removeprefix("1_")]:
            return _make_trigger(next(iter(tags)), f"ss_tag_frequency of {header.title}")
    return None


def find_trigger(
    setting: str | None, said: Iterable[Trigger | None], headers: Iterable[Header]
) -> Trigger | None:
    """Find the trigger word: the setting's, else a package's, else that of a file's notes.

    said: what special_params.json beside each file says. headers: of the files. None where nobody
    says one.
    """
    if setting is not None:
        return Trigger(setting, TRIGGER)
    found = (*said, *map(read_notes, headers))
    return next((trigger for trigger in found if trigger is not None), None)


def _make_trigger(text: str, origin: str) -> Trigger:
    word = text.strip()
    return Trigger(word if is_trigger(word) else None, origin)
