"""A cell's code, compiled so that its last expression is its value."""

from __future__ import annotations

import ast
import inspect
import linecache
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from tfmagic.concurrency.cancel_scope import current_scope
from tfmagic.concurrency.deferral import InterruptTarget, interruptible
from tfmagic.concurrency.event_loop import run_on_new_loop
from tfmagic.runtime.tensorflow.private import Cancellation

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import CodeType

    from tfmagic.execution.room.namespace import Namespace

_VALUE = "__tfmagic_value__"


class Cell:
    """The code of one cell, without IPython's own syntax; tracebacks show its lines under `filename`."""

    def __init__(self, source: str, filename: str) -> None:
        self.source = source
        self.filename = filename
        try:
            tree = ast.parse(source, filename)
        except SyntaxError as error:
            # It names the cell's line; the parser's frames do not help.
            raise error.with_traceback(None) from None
        self.has_value = bool(tree.body) and isinstance(tree.body[-1], ast.Expr)
        if self.has_value:
            last = tree.body[-1]
            target = ast.copy_location(ast.Name(_VALUE, ast.Store()), last)
            value: ast.expr = last.value  # type: ignore[attr-defined]  # an ast.Expr, see above
            tree.body[-1] = ast.copy_location(ast.Assign([target], value), last)
        self.code: CodeType = compile(tree, filename, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        if filename not in linecache.cache:
            lines = source.splitlines(keepends=True)
            linecache.cache[filename] = (len(source), None, lines, filename)

    @property
    def awaits(self) -> bool:
        """Whether there is an ``await`` outside every function."""
        return bool(self.code.co_flags & inspect.CO_COROUTINE)

    def run(self, namespace: Namespace, inside: Callable[[], AbstractContextManager[Any]]) -> Any:
        """Run the cell in the context of `inside`, and return the value of its last expression or None."""
        namespace.note_functions(self.code)
        target, cancellation, scope = InterruptTarget(), Cancellation(), current_scope()

        def end() -> None:
            cancellation.cancel()
            target.interrupt()

        try:
            with cancellation.block(), nullcontext() if scope is None else scope.on_cancel(end):
                target.run(self._run, namespace, inside)
            return namespace.get(_VALUE)
        finally:
            dict.pop(namespace, _VALUE, None)

    def _run(self, namespace: Namespace, inside: Callable[[], AbstractContextManager[Any]]) -> None:
        if self.awaits:
            run_on_new_loop(lambda: eval(self.code, namespace), inside)  # noqa: S307 - the person's own cell
        else:
            with inside():
                interruptible(exec, self.code, namespace)
