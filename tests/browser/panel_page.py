"""The panel's page as a browser shows it: the built module over a kernel that is none, without any server.

The browser is the machine's own Chromium; ``TFMAGIC_CHROMIUM`` names another.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from browser.notebook import PATIENCE_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page, Route

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "http://panel.test/"
AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
TABS = ("Overview", "Models", "Memory", "Placement", "Libraries", "Log")

FOLDERS = (ROOT / "labextension" / "demo", ROOT / "tfmagic" / "panel" / "static", ROOT / "build" / "demo")

# A notebook's own colours, where it is not the browser that says light or dark.
THEMES = {
    "light": "",
    "dark": "",
    "contrast": "",
    "jupyter light": """
      --jp-layout-color1: white; --jp-layout-color2: #eee; --jp-ui-font-color1: rgba(0, 0, 0, .87);
      --jp-border-color1: #bdbdbd; --jp-border-color2: #e0e0e0; --jp-brand-color1: #1976d2;
      --jp-success-color1: #388e3c; --jp-warn-color1: #f57c00; --jp-error-color1: #d32f2f; --jp-info-color1: #0097a7;
    """,
    "jupyter dark": """
      --jp-layout-color1: #111; --jp-layout-color2: #424242; --jp-ui-font-color1: white;
      --jp-border-color1: #616161; --jp-border-color2: #424242; --jp-brand-color1: #2196f3;
      --jp-success-color1: #388e3c; --jp-warn-color1: #f57c00; --jp-error-color1: #d32f2f; --jp-info-color1: #0097a7;
    """,
}


NO_CHROMIUM = "there is no Chromium here: make chromium installs it, or name one in TFMAGIC_CHROMIUM"


def chromium_path() -> str | None:
    """Return a Chromium of this machine, or None."""
    named = os.environ.get("TFMAGIC_CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _serve(route: Route) -> None:
    name = route.request.url.removeprefix(ADDRESS) or "index.html"
    for folder in FOLDERS:
        if (folder / name).is_file():
            route.fulfill(path=folder / name)
            return
    route.fulfill(status=404)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Run the machine's Chromium, without a window."""
    if chromium_path() is None:
        raise FileNotFoundError(NO_CHROMIUM)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        running = playwright.chromium.launch(executable_path=chromium_path(), args=flags)
        yield running
        running.close()


@contextlib.contextmanager
def panel(browser: Browser, theme: str = "light", width: int = 900) -> Iterator[Page]:
    """Show the panel in a page of a theme and a width; what the page complains of is an error here."""
    dark = "dark" in theme
    context = browser.new_context(
        viewport={"width": width, "height": 700},
        color_scheme="dark" if dark else "light",
        forced_colors="active" if theme == "contrast" else "none",
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.route("**/*", _serve)
    page.goto(ADDRESS)
    page.add_style_tag(content=f"body {{ {THEMES[theme]} background: var(--jp-layout-color1, Canvas) }}")
    page.get_by_role("tab", name="Overview").wait_for()
    yield page
    context.close()
    if complaints:
        msg = f"the page complained: {complaints}"
        raise AssertionError(msg)


def open_tab(page: Page, name: str, panel: Locator | None = None) -> None:
    """Choose a tab of the page's panel, or of one of several, and wait for what it shows."""
    (panel or page).get_by_role("tab", name=name).click()
    (panel or page).get_by_role("tabpanel", name=name).wait_for()
    page.wait_for_timeout(150)
