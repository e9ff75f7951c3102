"""The import of TensorFlow: how tfmagic does it, and what it notes when the notebook does it."""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tfmagic.core.process import once
from tfmagic.errors import MissingTensorFlowError
from tfmagic.runtime.libraries.shared_objects import IMPORT
from tfmagic.runtime.libraries.timeline import libraries
from tfmagic.runtime.memory.policy import memory_policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_TENSORFLOW = "tensorflow"
_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"

OLDEST = (2, 16)
"""The first TensorFlow whose Keras is Keras 3, which is what tfmagic supports."""

LITE_IS_SOUND = frozenset({(2, 19), (2, 20), (2, 21)})
"""The versions of which it is known that their ``tf.lite.Interpreter`` does no harm to the process."""


class TensorFlowFinder:
    """Finds TensorFlow through the other finders, and has its import observed. Ignores every other module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that the other finders give, with a loader that observes the import."""
        if fullname != _TENSORFLOW or path is not None:
            return None
        for finder in list(sys.meta_path):
            if _is_ours(finder) or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    # Not a subclass of importlib.abc.Loader: importing that is slow.
                    spec.loader = _ObservingLoader(spec.loader)  # type: ignore[assignment]
                return spec
        return None


class _ObservingLoader:
    """Wraps a module's own loader, and notes which libraries it loads."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        """Forward everything else to the module's own loader."""
        if name == "_loader":
            raise AttributeError(name)
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Create the module with its own loader."""
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code, after putting its own loader back."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        with libraries().phase(IMPORT):
            self._loader.exec_module(module)
        # TensorFlow's autograph recognises builtins by the ids that they had just now. During a cell, ipykernel
        # puts its own `input` among them: once that is freed, its id could become that of a person's method.
        once("builtins at the import", lambda: tuple(vars(builtins).values()))
        from tfmagic.runtime.startup.thread_pools import thread_counts

        thread_counts().apply()


def _is_ours(finder: object) -> bool:
    # By name: a finder left by an earlier load has the class of that load.
    return (type(finder).__module__, type(finder).__name__) == (TensorFlowFinder.__module__, TensorFlowFinder.__name__)


def watch_import() -> None:
    """Observe imports of TensorFlow from now on."""
    ignore_import()
    sys.meta_path.insert(0, TensorFlowFinder())


def ignore_import() -> None:
    """Stop observing imports."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not _is_ours(finder)]


@contextmanager
def filtered_startup_lines() -> Iterator[None]:
    """Send TensorFlow's start-up lines to the native log, and show only those that matter.

    Importing TensorFlow prints ten informational lines, most of them twice, because it has two copies of the code
    that prints them. They come before the variable that should silence them counts. When the block raises, every
    line is shown.
    """
    # Also with a native log: below this level TensorFlow does not even make the texts, and a person who opens the
    # log looks for what is wrong. Whoever wants to read everything sets the level to 0.
    from tfmagic.runtime.native_log.log import native_log
    from tfmagic.runtime.native_log.stderr_filter import stderr_filter

    level_is_ours = _LOG_LEVEL not in os.environ
    os.environ.setdefault(_LOG_LEVEL, "1")
    failed = True

    def keep(written: bytes) -> bytes:
        shown = native_log().ingest(written)
        return written if failed else shown

    try:
        with stderr_filter(keep, native_log().write_past_capture):
            yield
            failed = False
    finally:
        if level_is_ours:
            # TensorFlow has read it; child processes must not inherit it.
            os.environ.pop(_LOG_LEVEL, None)


def require_tensorflow() -> None:
    """Import TensorFlow if it is not imported yet; `MissingTensorFlowError` says what to type where that fails."""
    if _TENSORFLOW not in sys.modules and importlib.util.find_spec(_TENSORFLOW) is None:
        msg = (
            "tfmagic needs TensorFlow and none is installed here: "
            "pip install 'tfmagic[cpu]' (or 'tfmagic[gpu]', or 'tfmagic[tensorflow]')"
        )
        raise MissingTensorFlowError(msg)
    try:
        version = str(_import_tensorflow().__version__)
    except (ImportError, AttributeError) as error:
        reason = str(error).strip().splitlines()
        msg = (
            "the TensorFlow that is installed here cannot be imported "
            f"({reason[0] if reason else type(error).__name__}): install it again, "
            "for example pip install --force-reinstall 'tfmagic[cpu]'"
        )
        raise MissingTensorFlowError(msg) from error
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < OLDEST:
        msg = f"tfmagic needs TensorFlow 2.16 or newer, this is {version}: pip install -U tensorflow"
        raise MissingTensorFlowError(msg)


def _import_tensorflow() -> ModuleType:
    # Also where a script has imported TensorFlow before: it reads the settings when it first takes memory.
    memory_policy().apply()
    if _TENSORFLOW in sys.modules:
        return sys.modules[_TENSORFLOW]
    with filtered_startup_lines(), libraries().phase(IMPORT):
        return importlib.import_module(_TENSORFLOW)
