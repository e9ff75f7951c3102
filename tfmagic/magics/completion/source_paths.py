"""SOURCE of ``%tf_model add``: objects of the notebook that could be models, and paths."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmagic.magics.completion.offer import Offers, starting
from tfmagic.magics.completion.paths import paths
from tfmagic.magics.grammar.expression import parsed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tfmagic.magics.completion.python_names import PythonNames
    from tfmagic.magics.completion.typed_words import Typed

# By name: to ask TensorFlow and Keras would import them.
_PACKAGES = {"keras", "tensorflow", "tf_keras"}
_CLASSES = {"AutoTrackable", "ConcreteFunction", "Function", "Graph", "GraphDef", "Layer", "Module"}
_LONGEST_PATH = 4096
_BARE = re.compile(r"\w*")
_ATTRIBUTE = re.compile(r"[^\W\d]\w*(\.\w*)+")


def sources(typed: Typed, earlier: Sequence[str], names: PythonNames, leading: str) -> Offers:
    """Offer what SOURCE could be.

    Parameters
    ----------
    typed
        The line.
    earlier
        The words of SOURCE before the one at the cursor.
    names
        The notebook's names.
    leading
        The code before the line.
    """
    here, word = typed.begun, typed.word
    text = " ".join([*earlier, word])
    if here.closers or (earlier and parsed(" ".join(earlier)) is None):
        return names.expression(text, leading, here)
    if earlier:
        return Offers()
    if here.quote:
        return paths(here.quoted, quoted=True)
    found = paths(word, quoted=False)
    if _BARE.fullmatch(word):
        models = [name for name, value in names.own().items() if could_be_a_model(value)]
        return starting(word, models, "instance") + found
    if _ATTRIBUTE.fullmatch(word) and word.split(".")[0] in names.all:
        return names.expression(word, leading, here) + found
    return found


def could_be_a_model(value: Any) -> bool:
    """Return whether an object is of a kind that ``add`` takes, or the path of something."""
    kind = type(value)
    # No other kinds of text and paths: they may do anything when they are asked.
    if kind in {str, type(Path())}:
        return _is_there(str(value))
    return any(base.__name__ in _CLASSES and base.__module__.partition(".")[0] in _PACKAGES for base in kind.__mro__)


def _is_there(path: str) -> bool:
    try:
        return 0 < len(path) <= _LONGEST_PATH and Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False
