"""JupyterLab shows a kernel as busy for as long as a cell runs, whatever a panel in a cell says meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from browser.lab import FORKED
from browser.layout import wait_until_kept
from browser.notebook import Notebook
from browser.sidebar import sidebar, wait_for_news
from browser.test_lab_panel import ONE, TWO, panel_of, press, row, snapshots_seen, tab

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from browser.lab import Lab

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

LOAD = "%load_ext tfmagic\n%config TfMagic.panel_interval = 0.2"
WITH_TENSORFLOW = f"{LOAD}\nimport tensorflow as tf\nv1 = tf.compat.v1"
UNTIL_GO = "import pathlib, time\nwhile not pathlib.Path({go!r}).exists(): time.sleep(0.05)\nprint('the end')"
"""A cell that runs until there is a file."""


class Watched:
    """A notebook whose kernel status is recorded, each change of it, from now on."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook, self._page = notebook, notebook.page
        self._go = notebook.lab.folder / f"{notebook.name}.go"
        self._page.evaluate(
            """() => {
              const panel = window.jupyterapp.shell.currentWidget, kernel = panel.sessionContext.session.kernel;
              const shown = () => panel.node.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status;
              window.said = [];
              window.shown = [];
              kernel.statusChanged.connect((_, status) => window.said.push(status));
              kernel.iopubMessage.connect((_, message) => {
                if (message.content.text?.includes('the end')) window.said.push('the end');
              });
              window.watching = new MutationObserver(() => window.shown.push(shown()));
              window.watching.observe(panel.toolbar.node, { attributes: true, childList: true, subtree: true });
            }"""
        )

    @property
    def said(self) -> list[str]:
        """The statuses that the kernel had, and `the end` where the cell has printed that."""
        return list(self._page.evaluate("() => window.said"))

    def shown(self) -> list[str]:
        """Return the changes of the notebook's indicator, which was idle when the watch began, once it says idle."""
        self._page.wait_for_function("() => window.shown.includes('busy') && window.shown.at(-1) === 'idle'")
        found: list[str] = self._page.evaluate("() => window.shown")
        return [status for before, status in zip(["idle", *found], found, strict=False) if status != before]

    def run_until_go(self, cell: int) -> None:
        """Run a cell of `UNTIL_GO`."""
        self.notebook.run(cell, wait=False)
        self._page.wait_for_function("() => window.said.includes('busy')")

    def go(self) -> None:
        """Have it end, and wait for that."""
        self._go.touch()
        self._page.wait_for_function("() => window.said.includes('the end')")
        self.notebook.wait_until_idle()

    def execution_state(self) -> object:
        """Return what Jupyter's server says of the kernel."""
        session = next(one for one in self.notebook.lab.get("api/sessions") if one["path"] == self.notebook.name)
        return session["kernel"]["execution_state"]


def opened(lab: Lab, page: Page, name: str, *cells: str, kernel: str = "python3") -> Notebook:
    """Open a notebook whose last cell runs until it is told to end, and run the others."""
    lab.write(name, [*cells, UNTIL_GO.format(go=f"{name}.go")], kernel)
    page.set_viewport_size({"width": 1400, "height": 1100})
    notebook = Notebook(lab, page, name)
    for cell in range(len(cells)):
        notebook.run(cell)
    return notebook


def out_of_sight(page: Page, panel: Locator) -> None:
    """Scroll a panel out of the notebook's part of the page."""
    panel.evaluate("panel => { panel.closest('.jp-Cell').style.marginBottom = '3000px'; }")
    page.evaluate("() => { const place = document.querySelector('.jp-WindowedPanel-outer'); place.scrollTop = 2500; }")


@pytest.mark.parametrize("made", ["%tf_panel", "import tfmagic\ntfmagic.Panel()"])
def test_a_cell_that_runs_longer_than_a_page_keeps_silent_is_busy_to_its_last_second(
    lab: Lab, page: Page, made: str
) -> None:
    name = f"longer_{len(made)}.ipynb"
    # A page that looks says so every ten seconds.
    cell = "import time\ntime.sleep(12)\nprint('the end')"
    lab.write(name, [LOAD, made, cell])
    notebook = Notebook(lab, page, name)
    notebook.run(0)
    notebook.run(1)
    panel_of(notebook, 1).wait_for()
    notebook.wait_until_idle()
    watched = Watched(notebook)
    notebook.run(2)
    assert watched.said == ["busy", "the end", "idle"]
    assert watched.shown() == ["busy", "idle"]


