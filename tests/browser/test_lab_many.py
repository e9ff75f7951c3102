"""A thousand models, and one of ten thousand operations: the page draws a part, and says how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from browser.lab import FORKED
from browser.notebook import Notebook
from browser.sidebar import sidebar, wait_for_news

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.lab import Lab

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

LOAD = "%load_ext tfmagic\nimport tensorflow as tf\nfrom tfmagic import models\nv1 = tf.compat.v1"
MANY = """
graph = tf.Graph()
with graph.as_default():
    x = v1.placeholder(tf.float32, [None], "x")
    tf.multiply(x, 2.0, name="y")
for number in range(1000):
    models.add(f"m{number}", graph.as_graph_def(), lazy=True)
"""
# Written as a message, which is quicker than Python. Their results differ, so
# that the optimizer merges none of them.
LARGE = """
definition = v1.GraphDef()
definition.versions.CopyFrom(tf.Graph().as_graph_def().versions)
x = definition.node.add(name="x", op="Placeholder")
x.attr["dtype"].type = tf.float32.as_datatype_enum
x.attr["shape"].shape.CopyFrom(tf.TensorShape([]).as_proto())
before = "x"
for number in range(10_000):
    node = definition.node.add(name=f"n{number}", op="Atan2", input=[before, "x"])
    node.attr["T"].type = tf.float32.as_datatype_enum
    before = node.name
models.add("large", definition, outputs={"y": f"{before}:0"})
print(models.large(0.5))
"""


def rows(page: Page, place: str) -> int:
    count: int = page.evaluate("place => document.querySelectorAll(`${place} tr, ${place} li`).length", place)
    return count


def test_a_thousand_models_are_counted_and_a_page_of_them_is_drawn(lab: Lab, page: Page) -> None:
    lab.write("many.ipynb", [LOAD, MANY.strip()], FORKED)
    notebook = Notebook(lab, page, "many.ipynb")
    notebook.do("tfmagic:open-sidebar")
    notebook.run(0)
    notebook.run(1)
    sidebar(page, "there").get_by_text("950 more are in the whole panel").wait_for()
    assert rows(page, "#tfmagic-sidebar") < 200
    notebook.do("tfmagic:open-panel")
    panel = "[id='tfmagic-panel-many.ipynb']"
    page.locator(panel).get_by_role("tab", name="Models").click()
    page.locator(panel).get_by_text("of 1,000").first.wait_for()
    assert rows(page, panel) < 500
    page.locator(panel).get_by_role("button", name="Next").first.click()
    wait_for_news(page.locator(panel))
    assert rows(page, panel) < 500


def test_of_ten_thousand_operations_a_part_is_drawn_and_all_are_counted(lab: Lab, page: Page) -> None:
    lab.write("large.ipynb", [LOAD, LARGE.strip()], FORKED)
    notebook = Notebook(lab, page, "large.ipynb")
    notebook.run(0)
    notebook.run(1)
    notebook.do("tfmagic:open-panel")
    panel = "[id='tfmagic-panel-large.ipynb']"
    page.locator(panel).get_by_role("tab", name="Placement").click()
    page.locator(panel).get_by_text("10,00").first.wait_for()
    assert 10 < rows(page, panel) < 500
    wait_for_news(page.locator(panel))
