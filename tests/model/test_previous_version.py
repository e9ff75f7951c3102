"""A cell that is run again: what its model had learnt stays as ``NAME~1``."""

from __future__ import annotations

import gc
import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, run_cell
from trained_cells import EAGER, EAGER_TRAIN, LINEAR, NAMES, TRAIN, X, linear, trained_linear

from tfmagic import models, session
from tfmagic.errors import ModelStateError, NameTakenError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders are made in these tests."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    models.drop(all=True)
    gc.collect()
    assert kept_in(tmp_path) == []


def kept_in(folder: Path) -> list[Path]:
    """Return what is kept there; AutoGraph writes files of its own, and Python what it makes of them."""
    return [one for one in folder.iterdir() if one.is_dir() and one.name != "__pycache__"]


def test_an_untrained_one_leaves_nothing() -> None:
    linear()
    models.net(X)
    admission = linear()
    assert (admission.outcome, admission.previous) == ("renewed", None)
    assert list(models) == ["net"]


def test_what_was_trained_stays_under_another_name() -> None:
    before = trained_linear()
    admission = linear()
    assert admission.previous == {"name": "net~1", "carried": 0}
    assert list(models) == ["net", "net~1"]
    np.testing.assert_array_equal(models.net(X), [[3], [7]])
    np.testing.assert_array_equal(models["net~1"](X), before)
    assert models["net~1"].record()["kind"] == "previous version"
    np.testing.assert_array_equal(models["net~1"].run(x=X).y, before)


def test_it_is_on_disk_until_it_is_run(folder: Path) -> None:
    before = trained_linear()
    linear()
    assert models["net~1"].record()["weights_bytes"] is None
    assert len(session.open_graphs()) == 1
    assert len(kept_in(folder)) == 1
    np.testing.assert_array_equal(models["net~1"](X), before)
    session.close()
    np.testing.assert_array_equal(models["net~1"](X), before)


def test_there_is_one_generation(folder: Path) -> None:
    first = trained_linear()
    linear()
    run_cell(models.net, TRAIN.replace("range(5)", "range(9)"), NAMES)
    second = models.net(X)
    assert linear().previous == {"name": "net~1", "carried": 0}
    assert list(models) == ["net", "net~1"]
    np.testing.assert_array_equal(models["net~1"](X), second)
    assert not np.allclose(first, second)
    gc.collect()
    assert len(kept_in(folder)) == 1


def test_an_untrained_rerun_leaves_the_generation_before() -> None:
    before = trained_linear()
    linear()
    linear()
    np.testing.assert_array_equal(models["net~1"](X), before)


def test_dropping_it_removes_its_folder(folder: Path) -> None:
    trained_linear()
    linear()
    models["net~1"](X)
    models.drop("net~1")
    assert kept_in(folder) == []
    assert list(models) == ["net"]


def test_dropping_the_model_leaves_its_former_training() -> None:
    before = trained_linear()
    linear()
    models.drop("net")
    np.testing.assert_array_equal(models["net~1"](X), before)


@pytest.mark.parametrize("code", [LINEAR + "\n    1 / 0", "a = 1", LINEAR + "\n    y.missing"])
def test_a_failing_cell_leaves_the_trained_model(folder: Path, code: str) -> None:
    before = trained_linear()
    with pytest.raises((ZeroDivisionError, SourceError, AttributeError)):
        linear(code)
    with pytest.raises((ZeroDivisionError, SourceError, AttributeError)):
        linear(code, keep=True)
    assert list(models) == ["net"]
    np.testing.assert_array_equal(models.net(X), before)
    assert kept_in(folder) == []
    assert len(session.hosted_graphs()) == 1


def test_where_it_cannot_be_kept_the_model_stays_as_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = trained_linear()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises((ModelStateError, OSError)):
        linear()
    assert list(models) == ["net"]
    np.testing.assert_array_equal(models.net(X), before)
    assert len(session.hosted_graphs()) == 1
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_an_interrupt_while_it_is_kept_leaves_the_model_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    from tfmagic.model.model import Model

    before = trained_linear()

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Model, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            linear()
    gc.collect()
    assert list(models) == ["net"]
    np.testing.assert_array_equal(models.net(X), before)
    assert len(session.hosted_graphs()) == 1


