"""The errors that tfmagic raises: one line each, which says what to type.

Each is also the built-in exception that a script expects: ``except KeyError`` catches an
unknown model. A magic shows them as IPython's plain ``UsageError``; errors of the
person's code or of TensorFlow stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class TfMagicError(Exception):
    """The base of all errors that tfmagic raises."""

    def __str__(self) -> str:
        """Return the message as it is (a ``KeyError`` would show its ``repr``)."""
        return str(self.args[0]) if self.args else ""


class UnknownNameError(TfMagicError, KeyError, AttributeError):
    """A model, signature, input, output or name that is not there."""


class NameTakenError(TfMagicError, ValueError):
    """A model's name that is reserved, impossible, or in use."""


class ImpossibleNameError(NameTakenError):
    """A name that no model can have, whether it is taken or not."""


class SourceError(TfMagicError, ValueError):
    """A source that is missing, damaged, or no model."""


class MissingPathError(SourceError, FileNotFoundError):
    """A path at which there is nothing."""


class UnsafeSourceError(SourceError, PermissionError):
    """A file that would run Python or touch other files, without ``unsafe``."""


class InputError(TfMagicError, ValueError):
    """An input that does not fit the signature."""


class ModelStateError(TfMagicError, RuntimeError):
    """A model that cannot be run now: dropped, or still stopping."""


class DropError(ModelStateError):
    """Models that are dropped, but not cleanly; `record` is what `Models.drop` would have returned."""

    def __init__(self, message: str, record: Any) -> None:
        super().__init__(message)
        self.record = record


class StoppedError(ModelStateError):
    """A run that was ended from elsewhere, with ``stop --now``."""


class UninitialisedVariableError(TfMagicError, RuntimeError):
    """A variable that was read before anything was written to it."""


class NoCopyError(TfMagicError, TypeError):
    """An object of which a process has one, which Python was to copy or pickle."""


class ForeignTensorError(TfMagicError, ValueError):
    """A tensor of one graph, used where another graph's is expected."""


class ConfigError(TfMagicError, ValueError):
    """A session configuration other than the one in force."""


class SettingError(TfMagicError, ValueError):
    """A setting that is impossible, or comes too late."""


class MemoryBudgetError(TfMagicError, MemoryError):
    """A model that does not fit into the memory budget, whatever is parked."""


class ParkError(TfMagicError, OSError):
    """A model that cannot be parked, or does not come back as it was."""


class MissingTensorFlowError(TfMagicError, ImportError):
    """No TensorFlow in this environment, or one that is too old."""


class MissingPanelError(TfMagicError, ImportError):
    """What the panel needs is not installed."""


class OpLibraryError(TfMagicError, OSError):
    """A custom op library that cannot be loaded, or that must not be."""


class SaveError(TfMagicError, ValueError):
    """A model that cannot be saved in the format that was asked for."""


class DestinationError(SaveError, OSError):
    """A path that cannot be written to, or not to its end."""


class PathTakenError(SaveError, FileExistsError):
    """A path at which there is something already."""


class _UnfinishedRun:
    """A run that had not ended.

    Attributes
    ----------
    partial : Mapping or None
        Of a run in batches, the outputs of those that had ended; None where none had.
    rows : str
        Which rows these are: ``rows 0 to 4095 of 10000``.
    """

    partial: Mapping[str, Any] | None = None
    rows: str = ""


class RunTimeoutError(_UnfinishedRun, TfMagicError, TimeoutError):
    """A run that had not ended at its deadline."""


class InterruptedRun(_UnfinishedRun, KeyboardInterrupt):
    """Ctrl-C in the middle of a run in batches, which keeps what had been done by then."""


class UsageLineError(TfMagicError, ValueError):
    """A line that does not follow the grammar of its magic."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the nearest known word, else the list of known words; empty without any."""
    words = sorted(set(known))
    if not words:
        return ""
    if nearest := nearest_word(word, words):
        return nearest
    shown = ", ".join(words[:8]) + (", …" if len(words) > 8 else "")
    return f" (there are: {shown})" if len(words) > 1 else f" (there is: {shown})"


def nearest_word(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the nearest known word; empty where none is near."""
    from difflib import get_close_matches

    folded = {candidate.lower(): candidate for candidate in sorted(set(known))}
    near = get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return f" (did you mean {folded[near[0]]!r}?)" if near else ""


def first_line(error: BaseException) -> str:
    """Return the type of an error and the first line of its message."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
