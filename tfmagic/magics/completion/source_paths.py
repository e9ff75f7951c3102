"""SOURCE of ``%tf_model add``: objects of the notebook that could be models, and paths."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmagic.magics.completion.candidates import Candidates, starting
from tfmagic.magics.completion.paths import paths
from tfmagic.magics.grammar.expression import parsed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tfmagic.magics.completion.python_names import PythonNames
    from tfmagic.magics.completion.typed_words import Typed

# By name: asking TensorFlow and Keras would import them.
_PACKAGES = {"keras", "tensorflow", "tf_keras"}
_CLASSES = {"AutoTrackable", "ConcreteFunction", "Function", "Graph", "GraphDef", "Layer", "Module"}
_LONGEST_PATH = 4096
_BARE = re.compile(r"\w*")
_ATTRIBUTE = re.compile(r"[^\W\d]\w*(\.\w*)+")


def sources(typed: Typed, earlier: Sequence[str], names: PythonNames, leading: str) -> Candidates:
    """Offer what SOURCE could be; `earlier` are its words before the cursor's, `leading` the code before the line."""
    here, word = typed.partial, typed.word
    text = " ".join([*earlier, word])
    if here.closers or (earlier and parsed(" ".join(earlier)) is None):
        return names.expression(text, leading, here)
    if earlier:
        return Candidates()
    if here.quote:
        return paths(here.quoted, quoted=True)
    at_path = paths(word, quoted=False)
    if _BARE.fullmatch(word):
        models = [name for name, value in names.own().items() if could_be_a_model(value)]
        return starting(word, models, "instance") + at_path
    if _ATTRIBUTE.fullmatch(word) and word.split(".")[0] in names.all:
        return names.expression(word, leading, here) + at_path
    return at_path


def could_be_a_model(value: Any) -> bool:
    """Return whether an object is of a kind that ``add`` takes, or the path of something."""
    kind = type(value)
    # Exactly these types: a subclass may run any code.
    if kind in {str, type(Path())}:
        return _exists(str(value))
    return any(base.__name__ in _CLASSES and base.__module__.partition(".")[0] in _PACKAGES for base in kind.__mro__)


def _exists(path: str) -> bool:
    try:
        return 0 < len(path) <= _LONGEST_PATH and Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False
