"""The report of a training for the maker: one page, report.html, that needs nothing beside it."""

import math
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path

from plitka import __version__
from plitka.arrays import Image
from plitka.images.jpeg import encode_jpeg
from plitka.request.prompt import build_prompt
from plitka.training.charts import Line, Style, draw_chart, smooth
from plitka.training.choice import AS_GOOD, Evaluation
from plitka.training.guide import choose_example
from plitka.training.inspection import Inspection, TrainingPhotograph
from plitka.training.pictures import Pictures
from plitka.training.record import TrainingFacts

MOST_PHOTOGRAPHS = 24
"""Whose changed captions are shown with the photograph; of the others there is a line."""

_STYLE = Path(__file__).with_name("report.css")
_QUALITY = 84  # of small pictures
_SMOOTHED = 10  # points of the curve


def write_report(facts: TrainingFacts, inspection: Inspection, pictures: Pictures) -> str:
    """Write the page: the same text for the same facts and pictures."""
    sections = (
        _write_choice(facts),
        _write_curves(facts),
        _write_samples(facts, inspection, pictures),
        _write_trials(facts),
        _write_captions(inspection, pictures),
        _write_colors(inspection),
        _write_warnings((*inspection.warnings, *facts.warnings)),
        _write_usage(facts, inspection),
        _write_settings(facts),
    )
    style = _STYLE.read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Training report: {escape(facts.subject.trigger)}</title>\n"
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + _write_head(facts, inspection)
        + "".join(f"<section>\n{text}</section>\n" for text in sections if text)
        + f"<footer>Written by Plitka {__version__}.</footer>\n</main>\n</body>\n</html>\n"
    )


def _write_head(facts: TrainingFacts, inspection: Inspection) -> str:
    kept, first = facts.evaluation, facts.evaluations[0]
    held_out = len(inspection.held_out)
    trained = len(inspection.photographs) - held_out
    ended = f" {facts.ended}" if facts.ended else ""
    figures = (
        ("texture distance", f"{kept.texture:.2f}", _compare(f"{first.texture:.2f}", kept, first)),
        (
            "shares off, before matching",
            f"{kept.total_variation:.1%}",
            _compare(f"{first.total_variation:.1%}", kept, first),
        ),
        ("held-out loss", f"{kept.loss:.4f}", _compare(f"{first.loss:.4f}", kept, first)),
        ("scale of the LoRA", f"{facts.scale:g}", f"the best of {len(facts.trials)} tried"),
    )
    shown = "".join(
        f'<div><dt>{name}</dt><dd>{value}</dd><dd class="note">{note}</dd></div>\n'
        for name, value, note in figures
    )
    return (
        '<header>\n<p class="eyebrow">Plitka, training report</p>\n'
        f"<h1>Step {facts.chosen:,} of {facts.steps:,} was kept</h1>\n"
        f'<p class="lead">Trained on {_count(trained, "photograph")} of your tiles, checked on'
        f" {held_out} more that were held out, in {_format_time(facts.seconds)} on"
        f" {escape(facts.device)}.{escape(ended)}</p>\n"
        f'<dl class="figures">\n{shown}</dl>\n</header>\n'
    )


def _compare(before: str, kept: Evaluation, first: Evaluation) -> str:
    if kept is first:
        return "nothing earlier to compare with"
    return f"{before} {_name_step(first.step)}"


def _name_step(step: int) -> str:
    return f"at step {step:,}" if step else "before training"


