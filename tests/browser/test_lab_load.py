"""The button that loads tfmagic, where loading takes long, fails or never ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from browser.notebook import FOREVER, Notebook
from browser.sidebar import sidebar, wait_for_news

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from browser.lab import Lab

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

HIDDEN = """
import sys
class Hidden:
    def find_spec(self, name, *_):
        if name == "tfmagic":
            raise ModuleNotFoundError("No module named 'tfmagic'")
sys.meta_path.insert(0, Hidden())
"""


def opened(lab: Lab, page: Page, name: str, cell: str) -> Notebook:
    """Open a notebook whose kernel has no tfmagic, with the sidebar beside it."""
    lab.write(name, [cell])
    notebook = Notebook(lab, page, name)
    notebook.do("tfmagic:open-sidebar")
    load(page).wait_for()
    return notebook


def load(page: Page) -> Locator:
    return sidebar(page, "absent").locator("button", has_text="Load tfmagic")


def test_where_tfmagic_is_not_installed_it_is_said_what_to_type(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "hidden.ipynb", HIDDEN.strip())
    notebook.run(0)
    load(page).click()
    said = sidebar(page).get_by_role("status").filter(has_text="%load_ext tfmagic failed")
    said.wait_for()
    expect(said).to_contain_text('pip install "tfmagic[lab]"')
    assert load(page).get_attribute("aria-disabled") is None
    notebook.do("tfmagic:load")
    page.get_by_role("dialog").get_by_text("%load_ext tfmagic failed").wait_for()


def test_loading_waits_for_the_cell_that_runs_and_for_no_other_notebooks(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "long.ipynb", FOREVER)
    notebook.run(0, wait=False)
    load(page).click()
    loading = sidebar(page, "absent").get_by_role("button", name="Loading…")
    loading.wait_for()
    lab.write("other.ipynb", ["1"])
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:open', { path: 'other.ipynb' })")
    sidebar(page).get_by_text("other.ipynb").wait_for()
    load(page).click()
    wait_for_news(sidebar(page, "no-tensorflow"))
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:open', { path: 'long.ipynb' })")
    loading.wait_for()
    lab.kernel_of("long.ipynb").send_signal(2)
    # A cell that is interrupted takes those with it that wait.
    load(page).click()
    wait_for_news(sidebar(page, "no-tensorflow"))


@pytest.mark.parametrize("way", ["button", "command"])
def test_a_kernel_that_dies_before_it_has_loaded_it_can_be_asked_again(lab: Lab, page: Page, way: str) -> None:
    notebook = opened(lab, page, f"dies_{way}.ipynb", FOREVER)
    notebook.run(0, wait=False)
    if way == "button":
        load(page).click()
    else:
        notebook.do("tfmagic:load")
    sidebar(page, "absent").get_by_role("button", name="Loading…").wait_for()
    lab.kernel_of(notebook.name).kill()
    load(page).wait_for()
    # JupyterLab's own word that the kernel has died.
    page.get_by_role("dialog").get_by_role("button", name="Ok").click()
    if way == "command":
        page.get_by_role("dialog").get_by_text("The kernel ended before it had loaded tfmagic").wait_for()
        page.keyboard.press("Escape")
    load(page).click()
    wait_for_news(sidebar(page, "no-tensorflow"))
