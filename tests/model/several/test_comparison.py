"""Several models on the same inputs: what must match, what is compared, what comes back."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import InterruptedAt, v1

import tfmagic
from tfmagic import models
from tfmagic.errors import (
    InputError,
    InterruptedRun,
    RunTimeoutError,
    SourceError,
    UnknownNameError,
)
from tfmagic.model.several.compare import compare
from tfmagic.model.several.comparison import Comparison
from tfmagic.model.several.scores import scores_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

X = np.array([[1, 2], [3, 4], [5, 6]], np.float32)


def graph_model(name: str, build: Callable[[], Any], **options: Any) -> Any:
    graph = tf.Graph()
    with graph.as_default():
        build()
    return models.add(name, graph, **options)


def scaled(name: str, factor: float, *, takes: str = "x", gives: str = "y", width: int = 2) -> Any:
    """Add a model that multiplies rows."""

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, width], takes)
        tf.multiply(x, factor, name=gives)

    return graph_model(name, build)


def calling(name: str, function: Callable[[Any], Any]) -> Any:
    """Add a model whose run calls a Python function with the rows it was given, and returns what that returns."""

    def build() -> None:
        y = v1.py_func(function, [v1.placeholder(tf.float32, [None, 2], "x")], tf.float32)
        y.set_shape([None, 2])
        tf.identity(y, name="y")

    return graph_model(name, build, inputs="x", outputs="y")


@pytest.fixture
def pair() -> None:
    """``old`` doubles and ``new`` triples."""
    scaled("old", 2)
    scaled("new", 3)


@pytest.mark.usefixtures("pair")
def test_results_come_by_model_name() -> None:
    comparison = compare(["old", "new"], X)
    assert isinstance(comparison, Comparison)
    assert list(comparison) == ["old", "new"]
    assert len(comparison) == 2
    np.testing.assert_array_equal(comparison["old"], 2 * X)
    np.testing.assert_array_equal(comparison["new"], 3 * X)
    assert repr(comparison) == "<comparison of old, new>"
    assert tfmagic.compare is compare


@pytest.mark.usefixtures("pair")
def test_a_model_that_was_not_compared_is_an_error_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"this comparison has no model 'od' \(did you mean 'old'\?\)"):
        compare(["old", "new"], X)["od"]


@pytest.mark.usefixtures("pair")
def test_the_table_compares_each_model_with_the_first() -> None:
    old, new = compare(["old", "new"], X).table
    assert (old["model"], new["model"]) == ("old", "new")
    assert old["outputs"] == [{"name": "y", "agreement": None}]
    (output,) = new["outputs"]
    assert output["name"] == "y"
    assert output["agreement"] is not None
    assert output["agreement"]["largest"] == 6
    assert output["agreement"]["mean"] == 3.5
    assert output["agreement"]["same_argmax"] == 1
    assert old["latency_s"] > 0
    assert new["latency_s"] > 0


@pytest.mark.usefixtures("pair")
def test_a_first_call_is_marked_as_one() -> None:
    models.old(X)
    assert [record["first_call"] for record in compare(["old", "new"], X).table] == [False, True]
    assert [record["first_call"] for record in compare(["old", "new"], X).table] == [False, False]


@pytest.mark.usefixtures("pair")
def test_a_compiled_model_s_first_call_with_other_shapes_is_marked_as_one() -> None:
    models.add("old", models.old.graph, replace=True, compile=True)
    rows = np.concatenate([X, X])
    for inputs in (X, rows, rows, np.concatenate([rows, X])):
        models.new(inputs)
    models.old(X)
    models.old(rows)  # without the checks of the first call
    for inputs, is_first in ((X, False), (rows, False), (np.concatenate([rows, X]), True)):
        assert [record["first_call"] for record in compare(["old", "new"], inputs).table] == [is_first, False]
    assert not compare(["old", "new"], np.concatenate([rows, X])).table[0]["first_call"]


@pytest.mark.usefixtures("pair")
def test_the_record_is_plain_data() -> None:
    record = compare(["old", "new"], X).record()
    assert json.loads(json.dumps(record)) == record
    assert record["scores"] is not None


def test_models_run_at_the_same_time_and_no_thread_would_hold_up_the_end_of_the_process() -> None:
    meeting = threading.Barrier(2)
    before, threads = set(threading.enumerate()), set[threading.Thread]()

    def meet(x: Any) -> Any:
        threads.update(threading.enumerate())
        # Were they to run one after the other, the first would wait for the second until this fails.
        meeting.wait(20)
        return x

    for name in ("a", "b"):
        calling(name, meet)
    assert set(compare(["a", "b"], X)) == {"a", "b"}
    assert all(thread.daemon for thread in threads - before)


@pytest.mark.usefixtures("pair")
def test_more_threads_do_not_stay_behind() -> None:
    compare(["old", "new"], X)
    before = threading.active_count()
    for _ in range(5):
        compare(["old", "new"], X)
    assert threading.active_count() <= before


# -- inputs -----------------------------------------------------------------------------


@pytest.mark.parametrize("given", [(X,), ({"x": X},)])
def test_a_single_input_goes_to_every_model_whatever_its_name(given: Any) -> None:
    scaled("old", 2)
    scaled("new", 3, takes="features")
    np.testing.assert_array_equal(compare(["old", "new"], *given)["new"], 3 * X)


def test_a_single_named_input_goes_to_every_model_whatever_its_name() -> None:
    scaled("old", 2)
    scaled("new", 3, takes="features")
    np.testing.assert_array_equal(compare(["old", "new"], x=X)["new"], 3 * X)
    np.testing.assert_array_equal(compare(["old", "new"], features=X)["old"], 2 * X)


def add_two(name: str, first: str, second: str) -> None:
    def build() -> None:
        a = v1.placeholder(tf.float32, [None], first)
        b = v1.placeholder(tf.float32, [None], second)
        tf.subtract(a, b, name="gap")

    graph_model(name, build)


def test_several_inputs_come_by_name_whatever_their_order() -> None:
    add_two("old", "a", "b")
    add_two("new", "b", "a")
    for comparison in (
        compare(["old", "new"], a=[3.0], b=[1.0]),
        compare(["old", "new"], {"b": [1.0], "a": [3.0]}),
    ):
        assert comparison["old"].tolist() == [2]
        assert comparison["new"].tolist() == [-2]


def test_inputs_of_other_names_are_refused_and_it_says_what_each_takes() -> None:
    add_two("old", "a", "b")
    add_two("new", "a", "c")
    with pytest.raises(InputError) as refused:
        compare(["old", "new"], a=[3.0], b=[1.0])
    assert str(refused.value).startswith(
        "old takes a float32 (?,), b float32 (?,) and new takes a float32 (?,), c float32 (?,): "
        "a comparison gives the same inputs to all (new has no input 'b'"
    )
    assert models.old.record()["calls"] == 0


def test_inputs_of_other_shapes_are_refused_and_it_says_what_each_takes() -> None:
    scaled("old", 2, width=64)
    scaled("new", 3, width=32)
    with pytest.raises(InputError) as refused:
        compare(["old", "new"], np.ones((5, 64)))
    assert str(refused.value) == (
        "old takes x float32 (?, 64) and new takes x float32 (?, 32): a comparison gives the same inputs to all "
        "(new: input 'x' takes float32 (?, 32), got (5, 64))"
    )
    with pytest.raises(InputError, match=r"old takes x float32 \(\?, 64\) and new takes x float32 \(\?, 32\): "):
        compare(["old", "new"], np.ones((5, 32)))


@pytest.mark.usefixtures("pair")
def test_an_input_that_fits_none_of_them_is_the_first_models_error() -> None:
    with pytest.raises(InputError) as refused:
        compare(["old", "new"], np.ones((5, 3)))
    assert str(refused.value) == "old: input 'x' takes float32 (?, 2), got (5, 3)"


def test_a_dataset_is_read_once_for_all() -> None:
    scaled("old", 2)
    scaled("new", 2, takes="z")
    shuffled = tf.data.Dataset.from_tensor_slices(np.arange(200, dtype=np.float32).reshape(100, 2)).shuffle(100)
    comparison = compare(["old", "new"], shuffled)
    np.testing.assert_array_equal(comparison["old"], comparison["new"])
    named = compare(["old", "new"], x=shuffled)
    np.testing.assert_array_equal(named["old"], named["new"])


def test_dtypes_may_differ() -> None:
    scaled("old", 2)

    def build() -> None:
        tf.multiply(v1.placeholder(tf.float64, [None, 2], "x"), 2.0, name="y")

    graph_model("new", build)
    agreement = compare(["old", "new"], X).table[1]["outputs"][0]["agreement"]
    assert agreement is not None
    assert agreement["largest"] == 0


# -- which models ------------------------------------------------------------------------


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["old", "old"], "old is named twice: a comparison is between different models"),
        (["old"], "a comparison takes two models or more, got old alone"),
        ([], "a comparison takes two models or more, got none"),
        ("old,new", "a comparison takes a list of models' names, got 'old,new': write"),
    ],
)
def test_what_are_no_two_models_is_refused(names: Any, said: str) -> None:
    with pytest.raises(InputError) as refused:
        compare(names, X)
    assert str(refused.value).startswith(said)


@pytest.mark.usefixtures("pair")
def test_an_unknown_model_is_an_error_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"there is no model 'nw' \(did you mean 'new'\?\)"):
        compare(["old", "nw"], X)


# -- outputs ---------------------------------------------------------------------------------


def test_single_outputs_of_other_names_are_compared() -> None:
    scaled("old", 2, gives="probs")
    scaled("new", 3, gives="scores")
    old, new = compare(["old", "new"], X).table
    assert [record["outputs"][0]["name"] for record in (old, new)] == ["probs", "probs"]
    assert new["outputs"][0]["agreement"] is not None


def add_outputs(name: str, *gives: str) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        for factor, output in enumerate(gives):
            tf.multiply(x, float(factor + 1), name=output)

    graph_model(name, build)


def test_outputs_that_have_no_name_in_common_are_refused_before_anything_runs() -> None:
    add_outputs("old", "probs")
    add_outputs("new", "logits", "scores")
    with pytest.raises(SourceError) as refused:
        compare(["old", "new"], X)
    assert str(refused.value).startswith("old gives probs and new gives logits, scores: ")
    assert models.old.record()["calls"] == 0
    assert compare(["old", "new"], X, fetch="x")["new"].shape == (3, 2)


def test_every_common_output_is_compared_and_others_are_named() -> None:
    add_outputs("old", "probs", "logits", "extra")
    add_outputs("new", "logits", "probs")
    comparison = compare(["old", "new"], X)
    old, new = comparison.table
    assert [output["name"] for output in new["outputs"]] == ["probs", "logits"]
    assert [output["agreement"]["largest"] for output in new["outputs"] if output["agreement"]] == [6, 6]
    assert (old["others"], new["others"]) == (["extra"], [])
    assert list(comparison["old"]) == ["probs", "logits", "extra"]
    assert comparison["old"].extra.shape == (3, 2)


def test_outputs_of_shapes_that_cannot_be_the_same_are_refused_before_anything_runs() -> None:
    scaled("old", 2, gives="probs")

    def build() -> None:
        tf.matmul(v1.placeholder(tf.float32, [None, 2], "x"), tf.ones([2, 5]), name="probs")

    graph_model("new", build)
    with pytest.raises(SourceError) as refused:
        compare(["old", "new"], X)
    assert str(refused.value) == (
        "old gives probs (?, 2) and new gives probs (?, 5): a comparison is of outputs of the same shape"
    )
    assert models.old.record()["calls"] == 0


def test_results_of_different_shapes_are_refused_with_the_shapes() -> None:
    models.add("old", tf.function(lambda x: x))
    models.add("new", tf.function(lambda x: x[:2]))
    with pytest.raises(
        SourceError, match=r"old gave \w+ \(3, 2\) and new gave \w+ \(2, 2\): a comparison is of outputs"
    ):
        compare(["old", "new"], X)


def test_results_that_differ_in_shape_are_refused_after_the_first_batch() -> None:
    models.add("old", tf.function(lambda x: x))
    models.add("new", tf.function(lambda x: x[:, :1]))
    with pytest.raises(SourceError, match=r"old gave \w+ \(1, 2\) and new gave \w+ \(1, 1\): "):
        compare(["old", "new"], X, batch_size=1)
    assert models.new.record()["calls"] == 1


def test_numbers_are_not_compared_with_text() -> None:
    models.add("old", tf.function(lambda x: x))
    models.add("new", tf.function(tf.strings.as_string))
    with pytest.raises(SourceError, match=r"old gave \w+ of float32 and new gave \w+ of text: "):
        compare(["old", "new"], X)


def test_text_is_compared_by_equal_values() -> None:
    models.add("old", tf.function(tf.strings.as_string))
    models.add("new", tf.function(lambda x: tf.strings.as_string(tf.minimum(x, 2.0))))
    agreement = compare(["old", "new"], X).table[1]["outputs"][0]["agreement"]
    assert agreement is not None
    assert agreement["equal"] == pytest.approx(2 / 6)
    assert agreement["largest"] is None


def test_an_output_and_a_signature_can_be_chosen() -> None:
    add_outputs("old", "probs", "logits")
    add_outputs("new", "logits", "probs")
    comparison = compare(["old", "new"], X, fetch="logits", signature="serving_default")
    np.testing.assert_array_equal(comparison["old"], 2 * X)
    np.testing.assert_array_equal(comparison["new"], X)
    with pytest.raises(SourceError, match="old has no output or tensor 'prob'"):
        compare(["old", "new"], X, fetch="prob")


# -- failures ----------------------------------------------------------------------------------


def add_failing(name: str, text: str) -> None:
    def build() -> None:
        tf.debugging.check_numerics(v1.placeholder(tf.float32, [None, 2], "x"), text, name="y")

    graph_model(name, build)


def test_the_error_of_a_model_that_fails_names_it() -> None:
    scaled("old", 2)
    add_failing("new", "bad number")
    with pytest.raises(tf.errors.InvalidArgumentError, match="bad number") as failed:
        compare(["old", "new"], X * np.nan)
    assert failed.value.__notes__ == ["raised by model 'new'"]
    np.testing.assert_array_equal(compare(["old", "new"], X)["new"], X)


def test_others_that_fail_are_noted() -> None:
    add_failing("old", "first")
    add_failing("new", "second")
    with pytest.raises(tf.errors.InvalidArgumentError, match="first") as failed:
        compare(["old", "new"], X * np.nan)
    raised, other = failed.value.__notes__
    assert raised == "raised by model 'old'"
    assert other.startswith("new failed too: InvalidArgumentError: ")


# -- batches, deadline, interrupt ------------------------------------------------------------------


@pytest.mark.usefixtures("pair")
def test_batches_give_what_one_run_gives() -> None:
    whole, parts = compare(["old", "new"], X), compare(["old", "new"], X, batch_size=2)
    np.testing.assert_array_equal(parts["new"], whole["new"])
    assert parts.table[1]["outputs"] == whole.table[1]["outputs"]
    assert models.new.record()["calls"] == 3


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize(
    ("option", "value"), [("batch_size", 0), ("batch_size", 1.5), ("timeout", 0), ("timeout", "x")]
)
def test_an_impossible_option_is_refused_before_anything_runs(option: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"{option} takes a "):
        compare(["old", "new"], X, **{option: value})
    assert models.old.record()["calls"] == 0


def test_models_that_split_different_inputs_are_refused() -> None:
    def build(free: str) -> None:
        a = v1.placeholder(tf.float32, [None if free == "a" else 3], "a")
        b = v1.placeholder(tf.float32, [None if free == "b" else 2], "b")
        tf.add(tf.reduce_sum(a), b if free == "b" else tf.reduce_sum(b) + a, name="y")

    graph_model("old", lambda: build("a"))
    graph_model("new", lambda: build("b"))
    with pytest.raises(InputError, match="different number of rows to split for each model: 3 for old and 2 for new"):
        compare(["old", "new"], a=np.ones(3), b=np.ones(2), batch_size=1, fetch="y")


@pytest.fixture
def go() -> Iterator[threading.Event]:
    """Lets a held model end."""
    event = threading.Event()
    yield event
    event.set()


def add_held(name: str, go: threading.Event, *, from_call: int = 1) -> None:
    calls = 0

    def hold(x: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls >= from_call:
            go.wait(30)
        return x

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        y = v1.py_func(hold, [x], tf.float32)
        y.set_shape([None, 2])
        tf.identity(y, name="y")

    graph_model(name, build, inputs="x", outputs="y")


def test_a_deadline_names_the_models_that_had_not_answered(go: threading.Event) -> None:
    scaled("old", 2)
    add_held("new", go, from_call=2)
    compare(["old", "new"], X)  # opened, so that the next call is held at once
    with pytest.raises(RunTimeoutError, match=r"^new: no answer within 0\.5 s; new is stopping until"):
        compare(["old", "new"], X, timeout=0.5)
    assert (models.old.state, models.new.state) == ("ready", "stopping")


@pytest.mark.slow
def test_the_batches_that_had_ended_at_the_deadline_are_compared(go: threading.Event) -> None:
    scaled("old", 2)
    add_held("new", go, from_call=3)
    with pytest.raises(RunTimeoutError) as late:
        compare(["old", "new"], X, batch_size=1, timeout=2)
    assert late.value.rows == "rows 0 to 1 of 3"
    assert isinstance(late.value.partial, Comparison)
    np.testing.assert_array_equal(late.value.partial["new"], X[:2])


def test_an_interrupt_between_batches_keeps_those_that_had_ended(go: threading.Event) -> None:
    scaled("old", 2)
    calling("new", InterruptedAt(2, go))
    with pytest.raises(InterruptedRun, match="old,new was stopped after row 0 of 3") as stopped:
        compare(["old", "new"], X, batch_size=1)
    assert isinstance(stopped.value.partial, Comparison)
    assert list(stopped.value.partial) == ["old", "new"]
    np.testing.assert_array_equal(stopped.value.partial["old"], 2 * X[:1])


# -- what there is to draw -----------------------------------------------------------------------------


def test_scores_of_one_row_are_drawn_as_they_are() -> None:
    old, new = np.array([[0.1, 0.7, 0.2]]), np.array([[0.2, 0.3, np.nan]])
    record = scores_of("probs", {"old": old, "new": new})
    assert (record["output"], record["first"], record["rows"], record["left_out"]) == ("probs", "old", 1, 0)
    assert [one["index"] for one in record["classes"]] == [0, 1, 2]
    assert record["classes"][1]["values"] == {"old": 0.7, "new": 0.3}
    assert record["classes"][2]["values"] == {"old": 0.2, "new": None}


def test_of_many_classes_of_one_row_those_with_the_highest_scores_are_drawn() -> None:
    scores = np.zeros((1, 100))
    scores[0, 40] = 1
    other = np.zeros((1, 100))
    other[0, 77] = 0.5
    record = scores_of("probs", {"old": scores, "new": other})
    assert len(record["classes"]) == 12
    assert record["left_out"] == 88
    assert {40, 77} <= {one["index"] for one in record["classes"]}


def test_of_several_rows_the_share_that_stays_in_its_class_is_drawn() -> None:
    rows = np.eye(3)
    old = rows[[0, 0, 0, 0, 2, 2]]
    new = rows[[0, 1, 1, 2, 2, 2]]
    record = scores_of("probs", {"old": old, "new": new})
    assert record["rows"] == 6
    assert record["classes"] == [
        {"index": 0, "rows": 4, "values": {"new": 0.25}, "instead": {"new": 1}},
        {"index": 2, "rows": 2, "values": {"new": 1.0}, "instead": {"new": None}},
    ]


def test_of_many_classes_those_with_the_most_differences_are_drawn() -> None:
    rows = np.eye(50)
    chosen = np.repeat(np.arange(50), 2)
    moved = chosen.copy()
    moved[chosen == 33] = 5
    record = scores_of("probs", {"old": rows[chosen], "new": rows[moved]})
    assert len(record["classes"]) == 12
    assert record["left_out"] == 38
    worst = next(one for one in record["classes"] if one["index"] == 33)
    assert (worst["values"], worst["instead"]) == ({"new": 0.0}, {"new": 5})


def test_rows_with_nan_are_in_no_class() -> None:
    old = np.array([[np.nan, 1.0], [0.0, 1.0]])
    (one,) = scores_of("probs", {"old": old, "new": old})["classes"]
    assert (one["index"], one["rows"]) == (1, 1)


def test_what_are_no_scores_is_not_drawn() -> None:
    models.add("old", tf.function(lambda x: tf.reduce_sum(x, 1)))
    models.add("new", tf.function(lambda x: tf.reduce_max(x, 1)))
    assert compare(["old", "new"], X).record()["scores"] is None
