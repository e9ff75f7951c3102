"""A parked model takes no tensor memory, keeps its name, and comes back bit for bit."""

from __future__ import annotations

import random
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from making import add_cell, frozen_linear, run_cell, save_linear_v1, save_v2, write_frozen
from training import EAGER, EAGER_TRAIN, LINEAR, NAMES, TRAIN, X, linear

from tfmagic import models, session
from tfmagic.errors import ModelStateError, ParkError, SourceError
from tfmagic.runtime.away import OnDisk
from tfmagic.runtime.hosted import hosted
from tfmagic.runtime.park_directory import park_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

v1 = tf.compat.v1
WORDS = np.array(["a", "b", "z"], object)
# More than stays with a graph as constants.
WIDE = 800_000


@pytest.fixture(autouse=True)
def _parks_here(tmp_path: Path) -> Iterator[None]:
    park_directory().choose(str(tmp_path / "parked"))
    yield
    models.drop(all=True)
    park_directory().choose("")


def files(folder: Path) -> list[Path]:
    # What has lost its name is being removed at this moment.
    return [file for file in folder.glob("parked/parked-*/*") if file.name != "in-use" and file.suffix != ".gone"]


def random_network() -> Any:
    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.Input([2], name="x"), keras.layers.Dense(3, name="hidden"), keras.layers.Dense(1)])


class Linear(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable([[2.0], [np.pi]])

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def __call__(self, x: Any) -> Any:
        return {"y": tf.matmul(x, self.w)}


def saved_v2(folder: Path) -> Path:
    module = Linear()
    tf.saved_model.save(module, str(folder / "v2"), signatures=module.__call__)
    return folder / "v2"


def keras_file(folder: Path) -> Path:
    random_network().save(folder / "net.keras")
    return folder / "net.keras"


def checkpoint(folder: Path) -> Path:
    from checkpoints import saved

    return saved(folder / "ckpt" / "net")


def live_graph() -> Any:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 2], "x")
        w = v1.get_variable("w", [2, 1], initializer=v1.random_normal_initializer())
        tf.matmul(x, w, name="y")
    return graph


def frozen_wide(file: Path, number: float = 1.0) -> Path:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        tf.reduce_sum(tf.matmul(x, tf.constant(np.full((2, WIDE), number, np.float32))), axis=1, name="y")

    return write_frozen(file, build)


FILES: dict[str, Callable[[Path], tuple[Path, dict[str, Any]]]] = {
    "v1": lambda folder: (save_linear_v1(folder / "v1", 2.5), {}),
    "v1 by reference": lambda folder: (save_linear_v1(folder / "v1", 2.5, reference=True), {}),
    "v2": lambda folder: (saved_v2(folder), {}),
    "frozen": lambda folder: (frozen_linear(folder / "net.pb", 2.5), {}),
    "thawed": lambda folder: (frozen_wide(folder / "wide.pb"), {}),
    "kept frozen": lambda folder: (frozen_wide(folder / "wide.pb"), {"frozen": True}),
    "keras": lambda folder: (keras_file(folder), {}),
    "checkpoint": lambda folder: (checkpoint(folder), {"inputs": "x", "outputs": "y"}),
}
OTHERS: dict[str, Callable[[], Any]] = {
    "cell": lambda: linear().model,
    "copy of keras": lambda: models.add("net", random_network(), copy=True),
    "copy of a module": lambda: models.add("net", Linear(), copy=True),
    "live graph": lambda: models.add("net", live_graph()),
    "graph def": lambda: models.add("net", live_graph_def(), inputs="x", outputs="y"),
}


def live_graph_def() -> Any:
    graph = tf.Graph()
    with graph.as_default():
        tf.multiply(v1.placeholder(tf.float32, [None, 2], "x"), 3.25, name="y")
    return graph.as_graph_def()


def assert_parked(model: Any) -> None:
    assert model.state == "parked"
    assert model.built is None or session.open_graphs() == []
    (record,) = [one for one in models.records() if one["name"] == model.name]
    assert record["state"] == "parked"


# -- what comes back ---------------------------------------------------------------


