"""Paths of models and of op libraries: folders, and files of the kinds that hold one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmagic.formats.kinds import suffixes as model_suffixes
from tfmagic.magics.completion.candidates import Candidate, Candidates, starting
from tfmagic.magics.grammar.expression import parsed
from tfmagic.magics.grammar.source import path_exists

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tfmagic.magics.completion.python_names import PythonNames
    from tfmagic.magics.completion.typed_words import Typed

MODELS = model_suffixes()
LIBRARIES = (".so", ".dylib", ".dll")
# Files beside a saved_model.pb are parts of it.
_GRAPH = "saved_model.pb"
_NEEDS_QUOTES = re.compile(r"[\s()\[\]{}#;'\"]|^-")

# By name: asking TensorFlow and Keras would import them.
_PACKAGES = {"keras", "tensorflow", "tf_keras"}
_CLASSES = {"AutoTrackable", "ConcreteFunction", "Function", "Graph", "GraphDef", "Layer", "Module"}
_LONGEST_PATH = 4096
_BARE = re.compile(r"\w*")
_ATTRIBUTE = re.compile(r"[^\W\d]\w*(\.\w*)+")


def paths(typed: str, *, quoted: bool, suffixes: tuple[str, ...] = MODELS) -> Candidates:
    """Offer the folders, with a slash, and the files with these suffixes that begin as typed.

    `typed` has no opening quote. Where there is none (not `quoted`), a path that needs quotes gets them.
    """
    folder = typed[: max(typed.rfind("/"), typed.rfind(os.sep)) + 1]
    try:
        if typed.startswith("~") and not folder:
            return starting(typed, [f"{typed}/"] if Path(typed).expanduser().is_dir() else [], "path")
        names = _names(Path(folder or ".").expanduser(), suffixes)
    except (OSError, ValueError, RuntimeError):  # unreadable, no path, nobody's home
        return Candidates(typed)
    hidden = typed[len(folder) :].startswith(".")
    candidates = starting(typed, [folder + name for name in names if hidden or not name.startswith(".")], "path")
    if quoted:
        return candidates
    return Candidates(typed, tuple(Candidate(_in_quotes(item.text), item.type) for item in candidates.items))


def _in_quotes(path: str) -> str:
    """Return a path in the quotes that it needs; those of a folder stay open for its content."""
    if _NEEDS_QUOTES.search(path) is None:
        return path
    quote = "'" if '"' in path else '"'
    return f"{quote}{path}" if path.endswith("/") else f"{quote}{path}{quote}"


def _names(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    """Return the files with these suffixes in a folder, and its folders with a slash."""
    with os.scandir(folder) as entries:
        listed = sorted((entry.name, entry.is_dir()) for entry in entries)
    if suffixes is MODELS and (_GRAPH, False) in listed:
        return [_GRAPH]
    return [f"{name}/" if is_folder else name for name, is_folder in listed if is_folder or name.endswith(suffixes)]


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
        return 0 < len(str(value)) <= _LONGEST_PATH and path_exists(str(value))
    return any(base.__name__ in _CLASSES and base.__module__.partition(".")[0] in _PACKAGES for base in kind.__mro__)
