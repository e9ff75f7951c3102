"""Knows when the notebook imports TensorFlow, so that what came with it is told from what came beside it."""

from __future__ import annotations

import builtins
import sys
from importlib.abc import Loader, MetaPathFinder
from typing import TYPE_CHECKING, Any

from tfmagic.runtime.arrival import IMPORT
from tfmagic.runtime.libraries import libraries
from tfmagic.runtime.process import once
from tfmagic.runtime.thread_counts import thread_counts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_WATCHED = "tensorflow"


class TensorFlowFinder(MetaPathFinder):
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
                    found.loader = _Noting(found.loader)
                return found
        return None


class _Noting(Loader):
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
