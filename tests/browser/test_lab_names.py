"""Names of every kind in JupyterLab: markup is text, right-to-left text keeps its place, long ones are cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from factories import frozen_linear, save_linear_v1
from playwright.sync_api import expect

from browser.lab import FORKED
from browser.notebook import Notebook
from browser.sidebar import model_of, sidebar, wait_for_news

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.lab import Lab

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

MARKUP = "<img src=x onerror='window.ran=1'>"
RIGHT_TO_LEFT = "نموذج"
LONG = "n" * 10_000
LOAD = "%load_ext tfmagic\nimport tensorflow as tf\nfrom tfmagic import models\nv1 = tf.compat.v1"
MODELS = f"""
graph = tf.Graph()
with graph.as_default():
    x = v1.placeholder(tf.float32, [None], "x")
    tf.multiply(x, 2.0, name="y")
ends = {{"inputs": {{"{MARKUP}": "x:0"}}, "outputs": {{"{RIGHT_TO_LEFT}": "y:0"}}}}
for name in ("plain", "{RIGHT_TO_LEFT}", "n" * 10_000):
    models.add(name, graph.as_graph_def(), text="{MARKUP}", **ends)
"""


def test_names_are_text_and_fit_their_place(lab: Lab, page: Page) -> None:
    name = f"{MARKUP}{RIGHT_TO_LEFT}.ipynb"
    lab.write(name, [LOAD, MODELS.strip()], FORKED)
    notebook = Notebook(lab, page, name)
    notebook.do("tfmagic:open-sidebar")
    notebook.run(0)
    notebook.run(1)
    place = sidebar(page, "there")
    for model in ("plain", RIGHT_TO_LEFT, LONG):
        model_of(place, model).wait_for()
    wait_for_news(place)
    expect(place).to_contain_text(MARKUP)
    expect(model_of(place, RIGHT_TO_LEFT).locator("[dir=auto]", has_text=RIGHT_TO_LEFT)).to_have_count(1)
    # Cut to its place, and whole where it is pointed at.
    assert place.locator(f"[title*='{LONG}']").count() >= 1
    assert _overflow(page, "#tfmagic-sidebar") <= 0
    page.locator(".tfm-lab-status").get_by_text("3 models").wait_for()
    notebook.do("tfmagic:open-panel")
    panel = page.locator(".tfm-lab:not(#tfmagic-sidebar)").last
    for tab in ("Overview", "Models", "Placement", "Memory", "Log"):
        page.get_by_role("tab", name=tab, exact=True).last.click()
        page.wait_for_timeout(300)
    assert panel.count() == 1
    model_of(place, LONG).get_by_role("button", name="Park").click()
    model_of(place, LONG).get_by_text("parked").first.wait_for()
    assert page.evaluate("() => window.ran") is None
    assert page.locator("img[src='x']").count() == 0


def test_a_folder_of_any_name_is_added_from_the_file_browser(lab: Lab, page: Page) -> None:
    kept = lab.folder / "odd"
    kept.mkdir()
    save_linear_v1(kept / f"{RIGHT_TO_LEFT} {MARKUP.replace('/', '')}")
    frozen_linear(kept / f"{'long' * 50}.pb")
    lab.write("odd.ipynb", ["1"], FORKED)
    notebook = Notebook(lab, page, "odd.ipynb")
    notebook.do("tfmagic:open-sidebar")
    for text, model in ((RIGHT_TO_LEFT, f"{RIGHT_TO_LEFT}_img_src_x_onerror_window_ran_1"), ("longlong", "long" * 50)):
        page.evaluate("() => window.jupyterapp.commands.execute('filebrowser:go-to-path', { path: 'odd' })")
        page.locator(".jp-DirListing-item", has_text=text).click(button="right")
        page.get_by_role("menuitem", name="Add to kernel as TF model").click()
        model_of(sidebar(page), model).wait_for()
    assert page.evaluate("() => window.ran") is None


def _overflow(page: Page, selector: str) -> int:
    """Return by how many pixels anything reaches over the right edge of a place."""
    found: int = page.evaluate(
        "selector => { const place = document.querySelector(selector);"
        " const edge = place.getBoundingClientRect().right;"
        " const over = [...place.querySelectorAll('*')].map(one => one.getBoundingClientRect().right - edge);"
        " return Math.max(place.scrollWidth - place.clientWidth, ...over); }",
        selector,
    )
    return found
