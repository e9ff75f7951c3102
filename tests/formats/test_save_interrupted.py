"""Ctrl-C at random moments of many saves: old or new, whole, and nothing beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from factories import printed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

CODE = """
import os, random, signal, sys, threading, time
from pathlib import Path
import keras, numpy as np
import tensorflow as tf
from tfmagic import models

random.seed(7)
folder = Path(sys.argv[1])
network = keras.Sequential([keras.Input((300,)), *[keras.layers.Dense(300) for _ in range(10)]])
live, copy = models.add("live", network), models.add("copy", network, copy=True)
names = [(model, suffix) for model in ("live", "copy") for suffix in ("", ".pb", ".keras")]
took = {}
for name in names:
    began = time.monotonic()
    models[name[0]].save(folder / "".join(name))
    took[name] = time.monotonic() - began
there, interrupted = sorted(path.name for path in folder.iterdir()), 0
for _ in range(40):
    name = random.choice(names)
    wait = random.random() * took[name]
    timer = threading.Timer(wait, lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        timer.start()
        models[name[0]].save(folder / "".join(name), replace=True)
        timer.join()
        time.sleep(0.05)
    except KeyboardInterrupt:
        interrupted += 1
    timer.cancel()
    assert sorted(path.name for path in folder.iterdir()) == there, list(folder.iterdir())
rows = np.ones((1, 300), np.float32)
for name in names:
    (answer,) = models.add("back", folder / "".join(name), replace=True).run(rows).values()
    np.testing.assert_allclose(answer, network(rows), rtol=1e-3, atol=1e-4)
print(interrupted > 20)
"""


def test_interrupts_leave_whole_files_and_nothing_else(tmp_path: Path) -> None:
    assert printed(CODE, str(tmp_path)) == ["True"]
