"""The panel in a real JupyterLab: it appears, lives while cells run, and leaves no ghost."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import psutil
import pytest
from playwright.sync_api import expect

from browser.lab import FORKED, Lab
from browser.notebook import FOREVER, Notebook
from browser.panel_page import AXE

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

LOAD = "%load_ext tfmagic\nimport numpy as np\nimport tensorflow as tf\nv1 = tf.compat.v1"
MODEL = """
%%tf_model {name}
x = v1.placeholder(tf.float32, [None, 4], "x")
w = v1.get_variable("w", [4, 250_000])
y = tf.reduce_sum(tf.matmul(x, w), name="y")
"""
ONE, TWO = MODEL.format(name="one").strip(), MODEL.format(name="two").strip()
USE = "%tf_run one np.ones((1, 4), np.float32);\n%tf_run two np.ones((1, 4), np.float32);"
NATIVE = """
graph = tf.Graph()
with graph.as_default():
    a = tf.random.normal([1500, 1500])
    b = tf.while_loop(lambda i, _: i < 10_000, lambda i, m: (i + 1, tf.matmul(m, m) / 1e3), [0, a])[1]
    from tfmagic import session
    session.run(b)
"""
FIT = """
import keras
net = keras.Sequential([keras.Input([64]), keras.layers.Dense(512), keras.layers.Dense(1)])
net.compile("adam", "mse")
net.fit(np.ones((20_000, 64)), np.ones(20_000), epochs=1000, verbose=0)
"""
BUSY = {"python": "while True: pass", "native": NATIVE.strip(), "fit": FIT.strip()}


def opened(lab: Lab, page: Page, name: str, *more: str) -> Notebook:
    """Open a notebook with two models and a panel, all run; `more` are cells that are not."""
    lab.write(name, [LOAD, ONE, TWO, USE, "%tf_panel", *more], FORKED)
    page.set_viewport_size({"width": 1400, "height": 1100})
    notebook = Notebook(lab, page, name)
    for cell in range(5):
        notebook.run(cell)
    panel_of(notebook).wait_for()
    return notebook


PANEL, BUSY_CELL = 4, 5


def panel_of(notebook: Notebook, cell: int = PANEL) -> Locator:
    return notebook.cell(cell).locator("section.tfm, .tfm[aria-label]").first


def tab(panel: Locator, name: str) -> None:
    panel.get_by_role("tab", name=name).click()
    panel.get_by_role("tabpanel", name=name).wait_for()


def snapshots_seen(panel: Locator, count: int) -> list[int]:
    """Return the numbers of that many snapshots as the panel is seen to take them, none later than 30 s."""
    found: list[int] = panel.evaluate(
        """(panel, count) => new Promise((done, failed) => {
          const numbers = [];
          const shown = () => Number(panel.querySelector('[data-seq]')?.dataset.seq);
          const late = () => {
            clearInterval(look);
            failed(new Error(`30 s after snapshot ${shown()} no other has come`));
          };
          let last = shown(), alarm = setTimeout(late, 30_000);
          const look = setInterval(() => {
            if (shown() === last) return;
            last = shown();
            numbers.push(last);
            clearTimeout(alarm);
            if (numbers.length < count) alarm = setTimeout(late, 30_000);
            else { clearInterval(look); done(numbers); }
          }, 5);
        })""",
        count,
    )
    return found


def row(panel: Locator, model: str) -> Locator:
    """Return the row of a model, which has a button that bears its name."""
    return panel.locator("tbody tr").filter(
        has=panel.page.locator(f"button[aria-label^='Drop'][aria-label*='{model}']")
    )


def press(panel: Locator, model: str, name: str) -> None:
    row(panel, model).locator(f"button[aria-label^='{name}']").click()


def test_it_appears_with_the_models_of_the_kernel(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "appears.ipynb")
    panel = panel_of(notebook)
    tab(panel, "Models")
    row(panel, "one").wait_for()
    expect(row(panel, "one")).to_contain_text("4 MB")
    expect(row(panel, "two")).to_have_count(1)
    tab(panel, "Overview")
    (kernel,) = lab.get("api/kernels")
    assert kernel["execution_state"] in {"idle", "busy"}
    pid = int(re.search(r"process (\d+)", panel.inner_text())[1])  # type: ignore[index]
    assert psutil.Process(pid).is_running()


@pytest.mark.parametrize("kind", BUSY)
def test_it_lives_while_a_cell_runs(lab: Lab, page: Page, kind: str) -> None:
    notebook = opened(lab, page, f"busy_{kind}.ipynb", BUSY[kind])
    panel = panel_of(notebook)
    notebook.run(BUSY_CELL, wait=False)
    panel.get_by_text("a cell has been running").wait_for()
    seen = snapshots_seen(panel, 7)
    assert notebook.is_busy()
    assert seen == sorted(set(seen))
    notebook.interrupt()
    notebook.wait_until_idle()


def test_drop_and_park_work_while_a_cell_runs(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "buttons.ipynb", FOREVER, "from tfmagic import models\nlist(models)")
    panel = panel_of(notebook)
    tab(panel, "Models")
    notebook.run(BUSY_CELL, wait=False)
    page.wait_for_timeout(1000)
    press(panel, "one", "Park")
    row(panel, "one").get_by_text("parked").first.wait_for()
    press(panel, "two", "Drop")
    panel.get_by_text("Drop it for good?").filter(visible=True).wait_for()
    expect(row(panel, "two")).to_have_count(1)
    row(panel, "two").get_by_text("Drop it", exact=True).click()
    row(panel, "two").wait_for(state="detached")
    assert notebook.is_busy()
    notebook.interrupt()
    notebook.wait_until_idle()
    notebook.run(BUSY_CELL + 1)
    assert "['one']" in notebook.output(BUSY_CELL + 1)


def test_two_panels_agree(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "two.ipynb", "%tf_panel", "%tf_model park one")
    notebook.run(5)
    first, second = panel_of(notebook), panel_of(notebook, 5)
    second.wait_for()
    for panel in (first, second):
        tab(panel, "Models")
        row(panel, "one").wait_for()
    notebook.run(6)
    for panel in (first, second):
        panel.scroll_into_view_if_needed()
        row(panel, "one").get_by_text("parked").first.wait_for()


def test_a_restart_leaves_no_ghost(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "restart.ipynb")
    panel = panel_of(notebook)
    notebook.restart()
    panel.get_by_text("%tf_panel").first.wait_for()
    tab(panel, "Models")
    expect(row(panel, "one").locator("button[aria-label^='Park']")).to_have_attribute("aria-disabled", "true")
    for cell in (0, 1, 4):
        notebook.run(cell)
    panel = panel_of(notebook)
    tab(panel, "Models")
    row(panel, "one").wait_for()
    assert row(panel, "two").count() == 0
    assert notebook.cell(PANEL).locator("section.tfm, .tfm[aria-label]").count() == 1


def test_a_reload_of_the_page_leaves_no_ghost(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "reload.ipynb")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(1000)
    page.reload()
    notebook.wait_until_open()
    notebook.run(PANEL)
    panel = panel_of(notebook)
    panel.wait_for()
    assert len(snapshots_seen(panel, 3)) == 3
    assert notebook.cell(PANEL).locator("section.tfm, .tfm[aria-label]").count() == 1


def test_a_model_named_like_markup_is_text(lab: Lab, page: Page) -> None:
    hostile = "<img src=x onerror=window.hurt=1>"
    notebook = opened(
        lab,
        page,
        "markup.ipynb",
        f"%tf_model add hostile 'frozen {hostile}.pb'",
        f"import os; os.write(2, b'2026-11-22 10:00:00.000000: E tensorflow/core/a.cc:1] {hostile}\\n');",
    )
    (lab.folder / f"frozen {hostile}.pb").write_bytes(b"")
    notebook.run(6)
    panel = panel_of(notebook)
    tab(panel, "Log")
    panel.get_by_text(hostile).first.wait_for()
    assert page.evaluate("() => window.hurt") is None


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_no_accessibility_fault_in_the_notebook(lab: Lab, page: Page, theme: str) -> None:
    notebook = opened(lab, page, f"axe_{theme[-5:].strip().lower()}.ipynb")
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    page.wait_for_timeout(1500)
    panel = panel_of(notebook)
    page.add_script_tag(path=AXE)
    for name in ("Overview", "Models", "Memory", "Placement", "Libraries", "Log"):
        tab(panel, name)
        page.wait_for_timeout(500)
        result = panel.evaluate(
            "async panel => (await axe.run(panel)).violations.map(one => [one.id, one.nodes[0].html])"
        )
        assert result == [], name
    # The server keeps it.
    page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Light' })")


def test_what_is_saved_shows_the_snapshot_without_any_kernel(lab: Lab, page: Page) -> None:
    opened(lab, page, "saved.ipynb")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(1500)
    cells = json.loads((lab.folder / "saved.ipynb").read_text())["cells"]
    (shown,) = (output["data"] for output in cells[PANEL]["outputs"])
    html = "".join(shown["text/html"])
    assert all(f">{word}</td>" in html for word in ("one", "two", "CPU:0"))
    assert "<script" not in html
    assert "4 MB" in "".join(shown["text/plain"])


def test_the_sampler_sleeps_when_nobody_looks(lab: Lab, page: Page) -> None:
    interval = "from tfmagic.panel.snapshot.sampler import sampler; print(sampler().interval_s)"
    notebook = opened(lab, page, "asleep.ipynb", interval)
    notebook.run(5)
    assert "1.0" in notebook.output(5)
    page.evaluate(
        "() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 4;"
        " return window.jupyterapp.commands.execute('notebook:hide-cell-outputs'); }"
    )
    page.wait_for_timeout(1500)
    notebook.run(5)
    assert "5.0" in notebook.output(5)
