# ruff: noqa: RUF001 - Cyrillic is meant
"""The Russian of the messages, by their English. {name} is a place for a value, as in the English.

What cannot go wrong in a request in Russian words, and is met by programs alone, has none.
"""

from collections.abc import Mapping

_BESIDE = "пишите долю рядом с цветом, например «60% чёрный, 40% белый»"
_PARTS = (
    "можно написать доли цветов, угол, сид и качество, например"
    " «60% чёрный, 40% белый, 45 градусов, сид 7»"
)

RUSSIAN: Mapping[str, str] = {
    # A value and what is allowed
    "got {value}; allowed: {allowed}": "{value} не подходит; нужно: {allowed}",
    'got {value}; did you mean "{meant}"? Allowed: {allowed}': (
        "{value} не подходит; может быть, «{meant}»? Можно: {allowed}"
    ),
    "a number from {low} to {high}{unit}": "число от {low} до {high}{unit}",
    "a whole number from {low} to {high}{note}": "целое число от {low} до {high}{note}",
    " degrees": " градусов",
    " mm": " мм",
    " (-1 draws one)": " (−1 — любой)",
    "true or false": "true или false",
    "{said}, or leave it out": "{said}, или ничего не указывайте",
    # Fields of a request
    'given beside "{other}"; give one of {names}': (
        "указано вместе с «{other}»; оставьте одно: {names}"
    ),
    "missing; allowed: {allowed}": "не указано; нужно: {allowed}",
    "unknown key; known: {known}": "нет такого поля; есть: {known}",
    'unknown key; did you mean "{meant}"? Known: {known}': (
        "нет такого поля; может быть, «{meant}»? Есть: {known}"
    ),
    "given more than once in the same object; give it once": "указано дважды; оставьте одно",
    "and {omitted} more faults": "и ещё ошибок: {omitted}",
    "an object like {example}": "объект, например {example}",
    # Colours and their shares
    "a list of 1 to {most} colours like [{color}, …]": (
        "список цветов, от 1 до {most}, например [{color}, …]"
    ),
    'a colour name like "red", "dark green" or "DKGREEN"': (
        "название цвета, например «красный» или «тёмно-зелёный»"
    ),
    '"#rrggbb" or "#rgb"': "«#rrggbb» или «#rgb»",
    '{name}, or a "hex", {hex}': "{name}, или «hex»: {hex}",
    'a hex colour, "#rrggbb" or "#rgb"': "код цвета «#rrggbb» или «#rgb»",
    "a percentage, 0 to 100, or a fraction, 0 to 1": "процент от 0 до 100 или дробь от 0 до 1",
    "proportions add up to {total}{unit}; allowed: {sums}": (
        "доли дают в сумме {total}{unit}, а нужно {sums}"
    ),
    "percentages that add up to 100 (99 to 101)": "100 % (от 99 до 101)",
    "percentages that add up to 100 (99 to 101) or fractions that add up to 1 (0.99 to 1.01)": (
        "100 % (от 99 до 101) или, если доли — дроби, 1 (от 0,99 до 1,01)"
    ),
    # Names that no colour has
    "unknown colour {name}{character}.": "нет цвета {name}{character}.",
    "unknown colour {name}{character}; did you mean {meant}?": (
        "нет цвета {name}{character}; может быть, {meant}?"
    ),
    " (its character {number} is {title})": " (знак {number} в нём — {title})",
    "Nearest by colour: {names}.": "Ближе всего по цвету: {names}.",
    "Nearest by letters: {names}.": "Похожи по написанию: {names}.",
    'Any other colour goes by its hex, such as "{hex}".': (
        "Другой цвет задают номером RAL или кодом, например {hex}."
    ),
    'Any other colour goes by its hex, such as "{hex}", or by its name in CSS, "{css}".': (
        "Другой цвет задают номером RAL или кодом, например {hex}, или именем в CSS, «{css}»."
    ),
    "A number of RAL Classic has four digits, such as {names}.": (
        "В номере RAL Classic четыре цифры, например {names}."
    ),
    "Known: {names}": "В палитре: {names}",
    "Known: {names} and {more} more": "В палитре: {names} и ещё {more}",
    # Sentences
    "{said} is not understood; allowed: shares of colours, an angle, a seed, a quality, such as"
    ' "60% black, 40% white, 45 degrees, seed 7", or JSON': f"{{said}} — непонятно; {_PARTS}",
    "{said} names no colour; allowed: shares of colours, an angle, a seed, a quality, such as"
    ' "60% black, 40% white, 45 degrees, seed 7", or JSON': (
        f"{{said}} — здесь нет ни одного цвета; {_PARTS}"
    ),
    "not JSON, and {length} characters are no sentence; allowed: up to {most}": (
        "для рецепта словами {length} знаков — слишком много; можно до {most}"
    ),
    "given twice, {first} and {second}; give it once": (
        "указано дважды, {first} и {second}; оставьте одно"
    ),
    "{name} names {count} colours at once; part them, and give each its share": (
        "{name} — здесь цветов: {count}; разделите их запятой и укажите долю каждого"
    ),
    "{name} is not understood; name the colours that the tile has": (
        "{name} — непонятно; назовите цвета, которые в плитке есть"
    ),
    '{said} is one of the overrides; only JSON sets them, such as {{"colors": [{{"name": "black",'
    ' "proportion": 100}}], "overrides": {{"strength": 0.7}}}}': (
        '{said} — это из «overrides», их задают только в JSON, например {{"colors": [{{"name":'
        ' "black", "proportion": 100}}], "overrides": {{"strength": 0.7}}}}'
    ),
    "{said} alone could be a share, an angle or a seed; write"
    ' "{number}% red", "{number} degrees" or "seed {number}"': (
        "{said} — это доля, угол или сид? Напишите «{number}% красный», «{number} градусов» или"
        " «сид {number}»"
    ),
    "{sign} in {said}": "{sign} в {said}",
    "{what} is not understood; write each share beside its colour, such as"
    ' "60% black, 40% white"': f"{{what}} — непонятно; {_BESIDE}",
    '{said} says no shares; write them, such as {each}, or "equal parts" and the colours': (
        "{said} — без долей; укажите их, например {each}, или напишите «поровну» и цвета"
    ),
    '{said} has no share, and others have; write "40% {name}", or "the rest {name}"': (
        "у цвета {said} нет доли, а у других есть; напишите «40% {name}» или «остальное {name}»"
    ),
    "{said} stands beside other shares; say one or the other": (
        "{said}, а рядом другие доли; оставьте что-то одно"
    ),
    "{said} is of {count} colours, and {named} are named; write"
    ' each share beside its colour, such as "60% black, 40% white"': (
        f"в {{said}} чисел: {{count}}, а цветов названо: {{named}}; {_BESIDE}"
    ),
    "{said} has a share beside equal ones; say one or the other": (
        "{said} — здесь своя доля, а остальные поровну; оставьте что-то одно"
    ),
    "{said} names a colour twice for equal shares": (
        "{said} — доли поровну, а один цвет назван дважды"
    ),
    "parts, such as 3 parts red and 1 part white, go with parts alone": (
        "части («3 части красного и 1 часть белого») не сочетаются с другими долями"
    ),
    "{names} share one rest; give all but one of them a share": (
        "{names} — «остальное» может быть только у одного цвета; у других укажите долю"
    ),
    "{said} is nothing: the other shares add up to {total}": (
        "для {said} ничего не осталось: другие доли дают в сумме {total}"
    ),
    # Requests that are none
    "wraps a request, so it must be the only key": (
        "в «params_json» вложен запрос, поэтому других полей рядом быть не может"
    ),
    "wrapped too often; allowed: {allowed}": (
        "запрос слишком много раз вложен сам в себя; нужно: {allowed}"
    ),
    "got {size} bytes; allowed: up to {most}": "в запросе {size} байт; можно до {most}",
    "not JSON ({reason} at line {line}, column {column}, near {near}); allowed: {allowed}": (
        "это не JSON ({reason}: строка {line}, знак {column}, рядом с {near}); нужно: {allowed}"
    ),
    "nested too deeply; allowed: {allowed}": "слишком глубоко вложено; нужно: {allowed}",
    # Requests on the command line
    'params_json: given beside {options}; say all in it, such as "{example}", or leave it out'
    " and give the colours with --color NAME=SHARE": (
        "рецепт задан и словами, и параметром: {options}; скажите всё словами, например"
        " «{example}», или уберите слова и задайте цвета параметром --color ЦВЕТ=ДОЛЯ"
    ),
    "params_json: standard input is closed": "рецепта нет: стандартный ввод закрыт",
    "params_json: got more than the {most} bytes allowed": (
        "рецепт слишком длинный; можно до {most} байт"
    ),
    "params_json: not UTF-8 text (byte {place})": (
        "рецепт — не текст в кодировке UTF-8 (байт {place})"
    ),
    "--color: got {text}; allowed: NAME=SHARE, such as red=60": (
        "--color: {text} не подходит; нужно ЦВЕТ=ДОЛЯ, например красный=60"
    ),
    "--colors: {said}": "--colors: {said}",
    # Engines
    "To draw tiles without a diffusion model: --engine render on the command line, or"
    " PLITKA_ENGINE=render": (
        "Чтобы рисовать плитку без нейросети, добавьте к команде --engine render или задайте"
        " PLITKA_ENGINE=render"
    ),
    "{remedy}. What sdxl lacks:\n{faults}": (
        "{remedy}. Для нейросети, движка sdxl, не хватает:\n{faults}"
    ),
    # Figures of an order
    "{whose}: got {value}; allowed: {within}": "{whose}: «{value}» не подходит; нужно {within}",
    "{whose}: got {value}; allowed: {form}, {within}": (
        "{whose}: «{value}» не подходит; нужно {form}, {within}"
    ),
    "{figure} of {color}": "{figure}, {color}",
    "{low} to {high} {unit}": "от {low} до {high} {unit}",
    "a number": "число",
    "a number that can be read in one way only: {plain} or {point}": (
        "число, которое читается однозначно: {plain} или {point}"
    ),
    "kg/m³, such as 950, or kg/m² at a thickness, such as 9.5 kg/m2 at 10 mm": (
        "число в кг/м³, например 950, или в кг/м² при толщине, например 9,5 кг/м2 при 10 мм"
    ),
    "area: allowed: above 0 m² for each zone": "площадь каждой зоны должна быть больше 0 м²",
    "color: allowed: shares above 0": "доли цветов должны быть больше 0",
    "--area: is missing": "--area: не указана площадь пола, например --area 120",
    "--{figure}: the recipe has no colour {color}; it has {known}": (
        "--{figure}: в рецепте нет цвета {color}; в нём есть {known}"
    ),
    "area": "площадь",
    "tile": "сторона плитки",
    "thickness": "толщина",
    "granule": "размер гранул",
    "density": "плотность",
    "loss": "запас",
    "bag": "мешок гранул",
    "binder": "связующее",
    "pack": "упаковка связующего",
    "m²": "м²",
    "mm": "мм",
    "kg/m³": "кг/м³",
    "kg": "кг",
    # Offers
    "--out: allowed: a name that ends with .html or .pdf, or a folder": (
        "--out: нужно имя файла с .html или .pdf на конце или папка"
    ),
}
