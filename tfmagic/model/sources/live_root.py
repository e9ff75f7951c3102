"""What a SavedModel of a live object is made of: the object, or what keeps hold of all that it uses."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.model.sources.keras_model import KerasSource
from tfmagic.model.sources.module import ModuleSource
from tfmagic.runtime.behaviour import eagerly

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from tfmagic.model.eager_mode import EagerMode


def root_of(mode: EagerMode, functions: Mapping[str, Any]) -> Any:
    """Return what ``tf.saved_model.save`` is to write.

    Parameters
    ----------
    mode
        How the object is called.
    functions
        Its signatures, traced.

    Returns
    -------
    tf.Module
        The object itself where it is a module, so that its own functions come
        along. For a Keras model a module with all of its variables by their paths
        (``weights["dense/kernel"]``), those of its optimizer too; for a function
        one with what the function uses.
    """
    live = mode.live
    # Keras's own are trackable, too, but their variables are behind others, and only those would be restored.
    if ModuleSource.takes(live) and not KerasSource.takes(live):
        return live
    root = tf.Module()
    root.weights = all_variables(mode)
    # A function may have captured what the object does not list, such as the state of a random generator.
    root.captured = [variable for function in functions.values() for variable in function.variables]
    root.resources = list(_resources(live))
    return root


def all_variables(mode: EagerMode) -> dict[str, Any]:
    """Return TensorFlow's variables of an object by name; of a compiled Keras model also its optimizer's."""
    found = dict(mode.named_variables())
    optimizer = getattr(mode.live, "optimizer", None)
    for variable in getattr(optimizer, "variables", None) or ():
        found.setdefault(getattr(variable, "path", variable.name), variable)
    # Behind a variable of Keras's own there is one of TensorFlow's.
    return {name: one if isinstance(one, tf.Variable) else one.value for name, one in found.items()}


def state_of(mode: EagerMode) -> Iterator[tuple[str, np.ndarray]]:
    """Give the values of an object's variables, and the entries of its tables."""
    yield from mode.values()
    for index, resource in enumerate(_resources(mode.live)):
        if hasattr(resource, "export"):
            with eagerly():
                columns = [column.numpy() for column in resource.export()]
            yield from zip((f"table {index} keys", f"table {index} values"), columns, strict=True)


def _resources(live: Any) -> Iterator[Any]:
    """Give the tables and the like that an object leads to."""
    trackable = tf.__internal__.tracking.Trackable
    function = getattr(live, "python_function", None)
    roots = [live] if function is None else _used_by(function)
    seen: set[int] = set()
    for root in roots:
        if isinstance(root, trackable):
            for one in tf.train.TrackableView(root).descendants():
                if isinstance(one, tf.saved_model.experimental.TrackableResource) and id(one) not in seen:
                    seen.add(id(one))
                    yield one


def _used_by(function: Any) -> list[Any]:
    """Return the objects outside of a Python function that it names."""
    try:
        names = inspect.getclosurevars(inspect.unwrap(function))
    except TypeError:
        return []
    bound = getattr(function, "__self__", None)
    return [*names.nonlocals.values(), *names.globals.values(), *([] if bound is None else [bound])]
