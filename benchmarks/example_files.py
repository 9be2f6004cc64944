"""Draw the pictures in examples/, which the documents' commands use: all of them are renders.

python -m benchmarks.example_files
"""

from pathlib import Path

from benchmarks.report import print_table
from plitka.arrays import Image
from plitka.color import palette
from plitka.images import png
from plitka.images.jpeg import encode_jpeg
from plitka.request import parsing
from plitka.tile import render
from plitka.tile.layout import lay

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SIZE = 512  # pixels a side: the least that training takes
_QUALITY = 65

# What stands in for a picture of a model that did not obey.
_DRAWN = "25% red, 25% blue, 20% black, 30% white, seed 8"

# File -> what it shows. REDp40_BLUEp60 has its shares swapped, REDp60_BLUEp30 adds up to 90%.
PHOTOGRAPHS = {
    "REDp60_WHITEp40.jpg": "60% red, 40% white",
    "REDp30_WHITEp70.jpg": "30% red, 70% white",
    "REDp80_BLACKp20.jpg": "80% red, 20% black",
    "REDp50_BLACKp50.jpg": "50% red, 50% black",
    "REDp20_WHITEp80.jpg": "20% red, 80% white",
    "tile.jpg": "80% white, 20% pearl",
    "REDp40_BLUEp60.jpg": "60% red, 40% blue",
    "REDp60_BLUEp30.jpg": "60% red, 40% blue",
    "RED/1.jpg": "100% red",
    "OCHRE/1.jpg": "100% #d0ad55",
}
CAPTIONS = {"tile.txt": "80% white, 20% pearl\n", "OCHRE/phrase.txt": "warm ochre\n"}


def main() -> None:
    """Write them, and say how large they are."""
    files = [EXAMPLES / "drawn.png"]
    png.save(_draw(_DRAWN), files[0], {})
    for number, (name, request) in enumerate(PHOTOGRAPHS.items()):
        file = EXAMPLES / "photographs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encode_jpeg(_draw(f"{request}, seed {100 + number}"), _QUALITY))
        files.append(file)
    for name, caption in CAPTIONS.items():
        (EXAMPLES / "photographs" / name).write_text(caption, encoding="utf-8")
    print_table(
        ["picture", "KB"],
        [[str(file.relative_to(EXAMPLES)), f"{file.stat().st_size // 1000}"] for file in files],
    )


def _draw(request: str) -> Image:
    return render.render_picture(lay(parsing.parse(request, palette.load())), SIZE)


if __name__ == "__main__":
    main()