@pytest.mark.parametrize("kind", FILES)
def test_an_untouched_file_is_not_written_and_answers_the_same(kind: str, tmp_path: Path) -> None:
    path, options = FILES[kind](tmp_path)
    model = models.add("net", path, **options)
    signature, before = model.signature(), model(X)
    for _ in range(3):
        model.run(X)
    for _ in range(2):
        record = model.park()
        assert (record["outcome"], record["written_bytes"], record["notes"]) == ("parked", 0, [])
        assert files(tmp_path) == []
        assert_parked(model)
        assert list(models) == ["net"]
        assert models.records()[0]["signatures"]
        assert np.array_equal(model(X), before)
        assert model.state == "ready"
        assert model.signature() == signature


@pytest.mark.parametrize("kind", OTHERS)
def test_other_sources_are_written_where_they_have_weights_and_answer_the_same(kind: str, tmp_path: Path) -> None:
    model = OTHERS[kind]()
    before = model(X)
    record = model.park()
    assert record["outcome"] == "parked"
    assert record["freed_bytes"] == model.built.weights().variables_bytes
    if record["freed_bytes"]:
        assert [file.stat().st_size for file in files(tmp_path)] == [record["written_bytes"]]
    assert_parked(model)
    assert np.array_equal(model(X), before)
    assert files(tmp_path) == []
    assert model.state == "ready"


def test_parking_twice_and_waking_twice_say_so() -> None:
    model = linear().model
    assert [model.park()["outcome"] for _ in range(2)] == ["parked", "already"]
    assert [model.wake()["outcome"] for _ in range(2)] == ["woken", "already"]


ADAM = TRAIN.replace("range(5)", "range(3)")
MORE = "for _ in range(4): session.run(step, {x: [[1, 2], [3, 4]], target: [[5], [6]]})"
EVERY = "session.run({one.name: one for one in tf.compat.v1.global_variables()})"


@pytest.mark.parametrize("optimizer", ["AdamOptimizer(0.1)", "MomentumOptimizer(0.01, 0.9)", "RMSPropOptimizer(0.1)"])
def test_training_goes_on_as_if_it_had_never_been_parked(optimizer: str) -> None:
    train = ADAM.replace("AdamOptimizer(0.1)", optimizer)
    ended: list[dict[str, Any]] = []
    for parks in (True, False):
        model = linear(replace=True).model
        run_cell(model, train, NAMES)
        if parks:
            assert model.park()["written_bytes"] > 0
        run_cell(model, MORE, NAMES)
        ended.append(run_cell(model, EVERY, NAMES))
        models.drop("net")
    parked, never = ended
    assert len(parked) > 2
    assert parked.keys() == never.keys()
    for name, value in parked.items():
        assert np.array_equal(value, never[name]), name


def test_names_and_objects_of_the_room_stay() -> None:
    model = linear().model
    run_cell(model, TRAIN + "    notes = {'mine': [1, 2]}", NAMES)
    notes, names = model.names["notes"], list(model.names)
    assert model.park()["notes"] == []
    assert list(model.names) == names
    assert model.names["notes"] is notes
    assert run_cell(model, "float(session.run(loss, {x: [[1, 2]], target: [[5]]}))", NAMES) >= 0


def test_weights_that_a_file_model_was_given_are_written(tmp_path: Path) -> None:
    save_linear_v1(tmp_path / "saved", 2.0, 0.0)
    model = models.add("net", tmp_path / "saved")
    run_cell(model, "session.run(tf.compat.v1.global_variables()[0].assign(7.5))", NAMES)
    before = model(X)
    for _ in range(2):
        # The second time nothing has run since, and yet the file does not give these.
        assert model.park()["written_bytes"] > 0
        assert np.array_equal(model(X), before)


def test_a_signature_that_counts_its_calls_is_written(tmp_path: Path) -> None:
    count = tf.Variable(0.0)

    def counted(x: Any) -> Any:
        return {"y": x * 0.0 + count.assign_add(1.0)}

    save_v2(tmp_path / "counting", counted, tf.TensorSpec([None], tf.float32, name="x"), count=count)
    model = models.add("net", tmp_path / "counting")
    assert model.park()["written_bytes"] == 0
    assert [float(model([1.0])[0]) for _ in range(3)] == [1.0, 2.0, 3.0]
    assert model.park()["written_bytes"] > 0
    assert float(model([1.0])[0]) == 4.0


