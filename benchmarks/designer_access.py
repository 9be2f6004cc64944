"""axe in each state of the designer's page: two widths, light and dark; forced colours, and paper.

python -m benchmarks.designer_access [FOLDER]

Prints what it finds; with a folder, a screenshot of each state is kept there.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.support.designer import Hand, chromium, designer
from tests.support.designer_walk import find_violations, walk

WIDE: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
PASSES: dict[str, dict[str, Any]] = {
    "forced": {**WIDE, "forced_colors": "active"},
    "wide-light": {**WIDE, "color_scheme": "light"},
    "wide-dark": {**WIDE, "color_scheme": "dark"},
    "phone-light": {**PHONE, "color_scheme": "light"},
    "phone-dark": {**PHONE, "color_scheme": "dark"},
}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    absent = {f"PLITKA_{name}": "/absent" for name in ("BASE", "LORA", "EMBEDDINGS")}
    with (
        tempfile.TemporaryDirectory() as logs,
        designer(Path(logs), absent) as running,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for name, settings in PASSES.items():
            context = browser.new_context(locale="en", reduced_motion="reduce", **settings)
            context.set_default_timeout(120_000)
            hand = Hand(context.new_page(), running)
            for number, state in enumerate(walk(hand)):
                print(f"{name}, {state}:", find_violations(hand.page) or "nothing", flush=True)
                if folder is not None:
                    hand.page.screenshot(path=folder / f"{name}-{number:02}.png")
            if name == "forced" and folder is not None:
                hand.page.emulate_media(media="print", forced_colors="none")
                hand.page.screenshot(path=folder / "print.png", full_page=True)
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
