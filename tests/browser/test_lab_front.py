"""What is in front decides whose kernel is meant, a panel as its notebook; and nothing moves under the mouse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from browser.lab import FORKED
from browser.notebook import Notebook
from browser.sidebar import model_of, sidebar

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.lab import Lab

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

LOAD = "%load_ext tfmagic\nimport tensorflow as tf\nv1 = tf.compat.v1"
MODEL = '%%tf_model {name}\nx = v1.placeholder(tf.float32, [None], "x")\ny = tf.multiply(x, 2.0, name="y")'

LIVE = """
class Doubling(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None])])
    def __call__(self, x):
        return 2.0 * x

module = Doubling()
"""

HELD = """
from tfmagic import models

class Large(Doubling):
    def __init__(self):
        super().__init__()
        self.w = tf.Variable(tf.zeros([1000, 1000]))

large = Large()
models.add("large", large)
"""


def opened(lab: Lab, page: Page, name: str, *models: str) -> Notebook:
    lab.write(f"{name}.ipynb", [LOAD, *(MODEL.format(name=model) for model in models)], FORKED)
    notebook = Notebook(lab, page, f"{name}.ipynb")
    notebook.do("tfmagic:open-sidebar")
    for cell in range(len(models) + 1):
        notebook.run(cell)
    model_of(sidebar(page), models[-1]).wait_for()
    return notebook


def panel_tab(name: str) -> str:
    """Return where the tab of a notebook's panel is."""
    return f".lm-TabBar-tab:has-text('TensorFlow: {name}.ipynb')"


def test_a_panel_in_front_is_whose_kernel_is_meant(lab: Lab, page: Page) -> None:
    first = opened(lab, page, "first", "early")
    first.do("tfmagic:open-panel")
    page.locator(panel_tab("first")).wait_for()
    lab.write("second.ipynb", [LOAD, MODEL.format(name="late")], FORKED)
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:open', { path: 'second.ipynb' })")
    sidebar(page, "absent").get_by_text("second.ipynb").wait_for()
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
    )
    for cell in (0, 1):
        first.run(cell)
    model_of(sidebar(page), "late").wait_for()
    page.locator(panel_tab("first")).click()
    model_of(sidebar(page, "there"), "early").wait_for()
    assert model_of(sidebar(page), "late").count() == 0
    first.do("tfmagic:drop")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("first.ipynb").wait_for()
    assert dialog.locator("option").all_inner_texts() == ["Choose a model", "early"]
    page.keyboard.press("Escape")


def test_a_third_panel_is_a_tab_beside_the_second(lab: Lab, page: Page) -> None:
    names = ("one", "two", "three")
    notebook = opened(lab, page, "one", "net")
    for name in names[1:]:
        lab.write(f"{name}.ipynb", ["1"])
    for name in names:
        notebook.do("tfmagic:open-panel", path=f"{name}.ipynb")
        page.locator(panel_tab(name)).wait_for()
    widths = [page.locator(f"[id='tfmagic-panel-{name}.ipynb']").bounding_box() for name in names]
    # The second is behind the third, which has its place.
    assert widths[1] is None
    assert (widths[2] or {"width": 0})["width"] > 200


def test_what_is_said_of_an_action_moves_no_button(lab: Lab, page: Page) -> None:
    opened(lab, page, "still", "above", "below")
    button = model_of(sidebar(page), "below").get_by_role("button", name=re.compile("^Drop"))
    before = button.bounding_box()
    model_of(sidebar(page), "above").get_by_role("button", name=re.compile("^Park")).click()
    model_of(sidebar(page), "above").get_by_text("parked").first.wait_for()
    sidebar(page).locator(".tfm-said", has_text="above").wait_for()
    assert button.bounding_box() == before


def test_what_is_said_keeps_its_lines_covers_no_model_and_is_taken_away_by_keyboard(lab: Lab, page: Page) -> None:
    lab.write("said.ipynb", [f"{LOAD}\n{LIVE}", HELD, "for n in range(12): models.add(f'm{n}', module)"], FORKED)
    notebook = Notebook(lab, page, "said.ipynb")
    notebook.do("tfmagic:open-sidebar")
    for cell in range(3):
        notebook.run(cell)
    model_of(sidebar(page), "m11").wait_for()
    large = model_of(sidebar(page), "large")
    large.get_by_role("button", name=re.compile("^Drop")).click()
    large.get_by_role("button", name="Drop it").click()
    said = sidebar(page).locator(".tfm-said", has_text="to let go, run:")
    said.wait_for()
    assert "to let go, run:" in said.inner_text().splitlines()
    room = sidebar(page).locator(".tfm-lab-scroller").bounding_box()
    place = said.bounding_box()
    assert room is not None
    assert place is not None
    assert room["y"] + room["height"] <= place["y"]
    sidebar(page).get_by_role("button", name="Dismiss this message").focus()
    page.keyboard.press("Enter")
    assert said.count() == 0
    assert page.evaluate("() => document.activeElement.matches('#tfmagic-sidebar section.tfm')")


def test_there_is_nothing_to_load_where_it_is_loaded_or_the_language_is_another(lab: Lab, page: Page) -> None:
    enabled = "() => window.jupyterapp.commands.isEnabled('tfmagic:load')"
    opened(lab, page, "loaded", "net")
    assert page.evaluate(enabled) is False
    lab.write("plain.ipynb", ["1"])
    Notebook(lab, page, "plain.ipynb").do("tfmagic:open-sidebar")
    sidebar(page, "absent").wait_for()
    assert page.evaluate(enabled) is True
    lab.write("foreign.ipynb", ["1"], kernel="other")
    Notebook(lab, page, "foreign.ipynb").do("tfmagic:open-sidebar")
    sidebar(page, "foreign").wait_for()
    assert page.evaluate(enabled) is False


def test_what_cannot_be_parked_says_why_when_it_is_pressed(lab: Lab, page: Page) -> None:
    lab.write("live.ipynb", [f"{LOAD}\n{LIVE}", "%tf_model add live module"], FORKED)
    notebook = Notebook(lab, page, "live.ipynb")
    notebook.do("tfmagic:open-sidebar")
    notebook.run(0)
    notebook.run(1)
    model_of(sidebar(page), "live").get_by_role("button", name=re.compile("^Park")).click(force=True)
    sidebar(page).locator(".tfm-said", has_text="A live object is not parked").wait_for()


def test_a_trace_leads_to_where_the_operations_ran(lab: Lab, page: Page) -> None:
    opened(lab, page, "traced", "early", "late")
    model_of(sidebar(page), "late").get_by_role("button", name=re.compile("^Trace")).click()
    sidebar(page).locator(".tfm-said").get_by_role("button", name="Show where it ran").click()
    panel = page.locator("[id='tfmagic-panel-traced.ipynb']")
    panel.get_by_role("tab", name="Placement", selected=True).wait_for()
    assert panel.locator(".tfm-placement select").input_value() == "late"
    panel.get_by_role("rowheader", name="y", exact=True).wait_for()


def test_a_parked_model_shows_what_it_will_hold_again(lab: Lab, page: Page) -> None:
    opened(lab, page, "parked", "net")
    button = model_of(sidebar(page), "net").get_by_role("button", name=re.compile("^Park"))
    held = model_of(sidebar(page), "net").inner_text()
    button.click()
    model_of(sidebar(page), "net").get_by_text("when it wakes").wait_for()
    size = re.search(r"[\d.]+ [kM]?B", held)
    assert size is not None
    expect(model_of(sidebar(page), "net")).to_contain_text(size[0])