def _write_choice(facts: TrainingFacts) -> str:
    """Write which state was kept and why, with all evaluations."""
    sound = [one for one in facts.evaluations if one.step and math.isfinite(one.loss)]
    best = min(sound, key=lambda one: one.loss)
    near = f"{AS_GOOD - 1:.0%}"
    rows = []
    for one in facts.evaluations:
        kept = one.step == facts.chosen
        far = not one.step or not one.loss <= best.loss * AS_GOOD
        verdict = '<span class="badge">kept</span>' if kept else ""
        if not one.step:
            verdict = "before training"
        elif far and not kept:
            verdict = "loss too high"
        undecided = sum(drawing.undecided for drawing in one.drawings) / len(one.drawings)
        figures = (
            f"{one.loss:.4f}",
            f"{one.texture:.2f}",
            f"{one.total_variation:.1%}",
            f"{undecided:.1%}",
        )
        cells = "".join(f'<td class="number">{figure}</td>' for figure in figures)
        kind = "kept" if kept else "far" if far else ""
        rows.append(
            f'<tr class="{kind}"><th scope="row" class="number">{one.step:,}</th>{cells}'
            f'<td class="verdict">{verdict}</td></tr>\n'
        )
    headers = ("step", "held-out loss", "texture", "shares off", "other colours")
    return (
        "<h2>Why this step</h2>\n"
        f"<p>The loss on the photographs that were held out was least at step {best.step:,}:"
        f" {best.loss:.4f}. Among the states within {near} of it, that of step"
        f" <strong>{facts.chosen:,}</strong> draws tiles whose texture is nearest to the"
        " photographs.</p>\n"
        '<p class="soft">Texture distance is 0 for the same picture; two halves of one photograph'
        " are about 0.4 apart. Shares are measured on pictures as the model draws them; when you"
        " make tiles, Plitka matches them to your recipe afterwards.</p>\n"
        + _write_table("Evaluations", headers, rows, 5, extra=True)
    )


def _write_table(
    label: str,
    headers: Sequence[str],
    rows: Iterable[str],
    numbers: int,
    kind: str = "",
    extra: bool = False,
) -> str:
    """Write a table that scrolls where the page is narrow.

    numbers: how many columns are such, from the left. kind: a class of the page's. extra: whether
    there is one more column, without a title.
    """
    heads = "".join(
        f'<th scope="col"{" class=number" if place < numbers else ""}>{name}</th>'
        for place, name in enumerate(headers)
    )
    if extra:
        heads += '<td class="number"></td>'
    return (
        f'<div class="{f"scroll {kind}".rstrip()}" role="region" aria-label="{escape(label)}"'
        f' tabindex="0">\n<table>\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{''.join(rows)}</tbody>\n</table>\n</div>\n"
    )


def _write_curves(facts: TrainingFacts) -> str:
    raw = [(float(step), loss) for step, loss in facts.curve]
    losses = [(float(one.step), one.loss) for one in facts.evaluations]
    textures = [(float(one.step), one.texture) for one in facts.evaluations]
    variations = [(float(one.step), one.total_variation) for one in facts.evaluations]
    charts = (
        _write_chart(
            "Loss",
            f"Training and held-out loss by step; {losses[-1][1]:.4f} held out at the end.",
            (Line(raw, "raw"), Line(smooth(raw, _SMOOTHED), "main"), Line(losses, "other", True)),
            facts.chosen,
            (("main", "training, smoothed"), ("raw", "training"), ("other", "held out")),
        ),
        _write_chart(
            "Texture distance",
            f"Texture distance by step, from {textures[0][1]:.2f} to {textures[-1][1]:.2f}.",
            (Line(textures, "other", True),),
            facts.chosen,
            (("other", "mean of the drawings"),),
        ),
        _write_chart(
            "Shares off, before matching",
            f"Total variation by step, from {variations[0][1]:.1%} to {variations[-1][1]:.1%}.",
            (Line(variations, "other", True),),
            facts.chosen,
            (("other", "mean of the drawings"),),
            percent=True,
        ),
    )
    return f'<h2>How it went</h2>\n<div class="charts">\n{"".join(charts)}</div>\n'


def _write_chart(
    name: str,
    told: str,
    lines: Sequence[Line],
    kept: int,
    legend: Sequence[tuple[Style, str]],
    percent: bool = False,
) -> str:
    items = "".join(f'<li class="{style}"><i></i>{text}</li>' for style, text in legend)
    return (
        f'<figure class="chart"><figcaption>{name}</figcaption>'
        f"{draw_chart(told, lines, kept, percent)}"
        f'<ul class="legend">{items}</ul></figure>\n'
    )


