"""Paths of models and of op libraries: folders, and files of the kinds that hold one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tfmagic.formats.kinds import suffixes as model_suffixes
from tfmagic.magics.completion.candidates import Candidate, Candidates, starting

_MODELS = model_suffixes()
# Files beside a saved_model.pb are parts of it.
_GRAPH = "saved_model.pb"
_NEEDS_QUOTES = re.compile(r"[\s()\[\]{}#;'\"]|^-")


def paths(typed: str, *, quoted: bool, suffixes: tuple[str, ...] = _MODELS) -> Candidates:
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
    if suffixes is _MODELS and (_GRAPH, False) in listed:
        return [_GRAPH]
    return [f"{name}/" if is_folder else name for name, is_folder in listed if is_folder or name.endswith(suffixes)]
