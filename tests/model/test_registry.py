"""``models``: what is kept, renewed, replaced, refused and given back."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import frozen_linear, save_linear_v1, save_v2, scale_graph

from tfmagic import models, session
from tfmagic.core.naming import VERBS
from tfmagic.errors import (
    ImpossibleNameError,
    InputError,
    ModelStateError,
    NameTakenError,
    SourceError,
    UnknownNameError,
)

if TYPE_CHECKING:
    from pathlib import Path

X = np.array([[1, 2]], np.float32)


def test_a_mapping_by_name_and_attribute(tmp_path: Path) -> None:
    one = models.add("one", frozen_linear(tmp_path / "net.pb"))
    models.add("two", tmp_path / "net.pb")
    assert list(models) == ["one", "two"]
    assert models["one"] is models.one is one
    assert "two" in models
    assert len(models) == 2
    assert {"one", "two", "add"} <= set(dir(models))
    assert repr(models) == "<models: one, two>"
    assert repr(one) == "<model one: frozen graph, graph mode, ready>"


def test_an_unknown_name_offers_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"there is no model 'digits'; %tf_model add NAME SOURCE adds one"):
        models["digits"]
    models.add("digits", frozen_linear(tmp_path / "net.pb"))
    with pytest.raises(KeyError, match=r"there is no model 'digit' \(did you mean 'digits'\?\)"):
        models["digit"]
    with pytest.raises(AttributeError):
        models.digit  # noqa: B018


def test_the_same_source_unchanged_is_kept(tmp_path: Path) -> None:
    file = frozen_linear(tmp_path / "net.pb")
    live = tf.function(lambda x: x)
    for source in (file, live):
        first = models.add("net", source, replace=True)
        assert models.add("net", source) is first


def test_a_file_that_has_changed_renews_the_model_in_place(tmp_path: Path) -> None:
    file = frozen_linear(tmp_path / "net.pb", 2.0)
    old = models.add("net", file)
    models.add("other", file)
    frozen_linear(file, 7.0)
    os.utime(file, ns=(0, 0))
    new = models.add("net", file)
    assert new is not old
    np.testing.assert_array_equal(models.net(X), 7 * X + 1)
    assert list(models) == ["net", "other"]
    with pytest.raises(ModelStateError, match="model 'net' was dropped"):
        old(X)


def test_other_options_for_the_same_source_renew_it(tmp_path: Path) -> None:
    file = frozen_linear(tmp_path / "net.pb")
    models.add("net", file)
    assert [spec.name for spec in models.add("net", file, outputs="answer=y").signature().outputs] == ["answer"]


def test_a_taken_name_with_another_source_is_an_error_and_replace_takes_it(tmp_path: Path) -> None:
    one, two = frozen_linear(tmp_path / "one.pb", 1.0), frozen_linear(tmp_path / "two.pb", 2.0)
    first = models.add("net", one)
    with pytest.raises(NameTakenError, match=r"the name 'net' is taken by .*one.pb \(frozen graph\).*--replace"):
        models.add("net", two)
    assert models.net is first
    np.testing.assert_array_equal(first(X), X + 1)
    np.testing.assert_array_equal(models.add("net", two, replace=True)(X), 2 * X + 1)
    with pytest.raises(ModelStateError, match="was dropped"):
        first(X)


def test_two_live_objects_under_one_text_are_a_renewal() -> None:
    graphs = [scale_graph(2.0)[0], scale_graph(3.0)[0]]
    first = models.add("net", graphs[0], text="graph")
    assert models.add("net", graphs[0], text="graph") is first
    np.testing.assert_array_equal(models.add("net", graphs[1], text="graph")([1.0]), [3.0])


def test_a_replacement_that_cannot_be_built_leaves_the_old_one(tmp_path: Path) -> None:
    good = models.add("net", frozen_linear(tmp_path / "net.pb"))
    (tmp_path / "bad.pb").write_bytes(b"no graph at all")
    with pytest.raises(SourceError):
        models.add("net", tmp_path / "bad.pb", replace=True)
    (tmp_path / "net.pb").write_bytes(b"no graph at all")
    with pytest.raises(SourceError):
        models.add("net", tmp_path / "net.pb")
    assert models.net is good
    np.testing.assert_array_equal(good(X), 2 * X + 1)


def test_lazy_loads_at_first_use(tmp_path: Path) -> None:
    model = models.add("net", save_linear_v1(tmp_path / "net"), lazy=True)
    assert model.state == "parked"
    assert model.record()["signatures"] == []
    assert session.hosted_graphs() == []
    np.testing.assert_array_equal(model(X), 2 * X + 1)
    assert model.state == "ready"


def test_lazy_and_warm_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"net: --lazy loads at first use, and --warm runs now: give one of the two"):
        models.add("net", save_linear_v1(tmp_path / "net"), lazy=True, warm=True)
    assert not models


def test_tags_are_for_savedmodels_alone(tmp_path: Path) -> None:
    file = frozen_linear(tmp_path / "net.pb")
    with pytest.raises(SourceError, match=r"net: --tags is for SavedModels, and this is a frozen graph: leave it out"):
        models.add("net", file, tags="serve")


def test_a_lazy_model_that_cannot_be_loaded_is_failed_and_may_be_added_again(tmp_path: Path) -> None:
    file = tmp_path / "net.pb"
    file.write_bytes(b"no graph at all")
    model = models.add("net", file, lazy=True)
    with pytest.raises(SourceError, match="may be damaged"):
        model(X)
    assert model.state == "failed"
    assert "SourceError" in str(model.record()["last_error"])
    stamp = file.stat()
    frozen_linear(file)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    np.testing.assert_array_equal(models.add("net", file)(X), 2 * X + 1)


def test_warm_runs_it_and_counts_no_call(tmp_path: Path) -> None:
    cold = models.add("cold", save_linear_v1(tmp_path / "net"))
    assert (cold.caller.has_run, cold.calls) == (False, 0)
    warm = models.add("net", tmp_path / "net", warm=True)
    assert (warm.caller.has_run, warm.calls, warm.last_latency_s) == (True, 0, None)


def test_drop_closes_the_native_session_and_lets_the_graph_go(tmp_path: Path) -> None:
    model = models.add("net", save_linear_v1(tmp_path / "net"))
    model(X)
    native = session.open(model.graph)
    gone = weakref.ref(model.graph)
    (record,) = models.drop("net")["models"]
    assert (record["name"], record["calls"], record["state"]) == ("net", 1, "ready")
    with pytest.raises(RuntimeError, match="closed"):
        native.run("y:0", {"x:0": X})
    del native
    gc.collect()
    assert gone() is None
    assert session.open_graphs() == []
    assert model.state == "dropped"


def test_a_dropped_model_that_is_held_says_so(tmp_path: Path) -> None:
    model = models.add("net", frozen_linear(tmp_path / "net.pb"))
    models.drop("net")
    for use in (
        lambda: model(X),
        lambda: model.signatures,
        lambda: model.graph,
        lambda: model.names,
        model.lifecycle.built_backend,
    ):
        with pytest.raises(ModelStateError, match="model 'net' was dropped: add it again to run it"):
            use()
    assert models.add("net", tmp_path / "net.pb") is not model


def test_dropped_model_gives_its_name_back(tmp_path: Path) -> None:
    models.add("net", frozen_linear(tmp_path / "one.pb"))
    models.drop("net")
    np.testing.assert_array_equal(models.add("net", frozen_linear(tmp_path / "two.pb", 3.0))(X), 3 * X + 1)


def test_drop_of_an_unknown_name_drops_none(tmp_path: Path) -> None:
    models.add("net", frozen_linear(tmp_path / "net.pb"))
    with pytest.raises(UnknownNameError, match="there is no model 'nett'"):
        models.drop("net", "nett")
    assert list(models) == ["net"]
    models.drop(all=True)
    assert list(models) == []
    assert models.drop(all=True)["models"] == []


def test_a_drop_cancels_nothing_that_others_run(tmp_path: Path) -> None:
    kept = models.add("kept", save_linear_v1(tmp_path / "net"))
    models.add("net", tmp_path / "net")
    models.drop("net")
    np.testing.assert_array_equal(kept(X), 2 * X + 1)


@pytest.mark.parametrize(
    "name",
    [*VERBS, "class", "None", "_net", "add", "keys", "records", "my model", "1st", "a-b", "a.b", "", "a,b"],
)
def test_names_that_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(NameTakenError, match="model's name"):
        models.add(name, tmp_path)
    assert len(models) == 0


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    wrong: Any = 3
    with pytest.raises(NameTakenError, match="a model's name is a string, not a int"):
        models.add(wrong, tmp_path)


@pytest.mark.parametrize(
    ("name", "near"), [("my model", "my_model"), ("1st", "m1st"), ("a-b", "a_b"), ("_a", "a"), ("_drop", "drop_model")]
)
def test_an_impossible_name_is_offered_a_possible_one(name: str, near: str, tmp_path: Path) -> None:
    with pytest.raises(ImpossibleNameError, match=f"letters, digits and _, and begins with a letter, such as '{near}'"):
        models.add(name, tmp_path)


def test_of_two_threads_that_add_one_name_the_second_waits_and_finds_it_taken() -> None:
    building, go = threading.Event(), threading.Event()
    refused: list[str] = []

    class Slow(tf.Module):
        @property
        def signatures(self) -> dict[str, Any]:
            building.set()
            go.wait(60)
            return {"serving_default": tf.function(lambda x: x)}

    def second() -> None:
        try:
            models.add("net", tf.function(lambda x: x), text="second")
        except NameTakenError as error:
            refused.append(str(error))

    threads = [
        threading.Thread(target=lambda: models.add("net", Slow(), text="first")),
        threading.Thread(target=second),
    ]
    threads[0].start()
    assert building.wait(60)
    threads[1].start()
    models.add("other", tf.function(lambda x: x))
    assert not refused
    go.set()
    for thread in threads:
        thread.join()
    assert sorted(models) == ["net", "other"]
    assert models.net.source.text == "first"
    assert refused[0].startswith("the name 'net' is taken by first")


def test_a_name_cannot_be_added_while_it_is_being_added_by_the_same_command() -> None:
    class Nested(tf.Module):
        @property
        def signatures(self) -> dict[str, Any]:
            models.add("net", tf.function(lambda x: x))
            return {}

    with pytest.raises(NameTakenError, match="the name 'net' is being added by this very command"):
        models.add("net", Nested())
    assert len(models) == 0


def test_an_error_of_a_call_is_kept_on_the_model(tmp_path: Path) -> None:
    model = models.add("net", frozen_linear(tmp_path / "net.pb"))
    with pytest.raises(InputError):
        model(np.zeros((1, 3), np.float32))
    np.testing.assert_array_equal(model(X), 2 * X + 1)
    assert models.records()[0]["calls"] == 1


def test_what_cannot_be_run_on_zeros_is_refused_with_what_to_do(tmp_path: Path) -> None:
    spec = tf.TensorSpec([None], tf.int32, name="x")
    folder = save_v2(tmp_path / "net", lambda x: {"y": 2 // x}, spec)
    said = (
        r"net cannot be run on zeros \(InvalidArgumentError: Integer division by zero(?: \(operation \w+\))?\): "
        "add it without --warm"
    )
    with pytest.raises(SourceError, match=said):
        models.add("net", folder, warm=True)
    assert "net" not in models
    model = models.add("net", folder)
    with pytest.raises(SourceError, match=said):
        models.add("net", folder, warm=True)
    np.testing.assert_array_equal(model(np.array([2], np.int32)), [1])


@pytest.mark.parametrize(("name", "inside"), [("{n}", "n"), ("$n", "n"), ("{names[0]}", "names[0]"), ("{{n}}", "n")])
def test_a_placeholder_leads_to_python(name: str, inside: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        models[name]
    assert f"models[{inside}](X)" in str(caught.value)
    with pytest.raises(ImpossibleNameError) as refused:
        models.add(name, tf.function(lambda x: x))
    assert f"models.add({inside}, SOURCE)" in str(refused.value)
