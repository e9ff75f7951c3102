"""The Python names of a room, with the notebook's behind them.

A cell runs over a real dict that holds both (a dict with ``__missing__`` fails in class bodies), refreshed from the
notebook before each run. The room's own names are those that its cells assign: comparing values would miss
``epochs = 5`` where the notebook's is 5, too.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

from tfmagic.errors import UnknownNameError, did_you_mean

_COMPREHENSIONS = {"<listcomp>", "<setcomp>", "<dictcomp>"}


class Namespace(dict[str, Any]):
    """The globals of a room's cells; ``own`` has the names that belong to the room, all others are the notebook's."""

    def __init__(self) -> None:
        super().__init__(__name__="__main__", __builtins__=builtins, __doc__=None)
        self.own: set[str] = set()
        self._bound: set[str] = set()
        self._lent: dict[str, Any] = {}
        self._called: set[str] = set()

    def __setitem__(self, name: str, value: Any) -> None:
        """Assign as a cell does: from now on the name is the room's."""
        if not (name.startswith("__") and name.endswith("__")):
            self.own.add(name)
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        """Delete as a cell does; the notebook's name shows again in the next cell."""
        super().__delitem__(name)
        self.own.discard(name)

    def bind(self, names: Mapping[str, Any]) -> None:
        """Bind what every room has for one run (``session``, ``graph``, ``this``), unless a cell assigned the name."""
        for name, value in names.items():
            if name in self.own:
                continue
            self._bound.add(name)
            super().__setitem__(name, value)

    def lend(self, notebook: Mapping[str, Any]) -> None:
        """Put the notebook's present names behind the room's own."""
        self._take_back()
        for name in list(notebook):
            if name in self.own or name in self._bound or (name.startswith("__") and name.endswith("__")):
                continue
            try:
                value = notebook[name]
            except KeyError:
                continue  # another thread has just deleted it
            self._lent[name] = value
            super().__setitem__(name, value)

    def _take_back(self, *, keep_for_functions: bool = False) -> None:
        """Remove the notebook's names, except those that the room's functions refer to if `keep_for_functions`."""
        kept: dict[str, Any] = {}
        for name, value in self._lent.items():
            if name in self.own:
                continue
            # A function of the room that says "global x" assigns past __setitem__.
            if name in self and self[name] is not value:
                self.own.add(name)
            elif keep_for_functions and name in self._called:
                kept[name] = value
            else:
                super().pop(name, None)
        self._lent = kept

    def note_functions(self, code: CodeType) -> None:
        """Note which global names the functions in `code` refer to."""
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                if constant.co_name not in _COMPREHENSIONS:
                    self._called.update(constant.co_names)
                self.note_functions(constant)

    def end_run(self) -> None:
        """Count names that appeared without being assigned here as the room's own, and remove all others."""
        for name in self:
            if name not in self._lent and name not in self._bound and not name.startswith("__"):
                self.own.add(name)
        # The cell may have put another object under a bound name.
        self.own -= {name for name in self._bound if name not in self}
        self._take_back(keep_for_functions=True)
        for name in self._bound - self.own:
            super().pop(name, None)
        self._bound.clear()


class Names(Mapping[str, Any]):
    """A room's own names, read-only."""

    def __init__(self, model: str, namespace: Namespace) -> None:
        self._model, self._namespace = model, namespace

    def __getitem__(self, name: str) -> Any:
        """Return the object of that name."""
        if name in self._namespace.own and name in self._namespace:
            return self._namespace[name]
        msg = f"the room of {self._model} has no name {name!r}{did_you_mean(name, self)}"
        raise UnknownNameError(msg)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, in the order of their first assignment."""
        # Over a list: a cell may be running in the room now.
        return (name for name in list(self._namespace) if name in self._namespace.own)

    def __len__(self) -> int:
        """Return how many names the room has."""
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        """List the names."""
        return f"<names of {self._model}: {', '.join(self) or 'none'}>"
