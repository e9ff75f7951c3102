"""A kernel that dies while a request is on its way: it is said, nothing is stuck, and it goes on with the next one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from browser.lab import FORKED, Lab
from browser.notebook import Notebook
from browser.sidebar import model_of, sidebar, wait_for_news

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

LOAD = "%load_ext tfmagic\nimport tensorflow as tf\nv1 = tf.compat.v1"
MODEL = '%%tf_model net\nx = v1.placeholder(tf.float32, [None], "x")\ny = tf.multiply(x, 2.0, name="y")'


@pytest.mark.parametrize(("place", "button"), [("sidebar", "Trace"), ("panel", "Park")])
def test_a_kernel_that_dies_in_the_middle_of_a_request(lab: Lab, page: Page, place: str, button: str) -> None:
    name = f"{place}.ipynb"
    lab.write(name, [LOAD, MODEL], FORKED)
    notebook = Notebook(lab, page, name)
    notebook.do("tfmagic:open-sidebar")
    notebook.run(0)
    notebook.run(1)
    model_of(sidebar(page, "there"), "net").wait_for()
    shown = model_of(sidebar(page), "net")
    if place == "panel":
        notebook.do("tfmagic:open-panel")
        panel = page.locator(f"[id='tfmagic-panel-{name}']")
        panel.get_by_role("tab", name="Models").click()
        shown = panel
    kernel = lab.kernel_of(name)
    # It takes the request, and will never answer.
    kernel.suspend()
    shown.get_by_role("button", name=re.compile(f"^{button}")).first.click()
    page.wait_for_timeout(1000)
    kernel.kill()
    sidebar(page, "absent").get_by_role("button", name="Load tfmagic").wait_for()
    assert model_of(sidebar(page), "net").count() == 0
    # JupyterLab's own word that the kernel has died.
    page.get_by_role("dialog").get_by_role("button", name="Ok").click()
    page.evaluate("() => { window.jupyterapp.shell.activateById(document.querySelector('.jp-NotebookPanel').id); }")
    notebook.wait_until_open()
    for cell in (0, 1):
        notebook.run(cell)
    model_of(sidebar(page, "there"), "net").wait_for()
    wait_for_news(sidebar(page))
    # The button is not waiting for the kernel before.
    model_of(sidebar(page), "net").get_by_role("button", name=re.compile("^Park")).click()
    model_of(sidebar(page), "net").get_by_text("parked").first.wait_for()
