"""A kernel that is restarted in the middle of a run is back at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from kernel.cells import STUCK
from kernel.harness import PATIENCE_S, Kernel
from kernel.test_stop import POOL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

LONG = """
%%tf_model long --inputs x --outputs y
import pathlib
import tensorflow as tf
v1 = tf.compat.v1
x = v1.placeholder(tf.float32, [], name="x")
started = v1.py_func(lambda value: (pathlib.Path("started").touch(), value)[1], [x], tf.float32)
with tf.control_dependencies([started]):
    y = tf.reduce_sum(tf.linalg.svd(tf.random.normal([6000, 6000]), compute_uv=False))
"""
"""A model whose run is one operation of two minutes, which nothing can cancel."""

# Jupyter ends the process itself two and a half seconds after it has asked, which a busy machine may take; here after
# sixty. A kernel that waits for its run takes longer than that, and then its exit status is that of a signal.
JUPYTER_WAITS_S = 120.0


@pytest.fixture
def own_kernel(tmp_path: Path) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path)
    kernel.manager.shutdown_wait_time = JUPYTER_WAITS_S
    yield kernel
    kernel.stop()


def in_the_middle_of(kernel: Kernel, model: str, cell: str) -> None:
    """Have the kernel run a cell, and return when its native run has begun."""
    kernel.ok("%load_ext tfmagic")
    kernel.ok(model)
    started = kernel.folder / "started"
    started.unlink(missing_ok=True)
    kernel.send(cell)
    deadline = time.monotonic() + PATIENCE_S
    while not started.exists():
        assert time.monotonic() < deadline, "the cell's native run did not start"
        time.sleep(0.01)
    time.sleep(0.2)


def process_of(kernel: Kernel) -> Any:
    """Return the process of a kernel, which tells its exit status also when another has taken its place."""
    provisioner: Any = kernel.manager.provisioner
    return provisioner.process


def test_a_restart_in_the_middle_of_a_run(own_kernel: Kernel) -> None:
    for model, cell in (
        (STUCK, "%tf_run stuck 1"),
        (POOL, "%%tf_run pool\nsession.run(y, {x: 1.0})"),
        (LONG, "%tf_run long 1"),
    ):
        in_the_middle_of(own_kernel, model, cell)
        process = process_of(own_kernel)
        own_kernel.manager.restart_kernel(now=False)
        assert process.poll() == 0, cell
        own_kernel.client.wait_for_ready(timeout=PATIENCE_S)
        assert own_kernel.value("1 + 1") == "2"


def test_a_shutdown_in_the_middle_of_a_run(own_kernel: Kernel) -> None:
    in_the_middle_of(own_kernel, LONG, "%tf_run long 1")
    process = process_of(own_kernel)
    own_kernel.manager.shutdown_kernel(now=False)
    assert process.poll() == 0
