"""A message: a sentence with places for its values, said in a language where it is shown.

It is written in English where it arises, and what differs between languages, such as the name of a
colour, is a value of it. The English is the key to the Russian one in `russian`.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias, get_args

from plitka.messages.russian import RUSSIAN

Language: TypeAlias = Literal["en", "ru"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


class Sayable(Protocol):
    """What is said in one way or another, by the language."""

    def say(self, language: Language) -> str: ...


Said: TypeAlias = Sayable | str | int | float | Decimal
"""A message, or a value of one; texts are the same in each language."""


@dataclass(frozen=True)
class Message:
    """A sentence, or a part of one. english: with {places}. values: by place."""

    english: str
    values: tuple[tuple[str, Said], ...] = ()

    @classmethod
    def of(cls, english: str, **values: Said) -> "Message":
        """Make a message of a sentence and the values for its places."""
        return cls(english, tuple(values.items()))

    def __str__(self) -> str:
        return self.say("en")

    def say(self, language: Language) -> str:
        """Say it; in English where a language has no sentence for it."""
        sentence = self.english if language == "en" else RUSSIAN.get(self.english, self.english)
        return sentence.format(**{name: say(value, language) for name, value in self.values})


@dataclass(frozen=True)
class Words:
    """Words that no dictionary has: names, examples, signs."""

    en: str
    ru: str

    def __str__(self) -> str:
        return self.en

    def say(self, language: Language) -> str:
        """Say them."""
        return self.en if language == "en" else self.ru


@dataclass(frozen=True)
class Row:
    """Several messages or words, one after the other."""

    items: tuple[Said, ...]
    between: str = ", "

    def __str__(self) -> str:
        return self.say("en")

    def say(self, language: Language) -> str:
        """Say all of them."""
        return self.between.join(say(item, language) for item in self.items)


class SpokenError(ValueError):
    """An error that can be said in each language, a line for each of its messages.

    str() says it in English.
    """

    def __init__(self, *messages: Said) -> None:
        super().__init__(*messages)
        self.messages = messages

    def __str__(self) -> str:
        return self.say("en")

    def say(self, language: Language) -> str:
        """Say it."""
        return "\n".join(begin_line(say(one, language)) for one in self.messages)


def say(said: Said, language: Language) -> str:
    """Say a message, or a value of one: numbers have the decimal sign of the language."""
    if isinstance(said, str):
        return said
    if isinstance(said, int):
        return str(said)
    if isinstance(said, float | Decimal):
        number = f"{said:.10g}" if isinstance(said, float) else f"{said:f}"
        return number if language == "en" else number.replace(".", ",")
    return said.say(language)


def begin_line(text: str) -> str:
    """Begin a line of Russian with a capital letter; English lines begin with a field's name."""
    return text if text[:1].isascii() else text[:1].upper() + text[1:]
