"""What the process and its container use of memory."""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from factories import printed

from tfmagic.concurrency.runs import wait_until
from tfmagic.runtime.memory.process_memory import available_bytes, container_limit, process_memory

if TYPE_CHECKING:
    from pathlib import Path


def group(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")
    return folder


def test_the_process_is_measured() -> None:
    record = process_memory()
    resident = psutil.Process().memory_info().rss
    assert record["rss_bytes"] == pytest.approx(resident, rel=0.05)
    assert record["private_bytes"] is None or 0 < record["private_bytes"] <= resident * 1.05
    assert 0 < record["available_bytes"] == pytest.approx(available_bytes(), rel=0.05)


def test_no_container_has_no_limit(tmp_path: Path) -> None:
    assert container_limit(tmp_path) == (None, None)


def test_a_limit_of_the_second_version_is_read_and_cached_files_do_not_count(tmp_path: Path) -> None:
    root = group(
        tmp_path, memory__max="2000000000", memory__current="900000000", memory__stat="anon 5\ninactive_file 300000000"
    )
    assert container_limit(root) == (2_000_000_000, 600_000_000)


def test_max_is_no_limit(tmp_path: Path) -> None:
    assert container_limit(group(tmp_path, memory__max="max", memory__current="900000000")) == (None, None)


def test_a_limit_of_the_first_version_is_read(tmp_path: Path) -> None:
    group(
        tmp_path / "memory",
        memory__limit_in_bytes="1000000000",
        memory__usage_in_bytes="400000000",
        memory__stat="total_inactive_file 100000000",
    )
    assert container_limit(tmp_path) == (1_000_000_000, 300_000_000)


def test_the_number_that_means_none_is_no_limit(tmp_path: Path) -> None:
    group(tmp_path / "memory", memory__limit_in_bytes="9223372036854771712", memory__usage_in_bytes="400000000")
    assert container_limit(tmp_path) == (None, None)


# The CPU's figures before and with a variable of 40 MB.
OF_THE_CPU = """
from tfmagic.runtime.session.devices import devices
from tfmagic.runtime.memory.policy import memory_policy
policy = memory_policy()
policy.choose("{policy}")
policy.apply()
assert devices() == []
import tensorflow as tf
from tfmagic import session
def figures():
    (cpu,) = [one for one in devices() if one["name"] == "CPU:0"]
    return cpu["used_bytes"], cpu["peak_bytes"]
with tf.Graph().as_default():
    small = tf.compat.v1.get_variable("small", [1_000_000], initializer=tf.compat.v1.ones_initializer())
    session.run(small.initializer)
    before = figures()
    large = tf.compat.v1.get_variable("large", [10_000_000], initializer=tf.compat.v1.ones_initializer())
    session.run(large.initializer)
    print(repr((before, figures())))
"""


@pytest.mark.slow
def test_what_an_allocator_does_not_count_is_unknown_and_no_zero() -> None:
    (said,) = printed(OF_THE_CPU.format(policy="return"))
    assert ast.literal_eval(said) == ((None, None), (None, None))


@pytest.mark.slow
def test_what_an_allocator_counts_grows_with_a_variable() -> None:
    (said,) = printed(OF_THE_CPU.format(policy="pool"))
    (used, peak), (used_after, peak_after) = ast.literal_eval(said)
    assert used > 0
    # The pool hands out whole blocks, up to twice as large.
    assert 40_000_000 <= used_after - used < 80_000_000
    assert peak_after >= used_after
    assert peak_after > peak


@pytest.mark.skipif(sys.platform != "linux", reason="the parts are known on Linux alone")
def test_the_private_part_is_of_the_same_time_as_the_whole() -> None:
    before = process_memory(sample_now=True)["private_bytes"]
    array = np.ones(25_000_000)
    wait_until(lambda: (process_memory()["private_bytes"] or 0) - (before or 0) > 0.9 * array.nbytes, 5)
    after = process_memory()["private_bytes"]
    assert before is not None
    assert after is not None
    assert after - before > 0.9 * array.nbytes
