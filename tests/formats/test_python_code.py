"""``Model.python``: code that gives the same answers in a Python that has never heard of tfmagic."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, frozen_linear, run_cell, save_linear_v1, save_v2
from forking.process import run
from google.protobuf import text_format

from tfmagic import models, session
from tfmagic.errors import SaveError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

v1 = tf.compat.v1
X = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)

# Each code in names of its own; answers to the last bit.
FRESH = """
import pickle, sys
import numpy as np

with open(sys.argv[1], "rb") as file:
    cases = pickle.load(file)
for name, code, before, given, expected in cases:
    names = {}
    exec(before, names)
    exec(compile(code, name, "exec"), names)
    try:
        answers = names[name](**given) if isinstance(given, dict) else names[name](given[0])
        assert type(answers) is dict, type(answers)
        assert list(answers) == list(expected), (list(answers), list(expected))
        for key, value in answers.items():
            np.testing.assert_array_equal(value, expected[key], strict=True)
    except Exception as error:
        print(name, type(error).__name__, error)
        print(code)
    else:
        print(name, "same")
assert "tfmagic" not in sys.modules
"""


class Fresh:
    """Collects codes with what they are to answer, and runs all of them in one Python of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cases: list[tuple[Any, ...]] = []

    def expect(self, model: Any, inputs: dict[str, Any], *, before: str = "", by_key: bool = False) -> str:
        """Note that a model's code is to answer as the model does."""
        code = str(model.python())
        answers = {name: np.array(value) for name, value in model.run(inputs).items()}
        self._cases.append((model.name, code, before, [inputs] if by_key else inputs, answers))
        return code

    def run(self) -> None:
        """Run them."""
        file = self._folder / "cases.pickle"
        file.write_bytes(pickle.dumps(self._cases))
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = run(("-c", FRESH, str(file)), cwd="/", env={**environment, "TF_CPP_MIN_LOG_LEVEL": "3"}, timeout=240)
        assert done.returncode == 0, done.stderr[-4000:]
        assert done.stdout.splitlines() == [f"{name} same" for name, *_ in self._cases], done.stdout


@pytest.fixture
def fresh(tmp_path: Path) -> Fresh:
    return Fresh(tmp_path)


def test_saved_models_of_either_kind(tmp_path: Path, fresh: Fresh) -> None:
    fresh.expect(models.add("old", save_linear_v1(tmp_path / "old", 2.5, -1.0)), {"x": X})
    fresh.expect(models.add("reference", save_linear_v1(tmp_path / "reference", reference=True)), {"x": X})
    w = tf.Variable([2.0, 3.0])
    folder = save_v2(tmp_path / "new" / "7", lambda x: {"y": x * w, "z": x}, tf.TensorSpec([None, 2], name="x"), w=w)
    code = fresh.expect(models.add("new", tmp_path / "new"), {"x": X})
    assert f'tf.saved_model.load("{folder}", tags=["serve"])' in code
    fresh.expect(models.add("renamed", folder, inputs="rows=x", outputs="scaled=y"), {"rows": X})
    fresh.expect(models.add("odd", folder, inputs={"my rows": "x"}, outputs="a-b=y"), {"my rows": X}, by_key=True)
    fresh.expect(models.add("shadow", folder, inputs={"tf": "x"}), {"tf": X}, by_key=True)
    code = fresh.expect(models.add("placed", folder, device="cpu"), {"x": X})
    assert code.count('with tf.device("/device:CPU:0"):') == 2
    fresh.run()


def test_other_signatures_tags_and_defaults(tmp_path: Path, fresh: Fresh) -> None:
    builder = v1.saved_model.Builder(str(tmp_path / "net"))
    with tf.Graph().as_default(), v1.Session() as plain:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        rate = v1.placeholder_with_default(2.0, [], "rate")
        words = v1.placeholder(tf.string, [None], "words")
        begin = tf.lookup.KeyValueTensorInitializer(["a"], tf.constant([7], tf.int64))
        ids = tf.lookup.StaticHashTable(begin, -1).lookup(words)
        w = v1.get_variable("w", initializer=3.0)
        plain.run([w.initializer, v1.tables_initializer()])
        make = v1.saved_model.predict_signature_def
        signatures = {
            "times": make({"x": x}, {"y": x * w}),
            "rated": make({"x": x, "rate": rate}, {"y": x * w * rate}),
            "found": make({"words": words}, {"ids": ids}),
        }
        builder.add_meta_graph_and_variables(
            plain, ["serve", "mine"], signature_def_map=signatures, main_op=v1.tables_initializer()
        )
    builder.save()
    for name, inputs in (("times", {"x": X}), ("found", {"words": np.array(["a", "b"], object)})):
        model = models.add(name, tmp_path / "net", tags="mine,serve", signature=name)
        assert f'signatures["{name}"]' in fresh.expect(model, inputs)
    rated = models.add("rated", tmp_path / "net", signature="rated", tags="mine,serve")
    assert "def rated(x, rate=None):" in fresh.expect(rated, {"x": X})
    fresh.expect(models.add("given", tmp_path / "net", signature="rated", tags="mine,serve"), {"x": X, "rate": 5.0})
    fresh.run()


