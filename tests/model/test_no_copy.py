"""A model that is copied, pickled or asked for what it has not says what to type."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell
from trained_cells import X, linear

from tfmagic import models, session
from tfmagic.errors import ModelStateError, NoCopyError

if TYPE_CHECKING:
    from collections.abc import Callable

WAYS = [copy.copy, copy.deepcopy, pickle.dumps, lambda one: copy.deepcopy({"config": [one]})]


@pytest.mark.parametrize("way", WAYS)
def test_a_model_is_not_copied(way: Callable[[Any], Any]) -> None:
    model = linear().model
    with pytest.raises(NoCopyError, match=r"^model 'net' cannot be copied or pickled: .*models.net.save\(PATH\)"):
        way(model)
    with pytest.raises(TypeError, match="a process has one"):
        way(models)
    with pytest.raises(TypeError, match="a process has one"):
        way(session)


def test_results_and_records_are_copied() -> None:
    model = linear().model
    result = model.run(X)
    for again in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):  # noqa: S301 - its own
        np.testing.assert_array_equal(again.y, result.y)
    assert copy.deepcopy(model.record()) == model.record()


@pytest.mark.parametrize(
    ("attribute", "advice"),
    [
        ("predict", "models.net(X) runs it"),
        ("summary", "%tf_model show net"),
        ("fit", "%%tf_run net"),
        ("get_weights", "models.net.variables"),
        ("input_shape", "models.net.signature()"),
        ("close", "models.drop('net')"),
        ("export", "models.net.save(PATH)"),
        ("sav", "did you mean 'save'?"),
        ("nothing_like_it", "model 'net' has no 'nothing_like_it'"),
    ],
)
def test_what_a_model_has_not_leads_to_what_it_has(attribute: str, advice: str) -> None:
    model = linear().model
    with pytest.raises(AttributeError) as caught:
        getattr(model, attribute)
    assert advice in str(caught.value)
    assert not hasattr(model, attribute)


def test_a_live_model_leads_to_its_object_too() -> None:
    model = models.add("net", tf.function(lambda x: x))
    with pytest.raises(AttributeError, match=r"models\.net\.live"):
        _ = model.summary


def test_an_error_of_an_attribute_that_there_is_stays() -> None:
    model = linear().model
    models.drop("net")
    with pytest.raises(ModelStateError, match="was dropped"):
        _ = model.names


def test_text_counts_with_its_bytes() -> None:
    code = """
        words = tf.constant(["a" * 1000, "b" * 24], name="words")
        same = tf.compat.v1.constant("c" * 10, shape=[100], name="same")
        y = tf.strings.join([words[:1], same[:1]], name="y")
    """
    record = add_cell("net", code, {"tf": tf}, outputs="y").model.record()
    # Beside the text there are a few numbers, of the slices.
    assert 2024 <= record["constants_bytes"] < 2200