def test_another_source_under_the_name_needs_replace_and_keeps_nothing() -> None:
    trained_linear()
    with pytest.raises(NameTakenError):
        models.add("net", tf.function(lambda x: x))
    models.add("net", tf.function(lambda x: x), replace=True)
    assert list(models) == ["net"]


def test_the_name_is_nobodys_to_add() -> None:
    with pytest.raises(NameTakenError, match="'net~1' cannot be a model's name"):
        models.add("net~1", tf.function(lambda x: x))


def test_values_are_what_counts_and_not_that_somebody_ran() -> None:
    model = linear().model
    run_cell(model, "session.run(w.assign(w + 0.0))", NAMES)
    assert linear().previous is None
    run_cell(models.net, "session.run(w.assign(w + 1.0))", NAMES)
    run_cell(models.net, "session.run(w.assign(w - 1.0))", NAMES)
    assert linear().previous is None


def test_text_and_whole_numbers_are_learnt_too() -> None:
    seen = "seen = v1.get_variable('seen', initializer=0)"
    word = "word = v1.get_variable('word', initializer='a')"
    code = f"{LINEAR}\n    {seen}\n    {word}"
    linear(code, outputs="y")
    assert linear(code, outputs="y").previous is None
    run_cell(models.net, "session.run(word.assign('b'))", NAMES)
    assert linear(code, outputs="y").previous == {"name": "net~1", "carried": 0}
    run_cell(models.net, "session.run(seen.assign(3))", NAMES)
    assert linear(code, outputs="y").previous == {"name": "net~1", "carried": 0}


# -- keep -----------------------------------------------------------------------


def test_an_eager_cell_keeps_its_training_too() -> None:
    add_cell("net", EAGER, NAMES, eager=True)
    assert add_cell("net", EAGER, NAMES, eager=True).previous is None
    run_cell(models.net, EAGER_TRAIN, NAMES)
    before = models.net(X)
    assert add_cell("net", EAGER, NAMES, eager=True).previous == {"name": "net~1", "carried": 0}
    np.testing.assert_array_equal(models.net(X), [[3], [7]])
    np.testing.assert_allclose(models["net~1"](X), before, rtol=1e-6)
    assert models["net~1"].mode == "graph"


def test_a_module_of_an_eager_cell() -> None:
    code = """
        module = tf.Module()
        module.w = tf.Variable(2.0)
        module.f = tf.function(lambda x: x * module.w, input_signature=[tf.TensorSpec([None], name="x")])
        module
    """
    add_cell("net", code, NAMES, eager=True)
    run_cell(models.net, "module.w.assign(9.0)", NAMES)
    assert add_cell("net", code, NAMES, eager=True).previous == {"name": "net~1", "carried": 0}
    assert models["net~1"]([1.0]).tolist() == [9]
    assert models.net([1.0]).tolist() == [2]


def test_from_a_graph_to_an_eager_cell_the_training_stays_aside() -> None:
    before = trained_linear()
    assert add_cell("net", EAGER, NAMES, eager=True).previous == {"name": "net~1", "carried": 0}
    np.testing.assert_array_equal(models["net~1"](X), before)


def test_a_lazily_built_one_that_never_ran_has_learnt_nothing() -> None:
    from tfmagic.execution.room.cell import Cell
    from tfmagic.execution.signature.options import Options
    from tfmagic.formats.cell_source import CellSource

    def source() -> CellSource:
        return CellSource(Cell("x = tf.compat.v1.placeholder(tf.float32, [])\ny = x * 2.0", "<lazy>"), NAMES)

    models.admit("net", source(), Options.checked(), lazy=True)
    assert models.admit("net", source(), Options.checked()).previous is None
