"""A kernel and a page of different versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from browser.notebook import Notebook
from browser.sidebar import sidebar, wait_for_news

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.lab import Lab

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

OTHER = "from tfmagic.panel.snapshot import snapshot\nsnapshot.SCHEMA = {}"


@pytest.mark.parametrize(("schema", "where"), [(99, "where JupyterLab runs"), (0, "where the kernel runs")])
def test_it_is_said_which_half_is_older_and_what_to_type(lab: Lab, page: Page, schema: int, where: str) -> None:
    name = f"version_{schema}.ipynb"
    lab.write(name, [OTHER.format(schema) + "\n%load_ext tfmagic", OTHER.format(1)])
    notebook = Notebook(lab, page, name)
    notebook.do("tfmagic:open-sidebar")
    notebook.run(0)
    said = sidebar(page, "other-version").get_by_role("status").filter(has_text=f"version {schema}")
    said.wait_for()
    expect(said).to_contain_text(f'type pip install -U "tfmagic[lab]" {where}')
    notebook.restart()
    sidebar(page, "absent").get_by_role("button", name="Load tfmagic").click()
    wait_for_news(sidebar(page, "no-tensorflow"), 1)
