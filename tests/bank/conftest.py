"""A bank that the tests of this room share."""

from pathlib import Path

import pytest

from plitka.bank.bank import Bank
from plitka.bank.files import load_bank
from tests.support.photo_banks import write_references, write_small_bank


@pytest.fixture(scope="session")
def references(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of one-colour tiles; nobody changes them."""
    return write_references(tmp_path_factory.mktemp("refs"))


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory, references: Path) -> Bank:
    return load_bank(write_small_bank(tmp_path_factory.mktemp("bank"), references))


@pytest.fixture
def folder(tmp_path: Path, references: Path) -> Path:
    """A bank's folder, for one test to damage."""
    return write_small_bank(tmp_path / "bank", references)
