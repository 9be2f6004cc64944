"""A mix -> the name of a file that carries it: plitka-red50-blue30-white20.pdf."""

import re

from plitka.request.recipe import Recipe

_LONGEST = 80  # characters, without the ending
_PLAIN = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        (
            *("a", "b", "v", "g", "d", "e", "e", "zh", "z", "i", "j", "k", "l", "m", "n", "o", "p"),
            *(
                "r",
                "s",
                "t",
                "u",
                "f",
                "kh",
                "ts",
                "ch",
                "sh",
                "shch",
                "",
                "y",
                "",
                "e",
                "yu",
                "ya",
            ),
        ),
        strict=True,
    )
)


def name_file(recipe: Recipe, ending: str) -> str:
    """Name a file by its mix."""
    return f"{name_mix(recipe)}.{ending}"


def name_mix(recipe: Recipe) -> str:
    """Begin a file's name with its mix: in ASCII, whatever the palette's language is."""
    parts = [f"{_write_color(part.name)}{100 * part.share:.3g}" for part in recipe.shares]
    name = "plitka"
    for number, part in enumerate(parts):
        if len(name) + len(part) > _LONGEST:
            return f"{name}-and-{len(parts) - number}-more"
        name = f"{name}-{part}"
    return name


def _write_color(name: str) -> str:
    """Write a colour's name without blanks; a hex is parted from the figure that follows it."""
    letters = "".join(_PLAIN.get(letter, letter) for letter in name.lower())
    plain = re.sub(r"[^a-z0-9]", "", letters)
    return f"{plain}_" if plain[-1:].isdigit() or name.startswith("#") else plain