def test_frozen_graphs_as_bytes_and_as_text(tmp_path: Path, fresh: Fresh) -> None:
    file = frozen_linear(tmp_path / "net.pb")
    text = tmp_path / "net.pbtxt"
    text.write_text(text_format.MessageToString(v1.GraphDef.FromString(file.read_bytes())))
    fresh.expect(models.add("frozen", file), {"x": X})
    fresh.expect(models.add("text", text, inputs="rows=x:0", outputs="answer=y:0"), {"rows": X})
    fresh.expect(models.add("placed", file, device="cpu"), {"x": X})
    fresh.run()


def test_checkpoints(tmp_path: Path, fresh: Fresh) -> None:
    with tf.Graph().as_default(), v1.Session() as plain:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        w = v1.get_variable("w", [2, 3], initializer=v1.glorot_uniform_initializer(seed=3))
        seen = v1.get_variable("seen", initializer=4.0, collections=[v1.GraphKeys.LOCAL_VARIABLES])
        tf.identity(x @ w + seen, "y")
        plain.run(v1.global_variables_initializer())
        v1.train.Saver().save(plain, str(tmp_path / "model.ckpt"))
    fresh.expect(models.add("net", tmp_path / "model.ckpt", outputs="y"), {"x": X})
    fresh.expect(models.add("placed", tmp_path / "model.ckpt.meta", outputs="answer=y", device="cpu"), {"x": X})
    fresh.run()


CLASSES = """
import keras

class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x

class Whole(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.last = keras.layers.Dense(3)

    def call(self, rows, training=False):
        return {"y": self.last(rows), "parts": [rows, rows + 1]}
"""


def test_keras_files_in_every_structure(tmp_path: Path, fresh: Fresh) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(CLASSES, names)  # noqa: S102 - as a notebook does
    twice, whole = names["Twice"], names["Whole"]
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="my-b")
    last = keras.layers.Dense(3, name="last")
    networks = {
        "single": keras.Sequential([keras.Input((2,), name="a"), keras.layers.Dense(3)]),
        "several": keras.Model([a, b], [last(a), a + b]),
        "keyed": keras.Model({"one": a, "two": b}, {"sum": a + b, "nested": {"last": last(b)}}),
        "own": keras.Model(a, last(twice()(a))),
        "whole": whole(),
    }
    networks["whole"](X)
    for name, network in networks.items():
        for suffix in (".keras", ".h5"):
            if (name, suffix) not in {("whole", ".h5"), ("keyed", ".h5")}:
                network.save(tmp_path / f"{name}{suffix}")
    fresh.expect(models.add("single", tmp_path / "single.keras", inputs="rows=a"), {"rows": X})
    fresh.expect(models.add("older", tmp_path / "single.h5"), {"a": X})
    fresh.expect(models.add("several", tmp_path / "several.keras"), {"a": X, "my-b": X + 1}, by_key=True)
    fresh.expect(models.add("keyed", tmp_path / "keyed.keras", device="cpu"), {"one": X, "two": X + 1})
    for name, path, objects in (("own", "own.keras", twice), ("old", "own.h5", twice), ("whole", "whole.keras", whole)):
        model = models.add(name, tmp_path / path, objects=[objects])
        given = model.signature().inputs[0].name
        code = fresh.expect(model, {given: X}, before=CLASSES)
        assert f"# Keras does not have {objects.__name__}: define or import it above this line." in code
    fresh.run()


