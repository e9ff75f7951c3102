"""Runs in batches of rows: split, checked, joined; what cannot be is said in one line."""

from __future__ import annotations

import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import InterruptedAt, printed, v1

from tfmagic import models
from tfmagic.errors import InputError, InterruptedRun, SourceError
from tfmagic.execution.signature.signature import TensorSpec
from tfmagic.model.running import batch_loop
from tfmagic.model.running.batch_loop import progress_bar
from tfmagic.model.running.batches import RowInput

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

X = np.arange(20, dtype=np.float32).reshape(10, 2)


def graph_model(name: str, build: Callable[[], Any], **options: Any) -> Any:
    graph = tf.Graph()
    with graph.as_default():
        build()
    return models.add(name, graph, **options)


@pytest.fixture
def double() -> Any:
    """``y = 2 * x`` for rows of two."""

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        tf.multiply(x, 2.0, name="y")

    return graph_model("double", build)


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The progress bars that were made."""
    made: list[Any] = []

    def noted(total: int, name: str) -> Any:
        made.append(progress_bar(total, name))
        return made[-1]

    monkeypatch.setattr(batch_loop, "progress_bar", noted)
    return made


@pytest.mark.parametrize("size", [1, 3, 5, 9])
def test_batches_give_what_one_run_gives(double: Any, size: int) -> None:
    result = double.run(X, batch_size=size)
    np.testing.assert_array_equal(result["y"], 2 * X)
    assert result["y"].dtype == np.float32
    assert double.record()["calls"] == -(-10 // size)


@pytest.mark.parametrize("size", [10, 11, 1000])
def test_rows_that_fill_one_batch_are_one_run_without_a_bar(double: Any, size: int, bars: list[Any]) -> None:
    np.testing.assert_array_equal(double.run(X, batch_size=size)["y"], 2 * X)
    assert double.record()["calls"] == 1
    assert bars == []


def test_a_bar_counts_the_rows(double: Any, bars: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    double.run(X, batch_size=4)
    (bar,) = bars
    assert (bar.total, bar.n, bar.desc) == (10, 10, "double")
    assert "10/10" in capsys.readouterr().err


def test_making_a_bar_gives_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    progress_bar(3, "net").close()
    assert not recwarn.list


def test_a_script_runs_in_batches_times_and_compares_without_ipython() -> None:
    lines = printed("""
        import sys
        import numpy as np, tensorflow as tf
        # Keras may have brought it; from here on nobody can.
        for name in ["IPython", *(name for name in sys.modules if name.startswith("IPython."))]:
            sys.modules[name] = None
        import tfmagic
        v1 = tf.compat.v1
        for name, factor in (("one", 1.0), ("two", 2.0)):
            with tf.Graph().as_default() as graph:
                tf.multiply(v1.placeholder(tf.float32, [None, 2], "x"), factor, name="y")
            tfmagic.models.add(name, graph)
        net, x = tfmagic.models.one, np.ones((5, 2))
        print(net.run(x, batch_size=2, timeout=60).y.shape, net.timed(x, repeat=1).repeat)
        net.run(x, trace=True)
        print(len(net.trace.operations) > 0, tfmagic.compare(["one", "two"], x, batch_size=2)["two"].max())
    """)
    assert lines == ["(5, 2) 1", "True 2.0"]


def test_no_rows_are_one_batch_of_none(double: Any) -> None:
    assert double.run(X[:0], batch_size=4)["y"].shape == (0, 2)


def test_batches_come_in_order_and_each_is_a_view_of_the_input_and_no_copy() -> None:
    lengths: list[int] = []

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 1000], "x")
        with tf.control_dependencies([v1.py_func(lengths.append, [tf.shape(x)[0]], [])]):
            tf.identity(x[:, 0], name="y")

    model = graph_model("model", build, inputs="x", outputs="y")
    x = np.zeros((10_000, 1000), np.float32)
    x[:, 0] = np.arange(10_000)
    model.run(x, batch_size=4000)
    lengths.clear()
    tracemalloc.start()
    try:
        y = model.run(x, batch_size=4000)["y"]
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(y, np.arange(10_000))
    assert lengths == [4000, 4000, 2000]
    assert peak_bytes < x[:4000].nbytes / 4


@pytest.mark.parametrize(
    "value",
    [X.astype(np.float64), X.tolist(), tuple(X.tolist()), tf.constant(X), np.asfortranarray(X)],
    ids=["float64", "list", "tuple", "tensor", "fortran"],
)
def test_what_a_plain_run_takes_is_split_too(double: Any, value: Any) -> None:
    np.testing.assert_array_equal(double.run(value, batch_size=3)["y"], 2 * X)
    np.testing.assert_array_equal(double.run(x=value, batch_size=3)["y"], 2 * X)


def test_a_tensor_is_split_also_inside_a_graph(double: Any) -> None:
    value = tf.constant(X)
    with tf.Graph().as_default() as graph:
        np.testing.assert_array_equal(double.run(value, batch_size=3)["y"], 2 * X)
        assert graph.get_operations() == []


def test_a_memory_map_is_read_batch_by_batch(double: Any, tmp_path: Any) -> None:
    np.save(tmp_path / "x.npy", X)
    np.testing.assert_array_equal(double.run(np.load(tmp_path / "x.npy", mmap_mode="r"), batch_size=3)["y"], 2 * X)


def test_a_table_and_a_dataset_are_split(double: Any) -> None:
    pandas = pytest.importorskip("pandas")
    np.testing.assert_array_equal(double.run(pandas.DataFrame(X), batch_size=3)["y"], 2 * X)
    np.testing.assert_array_equal(double.run(tf.data.Dataset.from_tensor_slices(X), batch_size=3)["y"], 2 * X)


def test_columns_of_a_table_are_split_each() -> None:
    pandas = pytest.importorskip("pandas")

    def build() -> None:
        a = v1.placeholder(tf.float32, [None, 1], "a")
        b = v1.placeholder(tf.float32, [None, 1], "b")
        tf.add(a, b, name="total")

    table = pandas.DataFrame({"a": [1.0, 2, 3], "b": [10.0, 20, 30]})
    got = graph_model("pair", build).run(table, batch_size=2)["total"]
    np.testing.assert_array_equal(got, [[11], [22], [33]])


def test_text_is_joined() -> None:
    def build() -> None:
        tf.strings.upper(v1.placeholder(tf.string, [None], "text"), name="said")

    got = graph_model("echo", build).run(["a", "bb", "ccc"], batch_size=2)["said"]
    assert got.tolist() == [b"A", b"BB", b"CCC"]


def test_several_inputs_and_outputs_go_together() -> None:
    def build() -> None:
        a = v1.placeholder(tf.float32, [None], "a")
        b = v1.placeholder(tf.float32, [None], "b")
        tf.add(a, b, name="total")
        tf.subtract(a, b, name="gap")

    result = graph_model("pair", build).run(a=np.arange(5), b=np.ones(5), batch_size=2)
    assert list(result) == ["total", "gap"]
    np.testing.assert_array_equal(result["total"], [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(result["gap"], [-1, 0, 1, 2, 3])


def test_inputs_that_differ_in_rows_are_refused_by_name() -> None:
    def build() -> None:
        a = v1.placeholder(tf.float32, [None], "a")
        b = v1.placeholder(tf.float32, [None], "b")
        tf.add(a, b, name="total")

    pair = graph_model("pair", build)
    with pytest.raises(InputError, match="pair: inputs in batches need as many rows each: a has 4, b has 3"):
        pair.run(a=np.ones(4), b=np.ones(3), batch_size=2)
    assert pair.record()["calls"] == 0


@pytest.mark.parametrize("shape", [(), [3]])
def test_an_input_without_a_free_first_axis_goes_whole_to_every_batch(shape: Any) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        tf.multiply(x, v1.placeholder(tf.float32, shape, "rate"), name="y")

    rate: Any = 0.5 if shape == () else [1, 2, 3]
    x = np.ones((3, 3), np.float32)
    np.testing.assert_array_equal(graph_model("net", build).run(x=x, rate=rate, batch_size=1)["y"], x * rate)


def test_a_single_value_for_an_input_of_unknown_shape_goes_whole_to_every_batch() -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, None, "x")
        tf.multiply(x, v1.placeholder(tf.float32, None, "keep"), name="y")

    net = graph_model("net", build)
    np.testing.assert_array_equal(net.run(x=X, keep=3.0, batch_size=4)["y"], 3 * X)
    with pytest.raises(InputError, match="net: input 'x' is a single value, with no rows to split"):
        net.run(x=2.0, keep=3.0, batch_size=4)


def test_where_nothing_can_be_split_that_is_said() -> None:
    def fixed() -> None:
        tf.identity(v1.placeholder(tf.float32, [1, 2], "x"), name="y")

    with pytest.raises(InputError, match=r"fixed takes x float32 \(1, 2\): no first axis is free, so there is nothing"):
        graph_model("fixed", fixed).run([[1, 2]], batch_size=1)
    with pytest.raises(InputError, match="none was given no input, so there are no rows to split"):
        graph_model("none", lambda: tf.identity(tf.zeros([3]), name="y")).run(batch_size=1)


def test_a_structure_is_refused() -> None:
    module = tf.Module()
    module.go = tf.function(lambda x: x["a"])
    with pytest.raises(InputError, match=r"go: input '\w+' is a dict, which has no rows to split"):
        models.add("go", module.go).run({"x": {"a": np.ones(3)}}, batch_size=2)


@pytest.mark.parametrize("size", [0, -1, 1.5, "many", True])
def test_an_impossible_batch_size_is_refused(double: Any, size: Any) -> None:
    with pytest.raises(InputError, match="batch_size takes a whole number from 1 on"):
        double.run(X, batch_size=size)


def test_a_trace_of_batches_is_refused(double: Any) -> None:
    with pytest.raises(InputError, match="double: a trace is of one run"):
        double.run(X, batch_size=2, trace=True)


# -- checked before anything runs ---------------------------------------------------


def test_every_batch_is_checked_before_any_runs() -> None:
    def build() -> None:
        tf.identity(v1.placeholder(tf.uint8, [None], "x"), name="y")

    net = graph_model("net", build)
    with pytest.raises(
        InputError, match=r"net: input 'x' takes uint8, got int64, and 4 to 300 .*\(in rows 4 to 7 of 9\)"
    ):
        net.run(np.array([0, 1, 2, 3, 4, 300, 6, 7, 8]), batch_size=4)
    assert net.record()["calls"] == 0


def test_a_wrong_shape_is_refused_as_in_a_plain_run(double: Any) -> None:
    with pytest.raises(InputError, match=r"double: input 'x' takes float32 \(\?, 2\), got \(4, 3\)"):
        double.run(np.ones((10, 3)), batch_size=4)


# -- joined at the end ----------------------------------------------------------------


def with_loss() -> Any:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        tf.multiply(x, 2.0, name="y")
        tf.reduce_sum(x, name="loss")

    return graph_model("net", build)


def test_an_output_that_is_known_to_be_a_single_value_is_refused_before_anything_runs() -> None:
    net = with_loss()
    with pytest.raises(SourceError, match="net: output 'loss' is a single value, so batches of it cannot be joined: "):
        net.run(X, batch_size=4)
    assert net.record()["calls"] == 0
    np.testing.assert_array_equal(net.run(X, batch_size=4, fetch="y")["y"], 2 * X)


def test_one_batch_joins_nothing_and_gives_single_values() -> None:
    assert with_loss().run(X, batch_size=10)["loss"] == X.sum()


def test_an_output_of_a_fixed_first_axis_is_refused_before_anything_runs() -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        tf.reduce_sum(x, 0, name="sums")

    net = graph_model("net", build)
    with pytest.raises(SourceError, match=r"net: output 'sums' is \(2,\), so batches"):
        net.run(X, batch_size=4)
    assert net.record()["calls"] == 0


def test_an_output_that_turns_out_to_have_other_rows_is_refused_after_the_first_batch() -> None:
    function = tf.function(lambda x: {"y": x * 2, "loss": tf.reduce_sum(x)})
    net = models.add("net", function)
    with pytest.raises(SourceError, match="net: output 'loss' is a single value, so batches of it cannot be joined"):
        net.run(X, batch_size=4)
    assert net.record()["calls"] == 1
    other = models.add("other", tf.function(lambda x: tf.concat([x, x], 0)))
    with pytest.raises(SourceError, match=r"other: output '\w+' is \(8, 2\) for a batch of 4 rows, so batches"):
        other.run(X, batch_size=4)


def test_outputs_of_different_width_are_refused_at_the_batch_that_differs() -> None:
    def build() -> None:
        x = v1.placeholder(tf.int32, [None], "x")
        tf.sequence_mask(x, name="mask")

    with pytest.raises(SourceError, match=r"output .* is \(2, 2\) in the first batch and \(2, 4\) in rows 2 to 3 of 4"):
        graph_model("net", build).run([1, 2, 3, 4], batch_size=2)


def test_an_error_of_a_batch_says_which_rows_it_had() -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None], "x")
        tf.debugging.check_numerics(x, "found a NaN", name="y")

    with pytest.raises(tf.errors.InvalidArgumentError) as failed:
        graph_model("net", build).run([0, 1, 2, 3, np.nan, 5], batch_size=2)
    assert "raised for rows 4 to 5 of 6" in failed.value.__notes__


def test_an_eager_model_runs_in_batches() -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(3)])
    (got,) = models.add("net", model).run(X, batch_size=4).values()
    np.testing.assert_allclose(got, model(X), rtol=1e-5)


# -- interrupted ------------------------------------------------------------------------


def interrupted_at(number: int) -> Any:
    """Add ``model``, which returns what it is given and is interrupted in its run of this number."""
    # The run goes on in the main thread, which takes the interrupt when it has ended: nothing is to hold it.
    go = threading.Event()
    go.set()

    def build() -> None:
        y = v1.py_func(InterruptedAt(number, go), [v1.placeholder(tf.float32, [None, 2], "x")], tf.float32)
        y.set_shape([None, 2])
        tf.identity(y, name="y")

    return graph_model("model", build, inputs="x", outputs="y")


def test_an_interrupt_keeps_the_batches_that_had_ended() -> None:
    with pytest.raises(InterruptedRun, match="model was stopped after rows 0 to 5 of 10") as stopped:
        interrupted_at(3).run(X, batch_size=3)
    assert isinstance(stopped.value, KeyboardInterrupt)
    assert stopped.value.rows == "rows 0 to 5 of 10"
    assert stopped.value.partial is not None
    np.testing.assert_array_equal(stopped.value.partial["y"], X[:6])


def test_an_interrupt_before_the_first_batch_has_ended_keeps_nothing() -> None:
    with pytest.raises(InterruptedRun, match="model was stopped before the first batch had ended") as stopped:
        interrupted_at(1).run(X, batch_size=3)
    assert (stopped.value.partial, stopped.value.rows) == (None, "")


def test_one_batch_that_is_interrupted_is_interrupted_as_a_plain_run() -> None:
    with pytest.raises(KeyboardInterrupt) as stopped:
        interrupted_at(1).run(X, batch_size=100)
    assert type(stopped.value) is KeyboardInterrupt


def test_two_threads_run_batches_of_one_model(double: Any) -> None:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(double.run(X, batch_size=1)["y"])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    for got in found:
        np.testing.assert_array_equal(got, 2 * X)


def test_a_part_of_a_row_source_is_checked_when_it_is_asked_for() -> None:
    rows = RowInput("net", TensorSpec("x", "int32", (None,)), np.array([1.0, 2.5]))
    assert rows.count == 2
    with pytest.raises(InputError, match="net: input 'x' takes int32, got float64"):
        rows.array(0, 1)


def test_outputs_are_written_into_one_array() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 1], "x")
        tf.tile(x, [1, 250], name="y")
    model = models.add("wide", graph, outputs="y")
    rows = np.arange(20_000, dtype=np.float32).reshape(-1, 1)
    model.run(rows[:100], batch_size=50)
    tracemalloc.start()
    try:
        y = model.run(rows, batch_size=1000)["y"]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(y[:, 0], rows[:, 0])
    assert y.nbytes == 20_000_000
    assert peak < 1.3 * y.nbytes
