"""What to type for an attribute that models of Keras, scikit-learn or PyTorch have, and a registered model has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.errors import nearest_word

if TYPE_CHECKING:
    from collections.abc import Iterable

_RUN = "models.{name}(X) runs it, models.{name}.run(X, batch_size=N) in batches"
_LOOK = "%tf_model show {name} shows it, models.{name}.record() has the same as data"
_TRAIN = "train it in its room: %%tf_run {name}, with session.run(…) of a training step"
_WEIGHTS = "models.{name}.variables lists them, %%tf_run {name} with session.run(…) reads their values"
_ENDS = "models.{name}.signature() has its inputs and outputs"
_DROP = "models.drop({name!r}) drops it"
_ADVICE = {
    _RUN: ("predict", "predict_on_batch", "predict_proba", "predict_classes", "forward", "call", "apply", "transform"),
    _LOOK: ("summary", "info", "describe", "get_config", "to_json", "count_params", "show", "plot", "config"),
    _TRAIN: ("fit", "train", "compile", "evaluate", "train_on_batch", "test_on_batch", "optimizer", "loss"),
    _WEIGHTS: (
        *("weights", "get_weights", "set_weights", "trainable_variables", "trainable_weights", "load_weights"),
        *("layers", "get_layer", "parameters", "state_dict", "non_trainable_weights"),
    ),
    _ENDS: ("inputs", "outputs", "input", "output", "input_shape", "output_shape", "input_names", "output_names"),
    _DROP: ("close", "delete", "drop", "remove", "unload", "release", "clear"),
    "models.{name}.save(PATH) writes it": ("export", "save_weights", "save_model", "dump"),
}


def advice_for(attribute: str, name: str, known: Iterable[str], *, live: bool) -> str:
    """Return what to type in place of an attribute; the nearest one that there is, if nothing else helps.

    A `live` model is an object of the notebook, which may have the attribute itself.
    """
    advice = next((text for text, words in _ADVICE.items() if attribute in words), None)
    if advice is None:
        return nearest_word(attribute, [word for word in known if not word.startswith("_")])
    object_too = f"; the object itself is models.{name}.live" if live else ""
    return f": {advice.format(name=name)}{object_too}"
