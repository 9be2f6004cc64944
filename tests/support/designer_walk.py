"""A walk through the states of the designer's page, each of which can be looked at or checked."""

import io
from collections.abc import Iterator

from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.designer import Hand

TILE = "#c=dark+green:50,beige:30,terracotta:20&angle=45&seed=7&quality=turbo"
WALK_MS = 120_000  # for a picture: nothing here is about time
DIALOGS = ("open-offer", "open-texture", "photographer-open")
TABS = ("mix", "colors", "laying", "samples")


def walk(hand: Hand) -> Iterator[str]:
    """Bring the page into one state after the other, and name each."""
    page = hand.page
    hand.ready(TILE)
    narrow = page.evaluate("() => innerWidth <= 600")
    page.wait_for_selector('#frame[data-state="current"]', timeout=WALK_MS)
    for tab in TABS if narrow else ():
        turn(page, tab)
        yield f"tab {tab}"
    if narrow:
        page.locator("#more").click()
        yield "menu"
        page.keyboard.press("Escape")
    yield from _lay_surface(page, narrow)
    yield from _reckon(page, narrow)
    yield from _keep_variants(page, narrow)
    for view in ("scene", "own"):
        look_at(page, view, narrow)
        if view == "scene":
            page.wait_for_selector('#frame[data-state="current"]', timeout=WALK_MS)
        yield view
    page.locator("#photo-file").set_input_files(
        {"name": "floor.jpg", "mimeType": "image/jpeg", "buffer": make_photo()}
    )
    expect(page.locator(".photo-settings")).to_be_visible(timeout=WALK_MS)
    yield "own photo"
    page.locator('[name="photo-mode"][value="outline"]').check(force=True)
    yield "own photo, outline"
    for opener in DIALOGS:
        if narrow and not page.locator(f"#{opener}").is_visible():
            page.locator("#more").click()
        page.locator(f"#{opener}").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        yield f"dialog of {opener}"
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()


def turn(page: Page, tab: str) -> None:
    """Turn the sheet of a phone to one of its tabs."""
    page.locator(f"#tab-of-{tab}").click()


def look_at(page: Page, view: str, narrow: bool) -> None:
    """Choose a view of the stage."""
    if narrow:
        page.locator("#more-views").select_option(view)
    else:
        page.locator(f'[name="view"][value="{view}"]').check(force=True)


def _lay_surface(page: Page, narrow: bool) -> Iterator[str]:
    if narrow:
        turn(page, "laying")
    page.locator("#surface-on").click()
    for shape in ("border", "circle", "stripe"):
        page.locator("#new-shape").select_option(shape)
        page.locator("#add-zone").click()
    page.wait_for_selector('#frame[data-state="current"]', timeout=WALK_MS)
    yield "surface with zones, plan"


def _reckon(page: Page, narrow: bool) -> Iterator[str]:
    if narrow:
        turn(page, "laying")
    page.locator("#own-figures").evaluate("(one) => (one.open = true)")
    expect(page.locator("#order table")).to_be_visible(timeout=WALK_MS)
    yield "kilograms with figures"


def _keep_variants(page: Page, narrow: bool) -> Iterator[str]:
    if narrow:
        turn(page, "mix")
    for _ in range(2):
        page.locator('[aria-labelledby="variants-title"] .heading button').click()
    page.locator('[data-deed="compare"]').first.click()
    yield "variants, compared"
    page.locator('[data-deed="compare"]').first.click()


def make_photo() -> bytes:
    """A gray floor as a photo."""
    file = io.BytesIO()
    Image.new("RGB", (600, 400), "gray").save(file, "JPEG")
    return file.getvalue()


def find_violations(page: Page) -> list[str]:
    """What axe finds wrong with the page as it is."""
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {node['html']}" for v in found for node in v["nodes"]]
