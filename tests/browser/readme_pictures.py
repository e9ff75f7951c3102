"""Take the README's pictures of the panel: ``PYTHONPATH=tests python -m browser.readme_pictures FOLDER``.

A real JupyterLab runs the cells of ``examples/panel.ipynb``, and a real browser looks at them.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from browser.lab import CHECKOUT, Lab
from browser.notebook import Notebook
from browser.panel_page import browser, open_tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FloatRect, Locator

WIDTH, NARROW = 1100, 640
# All cells at once: only what is on the screen is drawn, and only a panel that is seen is live.
HEIGHT = 3600
SCALE = 1.5
SETTLED_MS = 2500
STEP_MS = 4000
TRAINING, DROPPING = "%%tf_run waves", "%tf_model drop waves"


def story() -> list[str]:
    """Return the example's cells: what trains on is below the panel, what only prints is left out."""
    notebook = nbformat.read(CHECKOUT / "examples" / "panel.ipynb", 4)  # type: ignore[no-untyped-call]
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    cells = [cell for cell in cells if not cell.startswith("%tf_runtime")]
    at = cells.index("%tf_panel")
    fit = next(number for number, cell in enumerate(cells) if "net.fit(" in cell)
    cells.insert(at, cells.pop(fit))
    return cells


class Pictures:
    """The example in a notebook, and the folder that its pictures go to."""

    def __init__(self, chromium: Browser, lab: Lab, folder: Path) -> None:
        self.folder = folder
        self.cells = story()
        lab.write("panel.ipynb", self.cells)
        context = chromium.new_context(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SCALE)
        self.page = context.new_page()
        self.notebook = Notebook(lab, self.page, "panel.ipynb")
        self.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")

    def take(self) -> None:
        """Run the cells, and take a picture where there is one to take."""
        at = self.cells.index("%tf_panel")
        training = next(number for number, cell in enumerate(self.cells) if cell.startswith(TRAINING))
        for number, cell in enumerate(self.cells):
            if cell == DROPPING:
                self._drop(at)
            else:
                self.notebook.run(number)
            if number > training:
                self.page.wait_for_timeout(STEP_MS)
            if "table = pd.DataFrame" in cell:
                self._of_models(at, training)
        self._of_memory(at)
        self._of_placement(at)

    def _of_models(self, at: int, training: int) -> None:
        """Have all models traced, and take the list of models while one of them learns on."""
        panel = self._tab(at, "Models")
        for name in ("old", "live", "waves"):
            panel.locator(f"button[aria-label^='Trace'][aria-label*='{name}']").click()
            self.page.wait_for_timeout(SETTLED_MS)
        self.notebook.run(training, wait=False)
        panel.get_by_text("a cell has been running for 4 seconds").wait_for()
        self._take("models", panel, self.notebook.cell(training))
        self.notebook.wait_until_idle()

    def _drop(self, at: int) -> None:
        """Drop with the panel's button, so that it says what went back."""
        panel = self._tab(at, "Models")
        panel.locator("button[aria-label^='Drop'][aria-label*='waves']").click()
        panel.get_by_text("Drop it", exact=True).filter(visible=True).click()
        panel.get_by_text("given back to the system").wait_for()

    def _of_memory(self, at: int) -> None:
        panel = self._tab(at, "Memory")
        self._take("memory", panel, panel.get_by_role("table").first)

    def _of_placement(self, at: int) -> None:
        self.page.evaluate(
            "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
        )
        self.page.set_viewport_size({"width": NARROW, "height": HEIGHT})
        panel = self._tab(at, "Placement")
        self._take("placement", panel, panel)

    def _tab(self, at: int, name: str) -> Locator:
        panel = self.notebook.cell(at).locator("section.tfm, .tfm[aria-label]").first
        panel.wait_for()
        open_tab(self.page, name, panel)
        self.page.wait_for_timeout(SETTLED_MS)
        return panel

    def _take(self, name: str, panel: Locator, last: Locator) -> None:
        """Take what is between the panel's upper end and the lower end of something."""
        self.page.mouse.move(0, 0)
        upper, lower = _box(panel), _box(last)
        left = min(upper["x"], lower["x"])
        right = max(upper["x"] + upper["width"], lower["x"] + lower["width"])
        height = lower["y"] + lower["height"] - upper["y"]
        clip: FloatRect = {"x": left, "y": upper["y"], "width": right - left, "height": height}
        self.page.screenshot(path=self.folder / f"panel-{name}.png", clip=clip)


def _box(what: Locator) -> FloatRect:
    box = what.bounding_box()
    if box is None:
        msg = f"{what} is not on the page"
        raise RuntimeError(msg)
    return box


def main(words: list[str]) -> int:
    """Take them."""
    if len(words) != 1:
        sys.stderr.write("usage: python -m browser.readme_pictures FOLDER\n")
        return 2
    pictures = Path(words[0])
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, browser() as chromium:
        shutil.copytree(CHECKOUT / "examples" / "models", Path(place) / "models")
        lab = Lab(Path(place))
        try:
            Pictures(chromium, lab, pictures).take()
        finally:
            lab.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
