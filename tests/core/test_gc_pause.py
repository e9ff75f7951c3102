"""Full garbage collections that are put off while a model is built."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf

from tfmagic import models
from tfmagic.core.gc_pause import without_full_collections

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _threshold() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_only_full_collections_are_put_off() -> None:
    with without_full_collections():
        young, middle, full = gc.get_threshold()
    assert (young, middle) == (700, 10)
    assert full > 1_000_000


def test_the_threshold_is_as_before_afterwards() -> None:
    with without_full_collections(), without_full_collections():
        pass
    assert gc.get_threshold() == (700, 10, 10)


def test_an_error_in_the_block_changes_nothing_about_that() -> None:
    with pytest.raises(ValueError, match="mine"), without_full_collections():
        raise ValueError("mine")  # noqa: EM101 - of the test
    assert gc.get_threshold() == (700, 10, 10)


def test_the_last_of_several_threads_puts_it_back() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with without_full_collections():
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=other)
    with without_full_collections():
        thread.start()
        inside.wait(60)
    assert gc.get_threshold()[2] > 1_000_000
    leave.set()
    thread.join()
    assert gc.get_threshold() == (700, 10, 10)


def test_a_threshold_that_is_set_meanwhile_stays() -> None:
    with without_full_collections():
        gc.set_threshold(500, 5, 5)
    assert gc.get_threshold() == (500, 5, 5)


def test_other_thresholds_that_are_set_meanwhile_stay_too() -> None:
    with without_full_collections():
        gc.set_threshold(500, 5, gc.get_threshold()[2])
    assert gc.get_threshold() == (500, 5, 10)


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    try:
        with without_full_collections():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_they_are_put_off_while_a_model_is_built() -> None:
    seen: list[tuple[int, int, int]] = []

    def build(x: Any) -> Any:
        seen.append(gc.get_threshold())
        return x * 2.0

    function = tf.function(build, input_signature=[tf.TensorSpec([None], tf.float32)])
    models.add("built", function, copy=True)
    models.drop("built")
    assert seen
    assert all(full > 1_000_000 for _, _, full in seen)
    assert gc.get_threshold() == (700, 10, 10)
