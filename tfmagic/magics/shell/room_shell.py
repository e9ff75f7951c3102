"""The shell that a cell in a room sees: its magics work on the room's names.

``%time`` and ``%timeit`` run code over ``shell.user_ns``, beside the caller's names. In a
room, comprehensions would not find the room's names, and ``%timeit`` would leave all of
them in the notebook. So ``get_ipython()`` returns this shell in a room, with the room's
names as ``user_ns``. The notebook's shell stays as it is for functions and other threads.
"""

from __future__ import annotations

import sys
from collections import ChainMap
from copy import copy
from types import MethodType
from typing import TYPE_CHECKING, Any, cast

from IPython.core.magic import Magics

from tfmagic.execution.room.namespace import Namespace
from tfmagic.magics.ipython.older import with_attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell


class RoomShell:
    """A shell with a room's names; everything else is the notebook's shell."""

    def __init__(self, shell: Any, names: Namespace) -> None:
        self._shell = shell
        self.user_ns = names

    def __getattr__(self, name: str) -> Any:
        """Return the shell's own attribute."""
        return getattr(self._shell, name)

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        """Run a line magic, as the shell does."""
        return type(self._shell).run_line_magic(self, magic_name, line, _stack_depth + 1)

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """Run a cell magic, as the shell does."""
        return type(self._shell).run_cell_magic(self, magic_name, line, cell)

    def find_line_magic(self, magic_name: str) -> Any:
        """Return a line magic that works on this room's names."""
        return self._of_this_room(self._shell.find_line_magic(magic_name))

    def find_cell_magic(self, magic_name: str) -> Any:
        """Return a cell magic that works on this room's names."""
        return self._of_this_room(self._shell.find_cell_magic(magic_name))

    def _find_with_lazy_load(self, kind: str, magic_name: str) -> Any:
        """Return a magic that works on this room's names; IPython 9 calls this."""
        return self._of_this_room(self._shell._find_with_lazy_load(kind, magic_name))  # noqa: SLF001 - its own

    def _ofind(self, oname: str, namespaces: Any = None) -> Any:
        """Find what ``name?`` means: a name of the room, else one of the notebook."""
        find = self._shell._ofind  # noqa: SLF001 - its own
        info = with_attributes(find(oname, namespaces or [("Room", self.user_ns)]))
        return info if info.found or namespaces else with_attributes(find(oname))

    def _object_find(self, oname: str, namespaces: Any = None) -> Any:
        return self._ofind(oname, namespaces)

    def _inspect(self, meth: str, oname: str, namespaces: Any = None, **options: Any) -> Any:
        """Show what ``name?`` and its relatives find, as the shell does."""
        return type(self._shell)._inspect(self, meth, oname, namespaces, **options)  # noqa: SLF001 - its own

    @property
    def ns_table(self) -> dict[str, Any]:
        """The names in which ``%psearch`` looks."""
        return {**self._shell.ns_table, "user_global": self.user_ns, "user_local": self.user_ns}

    def _of_this_room(self, magic: Any) -> Any:
        owner: Any = getattr(magic, "__self__", None)
        # tfmagic's own magics handle rooms themselves.
        if not isinstance(owner, Magics) or getattr(owner, "knows_rooms", False):
            return magic
        # A copy: another thread may use the magic in another room meanwhile.
        mine = copy(owner)
        mine.shell = cast("Any", self)
        return MethodType(magic.__func__, mine)


def names_for_a_room(shell: InteractiveShell) -> Mapping[str, Any]:
    """Return the notebook's names for a room, with a ``get_ipython`` that returns the room's shell there."""

    def get_ipython() -> Any:
        names = sys._getframe(1).f_globals  # noqa: SLF001 - as IPython looks for its caller
        return RoomShell(shell, names) if isinstance(names, Namespace) else shell

    return ChainMap({"get_ipython": get_ipython}, shell.user_ns)
