"""Variables made constants: quicker, never other answers, and never after the variables have changed."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import save_v2

from tfmagic import models, session
from tfmagic.errors import SourceError
from tfmagic.runtime.calls.latency_trial import READINGS, LatencyTrial
from tfmagic.runtime.calls.prepared_call import CALLER, FOLDED, POOL

if TYPE_CHECKING:
    from pathlib import Path

    from tfmagic.model.model import Model

v1 = tf.compat.v1
X = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
ENOUGH = 4 * READINGS + 2


@pytest.fixture
def _folded_is_quickest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have calls go with constants wherever they can, whatever a busy machine measures."""

    def quickest(trial: LatencyTrial) -> str:
        return FOLDED if FOLDED in trial.ways else list(trial.ways)[-1]

    monkeypatch.setattr(LatencyTrial, "quickest", property(quickest))
    # And not as a slow machine's single look would have it.
    monkeypatch.setattr("tfmagic.runtime.calls.prepared_call._LONG_S", 10.0)


pytestmark = pytest.mark.usefixtures("_folded_is_quickest")


def dense(rows: int = 4, columns: int = 3) -> Any:
    """Return a graph of one layer, with variables ``w`` and ``b``."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, rows], "x")
        w = v1.get_variable("w", initializer=np.linspace(-1, 1, rows * columns, dtype=np.float32).reshape(rows, -1))
        b = v1.get_variable("b", initializer=np.array([0.5] * columns, np.float32))
        tf.nn.relu(x @ w + b, name="y")
        tf.identity(v1.assign_add(b, np.array([1] * columns, np.float32)), name="train")
    return graph


def added(graph: Any, *, warm: bool = True) -> Model:
    return models.add("net", graph, outputs="y", warm=warm)


def called(model: Model, x: Any = X, times: int = ENOUGH) -> Any:
    """Call a model until it is known how that is quickest, and return the answer that each call gave."""
    first = model(x)
    for _ in range(times):
        np.testing.assert_array_equal(model(x), first)
    return first


def tensor(model: Model, name: str) -> Any:
    return model.graph.get_tensor_by_name(f"{name}:0")


def way(model: Model) -> str | None:
    prepared = model.record()["prepared"]
    return prepared[0]["way"] if prepared else None


def test_ordinary_calls_choose_between_two_threads_that_answer_the_same_bits() -> None:
    model = added(dense(), warm=False)
    called(model)
    assert way(model) in {POOL, CALLER}
    assert set(model.record()["prepared"][0]["latencies_s"]) == {POOL, CALLER}
    assert model.record()["folded_bytes"] == 0
    for rows in (1, 3, 100):
        x = np.random.default_rng(rows).normal(size=(rows, 4)).astype(np.float32)
        by_hand = session.run(tensor(model, "y"), {tensor(model, "x"): x})
        np.testing.assert_array_equal(called(model, x), by_hand)


def test_an_ordinary_call_runs_the_model_once_and_on_the_persons_values_alone() -> None:
    seen: list[Any] = []
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        w = v1.get_variable("w", initializer=1.0)

        def noted(value: Any) -> Any:
            seen.append(value.copy())
            return value

        tf.multiply(tf.numpy_function(noted, [x], tf.float32, stateful=False), w, name="y")
    model = added(graph, warm=False)
    for count in range(1, ENOUGH):
        x = np.full((1, 4), count, np.float32)
        model(x)
        assert len(seen) == count
        np.testing.assert_array_equal(seen[-1], x)


def test_a_warmed_model_answers_other_sizes_the_way_it_found() -> None:
    model = added(dense())
    assert way(model) == FOLDED
    for rows in (1, 3, 30, 1000):
        x = np.random.default_rng(rows).normal(size=(rows, 4)).astype(np.float32)
        by_hand = session.run(tensor(model, "y"), {tensor(model, "x"): x})
        np.testing.assert_allclose(called(model, x), by_hand, rtol=1e-5)
    assert set(model.record()["prepared"][0]["latencies_s"]) >= {POOL, CALLER, FOLDED}


def test_what_is_folded_counts_and_goes_with_park_and_drop() -> None:
    model = added(dense())
    record = model.record()
    assert record["folded_bytes"] == (4 * 3 + 3) * 4
    assert record["held_bytes"] > (record["weights_bytes"] or 0) + record["folded_bytes"]
    assert model.parking.bytes_held("memory", set()) == record["held_bytes"]
    model.park()
    assert model.record()["folded_bytes"] == 0
    assert model.record()["held_bytes"] == 0


def train(model: Model) -> None:
    session.run(model.graph.get_operation_by_name("train"))


def load(model: Model) -> None:
    with model.graph.as_default():
        variable = next(one for one in v1.global_variables() if one.op.name == "b")
        variable.load(np.array([3, 3, 3], np.float32), session)


def by_name(model: Model) -> None:
    with model.graph.as_default():
        session.run("train")


def by_operation(model: Model) -> None:
    with model.graph.as_default(), session.as_default():
        model.graph.get_operation_by_name("train").run()


def among_others(model: Model) -> None:
    session.run({"y": tensor(model, "y"), "t": [tensor(model, "train")]}, {tensor(model, "x"): X})


def as_a_fetch(model: Model) -> None:
    model.run(X, fetch=["train:0"])


def by_a_callable(model: Model) -> None:
    session.make_callable(model.graph.get_operation_by_name("train"))()


def by_hand(model: Model) -> None:
    model.lifecycle.built_backend().assign([("b", np.array([9, 9, 9], np.float32))])


@pytest.mark.parametrize(
    "change", [train, load, by_name, by_operation, among_others, as_a_fetch, by_a_callable, by_hand]
)
def test_a_changed_model_is_never_served_from_constants(change: Any) -> None:
    model = added(dense())
    called(model)
    assert way(model) == FOLDED
    before = model(X)
    change(model)
    w, b = session.run([tensor(model, f"{name}/Read/ReadVariableOp") for name in "wb"])
    assert not (model(X) == before).all()
    np.testing.assert_allclose(model(X), np.maximum(X @ w + b, 0), rtol=1e-5)
    assert model.record()["folded_bytes"] == 0
    called(model)
    assert way(model) != FOLDED


def test_a_restored_checkpoint_is_seen_by_the_next_call(tmp_path: Path) -> None:
    model = added(dense())
    x = np.zeros((1, 4), np.float32)
    with model.graph.as_default():
        saver = v1.train.Saver()
        path = saver.save(session, str(tmp_path / "net"))
    with model.graph.as_default():
        train(model)
        assert called(model, x)[0, 0] == 1.5
        saver.restore(session, path)
    assert model(x)[0, 0] == 0.5


def test_training_between_calls_is_seen_by_the_next_one() -> None:
    model = added(dense())
    called(model)
    x = np.zeros((1, 4), np.float32)
    for step in range(1, 60):
        train(model)
        assert model(x).tolist() == [[0.5 + step] * 3]


def test_training_in_another_thread_is_seen_once_it_has_returned() -> None:
    model = added(dense())
    x = np.zeros((1, 4), np.float32)
    called(model, x)
    steps, wrong = [0], list[tuple[int, float]]()

    def trained() -> None:
        for _ in range(200):
            train(model)
            steps[0] += 1

    def served() -> None:
        while steps[0] < 200 and threads[0].is_alive():
            least = steps[0]
            got = model(x)[0, 0] - 0.5
            if got < least:
                wrong.append((least, got))

    threads = [threading.Thread(target=one) for one in (trained, served, served)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert steps == [200]
    assert model(x)[0, 0] == 200.5


def test_reading_a_variable_leaves_the_constants() -> None:
    model = added(dense())
    called(model)
    session.run(tensor(model, "w/Read/ReadVariableOp"))
    called(model)
    assert way(model) == FOLDED


def test_a_model_that_was_trained_first_is_not_folded() -> None:
    model = added(dense())
    train(model)
    called(model)
    assert way(model) in {POOL, CALLER}
    assert model.record()["folded_bytes"] == 0


def test_a_renewed_copy_is_folded_with_its_new_weights() -> None:
    net = keras.Sequential([keras.Input([4]), keras.layers.Dense(3)])
    model = models.add("net", net, copy=True, warm=True)
    assert way(model) == FOLDED
    net.set_weights([one + 1 for one in net.get_weights()])
    model.sync()
    np.testing.assert_allclose(model(X), net(X).numpy(), rtol=1e-5)


def test_what_draws_counts_or_looks_up_is_not_folded() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None], "x")
        w = v1.get_variable("w", initializer=1.0)
        tf.add(x * w, tf.random.uniform([], seed=3), name="y")
    model = added(graph)
    drawn = {float(model(np.array([1], np.float32))[0]) for _ in range(ENOUGH)}
    assert len(drawn) == ENOUGH
    assert model.record()["folded_bytes"] == 0


def test_a_signature_that_writes_is_run_as_often_as_it_was_called() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [], "x")
        count = v1.get_variable("count", initializer=0.0)
        tf.identity(v1.assign_add(count, x), name="y")
    model = added(graph)
    assert [float(model(np.float32(1))) for _ in range(60)] == list(range(1, 61))


def normalised() -> Any:
    """Return a network whose answers change in the last bits when it is folded."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    net = keras.Sequential(
        [keras.Input([12, 12, 3]), layers.Conv2D(16, 3), layers.BatchNormalization(), layers.ReLU(), layers.Flatten()]
    )
    random = np.random.default_rng(0)
    net.layers[1].set_weights([random.uniform(0.5, 1.5, 16).astype(np.float32) for _ in range(4)])
    return net


