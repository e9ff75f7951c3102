"""A network to be called, as the file and the live object that every way of calling it begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.networks import NETWORKS, network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Call = Callable[[np.ndarray], Any]
    """Takes a batch, gives what comes of it; NumPy in and out."""


@dataclass(frozen=True)
class Called:
    """A network with weights that tell one answer from another.

    Attributes
    ----------
    live
        The Keras model.
    path
        The SavedModel of its ``export()``.
    concrete
        Its concrete function, of any batch size.
    frozen
        The same with its variables made constants.
    """

    live: Any
    path: str
    concrete: Any
    frozen: Any

    @property
    def shape(self) -> Sequence[int]:
        """The shape of one example."""
        shape: Sequence[int] = self.live.input_shape[1:]
        return shape

    def batch(self, size: int) -> np.ndarray:
        """Return so many examples."""
        return np.random.default_rng(size).random((size, *self.shape), np.float32)


def called(name: str, folder: Path) -> Called:
    """Return a network of ``NETWORKS``, written into a folder."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    live = network(name)
    _make_telling(live)
    path = str(folder / name)
    live.export(path, verbose=False)
    spec = tf.TensorSpec([None, *NETWORKS[name]], tf.float32, name="x")
    concrete = tf.function(lambda x: live(x, training=False)).get_concrete_function(spec)
    return Called(live, path, concrete, convert_variables_to_constants_v2(concrete))


def _make_telling(live: Any) -> None:
    """Give biases and statistics values: with those of a new network, whoever leaves them out is right, too."""
    rng = np.random.default_rng(0)
    for variable in live.variables:
        if variable.path.endswith(("moving_variance", "gamma")):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif variable.path.endswith(("moving_mean", "beta", "bias")):
            variable.assign(rng.normal(0, 0.5, variable.shape))
