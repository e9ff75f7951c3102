"""The whole panel of a notebook that is renamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from browser.layout import wait_until_kept
from browser.notebook import Notebook
from browser.sidebar import look, wait_for_news

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.lab import Lab

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

RENAME = "([old, path]) => window.jupyterapp.serviceManager.contents.rename(old, path)"


def test_the_panel_follows_it_and_is_restored_with_it(lab: Lab, page: Page) -> None:
    lab.write("before.ipynb", ["%load_ext tfmagic"])
    notebook = Notebook(lab, page, "before.ipynb")
    notebook.run(0)
    notebook.do("tfmagic:open-panel")
    wait_for_news(page.locator("[id='tfmagic-panel-before.ipynb']"), 1)
    page.evaluate(RENAME, ["before.ipynb", "after.ipynb"])
    panel = page.locator("[id='tfmagic-panel-after.ipynb']")
    panel.wait_for()
    page.get_by_role("tab", name="TensorFlow: after.ipynb").wait_for()
    expect(panel.locator(".tfm-lab-name")).to_contain_text("after.ipynb")
    wait_for_news(panel, 2)
    # Another notebook has the name now, and the panel does not go over to it.
    lab.write("before.ipynb", ["1"])
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:open', { path: 'before.ipynb' })")
    notebook.wait_until_open()
    notebook.do("tfmagic:open-panel")
    page.locator("[id='tfmagic-panel-before.ipynb'] [data-situation='absent']").wait_for()
    panel.page.evaluate("id => window.jupyterapp.shell.activateById(id)", "tfmagic-panel-after.ipynb")
    wait_for_news(panel, 1)
    wait_until_kept(lab, page, "tfmagic-panel:after.ipynb", "tfmagic-panel:before.ipynb", side="")
    page.reload()
    page.locator("[id='tfmagic-panel-after.ipynb'] [data-situation='no-tensorflow']").wait_for()
    page.wait_for_selector("[id='tfmagic-panel-before.ipynb']", state="attached")
    expect(page.locator(".jp-MainAreaWidget[id^='tfmagic-panel-']")).to_have_count(2)
    assert look(panel) > 0
