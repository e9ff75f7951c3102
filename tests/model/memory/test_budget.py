"""The memory budget: the least recently used idle models are parked for another, and never one that runs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, printed, run_cell, write_frozen

from tfmagic import models, session
from tfmagic.core.notices import notices
from tfmagic.errors import MemoryBudgetError, ParkError, SettingError
from tfmagic.execution.room.variables import Weights
from tfmagic.model.memory import budget as module
from tfmagic.model.memory.budget import Budget, bytes_in_part, default_device, parse_budget
from tfmagic.runtime.session.hosted_graph import hosted
from tfmagic.runtime.state.spill_directory import park_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Each model of these cells takes 4 MB.
CELL = """
    x = tf.compat.v1.placeholder(tf.float32, [None], "x")
    w = tf.compat.v1.get_variable("w", initializer=tf.fill([1_000_000], {number}.0))
    y = x * w[0]
"""
NOT_A_BUDGET = (
    *["1e9", "lots", "GB", "1.5.5GB", "1XB", "nan", "inf", "-1GB", "0", "0MB", "0.1B", "   ", ",", "1GB,", "=1GB"],
    *["gpu=", "tpu:0=1GB", "gpu:-1=1GB", "gpu:a=1GB", "1GB,2GB", "gpu=1GB,gpu:0=2GB", "gpu:00=1GB,gpu:0=2GB"],
    *["auto,gpu:0=1GB", "9" * 400 + "GB", "1GB\n2GB", 500, None, b"1GB", ["1GB"]],
)


@pytest.fixture(autouse=True)
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    lines: list[str] = []
    monkeypatch.setattr(notices(), "show", lines.append)
    park_directory().choose(str(tmp_path / "parked"))
    yield lines
    models.memory_budget = ""
    models.drop(all=True)
    park_directory().choose("")


def add(*names: str) -> None:
    for number, name in enumerate(names, 1):
        add_cell(name, CELL.format(number=number), {"tf": tf})


def states() -> dict[str, str]:
    return {record["name"]: record["state"] for record in models.records()}


def parked() -> list[str]:
    return [name for name, state in states().items() if state == "parked"]


def held(name: str) -> Any:
    """Return a context in which a model runs."""
    return hosted(models[name].graph).runs.counted()


# -- what is a budget --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("500MB", {"memory": 500_000_000}),
        ("1.5GB", {"memory": 1_500_000_000}),
        (" 2 GiB ", {"memory": 2 * 2**30}),
        ("7", {"memory": 7}),
        ("7B", {"memory": 7}),
        ("1kB", {"memory": 1000}),
        ("1KB", {"memory": 1000}),
        ("3KiB", {"memory": 3072}),
        ("1TB", {"memory": 10**12}),
        ("150 mb", {"memory": 150 * 10**6}),
        ("1gib", {"memory": 2**30}),
        ("2GB,gpu:0=8GB", {"memory": 2 * 10**9, "GPU:0": 8 * 10**9}),
        ("gpu=8GB", {"GPU:0": 8 * 10**9}),
        ("GPU:12 = 8MB , cpu:1=1MB", {"GPU:12": 8 * 10**6, "CPU:1": 10**6}),
    ],
)
def test_a_budget_is_understood(text: str, limits: dict[str, int]) -> None:
    assert parse_budget(text) == limits


@pytest.mark.parametrize("text", NOT_A_BUDGET, ids=lambda text: repr(text)[:20])
def test_what_is_no_budget_is_one_line_and_the_former_stays(text: Any) -> None:
    models.memory_budget = "77MB"
    with pytest.raises(SettingError, match="memory_budget") as caught:
        models.memory_budget = text
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 700
    assert models.memory_budget == "77MB"
    assert module.budget().limits() == {"memory": 77_000_000}


def test_what_lies_on_a_gpu_without_a_part_counts_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "default_device", lambda: "CPU:0")
    sizes = {"": 1, "CPU:0": 10, "CPU:1": 100, "GPU:0": 1000, "GPU:1": 10_000}
    weights = Weights(
        len(sizes),
        sum(sizes.values()),
        0,
        tuple(
            {"name": "w", "dtype": "float32", "shape": None, "size_bytes": size, "device": device or None}
            for device, size in sizes.items()
        ),
    )
    assert bytes_in_part(weights, "memory", {"memory"}) == 111
    assert bytes_in_part(weights, "memory", {"memory", "CPU:1", "GPU:0"}) == 11
    assert bytes_in_part(weights, "CPU:1", {"memory", "CPU:1"}) == 100
    assert bytes_in_part(weights, "GPU:0", {"GPU:0"}) == 1000
    monkeypatch.setattr(module, "default_device", lambda: "GPU:0")
    assert bytes_in_part(weights, "GPU:0", {"memory", "GPU:0"}) == 1001


def test_auto_is_a_share_of_what_the_container_has_less_the_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "container_limit", lambda: (1000, ""))
    monkeypatch.setattr(module, "rss_bytes", lambda: 300)
    one = Budget()
    one.choose("auto")
    assert one.limits() == {"memory": 500}
    monkeypatch.setattr(module, "rss_bytes", lambda: 3000)
    assert one.limits() == {"memory": 0}
    monkeypatch.setattr(module, "container_limit", lambda: (None, ""))
    assert one.limits() == {}


def test_devices_default_to_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    del monkeypatch
    assert default_device() in {"CPU:0", "GPU:0"}


# -- who goes ------------------------------------------------------------------------


def test_the_least_recently_used_go_first(said: list[str]) -> None:
    add("a", "b", "c")
    models.a([1.0])
    models.memory_budget = "13MB"
    assert (parked(), said) == ([], [])
    add_cell("d", CELL.format(number=4), {"tf": tf})
    assert parked() == ["b"]
    assert said == ["parked b, least recently used, so that d (4 MB) fits into the memory_budget of 13 MB"]
    run_cell(models.c, "1")
    assert models.b([1.0]).tolist() == [2.0]
    assert parked() == ["a"]
    models.d([1.0])
    models.a([1.0])
    assert parked() == ["c"]


def test_what_was_just_woken_does_not_go_first() -> None:
    add("a", "b")
    models.a.park()
    models.a.wake()
    models.memory_budget = "9MB"
    add_cell("c", CELL.format(number=3), {"tf": tf})
    assert parked() == ["b"]


def test_several_go_for_a_large_one(said: list[str]) -> None:
    add("a", "b", "c")
    models.memory_budget = "13MB"
    big = CELL.format(number=9).replace("1_000_000", "2_500_000")
    add_cell("big", big, {"tf": tf})
    assert parked() == ["a", "b", "c"]
    assert said == ["parked a, b and c, least recently used, so that big (10 MB) fits into the memory_budget of 13 MB"]
    assert [float(models[name]([1.0])[0]) for name in ("a", "b", "c", "big")] == [1.0, 2.0, 3.0, 9.0]


def test_a_smaller_budget_parks_what_no_longer_fits_and_none_wakes_nothing(said: list[str]) -> None:
    add("a", "b", "c")
    models.memory_budget = "9MB"
    assert parked() == ["a"]
    assert said == ["parked a, least recently used, so that the rest fits into the memory_budget of 9 MB"]
    models.memory_budget = ""
    assert parked() == ["a"]
    models.a([1.0])
    assert parked() == []


def test_what_was_trained_and_parked_for_another_comes_back() -> None:
    add("a", "b")
    run_cell(models.a, "session.run(w.assign(w * 3.5))")
    models.memory_budget = "5MB"
    for _ in range(2):
        assert [float(models[name]([1.0])[0]) for name in ("a", "b")] == [3.5, 2.0]
        assert parked() == ["a"]


def test_evaluating_a_tensor_of_a_parked_model_makes_room_too() -> None:
    add("a", "b")
    models.memory_budget = "5MB"
    assert parked() == ["a"]
    assert session.run(models.a.names["w"])[0] == 1.0
    assert parked() == ["b"]


def test_a_frozen_graph_counts_and_goes(tmp_path: Path) -> None:
    def build() -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        tf.multiply(x, tf.constant(np.full(2_000_000, 3.0, np.float32))[0], name="y")

    models.memory_budget = "9MB"
    models.add("frozen", write_frozen(tmp_path / "wide.pb", build), frozen=True)
    add("a")
    assert parked() == ["frozen"]
    assert models.frozen([1.0]).tolist() == [3.0]
    assert parked() == ["a"]


# -- what stays ------------------------------------------------------------------------


def test_one_that_is_larger_than_the_budget_parks_nothing() -> None:
    add("a", "b")
    models.memory_budget = "9MB"
    with pytest.raises(
        MemoryBudgetError, match=r"^big takes 12 MB, more than the whole memory_budget of 9 MB"
    ) as caught:
        add_cell("big", CELL.format(number=9).replace("1_000_000", "3_000_000"), {"tf": tf})
    assert len(str(caught.value).splitlines()) == 1
    assert states() == {"a": "ready", "b": "ready"}


def test_a_model_that_runs_is_never_parked_and_is_named() -> None:
    add("a", "b", "c")
    models.b.park()
    models.memory_budget = "9MB"
    with held("a"):
        models.b([1.0])
        assert states() == {"a": "running", "b": "ready", "c": "parked"}
        with held("b"), pytest.raises(MemoryBudgetError) as caught:
            models.c([1.0])
    assert str(caught.value).startswith(
        "c takes 4 MB, and the memory_budget of 9 MB has no room for it: "
        "what stays is a (4 MB, running), b (4 MB, running); drop one of these, or raise the budget"
    )
    assert states() == {"a": "ready", "b": "ready", "c": "parked"}
    assert models.c([1.0]).tolist() == [3.0]


def test_nothing_is_parked_where_that_would_not_be_enough() -> None:
    add("a", "b", "c")
    models.memory_budget = "13MB"
    with held("a"), held("b"), pytest.raises(MemoryBudgetError):
        add_cell("big", CELL.format(number=9).replace("1_000_000", "2_000_000"), {"tf": tf})
    assert parked() == []


def test_a_live_object_stays_and_is_named() -> None:
    live = tf.Module()
    live.w = tf.Variable(tf.ones([1_000_000]))
    live.call = tf.function(lambda x: x * live.w[0], input_signature=[tf.TensorSpec([None], tf.float32)])
    models.add("live", live)
    models.memory_budget = "7MB"
    with pytest.raises(MemoryBudgetError, match=r"what stays is live \(4 MB, a live object of the notebook\)"):
        add("a")
    assert states() == {"live": "ready"}


def test_a_budget_below_what_cannot_be_parked_is_one_line_and_the_former_stays() -> None:
    add("a", "b")
    models.memory_budget = "20MB"
    with (
        held("a"),
        held("b"),
        pytest.raises(SettingError, match=r"memory_budget '5MB' is below what is loaded") as caught,
    ):
        models.memory_budget = "5MB"
    assert len(str(caught.value).splitlines()) == 1
    assert models.memory_budget == "20MB"
    assert parked() == []


def test_one_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    add("a")
    models.memory_budget = "5MB"

    def full() -> Path:
        message = "the disk is full"
        raise ParkError(message)

    monkeypatch.setattr(park_directory(), "place", full)
    with pytest.raises(MemoryBudgetError, match="a was to be parked for it, and cannot be: the disk is full"):
        add_cell("b", CELL.format(number=2), {"tf": tf})
    assert states() == {"a": "ready"}
    assert models.a([1.0]).tolist() == [1.0]


def test_a_cell_that_uses_two_models_that_do_not_fit_together_is_told_so() -> None:
    add("a", "b")
    models.memory_budget = "5MB"
    models.a.wake()
    with pytest.raises(MemoryBudgetError, match=r"what stays is a \(4 MB, running\)"):
        run_cell(models.a, "models.b([1.0])", {"models": models})
    assert models.b([1.0]).tolist() == [2.0]


def test_a_copy_that_takes_its_weights_anew_fits_where_it_is() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        w = tf.compat.v1.get_variable("w", initializer=tf.ones([1_000_000]))
        tf.multiply(x, w[0], name="y")
    models.memory_budget = "5MB"
    model = models.add("net", graph)
    assert model([2.0]).tolist() == [2.0]
    model.stop(now=True)
    assert model([2.0]).tolist() == [2.0]


# -- threads and devices ----------------------------------------------------------------


@pytest.mark.slow
def test_two_threads_that_wake_models_that_do_not_fit_together_never_wait_for_good() -> None:
    add("a", "b")
    models.memory_budget = "5MB"
    ended = threading.Event()
    wrong: list[Any] = []
    done = {"a": 0, "b": 0}
    peak = [0]

    def ask(name: str, right: float) -> None:
        while not ended.is_set():
            try:
                answer = float(models[name]([1.0])[0])
            except MemoryBudgetError:
                time.sleep(0.001)
                continue
            except BaseException as error:  # noqa: BLE001 - looked at at the end
                wrong.append(error)
                return
            done[name] += 1
            if answer != right:
                wrong.append((name, answer))
            time.sleep(0.002)

    threads = [threading.Thread(target=ask, args=pair, daemon=True) for pair in (("a", 1.0), ("b", 2.0))]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        peak[0] = max(peak[0], len(session.open_graphs()))
        time.sleep(0.001)
    ended.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread waits for good"
    assert wrong == []
    assert all(done.values()), done
    assert peak[0] == 1


@pytest.mark.slow
def test_each_device_has_a_part_of_its_own() -> None:
    code = """
    import tensorflow as tf
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from tfmagic import models
    from tfmagic.errors import MemoryBudgetError, SettingError
    from tfmagic.runtime.session.hosted_graph import hosted

    def add(name, device, count=1_000_000):
        graph = tf.Graph()
        with graph.as_default(), tf.device(device):
            x = tf.compat.v1.placeholder(tf.float32, [None], "x")
            w = tf.compat.v1.get_variable("w", initializer=tf.ones([count]))
            tf.multiply(x, w[0], name="y")
        models.add(name, graph)

    def parked():
        print(*(one["name"] for one in models.records() if one["state"] == "parked"))

    models.memory_budget = "9MB,cpu:1=5MB"
    add("a", "cpu:0"); add("b", "cpu:0"); add("c", "cpu:1")
    parked()
    add("d", "cpu:1")
    parked()
    models.c([1.0])
    parked()
    try:
        add("e", "cpu:1", 1_500_000)
    except MemoryBudgetError as error:
        print(error)
    parked()
    # What needs both: nothing of the one is parked where the other has no room.
    def both():
        graph = tf.Graph()
        with graph.as_default():
            x = tf.compat.v1.placeholder(tf.float32, [None], "x")
            for number in (0, 1):
                with tf.device(f"cpu:{number}"):
                    w = tf.compat.v1.get_variable(f"w{number}", initializer=tf.ones([1_000_000]))
            tf.multiply(x, w[0], name="y")
        models.add("both", graph)
    with hosted(models.c.graph).runs.counted():
        try:
            both()
        except MemoryBudgetError as error:
            print(str(error)[:60])
        parked()
    both()
    parked()
    try:
        models.memory_budget = "cpu:1=1"
    except SettingError as error:
        print(error)
    parked()
    """
    lines = printed(code)
    assert lines[:3] == ["", "c", "d"]
    assert lines[3].startswith("e takes 6 MB, more than the whole memory_budget for cpu:1 of 5 MB")
    assert lines[4] == "d"
    assert lines[5] == "both takes 4 MB, and the memory_budget for cpu:1 of 5 MB has"
    assert lines[6:8] == ["d", "a c d"]
    assert lines[8] == "a c d both"
