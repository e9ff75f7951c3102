"""What is set in JupyterLab's settings editor holds at once, and for the next page."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from browser.layout import wait_until_kept
from browser.notebook import PATIENCE_MS, Notebook
from browser.sidebar import sidebar, wait_for_news

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

    from browser.lab import Lab

pytestmark = [pytest.mark.kernel, pytest.mark.slow]
# Settings are read when a page is loaded.
OWN_PAGES = True

INTERVAL = "from tfmagic.panel.snapshot.sampler import sampler; print(sampler().interval_s)"


@pytest.fixture(autouse=True)
def _none_is_kept(lab: Lab) -> Iterator[None]:
    yield
    lab.choose()
    lab.end_kernels()


def opened(lab: Lab, page: Page, name: str, **settings: object) -> Notebook:
    lab.choose(**settings)
    lab.write(name, ["%load_ext tfmagic", INTERVAL])
    notebook = Notebook(lab, page, name)
    notebook.do("tfmagic:open-sidebar")
    notebook.run(0)
    wait_for_news(sidebar(page, "no-tensorflow"), 1)
    return notebook


def setting(page: Page, name: str) -> Locator:
    """Return where one is set in the editor, which bears no label there."""
    return page.locator(f"[id='jp-SettingsEditor-@tfmagic/lab:plugin_{name}']")


def wait_for_setting(lab: Lab, page: Page, value: object) -> None:
    """Wait until JupyterLab has kept what was set, which it does with a delay."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while json.dumps(value) not in lab.settings():
        assert time.monotonic() < deadline, lab.settings()
        page.wait_for_timeout(100)


def wait_for_interval(notebook: Notebook, interval_s: float) -> None:
    """Run the cell that shows how often the kernel looks until it shows this."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    notebook.run(1)
    while float(notebook.output(1)) != interval_s:
        assert time.monotonic() < deadline, f"it looks every {notebook.output(1).strip()} s"
        notebook.page.wait_for_timeout(200)
        notebook.run(1)


def side(page: Page) -> str:
    inside = "!!document.querySelector('#jp-left-stack #tfmagic-sidebar')"
    return "left" if page.evaluate(inside) else "right"


def test_sizes_are_in_the_units_that_were_chosen(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "units.ipynb")
    sidebar(page).locator(".tfm-figure", has_text="MB").wait_for()
    notebook.do("tfmagic:settings")
    setting(page, "units").select_option(label="Powers of two: KiB, MiB, GiB")
    sidebar(page).locator(".tfm-figure", has_text="MiB").wait_for()
    page.locator(".tfm-lab-status", has_text="MiB").wait_for()
    setting(page, "units").select_option(label="Powers of ten: kB, MB, GB")
    sidebar(page).locator(".tfm-figure", has_text="MB").wait_for()


def test_the_sidebar_is_on_the_side_that_was_chosen(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "side.ipynb")
    assert side(page) == "right"
    notebook.do("tfmagic:settings")
    setting(page, "position").select_option(label="Left")
    page.wait_for_selector("#jp-left-stack #tfmagic-sidebar")
    expect(sidebar(page)).to_be_visible()
    wait_until_kept(lab, page, side="left")
    wait_for_setting(lab, page, "left")
    page.reload()
    notebook.page.wait_for_selector("#jp-left-stack #tfmagic-sidebar")
    sidebar(page).wait_for()


def test_a_kernel_looks_as_often_as_the_page_wishes(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "interval.ipynb", interval=0.5)
    notebook.run(1)
    assert notebook.output(1).strip() == "0.5"
    notebook.do("tfmagic:settings")
    setting(page, "interval").fill("0.25")
    notebook.do("docmanager:open", path="interval.ipynb")
    notebook.wait_until_open()
    wait_for_interval(notebook, 0.25)
    notebook.do("tfmagic:open-panel")
    page.get_by_text("It looks every 250 ms").wait_for()


def test_an_interval_that_no_kernel_takes_is_refused_and_none_leaves_it_to_the_kernel(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "refused.ipynb", interval=0.5)
    notebook.do("tfmagic:settings")
    setting(page, "interval").fill("0.05")
    page.get_by_text("must be >= 0.1").first.wait_for()
    for typed, interval in (("", 1.0), ("2", 2.0)):
        setting(page, "interval").fill(typed)
        notebook.do("docmanager:open", path="refused.ipynb")
        notebook.wait_until_open()
        wait_for_interval(notebook, interval)
        notebook.do("tfmagic:settings")


def test_the_status_bar_is_left_alone_where_that_was_chosen(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "status.ipynb")
    page.locator(".tfm-lab-status", has_text="0 models").wait_for()
    notebook.do("tfmagic:settings")
    setting(page, "statusBar").uncheck()
    page.locator(".tfm-lab-status").wait_for(state="detached")
    setting(page, "statusBar").check()
    page.locator(".tfm-lab-status", has_text="0 models").wait_for()
