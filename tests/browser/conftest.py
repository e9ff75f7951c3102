"""One Chromium and one JupyterLab for the tests of a file, and the page that they look at."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from browser.lab import Lab
from browser.panel_page import ROOT, browser, chromium_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page


# For one file: while it runs, asyncio counts its loop as running in this thread, for every other test too.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Run Chromium, with the panel and its demo page built."""
    if chromium_path() is None:
        pytest.skip("there is no Chromium here: apt-get install chromium, or name one in TFMAGIC_CHROMIUM")
    command = [sys.executable, str(ROOT / "scripts" / "web.py"), "demo"]
    subprocess.run(command, check=True)  # noqa: S603 - these fixed words
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    running = Lab(tmp_path_factory.mktemp("lab"))
    yield running
    running.stop()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()
