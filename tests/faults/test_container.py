"""A real container's memory limit: seen, and spoken of before it is passed."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from cgroup import control_group
from factories import printed, ready_python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

LIMIT_BYTES = 2_000_000_000


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group with a memory limit of 2 GB, which processes can be put into."""
    with control_group(LIMIT_BYTES) as folder:
        yield folder


START = """
import os, sys
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
import numpy as np
import tensorflow as tf
from tfmagic import models
from tfmagic.model.memory.budget import budget, HOST
from tfmagic.runtime.memory.process_memory import container_limit
from tfmagic.core.notices import notices
v1 = tf.compat.v1
said = []
notices().show = said.append

def add(name, megabytes):
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [], name="x")
        w = v1.get_variable("w", [megabytes, 250_000], initializer=v1.ones_initializer())
        tf.multiply(x, w[0, 0], name="y")
    return models.add(name, graph, outputs="y=y:0")
"""


def test_the_limit_is_seen_and_auto_leaves_a_fifth_and_the_runtime_out(group: Path) -> None:
    limit, budgeted = printed(
        START
        + """
models.memory_budget = "auto"
print(container_limit()[0])
print(budget().limits()[HOST])
""",
        str(group),
    )[-2:]
    assert abs(int(limit) - LIMIT_BYTES) < 10_000
    assert 0.2 * LIMIT_BYTES < int(budgeted) < 0.8 * LIMIT_BYTES - 100_000_000


def test_auto_parks_before_the_kernel_is_killed(group: Path) -> None:
    lines = printed(
        START
        + """
models.memory_budget = "auto"
for number in range(8):
    add(f"net{number}", 300)
    assert models[f"net{number}"](2.0) == 2.0
print(sum(model.state == "ready" for model in models.values()) < 5)
print(models.net0(3.0))
print(said[0])
""",
        str(group),
    )
    assert lines[-3:-1] == ["True", "3.0"]
    assert lines[-1].startswith("parked net0, least recently used, so that net")


def test_a_word_comes_before_what_passes_the_limit(group: Path) -> None:
    # The system kills it, without a word of its own.
    done = ready_python(
        START
        + """
add("small", 1)
notices().show = lambda line: print(line, flush=True)
print("so far nothing", said, flush=True)
add("huge", 2100)
print("it went well")
""",
        str(group),
    )
    assert done.returncode == -signal.SIGKILL
    before, word = done.stdout.splitlines()
    assert before == "so far nothing []"
    assert word.startswith("memory is short: huge needs about 2.1 GB, and the container has ")