def test_other_bits_are_never_given_in_the_middle_of_work_and_only_when_warmed(tmp_path: Path) -> None:
    net = normalised()
    net.export(tmp_path / "net", verbose=False)
    x = np.random.default_rng(1).normal(size=(1, 12, 12, 3)).astype(np.float32)
    model = models.add("net", tmp_path / "net")
    expected = called(model, x)
    warm = models.add("warm", tmp_path / "net", warm=True)
    assert warm.record()["folded_bytes"] > 0
    got = called(warm, x)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    assert way(warm) == FOLDED


def test_of_a_large_model_that_is_warmed_the_smallest_variables_are_folded(tmp_path: Path) -> None:
    net = keras.Sequential(
        [keras.Input([64]), keras.layers.Dense(1100), keras.layers.Dense(1000), keras.layers.Dense(5)]
    )
    net.export(tmp_path / "net", verbose=False)
    x = np.random.default_rng(1).normal(size=(2, 64)).astype(np.float32)
    model = models.add("net", tmp_path / "net", warm=True)
    weights = [one.size * 4 for one in net.get_weights()]
    assert model.record()["folded_bytes"] == sum(size for size in weights if size != 1100 * 1000 * 4)
    np.testing.assert_allclose(called(model, x), net(x).numpy(), rtol=1e-4, atol=1e-5)
    model.lifecycle.built_backend().assign(
        [(one["name"], np.zeros([size or 0 for size in one["shape"] or ()], np.float32)) for one in model.variables]
    )
    assert not model(x).any()


