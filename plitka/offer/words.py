# ruff: noqa: RUF001 - Cyrillic is meant
"""What offers say, in English and in Russian."""

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

Language: TypeAlias = Literal["en", "ru"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

_ENGLISH = {
    "kind": "Rubber-crumb flooring",
    "for": "Prepared for",
    "tile_picture": "The surface, {side} mm across",
    "scene": "Laid on a floor",
    "alt_tile": "Picture of the surface: {mix}",
    "alt_scene": "A room whose floor is laid with it",
    "alt_logo": "Logo of {company}",
    "logo": "Logo",
    "mix": "Colours",
    "of_area": "of the visible area",
    "surface": "Surface",
    "angle": "Laying angle",
    "tile": "Tile",
    "tile_size": "{side}\u00a0×\u00a0{side}\u00a0×\u00a0{thickness}\u00a0mm",
    "mm": "{length}\u00a0mm",
    "granule": "Granules",
    "granule_mm": "{mm} mm on average",
    "seed": "Seed",
    "order": "What to order",
    "order_for": "{area} m² × {thickness} mm",
    "color": "Colour",
    "area_share": "Of the area",
    "volume_share": "Of volume",
    "weight_share": "Of weight",
    "density": "kg/m³",
    "granules_mm": "Granule, mm",
    "kg": "kg",
    "bags": "Bags",
    "bags_of": "Bags of {bag}\u00a0kg",
    "granules_in_all": "Granules in all",
    "binder": "Polyurethane binder, {binder}% of the granules’ weight",
    "packs_of": "{packs} × {pack}\u00a0kg",
    "tiles_note": "{tiles} tiles of {tile} × {tile} mm.",
    "loss_note": "Kilograms include {loss}% for loss. Bags and packs are whole ones.",
    "conversion_note": "Shares of the visible area become shares of volume by the granules’ sizes,"
    " and shares of weight by their densities.",
    "zones": "By zone",
    "zone": "Zone",
    "area_m2": "m²",
    "color_note": "Screens and printers show colours differently. Before you order, compare with a"
    " sample of the granules.",
    "recipe_note": "The recipe is in this file: drop it on the designer’s page, and the tile opens"
    " again.",
    "made_with": "Drawn with Plitka {version}",
    "page": "{page} / {pages}",
    "near_ral": "near RAL\u00a0{number}",
    "sum": "In all",
    "file_color": "Colour", "file_code": "Code", "file_hex": "Hex",
    "file_area_share": "Visible area, %", "file_volume_share": "Volume, %",
    "file_weight_share": "Weight, %", "file_density": "Density, kg/m³",
    "file_granule": "Granule, mm", "file_kg": "Kilograms", "file_pack": "Bag, kg",
    "file_packs": "Bags", "file_zone": "Zone", "file_area": "Area, m²",
    "file_binder": "Polyurethane binder", "file_all": "Granules in all",
}  # fmt: skip

_RUSSIAN = {
    "kind": "Покрытие из резиновой крошки",
    "for": "Для кого",
    "tile_picture": "Поверхность, {side} мм в ширину",
    "scene": "На полу",
    "alt_tile": "Вид поверхности: {mix}",
    "alt_scene": "Комната с таким полом",
    "alt_logo": "Логотип: {company}",
    "logo": "Логотип",
    "mix": "Цвета",
    "of_area": "видимой площади",
    "surface": "Покрытие",
    "angle": "Угол укладки",
    "tile": "Плитка",
    "tile_size": "{side}\u00a0×\u00a0{side}\u00a0×\u00a0{thickness}\u00a0мм",
    "mm": "{length}\u00a0мм",
    "granule": "Гранулы",
    "granule_mm": "в среднем {mm} мм",
    "seed": "Сид",
    "order": "Что заказать",
    "order_for": "{area} м² × {thickness} мм",
    "color": "Цвет",
    "area_share": "Площади",
    "volume_share": "Объёма",
    "weight_share": "Веса",
    "density": "кг/м³",
    "granules_mm": "Гранула, мм",
    "kg": "кг",
    "bags": "Мешков",
    "bags_of": "Мешков по {bag}\u00a0кг",
    "granules_in_all": "Гранул всего",
    "binder": "Полиуретановое связующее, {binder} % от веса гранул",
    "packs_of": "{packs} × {pack}\u00a0кг",
    "tiles_note": "Плиток {tile} × {tile} мм: {tiles}.",
    "loss_note": "В килограммы входит запас {loss} %. Мешки и упаковки — целые.",
    "conversion_note": "Доли видимой площади переведены в доли объёма по размеру гранул, а в доли"
    " веса — по их плотности.",
    "zones": "По зонам",
    "zone": "Зона",
    "area_m2": "м²",
    "color_note": "Экраны и принтеры передают цвета по-разному. Перед заказом сравните с образцом"
    " гранул.",
    "recipe_note": "Рецепт — внутри этого файла: бросьте файл на страницу конструктора, и плитка"
    " откроется снова.",
    "made_with": "Нарисовано в Plitka {version}",
    "page": "{page} / {pages}",
    "near_ral": "близко к\u00a0RAL\u00a0{number}",
    "sum": "Всего",
    "file_color": "Цвет", "file_code": "Код", "file_hex": "Hex",
    "file_area_share": "Видимая площадь, %", "file_volume_share": "Объём, %",
    "file_weight_share": "Вес, %", "file_density": "Плотность, кг/м³",
    "file_granule": "Гранула, мм", "file_kg": "Килограммы", "file_pack": "Мешок, кг",
    "file_packs": "Мешков", "file_zone": "Зона", "file_area": "Площадь, м²",
    "file_binder": "Полиуретановое связующее", "file_all": "Гранул всего",
}  # fmt: skip

WORDS: Mapping[Language, Mapping[str, str]] = {"en": _ENGLISH, "ru": _RUSSIAN}

MONTHS: Mapping[Language, tuple[str, ...]] = {
    "en": (
        *("January", "February", "March", "April", "May", "June", "July", "August"),
        *("September", "October", "November", "December"),
    ),
    "ru": (
        *("января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа"),
        *("сентября", "октября", "ноября", "декабря"),
    ),
}
