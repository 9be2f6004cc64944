"""Writes what tells of a whole catalogue: its tables, the contact sheet, the PDF sheet."""

from collections.abc import Sequence

from plitka import pdf
from plitka.catalogue import contact_sheet, listing, pdf_sheet
from plitka.catalogue.run import Entry
from plitka.catalogue.shelf import Shelf


def write_report(entries: Sequence[Entry], shelf: Shelf) -> list[str]:
    """Write catalogue.csv, catalogue.parquet, index.html and catalogue.pdf; gives their names."""
    written = []
    for name, content in (
        ("catalogue.csv", listing.write_csv(entries)),
        ("catalogue.parquet", listing.write_parquet(entries)),
        ("index.html", contact_sheet.write_page(entries, shelf.read_thumbnail)),
        *pdf_sheet.write_sheets(entries, shelf.read_thumbnail),
    ):
        shelf.write(name, content)
        written.append(name)
    return written


def check_libraries() -> None:
    """Raise EngineError where a library for the report is missing: before the work, not after."""
    listing.write_parquet([])
    pdf.open_sheet("Catalogue")
