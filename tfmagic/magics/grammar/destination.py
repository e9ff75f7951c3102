"""PATH on a line that writes a file: a path, or an expression that gives one."""

from __future__ import annotations

import ast
import os
from typing import TYPE_CHECKING, Any

from tfmagic.errors import UsageLineError
from tfmagic.magics.grammar.expression import evaluate, names_are_bound, parsed
from tfmagic.magics.grammar.options import unquoted

if TYPE_CHECKING:
    from collections.abc import Mapping


def destination(text: str, names: Mapping[str, Any]) -> str:
    """Return the path that a person means by PATH.

    In quotes it is that path, in brackets an expression. A name that is bound to text or
    a path, an f-string, and a composed path (``folder / "net"``) are expressions without
    brackets too. Everything else is the path itself.
    """
    path = unquoted(text)
    if path != text:
        return path
    tree = parsed(text)
    bracketed = tree is not None and text.startswith("(") and text.endswith(")")
    if tree is not None and (bracketed or (_may_be_a_path(tree) and names_are_bound(tree, names))):
        value = _value(text, names, certainly=bracketed)
        if isinstance(value, (str, os.PathLike)):
            return os.fspath(value) if isinstance(os.fspath(value), str) else os.fsdecode(os.fspath(value))
        if bracketed:
            msg = f"{text} gives an object of {type(value).__name__}, and a path was expected to save to"
            raise UsageLineError(msg)
    if " " in text:
        msg = f'one path was expected to save to, and {text!r} has blanks: write it in quotes, "{text}"'
        raise UsageLineError(msg)
    return text


def _may_be_a_path(tree: ast.expr) -> bool:
    # No attributes: net.pb is a file, even where the notebook has a net with a pb.
    return isinstance(tree, (ast.Name, ast.JoinedStr, ast.BinOp)) and not any(
        isinstance(node, ast.Call) for node in ast.walk(tree) if not isinstance(tree, ast.JoinedStr)
    )


def _value(text: str, names: Mapping[str, Any], *, certainly: bool) -> Any:
    """Return the value of an expression; None where it raises, unless it is certainly an expression."""
    try:
        return evaluate(text, names)
    except Exception:
        if certainly:
            raise
        return None
