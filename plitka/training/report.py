"""The report of a training for the maker: one page, report.html, that needs nothing beside it."""

from plitka.training.inspection import Inspection
from plitka.training.pictures import Pictures
from plitka.training.record import TrainingFacts

MOST_PHOTOGRAPHS = 24
"""Whose changed captions are shown with the photograph; of the others there is a line."""


def write_report(facts: TrainingFacts, inspection: Inspection, pictures: Pictures) -> str:
    """Write the page."""
    return ""
