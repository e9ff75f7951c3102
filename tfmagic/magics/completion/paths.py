"""Paths of models and of op libraries: folders, and files of the kinds that hold one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tfmagic.formats.kinds import suffixes as suffixes_of_models
from tfmagic.magics.completion.offer import Offer, Offers, starting

_MODELS = suffixes_of_models()
# Beside a saved_model.pb they are parts of it.
_GRAPH = "saved_model.pb"
_NEEDS_QUOTES = re.compile(r"[\s()\[\]{}#;'\"]|^-")


def paths(typed: str, *, quoted: bool, suffixes: tuple[str, ...] = _MODELS) -> Offers:
    """Offer the paths that begin as typed; folders end in a slash.

    Parameters
    ----------
    typed
        The path as far as it has been typed, without its opening quote.
    quoted
        Whether there is such a quote; where there is none, a path that needs one gets it.
    suffixes
        How the names of files end that are offered.
    """
    folder = typed[: max(typed.rfind("/"), typed.rfind(os.sep)) + 1]
    try:
        if typed.startswith("~") and not folder:
            return starting(typed, [f"{typed}/"] if Path(typed).expanduser().is_dir() else [], "path")
        names = _names(Path(folder or ".").expanduser(), suffixes)
    except (OSError, ValueError, RuntimeError):  # unreadable, no path, nobody's home
        return Offers(typed)
    hidden = typed[len(folder) :].startswith(".")
    found = starting(typed, [folder + name for name in names if hidden or not name.startswith(".")], "path")
    return found if quoted else Offers(typed, tuple(Offer(_in_quotes(one.text), one.type) for one in found.found))


def _in_quotes(path: str) -> str:
    """Return a path in the quotes that it needs; those of a folder stay open, for what is in it."""
    if _NEEDS_QUOTES.search(path) is None:
        return path
    quote = "'" if '"' in path else '"'
    return f"{quote}{path}" if path.endswith("/") else f"{quote}{path}{quote}"


def _names(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    """Return what a folder holds: files that could be meant, and folders with a slash."""
    with os.scandir(folder) as entries:
        found = sorted((entry.name, entry.is_dir()) for entry in entries)
    if suffixes is _MODELS and (_GRAPH, False) in found:
        return [_GRAPH]
    return [f"{name}/" if is_folder else name for name, is_folder in found if is_folder or name.endswith(suffixes)]
