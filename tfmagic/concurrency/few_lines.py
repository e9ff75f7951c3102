"""How IPython shows an error: at most five lines, of the person's code and what went wrong. The log has the rest."""

from __future__ import annotations

import linecache
import sys
import sysconfig
import traceback
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tfmagic.core.process import existing
from tfmagic.errors import TfMagicError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PACKAGE = "tfmagic"
_LIBRARIES = (*{sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}, "<frozen ")
_MOST_LINES = 5
_MOST_CHARACTERS = 700
_MAGIC = "get_ipython().run_"
_GENERATED = "__autograph_generated_file"
_REST = "(%tf_runtime log has the whole traceback)"
# What AutoGraph and Keras put around an error.
_AROUND = (
    "in user code:",
    "File ",
    "Exception encountered when calling",
    "Arguments received by",
    "•",
    "Call arguments",
)


def show_in_few_lines(error: BaseException, *, always: bool = False) -> None:
    """Have IPython show an error in five lines at most, if it would not anyway.

    An error of the person's own code, which says one line, is shown as in any other cell, unless `always`.
    """
    if not isinstance(error, Exception) or hasattr(error, "_render_traceback_"):
        return
    if not _is_expected(error):
        steps = list(steps_of(error.__traceback__))
        is_of_their_code = not any(is_library_frame(step) for step in steps) and len(str(error).splitlines()) <= 1
        if is_of_their_code and not always:
            return
        if (log := existing("native log")) is not None:
            log.keep("".join(traceback.format_exception(error)))
    error._render_traceback_ = _rendered  # type: ignore[attr-defined]  # IPython asks for it


def show_without_magic(error: BaseException) -> None:
    """Have IPython show an error of the person's own code as if it stood in a cell without a magic."""
    if not hasattr(error, "_render_traceback_"):
        error._render_traceback_ = _without_magic  # type: ignore[attr-defined]  # IPython asks for it


def _rendered() -> list[str]:
    error = _shown_error()
    return [] if error is None else _lines(error)


def _without_magic() -> list[str]:
    error, shell = _shown_error(), _shell()
    if error is None or shell is None:
        return []
    theirs = [step for step in steps_of(error.__traceback__) if not (is_library_frame(step) or _is_magic_line(step))]
    lines: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, linked(theirs), tb_offset=0)
    # As IPython leaves it, for whoever looks for what keeps a model in memory.
    shell.InteractiveTB.tb = error.__traceback__
    return lines


def _shown_error() -> BaseException | None:
    # IPython asks while it handles the error. A reference to it would be a cycle, and keep models in memory.
    return sys.exception() or getattr(sys, "last_value", None)


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def _is_magic_line(step: TracebackType) -> bool:
    """Return whether a step is the line by which IPython runs a magic."""
    return linecache.getline(step.tb_frame.f_code.co_filename, step.tb_lineno).strip().startswith(_MAGIC)


def _is_expected(error: BaseException) -> bool:
    """Return whether an error is one of tfmagic's own, or of a native run: its message says all."""
    is_own = has_base(error, TfMagicError.__module__, TfMagicError.__name__)
    return is_own or has_base(error, "tensorflow", "OpError")


def _lines(error: BaseException) -> list[str]:
    where = _where(error.__traceback__)
    told = [line.strip() for line in str(error).splitlines() if line.strip()]
    mattering = [line for line in told if not line.startswith(_AROUND)] or told
    # AutoGraph says where, shows the line, and ends with the error.
    line = mattering[-1] if told and told[0].startswith("in user code") else "".join(mattering[:1])
    kind = type(error).__name__
    what = _cut(line if line.startswith(kind) else f"{kind}: {line}" if line else kind)
    notes = [_cut(part) for note in getattr(error, "__notes__", ()) for part in str(note).splitlines()]
    rest = [] if _is_expected(error) else [_REST]
    return [*where, what, *notes[: _MOST_LINES - len(where) - 1 - len(rest)], *rest]


def _where(trace: TracebackType | None) -> list[str]:
    """Return the last place in a person's own code in a traceback, and its line; none where that is only a magic."""
    for step in reversed(list(steps_of(trace))):
        code = step.tb_frame.f_code
        line = linecache.getline(code.co_filename, step.tb_lineno).strip()
        if line and not is_library_frame(step) and _GENERATED not in code.co_filename:
            if _is_magic_line(step):
                return []
            return [_place(code.co_filename, step.tb_lineno), f"----> {step.tb_lineno} {_cut(line)}"]
    return []


def _place(filename: str, line: int) -> str:
    """Return what IPython calls a file or cell, and the line."""
    shell = _shell()
    name = None if shell is None else shell.compile.format_code_name(filename)
    return f"File {filename}:{line}" if name is None else f"{' '.join(name)}, line {line}"


def steps_of(trace: TracebackType | None) -> Iterator[TracebackType]:
    """Yield the steps of a traceback."""
    while trace is not None:
        yield trace
        trace = trace.tb_next


def linked(steps: Iterable[TracebackType]) -> TracebackType | None:
    """Return a traceback of only these steps."""
    following: TracebackType | None = None
    for step in reversed([*steps]):
        following = TracebackType(following, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return following


def has_base(error: BaseException, module: str, name: str) -> bool:
    """Return whether a class of that name is among an error's, also one from before a reload."""
    return any(base.__name__ == name and base.__module__.startswith(module) for base in type(error).__mro__)


def is_own_frame(step: TracebackType) -> bool:
    """Return whether a step of a traceback is in this package."""
    return str(step.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == _PACKAGE


def is_library_frame(step: TracebackType) -> bool:
    """Return whether a step of a traceback is in this package or a library, and not in a person's own code."""
    return is_own_frame(step) or step.tb_frame.f_code.co_filename.startswith(_LIBRARIES)


def _cut(line: str) -> str:
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}…"