def test_warming_counts_no_calls_and_folds_before_the_first() -> None:
    model = models.add("net", dense(), outputs="y", warm=True)
    calls = model.calls
    assert way(model) == FOLDED
    assert {POOL, CALLER} < set(model.record()["prepared"][0]["latencies_s"])
    called(model, X, 3)
    assert model.calls == calls + 4


def test_a_model_that_is_there_is_warmed_when_it_is_added_again() -> None:
    graph = dense()
    model = models.add("net", graph, outputs="y")
    assert way(model) is None
    assert models.add("net", graph, outputs="y", warm=True) is model
    assert way(model) == FOLDED
    assert model.calls == 0


def test_what_writes_is_not_run_again_by_warming_it_again() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [], "x")
        count = v1.get_variable("count", initializer=0.0)
        tf.identity(v1.assign_add(count, x + 1), name="y")
    model = models.add("net", graph, outputs="y")
    models.add("net", graph, outputs="y", warm=True)
    assert float(model(np.float32(0))) == 1


def test_warming_does_not_run_what_writes() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [], "x")
        count = v1.get_variable("count", initializer=0.0)
        tf.identity(v1.assign_add(count, x + 1), name="y")
    model = models.add("net", graph, outputs="y", warm=True)
    assert "read, and not run ahead of its first call: a run changes what comes of the next one" in model.notes
    assert not model.lifecycle.is_warm
    assert float(model(np.float32(0))) == 1


@pytest.mark.parametrize("executor", [POOL, CALLER])
def test_the_executor_can_be_chosen(executor: str) -> None:
    model = models.add("net", dense(), outputs="y", executor=executor, warm=True)
    assert set(model.record()["prepared"][0]["latencies_s"]) == {executor, FOLDED}


