"""An offer as one HTML file: it asks nothing of anybody, and carries its recipe."""

import base64
import io
from collections.abc import Iterable
from html import escape
from pathlib import Path
from string import Template

from PIL import Image

from plitka import __version__
from plitka.offer.content import Offer, Swatch, choose_scale_bar
from plitka.offer.order_table import (
    list_columns,
    list_line_notes,
    list_notes,
    list_totals,
    list_zone_rows,
)
from plitka.offer.recipe_in_html import write_record
from plitka.order.amounts import Order

_TEMPLATE = Path(__file__).with_name("html_page.html")
_LONG_MIX = 60  # characters, above which the title is set smaller


def write_html(offer: Offer) -> bytes:
    """Write the file. Equal offers give equal bytes."""
    say = offer.speech.say
    bar_mm = choose_scale_bar(offer.frame_mm)
    number = offer.speech.write_number
    values = {
        "language": offer.language,
        "version": __version__,
        "title": escape(f"{say('kind')}: {offer.mix}"),
        "long": ' class="long"' if len(offer.mix) > _LONG_MIX else "",
        "logo": _write_logo(offer),
        "company": _write_company(offer),
        "iso_date": offer.day.isoformat(),
        "date": escape(offer.speech.write_date(offer.day)),
        "kind": escape(say("kind")),
        "mix": escape(offer.mix),
        "project": _write_project(offer),
        "alone": "" if offer.pictures.scene else " alone",
        "tile": _inline(offer.pictures.tile, "jpeg"),
        "tile_side": str(_measure(offer.pictures.tile)[0]),
        "alt_tile": escape(say("alt_tile", mix=offer.mix)),
        "tile_caption": escape(say("tile_picture", side=number(offer.frame_mm, 0, 0))),
        "bar_width": f"{100 * bar_mm / offer.frame_mm:.4f}",
        "bar_mm": escape(say("mm", length=bar_mm)),
        "scene": _write_scene(offer),
        "colors_title": escape(say("mix")),
        "bar": "".join(
            f'<i style="background:{one.hex};flex:{one.share:.6f} 0 0"></i>'
            for one in offer.swatches
        ),
        "swatches": "\n".join(_write_swatch(one, offer) for one in offer.swatches),
        "surface_title": escape(say("surface")),
        "facts": "".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
            for name, value in offer.facts
        ),
        "order": _write_order(offer, offer.order) if offer.order else "",
        "color_note": escape(say("color_note")),
        "recipe_note": escape(say("recipe_note")),
        "made_with": escape(say("made_with", version=__version__)),
        "recipe": write_record(offer.recipe),
    }
    page = Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(values)
    return page.encode("utf-8", "replace")


def _write_logo(offer: Offer) -> str:
    if offer.company.logo is None:
        return ""
    company = offer.company.name
    said = offer.speech.say("alt_logo", company=company) if company else offer.speech.say("logo")
    width, height = _measure(offer.company.logo)
    return (
        f'<img class="logo" src="{_inline(offer.company.logo, "png")}" alt="{escape(said)}"'
        f' width="{width}" height="{height}">'
    )


def _write_company(offer: Offer) -> str:
    name, contact = escape(offer.company.name), escape(offer.company.contact)
    return (f"<b>{name}</b>" if name else "") + (f"<span>{contact}</span>" if contact else "")


def _write_project(offer: Offer) -> str:
    if not offer.project:
        return ""
    label = escape(offer.speech.say("for"))
    return f'<p class="project"><span>{label}:</span> {escape(offer.project)}</p>'


def _write_scene(offer: Offer) -> str:
    if offer.pictures.scene is None:
        return ""
    width, height = _measure(offer.pictures.scene)
    picture = _inline(offer.pictures.scene, "jpeg")
    caption = escape(offer.scene_caption)
    alt = caption if offer.pictures.is_plan else escape(offer.speech.say("alt_scene"))
    return (
        f'<figure><img class="scene" src="{picture}" alt="{alt}" width="{width}" height="{height}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _write_swatch(swatch: Swatch, offer: Offer) -> str:
    codes = escape(" · ".join(swatch.codes))
    share = escape(offer.speech.write_percent(swatch.share))
    return (
        f'<li><span class="chip" style="background:{swatch.hex}"></span>'
        f"<div><b>{escape(swatch.label)}</b><small>{codes}</small></div>"
        f'<span class="share">{share}</span></li>'
    )


def _write_order(offer: Offer, order: Order) -> str:
    """Write the table of what to buy, and that of the zones where there are several."""
    say, number = offer.speech.say, offer.speech.write_number
    columns = list_columns(offer.swatches, order, offer.speech)
    head = "".join(
        f'<th scope="col"{_less(one.is_minor)}>{escape(one.title)}</th>' for one in columns
    )
    rows = "".join(
        f'<tr><th scope="row"><i style="background:{swatch.hex}"></i>{escape(swatch.label)}</th>'
        + "".join(
            f"<td{_less(one.is_minor)}>{escape(one.cells[place])}</td>" for one in columns[1:]
        )
        + "</tr>"
        for place, swatch in enumerate(offer.swatches)
    )
    foot = "".join(
        f'<tr class="{kind}"><th scope="row">{escape(name)}</th>'
        + "".join(f"<td{_less(one.is_minor)}></td>" for one in columns[1:-2])
        + f"<td>{escape(kg)}</td><td>{escape(packs)}</td></tr>"
        for kind, name, kg, packs in list_totals(order, offer.speech)
    )
    asked = say("order_for", area=number(order.area), thickness=number(order.inputs.thickness))
    notes = "".join(
        f'<p class="note">{escape(note)}</p>' for note in list_notes(order, offer.speech)
    )
    zones = _write_zones(offer, order) if len(order.zones) > 1 else ""
    return (
        f'<section class="order"><h2>{escape(say("order"))} '
        f'<span class="order-for">{escape(asked)}</span></h2>'
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody><tfoot>{foot}</tfoot></table></div>{notes}{zones}</section>"
    )


def _write_zones(offer: Offer, order: Order) -> str:
    head, *rows = list_zone_rows(offer.swatches, order, offer.speech)
    return (
        f"<h2>{escape(offer.speech.say('zones'))}</h2>"
        f'<div class="wide"><table><thead><tr>{_join_cells(head, "col")}</tr></thead><tbody>'
        + "".join(f"<tr>{_join_cells(row, 'row')}</tr>" for row in rows)
        + "</tbody></table></div>"
        + "".join(
            f'<p class="note">{escape(note)}</p>' for note in list_line_notes(order, offer.speech)
        )
    )


def _join_cells(cells: Iterable[str], scope: str) -> str:
    first, *rest = map(escape, cells)
    tag = f'th scope="{scope}"' if scope == "col" else "td"
    return f'<th scope="{scope}">{first}</th>' + "".join(
        f"<{tag}>{cell}</{tag.split()[0]}>" for cell in rest
    )


def _less(is_minor: bool) -> str:
    return ' class="less"' if is_minor else ""


def _inline(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _measure(content: bytes) -> tuple[int, int]:
    """Measure a picture that this program has written: width and height in pixels."""
    with Image.open(io.BytesIO(content)) as picture:
        return picture.size
