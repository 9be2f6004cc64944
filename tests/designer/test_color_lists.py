"""Lists of colours beside the palette: RAL Classic, and a company's own."""

from plitka.color import palette
from plitka.designer.color_lists import MAX_LIST_COLORS, list_ral, name_ral, read_list

PALETTE = palette.load()


def test_ral_is_listed_with_the_palettes_nearest_and_its_distance() -> None:
    ral = {color.name: color for color in list_ral(PALETTE)}
    assert len(ral) == 216
    assert (ral["RAL 3020"].hex, ral["RAL 3020"].nearest) == ("#bb1e10", "red")
    assert all(0 <= color.distance < 40 for color in ral.values())
    assert (name_ral("#bb1e10"), name_ral("#123456")) == ("RAL 3020", "")


def test_a_companys_list_is_read_whichever_way_it_was_written() -> None:
    text = "name;hex;code\nGrün;#1e90ff;G1\nЛес;3020\nDark;dark green\n"  # noqa: RUF001
    for content in (text.encode(), b"\xef\xbb\xbf" + text.replace(";", "\t").encode()):
        colors, faults = read_list(content, PALETTE)
        assert [(color.name, color.hex, color.code) for color in colors] == [
            ("Grün", "#1e90ff", "G1"),
            ("Лес", "#bb1e10", ""),
            ("Dark", "#49866d", ""),
        ]
        assert faults == []
        assert colors[2].distance < 0.5
    excel, _ = read_list("Корт;3020\r\n".encode("cp1251"), PALETTE)
    assert [color.name for color in excel] == ["Корт"]


def test_what_is_wrong_with_a_list_is_told_by_line() -> None:
    content = b'one,#123456\n\n,red\ntwo,blurple\nOne,red\n"three\nlines",red\nfour,red\n'
    colors, faults = read_list(content, PALETTE)
    assert [color.name for color in colors] == ["one", "four"]
    told = [(fault.line, fault.code) for fault in faults]
    assert told == [(3, "name"), (4, "color"), (5, "twice"), (6, "name")]
    many = "".join(f"c{number},#000000\n" for number in range(MAX_LIST_COLORS + 1)).encode()
    colors, faults = read_list(many, PALETTE)
    assert (len(colors), [fault.code for fault in faults]) == (MAX_LIST_COLORS, ["many"])
    for junk in (b"", b"\0\0", b"\xff\xfe\x00", b'"' * 999, b"a" * 200_000):
        assert read_list(junk, PALETTE)[1]