def test_it_stays_busy_while_a_panel_comes_in_sight_and_goes_out_of_it(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "sight.ipynb", LOAD, "%tf_panel")
    panel = panel_of(notebook, 1)
    panel.wait_for()
    notebook.wait_until_idle()
    watched = Watched(notebook)
    watched.run_until_go(2)
    for _ in range(3):
        panel.scroll_into_view_if_needed()
        snapshots_seen(panel, 3)
        out_of_sight(page, panel)
        page.wait_for_timeout(500)
    assert watched.execution_state() == "busy"
    watched.go()
    assert watched.said == ["busy", "the end", "idle"]
    assert watched.shown() == ["busy", "idle"]
    assert watched.execution_state() == "idle"


def test_it_stays_busy_while_buttons_of_two_panels_are_pressed(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "pressed.ipynb", WITH_TENSORFLOW, ONE, TWO, "%tf_panel", "%tf_panel", kernel=FORKED)
    panels = panel_of(notebook, 3), panel_of(notebook, 4)
    for panel in panels:
        panel.scroll_into_view_if_needed()
        tab(panel, "Models")
        row(panel, "one").wait_for()
    notebook.wait_until_idle()
    watched = Watched(notebook)
    watched.run_until_go(5)
    for panel, model in zip(panels, ("one", "two"), strict=True):
        panel.scroll_into_view_if_needed()
        press(panel, model, "Park")
        row(panel, model).get_by_text("parked").first.wait_for()
        snapshots_seen(panel, 3)
    assert watched.execution_state() == "busy"
    assert notebook.is_busy()
    watched.go()
    assert watched.said == ["busy", "the end", "idle"]
    assert watched.shown() == ["busy", "idle"]


def test_it_stays_busy_where_the_running_cell_makes_a_further_panel(lab: Lab, page: Page) -> None:
    made = "import tfmagic\ndisplay(tfmagic.Panel())\n" + UNTIL_GO.format(go="same.ipynb.go")
    # JupyterLab draws the first widget of a page when the cell has ended; this one is the second.
    lab.write("same.ipynb", [LOAD, "%tf_panel", made])
    notebook = Notebook(lab, page, "same.ipynb")
    notebook.run(0)
    notebook.run(1)
    notebook.wait_until_idle()
    watched = Watched(notebook)
    watched.run_until_go(2)
    panel_of(notebook, 2).scroll_into_view_if_needed()
    snapshots_seen(panel_of(notebook, 2), 5)
    watched.go()
    assert watched.said == ["busy", "the end", "idle"]
    assert watched.shown() == ["busy", "idle"]


def test_it_is_not_idle_after_the_page_is_loaded_again_meanwhile(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "again.ipynb", LOAD, "%tf_panel")
    panel_of(notebook, 1).wait_for()
    notebook.do("docmanager:save")
    notebook.do("tfmagic:open-sidebar")
    notebook.wait_until_idle()
    Watched(notebook).run_until_go(2)
    wait_until_kept(lab, page, "notebook:again.ipynb")
    page.reload()
    # What the kernel says reaches the page again; JupyterLab has its status as unknown until the cell ends.
    wait_for_news(sidebar(page, "no-tensorflow"))
    watched = Watched(notebook)
    wait_for_news(sidebar(page, "no-tensorflow"), 10)
    assert notebook.status() != "idle"
    assert watched.execution_state() == "busy"
    watched.go()
    assert "idle" not in watched.said[: watched.said.index("the end")]
    panel_of(notebook, 1).wait_for()


def test_a_panel_that_is_looked_at_between_cells_leaves_the_kernel_idle(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "between.ipynb", LOAD, "%tf_panel", "1 + 1")
    panel = panel_of(notebook, 1)
    panel.wait_for()
    notebook.wait_until_idle()
    watched = Watched(notebook)
    panel.scroll_into_view_if_needed()
    snapshots_seen(panel, 3)
    out_of_sight(page, panel)
    page.wait_for_timeout(500)
    assert watched.said == []
    assert watched.execution_state() == "idle"
