"""``%tf_panel --sidebar`` in JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from browser.notebook import Notebook
from browser.sidebar import sidebar

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.lab import Lab

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


def test_it_brings_the_sidebar_to_the_front_and_leaves_the_person_where_they_are(lab: Lab, page: Page) -> None:
    lab.write("reveal.ipynb", ["%load_ext tfmagic", "%tf_panel --sidebar"])
    notebook = Notebook(lab, page, "reveal.ipynb")
    notebook.run(0)
    assert not sidebar(page).is_visible()
    # The page has asked the kernel.
    page.locator(".tfm-lab-status button").wait_for()
    notebook.cell(1).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    sidebar(page, "no-tensorflow").wait_for()
    notebook.wait_until_idle()
    assert notebook.output(1).strip() == ""
    assert page.evaluate("() => document.activeElement.closest('.jp-Notebook') !== null")
