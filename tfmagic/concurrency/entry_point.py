"""The decorator of public entry points: Ctrl-C is deferred, and an error shows the person's own lines."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.concurrency.few_lines import (
    has_base,
    is_library_frame,
    is_own_frame,
    linked,
    show_in_few_lines,
    steps_of,
)
from tfmagic.errors import TfMagicError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

F = TypeVar("F", bound="Callable[..., Any]")


def entry_point(function: F) -> F:
    """Defer Ctrl-C while a public function runs, and trim the traceback of what it raises."""
    return hide_own_frames(defer_interrupts(function))


def hide_own_frames(function: F) -> F:
    """Only trim the traceback, for a quick function that defers Ctrl-C where it needs to."""

    @wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except BaseException as error:
            trim_traceback(error)
            # A bare raise adds no frame to the traceback.
            raise

    return cast("F", called)


def is_own_error(error: BaseException) -> bool:
    """Return whether an error is a `TfMagicError`, also one from before a reload."""
    return has_base(error, TfMagicError.__module__, TfMagicError.__name__)


def trim_traceback(error: BaseException) -> None:
    """Remove the package's own frames from a traceback, and those of libraries that it called.

    All frames of an unexpected error in the package or such a library stay, since it may be a bug.
    Errors of a person's graph in a native run, and Ctrl-C, are expected. IPython shows a few lines of any.
    """
    _trim(error)
    show_in_few_lines(error)


def _trim(error: BaseException) -> None:
    steps = list(steps_of(error.__traceback__))
    kept: list[TracebackType] = []
    is_inside = False
    for step in steps:
        if is_own_frame(step):
            is_inside = True
        elif not (is_inside and is_library_frame(step)):
            is_inside = False
            kept.append(step)
    if is_own_error(error):
        _trim_causes(error)
    elif is_inside and not isinstance(error, KeyboardInterrupt) and not has_base(error, "tensorflow", "OpError"):
        return
    error.__traceback__ = linked(kept)


def _trim_causes(error: BaseException) -> None:
    """Remove the package's own frames from the tracebacks of an error's causes."""
    seen = {id(error)}
    while (cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        if id(cause) in seen:
            return
        seen.add(id(cause))
        cause.__traceback__ = linked([step for step in steps_of(cause.__traceback__) if not is_own_frame(step)])
        error = cause