def test_a_variable_with_no_value_yet_has_none_when_it_wakes() -> None:
    model = add_cell("net", LINEAR, NAMES).model
    run_cell(model, "late = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[2], shared_name='late')", NAMES)
    run_cell(model, "made = tf.raw_ops.VarIsInitializedOp(resource=late)", NAMES)
    model.park()
    assert run_cell(model, "bool(session.run(made))", NAMES) is False
    assert model(X).tolist() == [[3], [7]]


# -- what wakes it -----------------------------------------------------------------


def test_everything_that_runs_its_graph_wakes_it() -> None:
    graph = live_graph()
    model = models.add("net", graph)
    weight = graph.get_tensor_by_name("w/Read/ReadVariableOp:0")
    before = session.run(weight)

    def evaluated() -> Any:
        with graph.as_default(), session.as_default():
            return weight.eval()

    ways: dict[str, Callable[[], Any]] = {
        "run": lambda: session.run(weight),
        "eval": evaluated,
        "fetch": lambda: model.run(fetch="w/Read/ReadVariableOp")["w/Read/ReadVariableOp"],
        "cell": lambda: run_cell(model, "session.run(w)", {"w": weight}),
        "value": lambda: dict(model.mode_now().values())["w"],
    }
    for name, way in ways.items():
        assert model.park()["outcome"] == "parked", name
        assert np.array_equal(way(), before), name
        assert model.state == "ready", name


def test_looking_at_it_wakes_nothing(tmp_path: Path) -> None:
    model = models.add("net", frozen_wide(tmp_path / "wide.pb"), frozen=True)
    model.park()
    linear_model = add_cell("other", LINEAR, NAMES).model
    linear_model.park()
    assert "parked" in repr(model)
    assert [one["state"] for one in models.records()] == ["parked", "parked"]
    assert models.records()[0]["signatures"]
    assert model.stop()["outcome"] == linear_model.stop()["outcome"] == "idle"
    linear_model.stop(now=True)
    assert session.open_graphs() == []
    assert [model.state, linear_model.state] == ["parked", "parked"]


# -- its source --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["v1", "v2", "frozen", "thawed", "kept frozen", "keras", "checkpoint"])
def test_a_source_that_is_gone_is_one_line_and_putting_it_back_helps(kind: str, tmp_path: Path) -> None:
    path, options = FILES[kind](tmp_path)
    whole = path.parent if kind == "checkpoint" else path
    model = models.add("net", path, **options)
    before = model(X)
    model.park()
    whole.rename(tmp_path / "away")
    for _ in range(2):
        with pytest.raises(ParkError, match="net cannot wake: its source is gone since it was parked") as caught:
            model(X)
        assert len(str(caught.value).splitlines()) == 1
        assert model.state == "parked"
    (tmp_path / "away").rename(whole)
    assert np.array_equal(model(X), before)


@pytest.mark.parametrize("options", [{}, {"frozen": True}])
def test_a_source_that_has_changed_never_gives_other_weights(tmp_path: Path, options: dict[str, Any]) -> None:
    path = frozen_wide(tmp_path / "net.pb")
    model = models.add("net", path, **options)
    before = model(X)
    model.park()
    path.rename(tmp_path / "away")
    frozen_wide(path, 2.0)
    with pytest.raises(ParkError, match="its source is changed since it was parked"):
        model(X)
    with pytest.raises(ParkError, match="its source is changed since it was parked"):
        model.wake()
    (tmp_path / "away").rename(path)
    assert np.array_equal(model(X), before)


def test_a_model_that_was_written_needs_no_source_and_says_so(tmp_path: Path) -> None:
    save_linear_v1(tmp_path / "saved", 2.0, 0.0)
    model = models.add("net", tmp_path / "saved")
    run_cell(model, "session.run(tf.compat.v1.global_variables()[0].assign(7.5))", NAMES)
    before = model(X)
    model.park()
    shutil.rmtree(tmp_path / "saved")
    assert np.array_equal(model(X), before)
    assert model.notes[-1] == "net: its source is gone since it was parked; it wakes with the weights that were parked"
    model.park()
    model(X)
    assert len(model.notes) == len(set(model.notes))


