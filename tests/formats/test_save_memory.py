"""What saving takes beside the model: weights go to disk a few at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import printed

pytestmark = pytest.mark.slow

CODE = """
import sys
from pathlib import Path
import keras
import tensorflow as tf
from tfmagic import models

v1 = tf.compat.v1
MB = 1 << 20

def memory(what):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) << 10

with tf.Graph().as_default() as graph:
    x = v1.placeholder(tf.float32, [None, 1000], "x")
    tf.add_n([x @ v1.get_variable(f"w{at}", [1000, 4000]) for at in range(16)], name="y")
network = keras.Sequential([keras.Input((4000,)), *[keras.layers.Dense(4000) for _ in range(4)]])
models.add("graph", graph, inputs="x", outputs="y")
models.add("live", network)
for name, suffix in (("graph", ""), ("live", ""), ("graph", ".pb"), ("live", ".pb")):
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    models[name].save(Path(sys.argv[1]) / f"{name}{suffix}")
    print((memory("VmHWM") - before) // MB)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="a process's peak is read from Linux's /proc")
def test_saving_holds_no_second_copy_of_the_weights(tmp_path: Path) -> None:
    # 256 MB of weights. A frozen graph holds them itself, and once more as the bytes of the file.
    folder, live_folder, frozen, live_frozen = (int(line) for line in printed(CODE, str(tmp_path)))
    assert folder < 150
    assert live_folder < 150
    # What was freed on the way stays with malloc until it is trimmed.
    assert frozen < 1000
    assert live_frozen < 1000
