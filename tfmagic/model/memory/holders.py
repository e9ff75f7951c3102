"""Which of the notebook's names keep the memory of a dropped model.

IPython keeps displayed values under names of its own, and where no name leads: these are
not released as a variable is.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.model.memory.reachability import Reachability, SearchLimitError, class_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# How many objects the first search from each name may look at.
_FIRST_SEARCH = 5_000
_LAST_TRACEBACK = "the last traceback"
_LAST = ("last_value", "last_traceback", *(("last_exc",) if sys.version_info >= (3, 12) else ()))
_RELEASE_IPYTHON_TRACEBACK = "get_ipython().InteractiveTB.tb = None"
_RELEASE_TRACEBACK = f"import sys; {' = '.join(f'sys.{name}' for name in _LAST)} = None"
_DISPLAYED = re.compile(r"_(\d+|_{0,2})")
# `%reset -f out` alone leaves `_` among the shell's hidden names, where it stays.
_RELEASE_DISPLAYED = "%reset -f out\n%xdel -n _\n%xdel -n __\n%xdel -n ___"
_KINDS = {
    ("keras", "Model"): "a Keras model",
    ("keras", "Layer"): "a Keras layer",
    ("keras", "BaseOptimizer"): "a Keras optimizer",
    ("keras", "_BaseOptimizer"): "a Keras optimizer",
    ("keras", "Callback"): "a Keras callback",
    ("keras", "KerasTensor"): "a Keras tensor",
    ("keras", "Variable"): "a Keras variable",
    ("tensorflow", "Graph"): "a tf.Graph",
    ("tensorflow", "Operation"): "a tf.Operation",
    ("tensorflow", "Tensor"): "a tf.Tensor",
    ("tensorflow", "Variable"): "a tf.Variable",
    ("tensorflow", "Function"): "a tf.function",
    ("tensorflow", "ConcreteFunction"): "a tf.function",
    ("tensorflow", "OwnedIterator"): "a tf.data iterator",
}


class HolderRecord(TypedDict):
    """A place in the notebook that keeps the memory.

    Attributes
    ----------
    name
        What a person calls the place: ``net``, ``Out[7]``, ``nets['a']``.
    kind
        What is there: ``a Keras model``, ``a list``. Empty where the search ended
        early: the place may hold the memory or not.
    release
        What to type to release the memory, as lines of a cell. Empty where the kind is.
    """

    name: str
    kind: str
    release: str


def held_in_notebook(targets: Sequence[object]) -> list[HolderRecord]:
    """Return what in the notebook keeps any of these objects."""
    # Where IPython runs it is imported already, and the notebook is the main module.
    ipython = sys.modules.get("IPython.core.getipython")
    shell = None if ipython is None else ipython.get_ipython()
    return holders(targets, vars(sys.modules["__main__"]), shell=shell)


def holders(targets: Sequence[object], namespace: Mapping[str, Any], *, shell: object = None) -> list[HolderRecord]:
    """Return what in a namespace, or in IPython's shell, keeps any of some objects, in the namespace's order."""
    return _Search(targets, namespace, shell).records() if targets else []


class _Search:
    def __init__(self, targets: Sequence[object], namespace: Mapping[str, Any], shell: object) -> None:
        self._names = {name: value for name, value in namespace.items() if type(name) is str}
        # Displayed values stay here, too, when the notebook deletes their names.
        self._hidden: dict[str, Any] = {} if shell is None else vars(shell).get("user_ns_hidden", {})
        self._traceback = getattr(getattr(shell, "InteractiveTB", None), "tb", None)
        self._out: dict[Any, Any] = self._names["_oh"] if type(self._names.get("_oh")) is dict else {}
        in_ipython = "_oh" in self._names
        self._display_names = {name for name in self._names if in_ipython and _DISPLAYED.fullmatch(name)}
        self._displayed: set[int] = set()
        boundary = (namespace, shell, self._names, self._hidden, self._out)
        self._reachability = Reachability(targets, boundary)
        self._reported: set[tuple[int, object]] = set()

    def records(self) -> list[HolderRecord]:
        places = list(self._places())
        holding: dict[int, bool] = {}
        for most in ((_FIRST_SEARCH,), ()):
            for number, (_, value, _) in enumerate(places):
                if number not in holding:
                    with suppress(SearchLimitError):
                        holding[number] = self._reachability.reaches(value, *most)
        records: dict[str, HolderRecord] = {}
        for number, (name, value, release) in enumerate(places):
            if number not in holding:
                records.setdefault(name, HolderRecord(name=name, kind="", release=""))
            elif holding[number]:
                self._report(records, name, value, release)
        return list(records.values())

    def _places(self) -> Iterator[tuple[str, Any, str | None]]:
        """Yield each place once: name, value, and what releases it where that is not ``del``."""
        displayed = [(f"Out[{key}]", value) for key, value in list(self._out.items())]
        displayed += [(name, self._names[name]) for name in self._names if name in self._display_names]
        for name, value in self._names.items():
            if value is self._out and name == "_oh":
                for label, output in displayed:
                    if id(output) not in self._displayed:
                        self._displayed.add(id(output))
                        yield label, output, None
            elif value is not self._out and name not in self._display_names:
                yield name, value, None
        for name, value in list(self._hidden.items()):
            if _DISPLAYED.fullmatch(name) and id(value) not in self._displayed:
                self._displayed.add(id(value))
                yield name, value, _RELEASE_DISPLAYED
        for name in _LAST:
            yield _LAST_TRACEBACK, getattr(sys, name, None), _RELEASE_TRACEBACK
        if self._traceback is not None:
            yield _LAST_TRACEBACK, self._traceback, _RELEASE_IPYTHON_TRACEBACK

    def _report(self, records: dict[str, HolderRecord], name: str, value: Any, release: str | None) -> None:
        if release is None and id(value) in self._displayed:
            release = self._release_displayed(value)
        if release is None:
            name, value, release, place = self._holding_item(name, value)
            if place in self._reported:
                return
            self._reported.add(place)
        record = records.get(name) or HolderRecord(name=name, kind="", release="")
        if release not in record["release"]:
            lines = f"{record['release']}\n{release}".strip()
            records[name] = HolderRecord(name=name, kind=record["kind"] or _kind(value), release=lines)

    def _release_displayed(self, value: Any) -> str:
        """Return what deletes a displayed value, which IPython also keeps where no name leads."""
        names = [name for name, other in self._names.items() if other is value]
        # `_3` rather than `_`, which is another value after the next display.
        names.sort(key=lambda name: (name in self._display_names, not name[1:].isdigit()))
        return f"%xdel {names[0]}" if names else _RELEASE_DISPLAYED

    def _holding_item(self, name: str, value: Any) -> tuple[str, Any, str, tuple[int, object]]:
        """Return the item inside a container that alone holds the memory, else the container.

        The result is its path, the item, what releases it, and an identity of the place.
        """
        whole: tuple[str, Any, str, tuple[int, object]] = (name, value, f"del {name}", (0, name))
        place = whole
        for _ in range(2):
            step = self._only_holding_item(value)
            if step is None:
                return place
            (key, item), container, (path, _, release, _) = step, value, place
            path = f"{path}[{key!r}]"
            if not issubclass(type(container), tuple):
                # No `del` from a list: where the list has two names, the second line would delete the next item.
                release = f"del {path}" if issubclass(type(container), dict) else f"{path} = None"
            value, place = item, (path, item, release, (id(container), key))
        return whole if self._only_holding_item(value) else place

    def _only_holding_item(self, container: Any) -> tuple[int | str, Any] | None:
        """Return key and value of the only item that holds the memory, where its key is short."""
        kind = type(container)
        if issubclass(kind, dict):
            items = list(dict.items(container))
        elif issubclass(kind, (list, tuple)):
            items = list(enumerate((list if issubclass(kind, list) else tuple).__iter__(container)))
        else:
            return None
        holding: list[tuple[Any, Any]] = []
        with suppress(SearchLimitError):
            reaches = self._reachability.reaches
            holding = [item for item in items if any(reaches(part, _FIRST_SEARCH) for part in reversed(item))]
        if len(holding) != 1:
            return None
        ((key, item),) = holding
        return (key, item) if type(key) is int or (type(key) is str and len(key) <= 20) else None


def _kind(value: object) -> str:
    for module, name in class_names(value):
        package = module.partition(".")[0].removeprefix("tf_")
        if (package, name) in _KINDS:
            return _KINDS[package, name]
    name = class_names(value)[0][1]
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"
