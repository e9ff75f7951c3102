"""The extension of JupyterLab, as an installation brings it: it follows the document in front, and lives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from browser.lab import FORKED
from browser.layout import wait_until_kept
from browser.notebook import FOREVER, Notebook
from browser.sidebar import model_of, sidebar, wait_for_news

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.lab import Lab

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

LOAD = "%load_ext tfmagic\n%config TfMagic.panel_interval = 0.2\nimport tensorflow as tf\nv1 = tf.compat.v1"
MODEL = """
%%tf_model {name}
x = v1.placeholder(tf.float32, [None, 4], "x")
w = v1.get_variable("w", [4, 250_000])
y = tf.reduce_sum(tf.matmul(x, w), name="y")
"""


def opened(lab: Lab, page: Page, name: str, model: str) -> Notebook:
    """Open a notebook that has a model and a cell that does not end, with the sidebar beside it."""
    lab.write(name, [LOAD, MODEL.format(name=model).strip(), FOREVER], FORKED)
    notebook = Notebook(lab, page, name)
    notebook.do("tfmagic:open-sidebar")
    notebook.run(0)
    notebook.run(1)
    model_of(sidebar(page), model).wait_for()
    return notebook


def test_it_says_that_tfmagic_is_not_loaded_and_loads_it(lab: Lab, page: Page) -> None:
    lab.write("load.ipynb", [LOAD, MODEL.format(name="one").strip()])
    notebook = Notebook(lab, page, "load.ipynb")
    notebook.do("tfmagic:open-sidebar")
    sidebar(page, "absent").get_by_text("tfmagic is not loaded").wait_for()
    sidebar(page).get_by_role("button", name="Load tfmagic").click()
    sidebar(page, "no-tensorflow").get_by_text("TensorFlow is not imported").wait_for()
    expect(sidebar(page)).to_contain_text("load.ipynb")
    for cell in (0, 1):
        notebook.run(cell)
    model_of(sidebar(page, "there"), "one").get_by_text("4 MB").wait_for()
    page.locator(".tfm-lab-status").get_by_text("1 model").wait_for()
    assert not sidebar(page).get_by_role("button", name="Load tfmagic").is_visible()


def test_the_status_bar_knows_what_a_cell_has_done_as_soon_as_it_has_ended(lab: Lab, page: Page) -> None:
    # It looks now and then, too: not here.
    page.add_init_script(
        "const stock = window.setInterval;"
        "window.setInterval = (work, ms, ...more) => (ms === 10000 ? 0 : stock.call(window, work, ms, ...more));"
    )
    cells = [LOAD, MODEL.format(name="one").strip(), MODEL.format(name="two").strip(), "%tf_model drop one"]
    lab.write("status.ipynb", cells, FORKED)
    notebook = Notebook(lab, page, "status.ipynb")
    for cell, said in enumerate(("0 models", "1 model", "2 models", "1 model")):
        notebook.run(cell)
        page.locator(".tfm-lab-status", has_text=said).wait_for()


def test_it_says_when_there_is_nothing_to_show(lab: Lab, page: Page) -> None:
    page.goto(lab.address("").replace("/tree/", ""))
    page.wait_for_function("() => window.jupyterapp !== undefined")
    page.evaluate("async () => { await window.jupyterapp.restored; }")
    page.evaluate("() => { window.jupyterapp.commands.execute('tfmagic:open-sidebar'); }")
    sidebar(page, "no-document").get_by_text("No notebook or console is in front").wait_for()
    lab.write("foreign.ipynb", ["1"], kernel="other")
    notebook = Notebook(lab, page, "foreign.ipynb")
    notebook.do("tfmagic:open-sidebar")
    sidebar(page, "foreign").get_by_text("not a Python kernel").wait_for()
    page.evaluate("() => { window.jupyterapp.shell.currentWidget.sessionContext.shutdown(); }")
    sidebar(page, "no-kernel").get_by_text("has no kernel").wait_for()


def test_it_lives_while_a_cell_runs_and_the_kernel_stays_busy(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "busy.ipynb", "one")
    page.evaluate(
        "() => { window.statuses = [];"
        " window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.statusChanged"
        ".connect((_, status) => window.statuses.push(status)); }"
    )
    notebook.run(2, wait=False)
    sidebar(page).get_by_text("a cell has been running").wait_for()
    wait_for_news(sidebar(page))
    model_of(sidebar(page), "one").get_by_role("button", name="Park").click()
    model_of(sidebar(page), "one").get_by_text("parked").first.wait_for()
    assert notebook.is_busy()
    assert notebook.status() == "busy"
    assert page.evaluate("() => window.statuses") == ["busy"]
    notebook.interrupt()
    notebook.wait_until_idle()


def test_it_lives_after_the_page_was_loaded_anew_while_a_cell_runs(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "reload.ipynb", "one")
    notebook.do("tfmagic:open-panel")
    panel = page.locator("[id='tfmagic-panel-reload.ipynb']")
    panel.get_by_role("tab", name="Overview").wait_for()
    page.evaluate("() => { window.jupyterapp.shell.activateById(document.querySelector('.jp-NotebookPanel').id); }")
    notebook.run(2, wait=False)
    sidebar(page).get_by_text("a cell has been running").wait_for()
    wait_until_kept(lab, page, "notebook:reload.ipynb", "tfmagic-panel:reload.ipynb")
    page.reload()
    model_of(sidebar(page, "there"), "one").wait_for()
    wait_for_news(sidebar(page))
    sidebar(page).get_by_text("a cell has been running").wait_for()
    panel.get_by_role("tab", name="Models").click()
    panel.get_by_role("button", name=re.compile("^Park.*one")).click()
    model_of(sidebar(page), "one").get_by_text("parked").first.wait_for()
    (cell_since,) = page.locator("#tfmagic-sidebar .tfm-header").all_inner_texts()
    assert "a cell has been running" in cell_since
    page.evaluate(
        "async () => { const { kernels } = window.jupyterapp.serviceManager;"
        " for (const model of kernels.running()) await kernels.connectTo({ model, handleComms: false }).interrupt(); }"
    )


def test_a_restart_leaves_nothing_of_the_kernel_before(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "restart.ipynb", "one")
    notebook.restart()
    sidebar(page, "absent").get_by_role("button", name="Load tfmagic").wait_for()
    assert model_of(sidebar(page), "one").count() == 0
    notebook.run(0)
    sidebar(page, "there").get_by_text("No model yet").wait_for()
    wait_for_news(sidebar(page))
    notebook.run(1)
    model_of(sidebar(page), "one").wait_for()


def test_it_follows_the_notebook_in_front(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "first.ipynb", "early")
    lab.write("second.ipynb", [LOAD, MODEL.format(name="late").strip()], FORKED)
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:open', { path: 'second.ipynb' })")
    sidebar(page, "absent").get_by_text("second.ipynb").wait_for()
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
    )
    notebook.run(0)
    notebook.run(1)
    model_of(sidebar(page), "late").wait_for()
    assert model_of(sidebar(page), "early").count() == 0
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:open', { path: 'first.ipynb' })")
    model_of(sidebar(page), "early").wait_for()
    expect(sidebar(page)).to_contain_text("first.ipynb")
    assert model_of(sidebar(page), "late").count() == 0
    wait_for_news(sidebar(page))