def _write_samples(facts: TrainingFacts, inspection: Inspection, pictures: Pictures) -> str:
    """Write a table of pictures: a row for each recipe, a column for each step."""
    by_step = {one.step: one for one in facts.evaluations}
    steps = sorted(
        (step for step in pictures.drawings if step in by_step),
        key=lambda step: (
            step != facts.chosen,
            step,
        ),  # the one that was kept beside the photograph
    )
    if not steps:
        return ""
    by_name = {one.name: one for one in inspection.photographs}
    heads = "".join(
        f'<th scope="col"{" class=kept" if step == facts.chosen else ""}>'
        f"{f'step {step:,}' if step else 'before'}"
        f"{' <span class=badge>kept</span>' if step == facts.chosen else ''}</th>"
        for step in steps
    )
    rows = []
    for number, drawing in enumerate(facts.evaluation.drawings):
        shown = by_name.get(drawing.photograph)
        recipe = escape(_format_caption(shown) if shown else drawing.prompt)
        cells = f"<td>{_write_held_out(pictures, number, recipe)}</td>"
        for step in steps:
            own = by_step[step].drawings[number]
            image = _embed(pictures.drawings[step][number], f"{recipe}, drawn at step {step}")
            cells += (
                f"<td{' class=kept' if step == facts.chosen else ''}>{image}<small>texture"
                f" {own.texture:.2f},<br>shares off {own.total_variation:.0%}</small></td>"
            )
        rows.append(f'<tr><th scope="row">{recipe}</th>{cells}</tr>\n')
    return (
        "<h2>Samples over time</h2>\n<p>Recipes of photographs that the training never saw, drawn"
        " as the model draws them, before matching.</p>\n"
        '<div class="scroll samples" role="region" aria-label="Samples over time" tabindex="0">\n'
        f'<table>\n<thead><tr><th scope="col">recipe</th><th scope="col">your photograph</th>'
        f"{heads}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody>\n</table>\n</div>\n"
    )


def _write_held_out(pictures: Pictures, number: int, recipe: str) -> str:
    if number >= len(pictures.held_out):
        return ""
    return _embed(pictures.held_out[number], f"Photograph of {recipe}")


def _write_trials(facts: TrainingFacts) -> str:
    if not facts.trials:
        return ""
    rows = [
        f'<tr class="{"kept" if trial.scale == facts.scale else ""}"><th scope="row"'
        f' class="number">{trial.scale:g}</th><td class="number">{trial.texture:.2f}</td>'
        f'<td class="number">{trial.total_variation:.1%}</td><td>'
        f"{'<span class=badge>used</span>' if trial.scale == facts.scale else ''}</td></tr>\n"
        for trial in facts.trials
    ]
    return (
        "<h2>How strongly the LoRA works</h2>\n"
        "<p>The state that was kept was drawn at several scales. The one with the nearest texture"
        f" is noted in the file: <strong>{facts.scale:g}</strong>. PLITKA_LORA_SCALE sets"
        " another.</p>\n"
        + _write_table("Scales", ("scale", "texture", "shares off"), rows, 3, "narrow", True)
    )


