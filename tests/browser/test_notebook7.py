"""The same extension in Notebook 7: one notebook a page, the sidebar beside it and the panel below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from browser.lab import Notebook7
from browser.notebook import FOREVER, Notebook
from browser.sidebar import model_of, sidebar, wait_for_news
from browser.test_lab_busy import UNTIL_GO, Watched, out_of_sight
from browser.test_lab_panel import panel_of, snapshots_seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytest.importorskip("notebook", minversion="7.4", reason="make setup brings Notebook 7")
pytestmark = [pytest.mark.kernel, pytest.mark.slow]
# A page of Notebook 7 has one document.
OWN_PAGES = True

LOAD = "%load_ext tfmagic\n%config TfMagic.panel_interval = 0.2\nimport tensorflow as tf\nv1 = tf.compat.v1"
MODEL = "%%tf_model one\ny = v1.identity(v1.get_variable('w', [4, 1000]), name='y')"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook7]:
    running = Notebook7(tmp_path_factory.mktemp("notebook7"))
    yield running
    running.stop()


def test_sidebar_and_panel_live_also_while_a_cell_runs(server: Notebook7, page: Page) -> None:
    server.write("seven.ipynb", [LOAD, MODEL, "%tf_panel --sidebar", FOREVER])
    notebook = Notebook(server, page, "seven.ipynb")
    for cell in range(3):
        notebook.run(cell)
    model_of(sidebar(page, "there"), "one").wait_for()
    assert notebook.output(2).strip() == ""
    notebook.run(3, wait=False)
    sidebar(page).get_by_text("a cell has been running").wait_for()
    wait_for_news(sidebar(page))
    page.locator(".lm-MenuBar-item", has_text="Kernel").click()
    page.locator(".lm-Menu-item", has_text="TensorFlow").hover()
    page.locator(".lm-Menu-item", has_text="Open the TensorFlow panel").click()
    panel = page.locator("[id='tfmagic-panel-seven.ipynb']")
    panel.get_by_role("tab", name="Models").click()
    panel.get_by_role("button", name="Park").click()
    model_of(sidebar(page), "one").get_by_text("parked").first.wait_for()
    assert (panel.bounding_box() or {"height": 0})["height"] >= 300
    assert notebook.is_busy()
    notebook.interrupt()
    notebook.wait_until_idle()


def test_a_panel_in_a_cell_leaves_the_kernel_busy_while_another_cell_runs(server: Notebook7, page: Page) -> None:
    server.write("inline.ipynb", [LOAD, "%tf_panel", UNTIL_GO.format(go="inline.ipynb.go")])
    notebook = Notebook(server, page, "inline.ipynb")
    notebook.run(0)
    notebook.run(1)
    panel = panel_of(notebook, 1)
    panel.wait_for()
    notebook.wait_until_idle()
    watched = Watched(notebook)
    watched.run_until_go(2)
    out_of_sight(page, panel)
    page.wait_for_timeout(500)
    panel.scroll_into_view_if_needed()
    snapshots_seen(panel, 3)
    assert watched.execution_state() == "busy"
    watched.go()
    assert watched.said == ["busy", "the end", "idle"]
