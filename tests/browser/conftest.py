"""One Chromium for the tests of a file, and the page that they look at."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from browser.panel_page import ROOT, browser, chromium_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


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
