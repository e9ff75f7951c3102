"""Knows when the notebook imports TensorFlow, so that what came with it is told from what came beside it."""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import re
import sys
from typing import TYPE_CHECKING, Any

from tfmagic.core.process import once
from tfmagic.errors import MissingTensorFlowError
from tfmagic.runtime.libraries.shared_objects import IMPORT
from tfmagic.runtime.libraries.timeline import libraries
from tfmagic.runtime.memory.policy import memory_policy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


_WATCHED = "tensorflow"


class TensorFlowFinder:
    """Finds TensorFlow as the other finders do, and notes what its import loads; nothing else concerns it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what the finders after this one find, to be loaded as an occasion."""
        if fullname != _WATCHED or path is not None:
            return None
        for finder in list(sys.meta_path):
            found = (
                None
                if _is_ours(finder) or not hasattr(finder, "find_spec")
                else finder.find_spec(fullname, path, target)
            )
            if found is not None:
                if hasattr(found.loader, "exec_module"):
                    found.loader = _Noting(found.loader)  # type: ignore[assignment]  # not of its class, whose module is slow
                return found
        return None


class _Noting:
    """A module's own loader, with a look at the libraries before and after."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        """Be the module's own loader in all else."""
        if name == "_loader":
            raise AttributeError(name)
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Make the module as its own loader does."""
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code; from here on its loader is its own again."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        with libraries().occasion(IMPORT):
            self._loader.exec_module(module)
        # TensorFlow's autograph knows builtins by their ids as they were just now, and ipykernel puts an `input`
        # of its own there for the length of a cell: freed, its id could become that of a person's method.
        once("builtins at the import", lambda: tuple(vars(builtins).values()))
        from tfmagic.runtime.startup.thread_pools import thread_counts

        thread_counts().apply()


def _is_ours(finder: object) -> bool:
    # By name: after a reload, one that a former load left is of the class as it was.
    return (type(finder).__module__, type(finder).__name__) == (TensorFlowFinder.__module__, TensorFlowFinder.__name__)


def watch_import() -> None:
    """Note what an import of TensorFlow loads, from now on."""
    ignore_import()
    sys.meta_path.insert(0, TensorFlowFinder())


def ignore_import() -> None:
    """Leave imports alone again."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not _is_ours(finder)]


OLDEST = (2, 16)
"""The first TensorFlow whose Keras is Keras 3, which is what tfmagic supports."""

LITE_IS_SOUND = frozenset({(2, 19), (2, 20), (2, 21)})
"""The versions of which it is known that their ``tf.lite.Interpreter`` does no harm to the process."""


def _imported() -> ModuleType:
    # Also where a script has imported TensorFlow before: it reads the settings when it first takes memory.
    memory_policy().apply()
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    from tfmagic.runtime.native_log.stderr_filter import without_banners

    with without_banners(), libraries().occasion(IMPORT):
        return importlib.import_module("tensorflow")


def require_tensorflow() -> None:
    """Import TensorFlow if it is not imported yet.

    Raises
    ------
    MissingTensorFlowError
        When no TensorFlow is installed, when it is older than 2.16, or when the
        one that is installed cannot be imported; the message says what to type.
    """
    if "tensorflow" not in sys.modules and importlib.util.find_spec("tensorflow") is None:
        msg = (
            "tfmagic needs TensorFlow and none is installed here: "
            "pip install 'tfmagic[cpu]' (or 'tfmagic[gpu]', or 'tfmagic[tensorflow]')"
        )
        raise MissingTensorFlowError(msg)
    try:
        version = str(_imported().__version__)
    except (ImportError, AttributeError) as error:
        reason = str(error).strip().splitlines()
        msg = (
            "the TensorFlow that is installed here cannot be imported "
            f"({reason[0] if reason else type(error).__name__}): install it again, "
            "for example pip install --force-reinstall 'tfmagic[cpu]'"
        )
        raise MissingTensorFlowError(msg) from error
    found = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if found < OLDEST:
        msg = f"tfmagic needs TensorFlow 2.16 or newer, this is {version}: pip install -U tensorflow"
        raise MissingTensorFlowError(msg)
