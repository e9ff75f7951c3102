"""Expressions in a magic's line, parsed and evaluated with the notebook's names."""

from __future__ import annotations

import ast
import builtins
import linecache
import zlib
from types import CodeType
from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.entry_point import is_own_error
from tfmagic.core.modules import imported
from tfmagic.errors import UsageLineError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILENAME = "<tfmagic expression>"


def parsed(text: str) -> ast.expr | None:
    """Return the syntax tree of an expression; None where `text` is no expression."""
    try:
        return ast.parse(text.strip(), _FILENAME, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """Return the value of an expression that sees `names` and the built-in ones.

    An error inside a function that it calls is raised as it is, with a note that names the expression.
    """
    try:
        code = compile(text.strip(), _filename(text), "eval", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        msg = f"{text!r} is no Python expression ({reason})"
        raise UsageLineError(msg) from None
    if any(isinstance(constant, CodeType) for constant in code.co_consts):
        # AutoGraph reads the source of a lambda that it converts.
        lines = [f"{text.strip()}\n"]
        linecache.cache[code.co_filename] = (len(lines[0]), None, lines, code.co_filename)
    # A real dict as globals: comprehensions and lambdas look only there.
    scope = names if type(names) is dict else dict(names)
    try:
        return eval(code, scope)  # noqa: S307 - the person's own expression
    except Exception as error:
        trace = error.__traceback__
        inside = trace.tb_next if trace is not None else None
        if is_own_error(error) or (inside is not None and inside.tb_next is not None):
            _shorten(error, text)
            error.add_note(f"raised while {text!r} was evaluated")
            raise
        msg = f"{text!r} raised {type(error).__name__}: {error}"
        raise UsageLineError(msg) from None


def _filename(text: str) -> str:
    # One name a text: what is cached under it must stay its source.
    return f"{_FILENAME[:-1]} {zlib.crc32(text.encode(errors='replace')):08x}>"


def _shorten(error: Exception, text: str) -> None:
    if imported("tensorflow") is not None:
        from tfmagic.runtime.tensorflow.native_errors import in_one_line

        in_one_line(error, text)


def names_are_bound(tree: ast.expr, names: Mapping[str, Any]) -> bool:
    """Return whether every name that an expression reads is bound."""
    return all(
        node.id in names or hasattr(builtins, node.id)
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    )
