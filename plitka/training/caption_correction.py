"""Captions of photographs: which are used as they are, and which are corrected or measured."""

from collections.abc import Sequence
from contextlib import closing
from functools import partial

from plitka.color.palette import CODE, Palette, UnknownColor
from plitka.measure.caption_audit import Finding
from plitka.measure.captions import Caption, CaptionError, is_bare_name, read_caption
from plitka.measure.reading import MEMORY, Unread, use_one_thread
from plitka.measure.text_file import TextError
from plitka.runtime.processes import Work, do_jobs
from plitka.training.found import Found, ListedPhotograph, Notes, Origin, Progress, write_caption
from plitka.training.options import Captions
from plitka.training.photograph_reading import Examined, ToExamine, examine

_LEAST = 0.005  # a measured share; less would be 0% in a prompt
_ONE_COLOR = "put photographs of tiles in one colour into a folder named by its code, DKGREEN/1.jpg"


def correct_captions(
    photographs: Sequence[ListedPhotograph],
    palette: Palette,
    captions: Captions,
    notes: Notes,
    progress: Progress,
) -> list[Found]:
    """Read the photographs and their captions, and correct these; gives those that can be used.

    What was corrected or measured is noted as a warning, what cannot be used as a fault.
    """
    jobs: dict[ToExamine, tuple[ListedPhotograph, str]] = {}
    for listed in photographs:
        caption, reason = _read(listed, palette, captions, notes)
        if caption is None and not reason:
            progress.step()
        else:
            jobs[ToExamine(listed.file, caption)] = listed, reason
    mixes = list(dict.fromkeys(job.caption.colors for job in jobs if job.caption is not None))
    work: Work[ToExamine, Examined | Unread] = Work(
        partial(examine, colors=palette.colors, mixes=mixes), use_one_thread, MEMORY
    )
    found = []
    done = do_jobs(work, list(jobs))
    with closing(done) as results:
        for job, result in results:
            listed, reason = jobs[job]
            progress.step()
            if not isinstance(result, Examined):
                notes.fault(listed.file, result.reason)
            elif (one := _settle(listed, result, reason, captions, notes)) is not None:
                found.append(one)
    return found


def _read(
    listed: ListedPhotograph, palette: Palette, captions: Captions, notes: Notes
) -> tuple[Caption | None, str]:
    """Read a caption; gives None and why not, with "" where that is noted as a fault."""
    try:
        return read_caption(listed.file, palette, lambda _: listed.text), ""
    except UnknownColor as fault:
        if listed.text is not None or not is_bare_name(listed.file):
            notes.fault(listed.file, f"{fault}; for a colour of your own, {_ONE_COLOR}")
            return None, ""
        reason = "its name is no caption like REDp60_BLUEp40"
    except (CaptionError, TextError) as fault:
        reason = str(fault)
    folder = listed.file.parent
    if listed.text is None and folder != notes.folder and CODE.fullmatch(folder.name):
        reason = f"it does not show the one colour that its folder {folder.name} may be named after"
    if captions == "as-given":
        notes.fault(listed.file, f'{reason}; write what it shows, "60% red, 40% blue"')
        return None, ""
    return None, reason


def _settle(
    listed: ListedPhotograph, result: Examined, reason: str, captions: Captions, notes: Notes
) -> Found | None:
    """Settle the caption of a photograph; None where it can have none, which is noted.

    reason: why it has none that can be read.
    """
    finding = result.finding
    if finding is None or finding.caption is None or finding.measured is None:
        return _take_recognized(listed, result, reason, None, notes)
    given = write_caption(finding.caption.colors, finding.caption.shares)
    colors, measured = finding.caption.colors, finding.measured.shares
    if finding.verdict == "lies" and captions == "as-given":
        notes.warn(listed.file, f"its caption says {given}, which is left ({_tell(finding)})")
    elif not finding.shares:
        return _take_recognized(listed, result, finding.reason, given, notes)
    elif finding.verdict == "lies":
        kept = [place for place, share in enumerate(finding.shares) if share >= _LEAST]
        colors = tuple(colors[place] for place in kept)
        total = sum(finding.shares[place] for place in kept)
        shares = tuple(finding.shares[place] / total for place in kept)
        measured = tuple(measured[place] for place in kept)
        notes.warn(
            listed.file, f"its caption says {given}, but it shows {write_caption(colors, shares)}"
        )
        return Found(listed, result.look, colors, shares, given, "corrected", measured)
    return Found(listed, result.look, colors, finding.caption.shares, given, "given", measured)


def _tell(finding: Finding) -> str:
    """Tell what is measured in place of a lie."""
    if not finding.shares or finding.caption is None:
        return finding.reason
    return f"it shows {write_caption(finding.caption.colors, finding.shares)}"


def _take_recognized(
    listed: ListedPhotograph, result: Examined, reason: str, given: str | None, notes: Notes
) -> Found | None:
    """Take what was recognized for a caption; None where that is nothing, which is a fault."""
    if result.recognized is None:
        said = "" if given is None else f"its caption says {given}; "
        notes.fault(
            listed.file,
            f"{said}{reason}, and what it shows is not of the palette's colours; write what it"
            f' shows, "60% red, 40% blue", and for colours of your own {_ONE_COLOR}',
        )
        return None
    caption, measured = result.recognized
    shown = write_caption(caption.colors, caption.shares)
    if given is None:
        notes.warn(listed.file, f"{reason}; by its granules it shows {shown}, which is used")
    else:
        notes.warn(listed.file, f"its caption says {given}, but it shows {shown}")
    origin: Origin = "measured" if given is None else "corrected"
    return Found(
        listed, result.look, caption.colors, caption.shares, given, origin, measured.shares
    )
