"""The record of memory: what is not known of a model is None."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from factories import CHECKOUT, add_cell, printed
from trained_cells import EAGER, LINEAR, NAMES, X

from tfmagic import models
from tfmagic.model.memory_record import memory_record
from tfmagic.panel.snapshot.snapshot import snapshot
from tfmagic.panel.views.model_pages import ModelPage
from tfmagic.panel.views.runtime_pages import MemoryPage

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE = 50_000_000


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    yield
    models.drop(all=True)


def shown() -> tuple[Any, str]:
    (record,) = memory_record()["models"]
    peak = next(line for line in ModelPage(models.net.record()).text().splitlines() if "peak of a run" in line)
    last = MemoryPage(memory_record()).text().splitlines()[-1]
    said = peak.partition("peak of a run")[2].strip()
    assert last.endswith(said)
    return record["run_peak_bytes"], said


@pytest.mark.slow
def test_growth_is_unknown_where_the_process_became_smaller_meanwhile() -> None:
    # In a process of its own: what other tests have left free here would be taken first.
    (line,) = printed(
        f"""
        import numpy as np
        from factories import add_cell
        from trained_cells import LINEAR, NAMES
        from tfmagic.model.memory_record import memory_record
        kept = [np.ones({LARGE})]
        add_cell("net", "    kept.clear()\\n" + LINEAR, {{**NAMES, "kept": kept}})
        assert kept == []
        print(memory_record()["models"][0]["grew_bytes"])
        """,
        PYTHONPATH=os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "tests")]),
    )
    assert line == "None"


def test_growth_that_is_not_known_is_no_zero() -> None:
    add_cell("net", LINEAR, NAMES)
    models.net.lifecycle.grew_bytes = None
    assert "unknown" in MemoryPage(memory_record()).text().splitlines()[-1]


def test_growth_is_measured() -> None:
    code = f"    v = tf.compat.v1.get_variable('v', [{LARGE}], initializer=tf.compat.v1.ones_initializer())\n{LINEAR}"
    add_cell("net", code, NAMES)
    grew = memory_record()["models"][0]["grew_bytes"]
    assert grew is not None
    assert grew > 3 * LARGE


def test_what_a_run_takes_is_unknown_until_one_is_traced() -> None:
    model = add_cell("net", LINEAR, NAMES).model
    model(X)
    assert shown() == (None, "unknown until a run with --trace")
    model.run(X, trace=True)
    count, said = shown()
    assert count > 0
    assert said.endswith("B")


def test_what_a_live_objects_run_takes_is_unknown_traced_or_not() -> None:
    model = add_cell("net", EAGER, NAMES, eager=True).model
    model(X)
    assert shown() == (None, "unknown")
    model.run(X, trace=True)
    assert shown() == (None, "unknown")


def test_what_a_model_holds_is_nothing_while_it_is_parked_and_its_size_stays() -> None:
    model = add_cell("net", LINEAR, NAMES).model
    (record,), (row,) = memory_record()["models"], snapshot()["models"]
    size = (record["weights_bytes"] or 0) + (record["constants_bytes"] or 0)
    assert record["held_bytes"] == row["held_bytes"] == row["size_bytes"] == size > 0
    model.park()
    (record,), (row,) = memory_record()["models"], snapshot()["models"]
    assert (record["held_bytes"], row["held_bytes"], row["size_bytes"]) == (0, 0, size)
