"""Take the README's moving picture: ``PYTHONPATH=tests python -m browser.readme_moving FILE.gif``.

A real JupyterLab, a real browser: the panel is live while a network trains, and memory
falls when a model is dropped.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from browser.lab import Lab
from browser.notebook import Notebook
from browser.panel_page import browser, open_tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

SIZE = {"width": 940, "height": 720}
STEP_S = 0.5
WATCHED_S = 9.0
AFTER_S = 7.0
CELLS = [
    """
%load_ext tfmagic
%config TfMagic.panel_interval = 0.5
import numpy as np, keras
keras.utils.set_random_seed(0)
images, truth = np.random.rand(20_000, 64).astype("float32"), np.random.randint(0, 10, 20_000)
net = keras.Sequential([keras.Input([64]), keras.layers.Dense(128, activation="relu"), keras.layers.Dense(10)])
net.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
net.fit(images[:64], truth[:64], verbose=0)
%tf_model add live net
""",
    """
%%tf_model wide
import tensorflow.compat.v1 as tf
x = tf.placeholder(tf.float32, [None, 64], "x")
w = tf.get_variable("w", [64, 1_000_000])
y = tf.reduce_sum(x @ w, axis=1, name="y")
""",
    "%tf_panel",
    "net.fit(images, truth, epochs=30, verbose=0)",
]
FIT, PANEL = 3, 2


class Film:
    """Frames of a page, one every half second, those that repeat held for longer."""

    def __init__(self, chromium: Browser, lab: Lab) -> None:
        lab.write("film.ipynb", [cell.strip() for cell in CELLS])
        self.page = chromium.new_context(viewport=SIZE).new_page()  # type: ignore[arg-type]  # a dict of its two keys
        self.notebook = Notebook(lab, self.page, "film.ipynb")
        self.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
        self.frames: list[tuple[Image.Image, int]] = []

    def take(self) -> None:
        """Run the cells, train under the panel's eyes, and drop."""
        for cell in (0, 1, PANEL):
            self.notebook.run(cell)
        panel = self.notebook.cell(PANEL).locator("section.tfm").first
        open_tab(self.page, "Memory", panel)
        self.page.wait_for_timeout(5000)
        self.notebook.run(FIT, wait=False)
        self._show(panel)
        self._watch(WATCHED_S)
        self.notebook.wait_until_idle()
        open_tab(self.page, "Models", panel)
        self._show(panel)
        panel.locator("button[aria-label^='Drop'][aria-label*='wide']").click()
        self._watch(1.5)
        panel.get_by_text("Drop it", exact=True).filter(visible=True).click()
        self._watch(1.5)
        open_tab(self.page, "Memory", panel)
        self._show(panel)
        self._watch(AFTER_S)

    def _show(self, panel: Locator) -> None:
        panel.evaluate("element => element.scrollIntoView({ block: 'start' })")

    def _watch(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            picture = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
            self.frames.append((picture, int(STEP_S * 1000)))
            time.sleep(max(0.0, STEP_S - (time.monotonic() - began)))

    def save(self, path: Path) -> None:
        """Write the film, in 64 colours."""
        pictures = [picture.quantize(64, dither=Image.Dither.NONE) for picture, _ in self.frames]
        lengths = [length for _, length in self.frames]
        lengths[-1] = 3000
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=lengths, loop=0, optimize=True)


def main(words: list[str]) -> int:
    """Take it."""
    if len(words) != 1:
        sys.stderr.write("usage: python -m browser.readme_moving FILE.gif\n")
        return 2
    with tempfile.TemporaryDirectory() as place, browser() as chromium:
        lab = Lab(Path(place))
        try:
            film = Film(chromium, lab)
            film.take()
        finally:
            lab.stop()
        film.save(Path(words[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
