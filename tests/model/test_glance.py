"""A glance at a model: what is known of it as it stands, and that looking changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf
from factories import add_cell, frozen_linear, printed_from_start, run_cell, save_v2

from tfmagic import models
from tfmagic.model import glance as module
from tfmagic.model.glance import device_names, glance, glance_at_file

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CELL = """
    import tensorflow as tf
    x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
    w = tf.compat.v1.get_variable("w", initializer=2.0)
    low, high = tf.split(tf.multiply(x, w, name="inner/y"), 2, name="halves")
    both = tf.add(low, high, name="both")
"""
SPEC = tf.TensorSpec([None], tf.float32, name="x")


def test_a_built_model_shows_signatures_names_and_what_a_cell_has() -> None:
    model = add_cell("m", CELL).model
    found = glance("m")
    assert found is not None
    assert found.default is not None
    assert [end.name for end in found.default.inputs] == ["x"]
    assert found.signature("serving_default") == found.default
    assert found.signature("other") is None
    assert {"x", "w", "both"} <= set(found.names)
    assert found.bound == {"session": found.bound["session"], "graph": model.graph, "this": model}


def test_every_tensor_can_be_named_and_none_is_tfmagics() -> None:
    model = add_cell("m", CELL).model
    models.m([1.0, 2.0])
    found = glance("m")
    assert found is not None
    tensors = found.tensors()
    assert {"x", "w", "low", "high", "both", "inner/y", "halves", "halves:1"} <= set(tensors)
    assert not [name for name in tensors if name.startswith("tfmagic_")]
    assert [float(value) for value in model.run(fetch=["w", "w/Read/ReadVariableOp"]).values()] == [2.0, 2.0]


def test_a_name_that_is_bound_to_something_else_is_no_tensor() -> None:
    model = add_cell("m", CELL).model
    run_cell(model, "count = 3\neager = None")
    found = glance("m")
    assert found is not None
    assert "count" not in found.tensors()


def test_a_live_object_has_no_tensors() -> None:
    models.add("live", tf.function(lambda x: x))
    found = glance("live")
    assert found is not None
    assert found.tensors() == []
    assert "graph" not in found.bound


def test_a_lazy_model_stays_unbuilt(tmp_path: Path) -> None:
    models.add("lazy", save_v2(tmp_path / "m", lambda x: {"y": x}, SPEC), lazy=True)
    found = glance("lazy")
    assert found is not None
    assert (found.signatures, found.default, found.names, found.tensors()) == ({}, None, {}, [])
    assert models["lazy"].state == "parked"
    assert models["lazy"].lifecycle.backend is None


def test_a_model_that_is_not_there_is_none() -> None:
    assert glance("nothing") is None


def test_a_dropped_model_is_not_built() -> None:
    model = add_cell("m", CELL).model
    models.drop("m")
    assert model.lifecycle.backend is None


def test_a_saved_model_declares_signatures_and_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_v2(tmp_path / "m", lambda x: {"y": x}, SPEC)
    found = glance_at_file(str(path))
    assert found is not None
    assert ([one["name"] for one in found["signatures"]], found["tags"]) == (["serving_default"], [["serve"]])
    monkeypatch.setattr(module, "_QUICK_BYTES", 1)
    assert glance_at_file(str(path)) is None


def test_other_files_declare_nothing(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "saved_model.pb").write_bytes(b"no graph")
    for path in (
        frozen_linear(tmp_path / "m.pb"),
        tmp_path / "nothing",
        damaged,
        tmp_path,
        "~nobody_of_this_name/m",
        "\0",
    ):
        assert glance_at_file(str(path)) is None


def test_devices_are_listed_once_a_model_has_started_them() -> None:
    assert device_names() == ["cpu", "gpu"]
    add_cell("m", CELL)
    listed = device_names()
    assert listed[:3] == ["cpu", "gpu", "cpu:0"]
    assert len(listed) == 2 + len(tf.config.list_physical_devices())


def test_a_glance_imports_no_tensorflow(tmp_path: Path) -> None:
    path = save_v2(tmp_path / "m", lambda x: {"y": x}, SPEC)
    code = f"""
        import sys
        from tfmagic.model.glance import device_names, glance, glance_at_file
        print(glance("m"), glance_at_file({str(path)!r}), device_names())
        print([name for name in ("tensorflow", "numpy", "IPython") if name in sys.modules])
    """
    assert printed_from_start(code) == ["None None ['cpu', 'gpu']", "[]"]
