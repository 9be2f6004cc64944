"""Tables as people write them: what each row means, and what is told of the bad ones."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest
from pyarrow import parquet

from plitka.catalogue.rows import Sheet, make_stem, read_sheet
from plitka.color import palette
from plitka.errors import CatalogueError

MIX = {"black": 0.6, "white": 0.4}
RUSSIAN = "артикул;цвет1;доля1;цвет2;доля2;угол укладки;сид"  # noqa: RUF001
PLAIN = "name,color1,share1,color2,share2,angle,seed\nA1,black,60,white,40,45,7\n"


def read(content: str | bytes, folder: Path) -> Sheet:
    file = folder / "recipes"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_sheet(file, palette.load())


def tell(sheet: Sheet) -> list[tuple[str, dict[str, float], float, int]]:
    return [
        (
            row.name,
            {part.name: round(part.share, 6) for part in row.recipe.shares},
            row.recipe.angle,
            row.recipe.seed,
        )
        for row in sheet.rows
    ]


ONE_TILE = {
    "commas": PLAIN,
    "the mark of Excel's UTF-8": b"\xef\xbb\xbf" + PLAIN.encode(),
    "UTF-16, as Excel's Unicode text": PLAIN.replace(",", "\t").encode("utf-16"),
    "old line ends": PLAIN.replace("\n", "\r\n"),
    "empty lines": "\n\n" + PLAIN + "\n,,,,,,\n",
    "semicolons and decimal commas": "name;color1;share1;color2;share2;angle;seed\n"
    "A1;black;60,0;white;40,0;45,0;7\n",
    "a named delimiter": "sep=;\nname;color1;share1;color2;share2;angle;seed\n"
    "A1;black;60;white;40;45;7\n",
    "units": "Name,Colour 1,Share 1 (%),Colour 2,Share 2 (%),Laying Angle (°),SEED\n"
    "A1,black,60%,white,40 %,45°,7\n",
    "quotes": '"name","color1","share1","color2","share2","angle","seed"\n'
    '"A1","black","60","white","40","45","7"\n',
    "pairs without numbers": "sku,color,share,color,share,rotation,seed\n"
    "A1,black,60,white,40,45,7\n",
    "columns named by colours": "id,black,white,red,laying angle,seed\nA1,60,40,0,45,7\n",
    "columns named by codes, with units": "id,BLACK %,share of white,Red (%),angle,seed\n"
    "A1,60,40,-,45,7\n",
    "fractions": "name,black,white,angle,seed\nA1,0.6,0.4,45,7\n",
    "one column of colours": "name,colors,angle,seed\nA1,black=60;white=40,45,7\n",
    "one column of colours, decimal commas": "name;mix;angle;seed\n"
    "A1;black: 60,0 / white: 40,0;45;7\n",
    "one column of colours, commas": 'name,mix,angle,seed\nA1,"black=60, white=40",45,7\n',
    "a request in a cell": "name,params_json\n"
    'A1,"{""colors"":[{""name"":""black"",""proportion"":60},'
    '{""name"":""white"",""proportion"":40}],""angle"":45,""seed"":7}"\n',
    "Windows-1251": f"{RUSSIAN}\nA1;black;60;white;40;45;7\n".encode("cp1251"),
    "a request a line": json.dumps(
        {
            "name": "A1",
            "colors": [{"name": "black", "proportion": 60}, {"name": "white", "proportion": 40}],
            "angle": 45,
            "seed": 7,
        }
    ),
    "objects of shares": '{"Name": "A1", "mix": {"black": 60, "white": 40}, "Angle": 45, "seed": 7'
    "}",
    "columns as keys": '{"id": "A1", "black": "60%", "white": 40, "Laying angle": 45, "seed": "7"}',
    "a list": '[{"name": "A1", "black": 60, "white": 40, "angle": 45, "seed": 7}]',
}


@pytest.mark.parametrize("content", list(ONE_TILE.values()), ids=list(ONE_TILE))
def test_one_tile_is_read_however_it_is_written(content: str | bytes, tmp_path: Path) -> None:
    sheet = read(content, tmp_path)
    assert sheet.bad == ()
    assert tell(sheet) == [("A1", MIX, 45.0, 7)]


def write_parquet(columns: dict[str, list[Any]]) -> bytes:
    file = io.BytesIO()
    parquet.write_table(arrow.table(columns), file)
    return file.getvalue()


def test_parquet_is_read_with_its_nulls(tmp_path: Path) -> None:
    content = write_parquet(
        {
            "name": ["A1", "A2", "A3"],
            "black": [60.0, None, float("nan")],
            "white": [40.0, 100.0, None],
            "Laying angle": [45, None, 10],
            "seed": [7, 8, 9],
        }
    )
    sheet = read(content, tmp_path)
    assert tell(sheet) == [("A1", MIX, 45.0, 7), ("A2", {"white": 1.0}, 0.0, 8)]
    assert sheet.describe_faults() == [
        'row 3 ("A3"): colors: missing; every cell for them is empty'
    ]


def test_parquet_of_requests_is_read(tmp_path: Path) -> None:
    request = {"colors": [{"name": "black", "proportion": 100}], "seed": 3}
    sheet = read(write_parquet({"params_json": [json.dumps(request)]}), tmp_path)
    assert tell(sheet) == [("black-100", {"black": 1.0}, 0.0, 3)]


BAD_ROWS = {
    "A2,black,60,white,30,0,7": "colors: proportions add up to 90",
    "A2,blakc,60,white,40,0,7": 'colors[0].name: unknown colour "blakc"; did you mean "black"',
    "A2,black,lots,white,40,0,7": 'colors[0].proportion: got "lots"',
    "A2,black,60,white,40,200,7": "angle: got 200; allowed: a number from 0 to 180 degrees",
    "A2,black,60,white,40,0,4.29E+09": 'seed: got "4.29E+09", which a spreadsheet has shortened',
    "A2,black,60,white,40,0,7.5": "seed: got 7.5; allowed: a whole number",
    "A2,black,60,white,,0,7": "colors[1].proportion: missing",
    "A2,,60,white,40,0,7": "colors[1].name: missing",
    "A2,,,,,0,7": "colors: missing",
    "A2,black,60,white,40,0,7,8": "has 8 cells, and the first line names 7 columns",
    "A1,black,60,white,40,0,7": 'name: "A1" is that of line 2 already',
    "a1,black,60,white,40,0,7": 'name: "a1" is that of line 2 already',  # one file on some systems
    f"{'A' * 201},black,60,white,40,0,7": "name: has more than 200 characters",
}


@pytest.mark.parametrize("line", list(BAD_ROWS))
def test_a_bad_row_is_told_with_its_line_and_the_others_are_read(line: str, tmp_path: Path) -> None:
    sheet = read(f"{PLAIN}{line}\nA3,red,100,,,,1\n", tmp_path)
    (fault,) = sheet.describe_faults()
    assert fault.startswith("line 3 (")
    assert BAD_ROWS[line] in fault
    assert [row.name for row in sheet.rows] == ["A1", "A3"]


def test_each_fault_of_a_row_is_told(tmp_path: Path) -> None:
    sheet = read(f"{PLAIN}A2,blakc,60,white,40,200,-5\n", tmp_path)
    assert len(sheet.describe_faults()) == 3


def test_a_broken_line_of_json_is_a_bad_row(tmp_path: Path) -> None:
    good = '{"name": "A1", "black": 100, "seed": 1}'
    sheet = read(f'{good}\n{{"name": \n7\n{{"black": 1, "black": 2}}\n', tmp_path)
    assert [row.number for row in sheet.bad] == [2, 3, 4]
    assert "line 2: not JSON" in sheet.describe_faults()[0]
    assert 'has "black" more than once' in sheet.describe_faults()[2]
    assert len(sheet.rows) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        ("\n  \n", "is empty"),
        ("[]", "is empty"),
        ("name,black\n", "has no rows below its first line"),
        ("name,price\nA1,3\n", "no column holds colours"),
        ("name,black,angel\nA1,100,3\n", 'column "angel": unknown; did you mean "angle"?'),
        ("name,black,angle,Laying angle\nA1,100,3,4\n", 'means the same as "angle"; keep one'),
        ("black\n100\n\"", "line 3: is no row of a table"),
        (b"PK\x03\x04rest", "save the table as CSV"),
        (b"PAR1rest", "is no Parquet file that can be read"),
        (b"\xff\xfe\x00", "is no text in UTF-8"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_one_is_refused(
    content: str | bytes, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(CatalogueError) as refusal:
        read(content, tmp_path)
    assert reason in str(refusal.value)
    assert "recipes" in str(refusal.value)


def test_what_was_understood_is_told(tmp_path: Path) -> None:
    sheet = read("SKU;Black;Laying Angle;Price\nA1;100;3,5;9,90\n", tmp_path)
    assert sheet.understood == (
        "CSV with semicolons, 1 rows",
        '"SKU": name',
        '"Black": the share of black',
        '"Laying Angle": angle',
        '"Price": passed over',
    )


def test_a_seed_that_is_not_given_is_made_of_the_name_and_the_mix(tmp_path: Path) -> None:
    first, second, third = read("name,black\nA,100\nB,100\nC,1\n", tmp_path).rows
    again = read('{"black": 1, "name": "B"}\n{"black": 1, "name": "A", "seed": -1}', tmp_path).rows
    assert {first.recipe.seed, second.recipe.seed} == {row.recipe.seed for row in again}
    assert len({first.recipe.seed, second.recipe.seed, third.recipe.seed}) == 3


def test_a_tile_without_a_name_is_called_by_its_mix(tmp_path: Path) -> None:
    table = "dark green,#1e90ff,angle\n60,40,45\n60,40,45\n100,,\n"
    names = [row.name for row in read(table, tmp_path).rows]
    assert names == [
        "dark-green-60-1e90ff-40-45deg",
        "dark-green-60-1e90ff-40-45deg-2",
        "dark-green-100",
    ]


UNSAFE = ("../../passwd", "a/b", "CON", "con.txt", ".", "..", ".a", "x\ty", "я" * 150, "a:b", " a ")


@pytest.mark.parametrize("name", UNSAFE)
def test_no_name_leads_out_of_the_folder_or_is_one_that_systems_refuse(name: str) -> None:
    stem = make_stem(name)
    assert stem != name
    assert len(stem.encode()) <= 100
    assert not set(stem) & set('/\\:\t*?"<>|')
    assert stem.strip(" .") == stem
    assert stem.lower() not in ("con", "con.txt", "")
    assert make_stem(f"{name}x") != stem


def test_fields_in_two_places_that_differ_are_refused(tmp_path: Path) -> None:
    request = json.dumps({"colors": [{"name": "red", "proportion": 100}], "angle": 45})
    rows = [{"params_json": request, "angle": angle, "seed": 1} for angle in (45, 46)]
    sheet = read("\n".join(map(json.dumps, rows)), tmp_path)
    assert [row.recipe.angle for row in sheet.rows] == [45.0]
    assert "angle: given in a column of its own too" in sheet.describe_faults()[0]


def test_a_surface_stands_in_a_column_of_its_own_or_in_the_request(tmp_path: Path) -> None:
    surface = {"width_mm": 2000, "laying": "brick"}
    red = [{"name": "red", "percent": 100}]
    lines = [
        {"name": "A", "mix": {"red": 100}, "surface": surface},
        {"name": "B", "params_json": {"colors": red, "surface": surface}},
    ]
    sheet = read("\n".join(map(json.dumps, lines)), tmp_path)
    one, other = (row.recipe.surface for row in sheet.rows)
    assert one is not None
    assert one == other
    assert (one.width_mm, one.laying) == (2000, "brick")
