"""What `calibrate` does: measures the palette, makes the photo bank, and tells what it left out.

NumPy, OpenCV and rich are imported when the command runs.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from plitka.cli.terminal import print_json_line, show_progress
from plitka.color import palette
from plitka.color.palette import PaletteError
from plitka.errors import EngineError
from plitka.printable import make_printable
from plitka.settings import OWN_BANK, Settings

if TYPE_CHECKING:
    from plitka.bank.making import NotBanked
    from plitka.measure.palette_calibration import Event


def run_calibrate(options: argparse.Namespace, settings: Settings) -> None:
    """Measure colours on photographs, and write them as a palette and a photo bank."""
    from plitka.bank import files as bank_files
    from plitka.bank import making
    from plitka.cli import calibration_report
    from plitka.measure import palette_calibration
    from plitka.measure.palette_calibration import ColorFolders, LeftOut, Measured, Sampled

    out = options.out or settings.palette_file or palette.OWN_FILE
    bank = options.bank or _place_bank(out, settings)
    there = palette_calibration.check_palette_file(out)
    if bank is not None:
        bank_files.check_folder(bank)
    account = calibration_report.Account()

    def sum_up(written: Path | None) -> None:
        if options.json:
            print_json_line(calibration_report.write_summary(account, options.folder, written))
        else:
            calibration_report.print_summary(account, written)

    try:
        with show_progress("Measuring", options.json) as progress:

            def tell(event: "Event | NotBanked") -> None:
                account.add(event)
                if isinstance(event, ColorFolders):
                    progress.expect(sum(map(len, event.photographs.values())))
                    return
                if isinstance(event, Measured):
                    return
                if isinstance(event, Sampled | LeftOut):
                    progress.advance()
                if options.json:
                    if isinstance(event, Sampled | LeftOut):
                        print_json_line(calibration_report.write_event(event, options.folder))
                elif line := calibration_report.describe_event(event, options.folder):
                    progress.console.print(make_printable(line), soft_wrap=True)

            own = settings.palette_file  # which may be written for the first time
            known = palette.load(own if own and palette.has_content(own) else None)
            rows = palette_calibration.calibrate(options.folder, known, tell, there)
            colors = bank and making.make_colors(account.list_photographs(rows), tell)
        palette_calibration.write_palette(rows, out)
        if bank is not None and colors:
            account.bank = bank_files.write_bank(colors, bank), bank
    except (KeyboardInterrupt, PaletteError, EngineError):
        if account.folders.photographs:
            sum_up(None)
        raise
    account.rows = [*rows]
    sum_up(out)


def _place_bank(out: Path, settings: Settings) -> Path | None:
    """Where the photo bank is made that no --bank names.

    That is the folder that the settings name, else OWN_BANK for the palette that is read without a
    setting, as that bank is; None for any other palette, beside which nothing is written.
    """
    return settings.named_bank or (OWN_BANK if out == palette.OWN_FILE else None)
