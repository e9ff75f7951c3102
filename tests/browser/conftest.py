"""One JupyterLab for all tests, one Chromium, a page from test to test, and what that complains of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from browser.lab import Lab
from browser.notebook import PATIENCE_MS, put_back
from browser.panel_page import NO_CHROMIUM, ROOT, browser, chromium_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page


# What it asks of every kernel that comes back, and lets go of when that dies.
JUPYTERLABS_OWN = (
    *(f"Error: Canceled future for {asked}_request message" for asked in ("kernel_info", "create_subshell")),
    # Of its own attempts to reach a kernel that is gone for good.
    "Error: Kernel connection disconnected",
    # Of the toolbar of a notebook that is closed as soon as it is in front.
    "TypeError: Cannot read properties of null (reading 'promise')\n    at d.invoke (http",
    # Of its settings, where a plugin that has brought a toolbar is told of before it is stored.
    "TypeError: Cannot read properties of undefined (reading 'schema')\n    at http",
)


# Its five seconds are too few on a busy machine.
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="package")
def complaints() -> list[str]:
    """Keep what went wrong in a page and was caught by nobody."""
    return []


# For this folder: while it runs, asyncio counts its loop as running in this thread, for every other test too.
@pytest.fixture(scope="package")
def chromium(complaints: list[str]) -> Iterator[Browser]:
    """Run Chromium, with the panel and its demo page built."""
    if chromium_path() is None:
        pytest.skip(NO_CHROMIUM)
    path = os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ["PATH"]])
    command = ["npm", "--prefix", str(ROOT / "labextension"), "run", "--silent", "demo"]
    subprocess.run(command, check=True, env={**os.environ, "PATH": path})  # noqa: S603 - these fixed words

    def watch(context: BrowserContext) -> None:
        context.on("weberror", lambda error: complaints.append(error.error.stack or str(error.error)))
        context.on("console", hear)

    # What the listener of a signal throws, JupyterLab logs and goes on. It logs errors of its own, too.
    def hear(message: ConsoleMessage) -> None:
        said = f"{message.text} at {message.location['url']}"
        if message.type in ("error", "warning") and "@tfmagic" in said:
            complaints.append(said)

    with browser() as running:
        running.on("context", watch)
        yield running


@pytest.fixture(autouse=True)
def _no_page_complains(complaints: list[str]) -> Iterator[None]:
    """Fail a test while which a page had an error, or a rejected promise, that nobody caught."""
    complaints.clear()
    yield
    ours = [one for one in complaints if not one.startswith(JUPYTERLABS_OWN)]
    assert ours == []


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    # A kernel that has died is seen sooner. Of one that goes on dying JupyterLab asks after each restart,
    # and jupyter_server, which has closed that connection by then, takes two seconds and 700 MB to misread each.
    often = ("--KernelRestarter.time_to_dead=0.5", "--KernelRestarter.restart_limit=1")
    running = Lab(tmp_path_factory.mktemp("lab"), *often)
    yield running
    running.stop()


@pytest.fixture(scope="package")
def kept() -> list[Page]:
    """Keep a page that shows JupyterLab, once there is one."""
    return []


@pytest.fixture
def page(request: pytest.FixtureRequest, chromium: Browser, kept: list[Page]) -> Iterator[Page]:
    """Return a page: that of the test before, if it was well, as to load JupyterLab takes four seconds."""
    own = getattr(request.module, "OWN_PAGES", False)
    page = kept.pop() if kept and not own else chromium.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.set_viewport_size({"width": 1400, "height": 900})
    failed = request.session.testsfailed
    yield page
    well = request.session.testsfailed == failed
    if not well and "lab" in request.fixturenames:
        server: Lab = request.getfixturevalue("lab")
        sys.stderr.write(f"The page: {page.inner_text('body')[:2000]}\nThe server: {server.log()[-4000:]}\n")
    if well and not own:
        put_back(page)
        kept.append(page)
    else:
        page.close()