def test_models_of_the_notebook_from_where_they_were_saved(tmp_path: Path, fresh: Fresh) -> None:
    a = keras.Input((2,), name="a")
    network = keras.Model(a, {"last": keras.layers.Dense(3)(a)})
    w = tf.Variable(3.0)
    function = tf.function(lambda x: {"y": x * w}, input_signature=[tf.TensorSpec([None, 2], name="x")])
    cell = """
        import tensorflow as tf
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None, 2], "x")
        w = v1.get_variable("w", initializer=2.0)
        y = tf.identity(x * w, "y")
    """
    add_cell("cell", cell)
    run_cell(models.cell, "session.run(w.assign(9.0))")
    made = {
        "live": models.add("live", network, inputs="rows=a"),
        "copy": models.add("copy", network, copy=True),
        "function": models.add("function", function),
        "cell": models.cell,
    }
    for name, model in made.items():
        with pytest.raises(SaveError) as raised:
            model.python()
        assert str(raised.value) == (
            f"{name} is only in this notebook: save it first (%tf_model save {name} ./{name}), "
            f"then show {name} --python prints code that loads it"
        )
    suffixes = {"live": ("", ".pb", ".keras"), "copy": ("", ".pb", ".keras")}
    for name, model in made.items():
        for suffix in suffixes.get(name, ("", ".pb")):
            model.save(tmp_path / f"{name}{suffix}")
            inputs = {spec.name: X for spec in model.signature().inputs}
            code = fresh.expect(model, inputs)
            assert f'"{tmp_path}/{name}{suffix}"' in code
    fresh.run()


def test_what_was_trained_since_is_not_in_the_code(tmp_path: Path) -> None:
    folder = save_linear_v1(tmp_path / "net")
    model = models.add("net", folder)
    run_cell(
        model,
        """
        import tensorflow as tf
        v1 = tf.compat.v1
        more = v1.get_variable("more", initializer=2.0)
        change = graph.get_collection("variables")[0].assign(7.0)
        session.run(more.assign(4.0))
        """,
    )
    # What its answers do not depend on may well have changed.
    assert str(folder) in model.python()
    run_cell(model, "session.run(change)")
    with pytest.raises(SaveError) as raised:
        model.python()
    assert str(raised.value) == (
        f"net was trained since it was read from {folder}: save it first (%tf_model save net ./net), "
        "then show net --python prints code that loads it"
    )
    model.save(tmp_path / "again")
    assert str(tmp_path / "again") in model.python()
    run_cell(model, "session.run(graph.get_collection('variables')[0].assign(8.0))")
    with pytest.raises(SaveError, match=r"net has changed since it was saved.*again \(%tf_model save net .*again"):
        model.python()
    session.close()
    assert str(folder) in model.python()


def test_a_file_that_has_changed_or_gone_is_not_named(tmp_path: Path) -> None:
    model = models.add("net", save_linear_v1(tmp_path / "net"))
    (tmp_path / "net" / "saved_model.pb").touch()
    with pytest.raises(SaveError, match=rf"net was read from {tmp_path}/net, which has changed since: save it first"):
        model.python()
    saved = model.save(tmp_path / "net.pb")
    assert str(saved) in model.python()
    saved.write_bytes(b"")
    with pytest.raises(SaveError, match=r"net.pb has: save it again"):
        model.python()


def test_asking_for_code_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = models.add("net", save_linear_v1(tmp_path / "net"), lazy=True)
    run_cell(model, "import tensorflow as tf\nmore = tf.compat.v1.get_variable('more', initializer=2.0)")
    opened = len(session.open_graphs())
    before = model.run(X)
    model.python()
    assert len(session.open_graphs()) == opened
    np.testing.assert_array_equal(model.run(X)["y"], before["y"])
    assert run_cell(model, "session.run(more)") == 2.0


def test_what_a_cell_had_learnt_before_is_saved_like_any_other(tmp_path: Path, fresh: Fresh) -> None:
    cell = """
        import tensorflow as tf
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None, 2], "x")
        w = v1.get_variable("w", initializer=2.0)
        y = tf.identity(x * w, "y")
    """
    add_cell("net", cell)
    run_cell(models.net, "session.run(w.assign(9.0))")
    add_cell("net", cell)
    former = models["net~1"]
    with pytest.raises(
        SaveError, match=r"^net~1 is only in this notebook: save it first \(%tf_model save net~1 ./net~1"
    ):
        former.python()
    former.save(tmp_path / "a folder")
    code = former.python()
    assert "def net_1(x):" in code
    np.testing.assert_array_equal(former(X), 9 * X)
    run_cell(former, "import tensorflow as tf\nsession.run(graph.get_collection('variables')[0].assign(1.0))")
    with pytest.raises(SaveError, match=rf'%tf_model save net~1 "{tmp_path}/a folder" --replace'):
        former.python()
    models.add("again", tmp_path / "a folder")
    fresh.expect(models.again, {"x": X})
    fresh.run()