def test_an_executor_that_is_none_is_refused() -> None:
    with pytest.raises(SourceError, match="'gpu' is no executor: expected caller or pool"):
        models.add("net", dense(), executor="gpu")
    assert "net" not in models


def test_a_live_object_has_no_executor() -> None:
    with pytest.raises(SourceError, match="net is a live object"):
        models.add("net", keras.Sequential([keras.Input([4]), keras.layers.Dense(3)]), executor="pool")
    assert "net" not in models


def test_loops_and_branches_are_folded_with_the_same_answers() -> None:
    net = keras.Sequential([keras.Input([5, 4]), keras.layers.LSTM(6), keras.layers.Dense(2)])
    model = models.add("net", net, copy=True)
    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    np.testing.assert_allclose(called(model, x), net(x).numpy(), rtol=1e-5, atol=1e-6)


def test_a_nan_gets_the_same_answer_from_the_first_call_to_the_hundredth() -> None:
    for warm in (False, True):
        model = models.add("net", dense(), outputs="y", warm=warm, replace=True)
        odd = X.copy()
        odd[0, 2] = np.nan
        first = session.run(tensor(model, "y"), {tensor(model, "x"): odd})
        for _ in range(ENOUGH):
            model(X)
        assert (way(model) == FOLDED) == warm
        np.testing.assert_array_equal(model(odd), first)


def test_zeros_do_not_hide_that_other_bits_would_come(tmp_path: Path) -> None:
    normalised().export(tmp_path / "net", verbose=False)
    model = models.add("net", tmp_path / "net")
    called(model, np.zeros((1, 12, 12, 3), np.float32))
    assert way(model) != FOLDED


def test_a_model_with_a_variable_of_no_fixed_shape_is_called_as_it_is(tmp_path: Path) -> None:
    b = tf.Variable(np.ones(3, np.float32), shape=tf.TensorShape([None]))
    w = tf.Variable(np.ones((4, 3), np.float32))
    spec = tf.TensorSpec([None, 4], tf.float32, name="x")
    save_v2(tmp_path / "net", lambda x: {"y": x @ w + b}, spec, w=w, b=b)
    np.testing.assert_allclose(called(models.add("net", tmp_path / "net")), X @ np.ones((4, 3)) + 1, rtol=1e-5)
    warm = models.add("warm", tmp_path / "net", warm=True)
    np.testing.assert_allclose(called(warm), X @ np.ones((4, 3)) + 1, rtol=1e-5)


def test_what_is_folded_in_part_is_in_the_graph_once(tmp_path: Path) -> None:
    keras.Sequential([keras.Input([64]), keras.layers.Dense(1100), keras.layers.Dense(1000)]).export(
        tmp_path / "net", verbose=False
    )
    model = models.add("net", tmp_path / "net", warm=True)
    assert model.record()["folded_bytes"] > 0
    before = len(model.graph.get_operations())
    for _ in range(2):
        model.park()
        model.wake()
        assert len(model.graph.get_operations()) == before
    weights = [one for one in model.variables if (one["size_bytes"] or 0) < 10_000]
    model.lifecycle.built_backend().assign(
        [(one["name"], np.ones([n or 0 for n in one["shape"] or ()], np.float32)) for one in weights]
    )
    expected = model(np.ones((2, 64), np.float32))
    model.park()
    model.wake()
    np.testing.assert_array_equal(model(np.ones((2, 64), np.float32)), expected)


def test_an_interrupt_leaves_a_call_that_is_being_tried_free() -> None:
    model = added(dense(), warm=False)
    model(X)
    (call,) = model.lifecycle.built_backend().prepared

    class Interrupted:
        """Ctrl-C comes as soon as the lock is taken."""

        def __init__(self, lock: Any) -> None:
            self.lock = lock
            self.release = lock.release

        def acquire(self, *, blocking: bool) -> bool:
            taken: bool = self.lock.acquire(blocking=blocking)
            signal.raise_signal(signal.SIGINT)
            return taken

    lock = call._measuring
    call._measuring = Interrupted(lock)  # type: ignore[assignment]  # all that is used of one
    with pytest.raises(KeyboardInterrupt):
        model(X)
    assert not lock.locked()
