"""Every kind of source with networks as people have them: ``keras.applications``, with random weights.

Where the same graph runs, or the same object is called, answers are compared to the
last bit. Between an eager call and a graph they are only close: a graph is
optimised, and what it fuses adds in another order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from keras_applications import efficient_net, mobile_net
from reference_keras import assert_close, assert_same
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from tfmagic import models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

v1 = tf.compat.v1
X = np.random.default_rng(7).normal(size=(2, 64, 64, 3)).astype(np.float32)
SPEC = tf.TensorSpec([None, 64, 64, 3], tf.float32, name="x")
MADE: dict[str, Callable[..., Any]] = {"MobileNet": mobile_net, "EfficientNet": efficient_net}


@dataclass
class Network:
    """An architecture in all forms, each made once, with what plain TensorFlow answers."""

    name: str
    live: Any
    folder: Path

    @cached_property
    def eager(self) -> Any:
        """The answer of the object itself."""
        return self.live(X, training=False).numpy()

    @cached_property
    def function(self) -> Any:
        return tf.function(lambda x: self.live(x, training=False), input_signature=[SPEC], autograph=False)

    @cached_property
    def concrete(self) -> Any:
        return self.function.get_concrete_function()

    @cached_property
    def module(self) -> Any:
        made = tf.Module()
        made.network, made.answer = self.live, self.function
        return made

    @cached_property
    def saved(self) -> Path:
        # Gradients of the functions take long to write, and nothing here needs them.
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(self.module, str(self.folder / "saved"), self.concrete, options)
        return self.folder / "saved"

    @cached_property
    def in_a_session(self) -> Any:
        """The answer of a graph of TF1's with the network's weights, which leaves a checkpoint behind."""
        concrete = self.concrete
        known = {id(one.handle): one for one in concrete.variables}
        # Also constants are captured, such as those of a Normalization layer.
        values = [known.get(id(one), one).numpy() for one in concrete.captured_inputs]
        with tf.Graph().as_default(), v1.Session() as native:
            held = {}
            for at, (inner, outer) in enumerate(zip(concrete.inputs[1:], concrete.captured_inputs, strict=True)):
                if id(outer) in known:
                    one = v1.get_variable(f"held/{at}", initializer=values[at], use_resource=True)
                    held[inner.name] = one.handle
                else:
                    held[inner.name] = tf.constant(values[at])
            tf.import_graph_def(concrete.graph.as_graph_def(), name="", input_map=held)
            native.run(v1.global_variables_initializer())
            v1.train.Saver().save(native, str(self.folder / "held"))
            return native.run(self.end, {"x:0": X})

    @cached_property
    def end(self) -> str:
        (end,) = self.concrete.outputs
        return str(end.name)

    @cached_property
    def frozen(self) -> Any:
        return convert_variables_to_constants_v2(self.concrete).graph.as_graph_def()

    @cached_property
    def frozen_in_a_session(self) -> Any:
        """The answer of ``import_graph_def`` and a session."""
        with tf.Graph().as_default(), v1.Session() as native:
            tf.import_graph_def(self.frozen, name="")
            return native.run(self.end, {"x:0": X})


def built(make: Callable[..., Any]) -> Any:
    """Return a network with random weights, the same each time."""
    keras.utils.set_random_seed(3)
    made = make(input_shape=(64, 64, 3), classes=10, classifier_activation=None)
    rng = np.random.default_rng(5)
    for variable in made.non_trainable_variables:
        # As after training: fresh ones are all 0 and 1, and would hide what is mixed up.
        if variable.path.endswith(("moving_mean", "moving_variance")):
            shift = 0.1 if variable.path.endswith("moving_mean") else 0.5
            variable.assign(variable + shift * rng.uniform(-1, 1, variable.shape).astype(np.float32))
    return made


@pytest.fixture(scope="module", params=MADE)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    made = built(MADE[request.param])
    yield Network(request.param, made, tmp_path_factory.mktemp(request.param))
    keras.backend.clear_session()


def answer(source: Any, **options: Any) -> Any:
    """Return what a model answers, and drop it."""
    result = models.add("net", source, **options).run(X)
    models.drop("net")
    assert len(result) == 1
    return next(iter(result.values()))


def assert_a_graphs_answer(network: Network, given: Any) -> None:
    assert_same([given], [network.in_a_session])
    assert_close([given], [network.eager], 1e-4)


def test_a_live_model(network: Network) -> None:
    assert_same([answer(network.live)], [network.eager])


def test_a_copy_of_a_live_model(network: Network) -> None:
    assert_a_graphs_answer(network, answer(network.live, copy=True))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_keras_file(network: Network, suffix: str) -> None:
    file = network.folder / f"net{suffix}"
    network.live.save(file)
    assert_a_graphs_answer(network, answer(file))


def test_a_saved_model_that_keras_exported(network: Network) -> None:
    folder = network.folder / "exported"
    network.live.export(folder, verbose=False)
    assert_a_graphs_answer(network, answer(folder))


def test_a_saved_model_of_a_module(network: Network) -> None:
    assert_a_graphs_answer(network, answer(network.saved))


def test_a_frozen_graph(network: Network) -> None:
    (network.folder / "net.pb").write_bytes(network.frozen.SerializeToString())
    given = answer(network.folder / "net.pb")
    assert_same([answer(network.folder / "net.pb", frozen=True)], [network.frozen_in_a_session])
    # Constants are folded into one another, so it is not the last bit of the graph with variables.
    assert_close([given], [network.frozen_in_a_session])
    assert_close([given], [network.eager], 1e-4)


def test_a_graph_def(network: Network) -> None:
    # TensorFlow folds constants into one another, and what is thawed is no constant.
    assert_close([answer(network.frozen)], [network.frozen_in_a_session])
    assert_same([answer(network.frozen, frozen=True)], [network.frozen_in_a_session])


def test_a_graph(network: Network) -> None:
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(network.frozen, name="")
    assert_same([answer(graph)], [network.frozen_in_a_session])


def test_a_checkpoint(network: Network) -> None:
    expected = network.in_a_session
    assert_same([answer(network.folder / "held", outputs=f"y={network.end}")], [expected])


@pytest.mark.parametrize("form", ["function", "concrete", "module"])
def test_a_live_function_or_module(network: Network, form: str) -> None:
    assert_same([answer(getattr(network, form))], [network.function(X).numpy()])


def test_a_copy_of_a_live_function_or_module(network: Network) -> None:
    # One of the three forms for each architecture: they share the graph that is moved.
    form = {"MobileNet": "function", "EfficientNet": "concrete"}[network.name]
    assert_a_graphs_answer(network, answer(getattr(network, form), copy=True))


# As text, weights take five times the room and many times the time, so these are small ones.
LIGHT: dict[str, Callable[..., Any]] = {
    "MobileNet": mobile_net,
    "MobileNetV3": partial(keras.applications.MobileNetV3Small, weights=None, alpha=0.5, minimalistic=True),
}


@pytest.mark.parametrize("architecture", LIGHT)
def test_a_frozen_graph_as_text(tmp_path: Path, architecture: str) -> None:
    network = Network(architecture, built(LIGHT[architecture]), tmp_path)
    (tmp_path / "net.pbtxt").write_text(text_format.MessageToString(network.frozen))
    assert_same([answer(tmp_path / "net.pbtxt")], [network.frozen_in_a_session])
