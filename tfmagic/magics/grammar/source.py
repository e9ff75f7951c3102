"""SOURCE on a line: a path, a name of the notebook, or an expression."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmagic.core.paths import similar_name, working_folder
from tfmagic.errors import MissingPathError, UsageLineError
from tfmagic.magics.grammar.expression import evaluate, names_are_bound, parsed
from tfmagic.magics.grammar.options import unquoted

if TYPE_CHECKING:
    from collections.abc import Mapping

# The syntax of paths that are also Python: models/digits-2/1 and the like.
_PATH_SYNTAX = (ast.BinOp, ast.operator, ast.Name, ast.Attribute, ast.Constant, ast.expr_context)


def resolve(text: str, names: Mapping[str, Any]) -> Any:
    """Return the path (``str``) or the object that a person means by SOURCE.

    In quotes it is a path, in brackets an expression. Otherwise a name bound in
    the notebook is that object, else an existing path is that path, else it is
    an expression.
    """
    path = unquoted(text)
    if path != text:
        return path
    tree = parsed(text)
    if tree is not None and text.startswith("(") and _spans_all(text):
        return evaluate(text, names)
    # A literal such as 2024 is no model: a folder of that name is meant.
    bound = tree is not None and names_are_bound(tree, names) and not isinstance(tree, ast.Constant)
    exists = "://" not in text and path_exists(text)
    if bound and exists and not isinstance(tree, ast.Name) and not _has_a_value(tree, text, names):
        return text
    if bound and exists:
        msg = (
            f"{text} is an object of the notebook and a path here: "
            f'write "./{text}" for the path, ({text}) for the object'
        )
        raise UsageLineError(msg)
    if exists or ("://" in text and not bound):
        return text
    # Where `models` is imported from tfmagic, models/none still means a file in the folder models.
    is_path = tree is None or isinstance(tree, ast.Constant) or _is_more_likely_a_path(text, tree, names)
    if is_path and not (bound and _has_a_value(tree, text, names)):
        similar = similar_name(Path(text))
        msg = f"there is no path {text} here ({working_folder()}){similar}, and the notebook has no such object"
        raise MissingPathError(msg)
    return evaluate(text, names)


def _has_a_value(tree: ast.expr | None, text: str, names: Mapping[str, Any]) -> bool:
    """Whether an expression that is also an existing path has a value; ``models/digits/1`` rarely has."""
    if tree is None or any(isinstance(node, ast.Call) for node in ast.walk(tree)):
        return True  # finding out would call it
    try:
        evaluate(text, names)
    except Exception:  # noqa: BLE001 - whatever it raises, it is no object
        return False
    return True


def path_exists(text: str) -> bool:
    """Return whether a path, or a checkpoint with this prefix, is there."""
    try:
        path = Path(text).expanduser()
        # A checkpoint is several files, named by their common prefix.
        return path.exists() or path.with_name(f"{path.name}.index").exists()
    except (OSError, ValueError, RuntimeError):  # the last of ~somebody whom this machine does not know
        return False


def _spans_all(text: str) -> bool:
    depth = 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return at == len(text) - 1
    return False


def _is_more_likely_a_path(text: str, tree: ast.expr, names: Mapping[str, Any]) -> bool:
    """Whether an unbound expression is more likely a missing file than a missing name."""
    if isinstance(tree, ast.Name):
        return True
    if os.sep in text:
        return all(isinstance(node, _PATH_SYNTAX) for node in ast.walk(tree))
    root = tree
    while isinstance(root, ast.Attribute):
        root = root.value
    return isinstance(tree, ast.Attribute) and isinstance(root, ast.Name) and root.id not in names