def test_a_source_that_is_gone_before_it_is_parked_is_written(tmp_path: Path) -> None:
    model = models.add("net", save_linear_v1(tmp_path / "saved", 2.0, 0.0))
    before = model(X)
    shutil.rmtree(tmp_path / "saved")
    assert model.park()["written_bytes"] > 0
    assert np.array_equal(model(X), before)


class Worded(tf.Module):
    """A table from a file, which becomes an asset, and a variable."""

    def __init__(self, words: Path) -> None:
        super().__init__()
        index = tf.lookup.TextFileIndex
        filled = tf.lookup.TextFileInitializer(str(words), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)
        self.table = tf.lookup.StaticHashTable(filled, -1)
        self.w = tf.Variable(2, dtype=tf.int64)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="x")])
    def __call__(self, x: Any) -> Any:
        return {"y": self.table.lookup(x) * self.w}


def test_a_table_from_an_asset_comes_back_with_its_source_gone(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a\nb\n")
    module = Worded(tmp_path / "words.txt")
    tf.saved_model.save(module, str(tmp_path / "worded"), signatures=module.__call__)
    model = models.add("net", tmp_path / "worded")
    assert model(WORDS).tolist() == [0, 2, -2]
    assert model.park()["written_bytes"] == 0
    mode = model.mode_now()
    mode.assign([(name, value * 5) for name, value in mode.values() if value.dtype == np.int64])
    assert model(WORDS).tolist() == [0, 10, -10]
    assert model.park()["written_bytes"] > 0
    shutil.rmtree(tmp_path / "worded")
    (tmp_path / "words.txt").unlink()
    for _ in range(2):
        assert model(WORDS).tolist() == [0, 10, -10]
        model.park()


TABLES = """
    index = tf.lookup.TextFileIndex
    x = tf.compat.v1.placeholder(tf.string, [None], "x")
    filled = tf.lookup.TextFileInitializer(path, tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)
    static = tf.lookup.StaticHashTable(filled, -1)
    own = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -7)
    dense = tf.lookup.experimental.DenseHashTable(tf.int64, tf.int64, -9, empty_key=-1, deleted_key=-2)
    w = tf.compat.v1.get_variable("w", initializer=tf.constant(3, tf.int64))
    y = tf.stack([static.lookup(x) * w, own.lookup(x), dense.lookup(static.lookup(x) + 10)], name="y")
"""


def test_tables_of_every_kind_come_back_with_their_file_gone(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("a\nb\n")
    model = add_cell("net", TABLES, {**NAMES, "path": str(words)}, inputs="x", outputs="y").model
    run_cell(
        model,
        "session.run([own.insert(['a'], tf.constant([4], tf.int64)), "
        "dense.insert(tf.constant([10], tf.int64), tf.constant([5], tf.int64))])",
        NAMES,
    )
    before = model(WORDS).tolist()
    assert before == [[0, 3, -3], [4, -7, -7], [5, -9, -9]]
    words.unlink()
    for _ in range(2):
        model.park()
        assert model(WORDS).tolist() == before


def test_what_begins_empty_is_said() -> None:
    model = linear(LINEAR + "\n    queue = tf.queue.FIFOQueue(3, [tf.float32])").model
    assert model.park()["notes"] == ["begins empty when it wakes: its queue"]


def test_names_that_go_with_a_graph_of_constants_are_said(tmp_path: Path) -> None:
    model = models.add("net", frozen_wide(tmp_path / "wide.pb"), frozen=True)
    run_cell(model, "mine = 5")
    assert model.park()["notes"] == ["names of its room that are gone when it wakes: mine"]


# -- files that are not as they were ---------------------------------------------------


def test_a_damaged_file_is_one_line_and_the_model_stays_parked(tmp_path: Path) -> None:
    model = linear().model
    run_cell(model, TRAIN, NAMES)
    before = model(X)
    model.park()
    (file,) = files(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    for _ in range(2):
        with pytest.raises(ParkError, match="is damaged") as caught:
            model(X)
        assert len(str(caught.value).splitlines()) == 1
        assert model.state == "parked"
    file.write_bytes(whole)
    assert np.array_equal(model(X), before)


def test_a_file_that_cannot_be_removed_loses_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = linear().model
    run_cell(model, TRAIN, NAMES)
    before = model(X)
    model.park()

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        patched.setattr(Path, "unlink", refuse)
        assert np.array_equal(model(X), before)
    assert np.array_equal(model(X), before)
    assert files(tmp_path)


def test_a_park_that_cannot_be_written_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = linear().model
    run_cell(model, TRAIN, NAMES)
    before = model(X)
    shutil.rmtree(tmp_path / "parked")
    (tmp_path / "parked").write_text("")
    with pytest.raises(ParkError, match="cannot be written to"):
        model.park()
    assert model.state == "ready"
    assert np.array_equal(model(X), before)
    (tmp_path / "parked").unlink()


@pytest.mark.parametrize("way", ["wake", "run", "call"])
def test_ctrl_c_at_the_very_end_of_a_wake_loses_no_weights(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = linear().model
    run_cell(model, TRAIN, NAMES)
    before = model(X)
    model.park()
    discard = OnDisk.discard

    def interrupted(away: OnDisk) -> None:
        signal.raise_signal(signal.SIGINT)
        discard(away)

    act = {"wake": model.wake, "run": lambda: session.run(model.names["w"]), "call": lambda: model(X)}[way]
    with monkeypatch.context() as patched:
        patched.setattr(OnDisk, "discard", interrupted)
        with pytest.raises(KeyboardInterrupt):
            act()
    assert np.array_equal(model(X), before)


# -- live objects -------------------------------------------------------------------


def test_a_live_object_is_never_parked() -> None:
    network = random_network()
    model = models.add("net", network)
    before = model(X)
    with pytest.raises(ModelStateError, match=r"net is yours, a live object, .*--copy") as caught:
        model.park()
    assert len(str(caught.value).splitlines()) == 1
    assert model.live is network
    assert np.array_equal(model(X), before)


COMPILED = EAGER.replace(
    "    network\n", '    network.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")\n    network\n'
)
FIT = "network.fit(np.ones((4, 2)), np.zeros((4, 1)), epochs=3, verbose=0)"


def test_an_eager_cell_trains_on_as_if_its_object_had_never_been_let_go_of() -> None:
    ended: list[Any] = []
    for parks in (True, False):
        model = add_cell("net", COMPILED, NAMES, eager=True).model
        run_cell(model, FIT, NAMES)
        before = model(X)
        if parks:
            assert model.park()["written_bytes"] > 0
            assert (model.state, model.built) == ("parked", None)
            assert np.array_equal(model(X), before)
        run_cell(model, FIT, NAMES)
        ended.append([np.array(one) for one in (model(X), *model.live.optimizer.variables)])
        models.drop("net")
    for parked, never in zip(*ended, strict=True):
        assert np.array_equal(parked, never)


def test_an_eager_cell_whose_object_the_notebook_has_is_not_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    import __main__

    model = add_cell("net", EAGER, NAMES, eager=True).model
    monkeypatch.setattr(__main__, "mine", model.live, raising=False)
    with pytest.raises(ModelStateError, match="is yours"):
        model.park()
    assert not model.can_be_parked
    monkeypatch.undo()
    assert model.park()["outcome"] == "parked"


def test_what_was_compiled_outside_its_cell_is_not_lost() -> None:
    model = add_cell("net", EAGER, NAMES, eager=True).model
    run_cell(model, EAGER_TRAIN, NAMES)
    with pytest.raises(ModelStateError, match="compiled outside its cell"):
        model.park()
    assert (model.can_be_parked, model.why_it_stays) == (False, "compiled outside its cell")
    assert model.state == "ready"


def test_names_of_an_eager_room_that_its_cell_does_not_make_are_said() -> None:
    model = add_cell("net", EAGER, NAMES, eager=True).model
    run_cell(model, "mine = 5")
    assert model.park()["notes"] == ["names of its room that are gone when it wakes: mine"]


def test_an_eager_cell_that_makes_another_object_keeps_what_was_learnt(tmp_path: Path) -> None:
    sizes = [1]
    code = "keras.Sequential([keras.Input((2,), name='x'), keras.layers.Dense(sizes[0], name='y')])"
    model = add_cell("net", code, {**NAMES, "sizes": sizes}, eager=True).model
    before = model(X)
    model.park()
    sizes[0] = 2
    with pytest.raises(ParkError, match="its cell makes another object than it did"):
        model(X)
    assert len(files(tmp_path)) == 1
    sizes[0] = 1
    assert np.array_equal(model(X), before)
    assert files(tmp_path) == []


# -- what else is done with a parked model -------------------------------------------


def parked_trained() -> tuple[Any, Any]:
    model = linear().model
    run_cell(model, TRAIN, NAMES)
    before = model(X)
    assert model.park()["written_bytes"] > 0
    return model, before


def test_dropping_a_parked_model_removes_its_file(tmp_path: Path) -> None:
    model, _ = parked_trained()
    assert len(files(tmp_path)) == 1
    models.drop("net")
    assert files(tmp_path) == []
    for act in (model.park, model.wake, lambda: model(X)):
        with pytest.raises(ModelStateError, match="was dropped"):
            act()


def test_dropping_a_parked_eager_cell_removes_its_file(tmp_path: Path) -> None:
    add_cell("net", EAGER, NAMES, eager=True).model.park()
    assert len(files(tmp_path)) == 1
    models.drop("net")
    assert files(tmp_path) == []


def test_closing_the_session_leaves_a_parked_model_parked() -> None:
    model, before = parked_trained()
    session.close()
    assert model.state == "parked"
    assert np.array_equal(model(X), before)


def test_a_model_parked_after_the_session_was_closed_begins_from_its_source() -> None:
    model = linear().model
    before = model(X)
    session.close()
    model.park()
    assert np.array_equal(model(X), before)


def test_saving_a_parked_model_writes_its_weights(tmp_path: Path) -> None:
    model, before = parked_trained()
    model.save(tmp_path / "saved")
    assert np.array_equal(models.add("again", tmp_path / "saved")(X), before)


def test_running_its_cell_again_keeps_what_a_parked_model_had_learnt(tmp_path: Path) -> None:
    _, before = parked_trained()
    came = linear()
    assert came.former == {"name": "net~1", "carried": 0}
    assert np.array_equal(models["net~1"](X), before)
    assert came.model(X).tolist() == [[3], [7]]
    assert files(tmp_path) == []
    # What stands aside can be parked, too, and comes from its own folder.
    assert models["net~1"].park()["written_bytes"] == 0
    assert np.array_equal(models["net~1"](X), before)


def test_keep_carries_the_weights_of_a_parked_model_over() -> None:
    _, before = parked_trained()
    came = linear(keep=True)
    assert came.former is not None
    assert came.former["carried"] == 2
    assert np.array_equal(came.model(X), before)


def test_replacing_a_parked_model_removes_its_file(tmp_path: Path) -> None:
    parked_trained()
    models.add("net", frozen_linear(tmp_path / "net.pb"), replace=True)
    assert files(tmp_path) == []
    assert models["net"](X).tolist() == [[3, 5], [7, 9]]


def test_a_copy_takes_the_present_weights_while_it_is_parked() -> None:
    network = random_network()
    model = models.add("net", network, copy=True)
    model.park()
    network.set_weights([weight * 2 + 1 for weight in network.get_weights()])
    assert model.sync() == 4
    np.testing.assert_allclose(model(X), network(X), rtol=1e-5)


def test_a_lazy_model_that_was_never_built_stays_unbuilt(tmp_path: Path) -> None:
    model = models.add("net", frozen_linear(tmp_path / "net.pb"), lazy=True)
    assert model.park()["outcome"] == "already"
    assert model.built is None
    (tmp_path / "net.pb").unlink()
    with pytest.raises(SourceError):
        model(X)


# -- while it runs ------------------------------------------------------------------


def test_a_model_that_runs_or_is_stopping_is_not_parked() -> None:
    inside, go = threading.Event(), threading.Event()

    def hold(value: Any) -> Any:
        inside.set()
        go.wait(30)
        return value

    code = "x = tf.compat.v1.placeholder(tf.float32, [], 'x')\ny = tf.compat.v1.py_func(hold, [x], tf.float32)"
    model = add_cell("net", code, {"tf": tf, "hold": hold}, inputs="x", outputs="y").model
    came: list[float] = []
    thread = threading.Thread(target=lambda: came.append(float(model(2.0))), daemon=True)
    thread.start()
    assert inside.wait(30)
    with pytest.raises(ModelStateError, match="net is running, and only an idle model can be parked"):
        model.park()
    assert model.park_if_idle() is False
    hosted(model.graph).runs.interrupted()
    with pytest.raises(ModelStateError, match="net is stopping, and only an idle"):
        model.park()
    go.set()
    thread.join(30)
    assert came == [2.0]
    assert model.park()["outcome"] == "parked"


KINDS: dict[str, Callable[[Path], Any]] = {
    "trained cell": lambda _: parked_trained()[0],
    "file": lambda folder: models.add("net", save_linear_v1(folder / "saved")),
    "constants": lambda folder: models.add("net", frozen_wide(folder / "wide.pb"), frozen=True),
    "eager cell": lambda _: add_cell("net", EAGER, NAMES, eager=True).model,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_four_threads_get_right_answers_while_another_parks_and_wakes(  # noqa: C901 - what each thread does
    kind: str, tmp_path: Path
) -> None:
    model = KINDS[kind](tmp_path)
    before = model(X)
    ended, wrong = threading.Event(), list[Any]()
    answers, parks, chance = [0], [0], random.Random(2)  # noqa: S311 - for a test

    def ask() -> None:
        while not ended.is_set():
            try:
                given = model(X)
            except BaseException as error:  # noqa: BLE001 - looked at at the end
                wrong.append(error)
                return
            if not np.array_equal(given, before):
                wrong.append(given)
            answers[0] += 1
            # Else some run is always under way, and parking always refused.
            time.sleep(chance.random() * 0.02)

    def park() -> None:
        count = 0
        while not ended.is_set():
            count += 1
            try:
                parks[0] += model.park()["outcome"] == "parked"
                if count % 2:
                    model.wake()
            except ModelStateError as error:
                if "running" not in str(error):
                    wrong.append(error)
            except BaseException as error:  # noqa: BLE001 - looked at at the end
                wrong.append(error)
                return

    threads = [threading.Thread(target=work, daemon=True) for work in (ask, ask, ask, ask, park)]
    for thread in threads:
        thread.start()
    ended.wait(2.5)
    ended.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread waits for good"
    assert wrong == []
    assert answers[0] > 0
    assert parks[0] > 0, answers
    model.park()
    assert np.array_equal(model(X), before)
    assert len(files(tmp_path)) == 0


@pytest.mark.slow
def test_training_in_one_thread_loses_no_step_to_parking_in_another() -> None:
    model = add_cell(
        "net", "n = tf.compat.v1.get_variable('n', initializer=0)\none = n.assign_add(1)\ny = tf.identity(n)", NAMES
    ).model
    one = model.names["one"]
    ended = threading.Event()

    def park() -> None:
        while not ended.is_set():
            model.park_if_idle()

    thread = threading.Thread(target=park, daemon=True)
    thread.start()
    for count in range(1, 301):
        assert int(session.run(one)) == count
    ended.set()
    thread.join(30)
    assert not thread.is_alive()


def doing_to_net(method: str) -> Callable[[], Any]:
    return lambda: getattr(models["net"], method)()  # noqa: PLW0108 - the model of that name changes


@pytest.mark.slow
def test_dropping_while_others_park_and_call_ends_in_clear_errors(
    tmp_path: Path,
) -> None:
    ended, wrong = threading.Event(), list[BaseException]()

    def doing(act: Callable[[], Any]) -> Callable[[], None]:
        def go_on() -> None:
            while not ended.is_set():
                try:
                    act()
                except (ModelStateError, KeyError):
                    continue
                except BaseException as error:  # noqa: BLE001 - looked at at the end
                    wrong.append(error)
                    return

        return go_on

    def add() -> None:
        model = add_cell("net", LINEAR, NAMES, replace=True).model
        model(X)
        models.drop("net")

    acts = [lambda: models["net"](X), doing_to_net("park"), doing_to_net("wake"), add]
    threads = [threading.Thread(target=doing(act), daemon=True) for act in acts]
    for thread in threads:
        thread.start()
    ended.wait(3)
    ended.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread waits for good"
    assert wrong == []
    models.drop(all=True)
    assert files(tmp_path) == []