def _write_captions(inspection: Inspection, pictures: Pictures) -> str:
    """Write which captions were not used as they were given."""
    changed = [one for one in inspection.photographs if one.origin in ("corrected", "measured")]
    total = len(inspection.photographs)
    if not changed:
        return (
            "<h2>Captions</h2>\n"
            f"<p>The captions of all {_count(total, 'photograph')} were used as given.</p>\n"
        )
    rows = []
    for one in changed[:MOST_PHOTOGRAPHS]:
        image = pictures.photographs.get(one.name)
        picture = '<span class="none"></span>' if image is None else _embed(image, "")
        given = (
            "none that could be read" if one.given is None else f"<del>{escape(one.given)}</del>"
        )
        rows.append(
            f'<tr><td>{picture}</td><th scope="row">{escape(one.name)}</th><td>{given}</td>'
            f"<td><strong>{escape(_format_caption(one))}</strong></td>"
            f"<td>{escape(_format_shares(one, one.measured))}</td></tr>\n"
        )
    rest = len(changed) - MOST_PHOTOGRAPHS
    more = f"<p>And {rest} more; training.json has them all.</p>\n" if rest > 0 else ""
    headers = ('<span class="soft">photograph</span>', "file", "given", "used", "measured")
    return (
        f"<h2>Captions that were not used as given</h2>\n<p>{len(changed)} of"
        f" {_count(total, 'photograph')}. A caption that names the shares the wrong way round is"
        " turned; one that fits neither way, or cannot be read, gives way to what was measured."
        " Look at them: the model believes what is used.</p>\n"
        + _write_table("Captions", headers, rows, 0, "captions")
        + more
    )


def _write_colors(inspection: Inspection) -> str:
    if not inspection.palette_rows:
        return ""
    items = "".join(
        f'<li><span style="background:{escape(row["median_srgb"])}"></span>'
        f"<span><strong>{escape(row['caption'])}</strong><small>{escape(row['code'])},"
        f" {escape(row['median_srgb'])}</small></span></li>\n"
        for row in inspection.palette_rows
    )
    return (
        "<h2>Your colours</h2>\n<p>Measured on your photographs of one-colour tiles. They are in"
        " palette.csv of the package, and are used with it.</p>\n"
        f'<ul class="colors">\n{items}</ul>\n'
    )


def _write_warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(text)}</li>\n" for text in warnings)
    return f'<h2>Warnings</h2>\n<ul class="warnings">\n{items}</ul>\n'


def _write_usage(facts: TrainingFacts, inspection: Inspection) -> str:
    prompt = build_prompt(choose_example(inspection), facts.subject)
    return (
        "<h2>How to use it</h2>\n"
        "<p>trained_model.tar holds all that is needed. In Plitka:</p>\n"
        "<pre>python -m plitka make --weights trained_model.tar --out tile"
        " --color red=60 --color blue=40\n"
        "python -m plitka bake --weights trained_model.tar FOLDER</pre>\n"
        "<p>Elsewhere, in diffusers or ComfyUI, with lora.safetensors at strength"
        f" {facts.scale:g} and embeddings.safetensors, the prompt is</p>\n"
        f"<pre>{escape(prompt)}</pre>\n"
        "<p>README.md in the package says more.</p>\n"
    )


def _write_settings(facts: TrainingFacts) -> str:
    """Write what the training was asked and what it ran with, folded."""
    asked = {name.replace("_", " "): value for name, value in asdict(facts.options).items()}
    entries = {
        "model": facts.base,
        "device": f"{facts.device}, {facts.dtype}, memory plan {facts.plan}",
        "samples": f"{facts.resolution} pixels a side",
        **{f"--{name}": _format_option(value) for name, value in asked.items()},
        "programs": ", ".join(f"{name} {of}" for name, of in sorted(facts.versions.items())),
    }
    items = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>\n" for name, value in entries.items()
    )
    return f"<details><summary>Settings and versions</summary>\n<dl>\n{items}</dl>\n</details>\n"


def _format_option(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _format_caption(one: TrainingPhotograph) -> str:
    return _format_shares(one, one.shares)


def _format_shares(one: TrainingPhotograph, shares: Sequence[float]) -> str:
    pairs = zip(shares, one.colors, strict=False)
    return ", ".join(f"{share:.0%} {color.phrase}" for share, color in pairs)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _format_time(seconds: float) -> str:
    """Format a duration: "45 s", "20 min", "3 h 12 min"."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _embed(image: Image, alt: str) -> str:
    """Embed a picture. alt: escaped already; "" for one that is named beside it."""
    content = b64encode(encode_jpeg(image, _QUALITY)).decode()
    height, width = image.shape[:2]
    return (
        f'<img src="data:image/jpeg;base64,{content}" alt="{alt}" width="{width}"'
        f' height="{height}">'
    )
