"""The trigger word of a LoRA or of embeddings: what a package says, or the notes in a file."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from plitka.weights.header import Header
from plitka.weights.json_text import parse_json
from plitka.weights.settings import LONGEST_TRIGGER, TRIGGER, is_trigger

_TOKENS = re.compile(r"<s\d+>")
_NOTES = ("modelspec.trigger_phrase", "trigger_phrase", "trigger_word")
_TAGS = "ss_tag_frequency"
_MOST_CAPTIONS = 10**9  # more are damage, and may have thousands of digits
_MOST_TOLD = 3  # tags and folders in a sentence
_LONGEST_TOLD = 40  # characters of each


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

    Else the one tag that all captions of the training consisted of. ai-toolkit writes the trigger
    word so, `{"1_word": {"word": 1}}`, and kohya the name of a folder without captions, which it
    then takes for the caption of each picture: `{"10_word": {"word": 20}}`.
    """
    for key in _NOTES:
        text = _TOKENS.sub("", header.metadata.get(key, "")).strip()
        if text:
            return _make_trigger(text, f"{key} of {header.title}")
    tags = {tag for folder in _read_tags(header).values() for tag in folder}
    if len(tags) == 1:
        return _make_trigger(next(iter(tags)), f"{_TAGS} of {header.title}")
    return None


def hint_at_trigger(header: Header) -> str | None:
    """What kohya's notes tell of a training whose trigger word they do not say; None for nothing.

    `its training's most frequent tags are gum (18), red (9); its folder is 10_gum`
    """
    folders = _read_tags(header)
    counts: Counter[str] = Counter()
    for tags in folders.values():
        counts.update(tags)
    if not counts:
        return None
    told = ", ".join(f"{_cut(tag)} ({count})" for tag, count in counts.most_common(_MOST_TOLD))
    names = ", ".join(_cut(name) for name in list(folders)[:_MOST_TOLD])
    plural, verb = ("", "is") if len(folders) == 1 else ("s", "are")
    return f"its training's most frequent tags are {told}; its folder{plural} {verb} {names}"


def _read_tags(header: Header) -> dict[str, dict[str, int]]:
    """Folder of the training -> tags of its captions -> in how many; {} without such a note."""
    try:
        folders = parse_json(header.metadata.get(_TAGS, "{}"))
    except ValueError:
        return {}
    if not isinstance(folders, dict):
        return {}
    read = {
        folder: {
            tag: count
            for tag, count in tags.items()
            if tag.strip() and isinstance(count, int) and 0 < count < _MOST_CAPTIONS
        }
        for folder, tags in folders.items()
        if isinstance(tags, dict)
    }
    return {folder: tags for folder, tags in read.items() if tags}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}…"


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
