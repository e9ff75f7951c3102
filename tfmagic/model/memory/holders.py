"""Which of the notebook's names keep the memory of a dropped model alive.

IPython has names of its own for what was displayed, and keeps it where no name
leads, too: what to type to let go is not the same as for a variable.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.model.memory.reachability import EnoughError, Reach, lineage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# What one name may cost before all others have been looked at.
_SHARE = 5_000
_LAST_TRACEBACK = "the last traceback"
_LAST = ("last_value", "last_traceback", *(("last_exc",) if sys.version_info >= (3, 12) else ()))
_LET_GO_OF_IPYTHONS_LAST = "get_ipython().InteractiveTB.tb = None"
_LET_GO_OF_LAST = f"import sys; {' = '.join(f'sys.{name}' for name in _LAST)} = None"
_IPYTHONS = re.compile(r"_(\d+|_{0,2})")
# `%reset -f out` alone leaves `_` among the shell's hidden names, and it is never set again.
_LET_GO_OF_HIDDEN = "%reset -f out\n%xdel -n _\n%xdel -n __\n%xdel -n ___"
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
    """One place that keeps the memory.

    Attributes
    ----------
    name
        What a person calls it: ``net``, ``Out[7]``, ``nets['a']``.
    kind
        What it is: ``a Keras model``, ``a list``. Empty where the search ended
        before it was through with it: then it may hold the memory or not.
    release
        What to type to let go, lines of a cell. Empty where the kind is.
    """

    name: str
    kind: str
    release: str


def holders(targets: Sequence[object], namespace: Mapping[str, Any], *, shell: object = None) -> list[HolderRecord]:
    """Return what in the notebook keeps any of some objects alive, in its order.

    Parameters
    ----------
    targets
        The objects, say a graph, a Keras model and variables.
    namespace
        The notebook's names.
    shell
        IPython's, where there is one: what it holds by itself is blamed on no name
        that leads to it.
    """
    return _Search(targets, namespace, shell).records() if targets else []


class _Search:
    def __init__(self, targets: Sequence[object], namespace: Mapping[str, Any], shell: object) -> None:
        self._names = {name: value for name, value in namespace.items() if type(name) is str}
        # What was displayed stays here, too, whatever the notebook deletes.
        self._hidden: dict[str, Any] = {} if shell is None else vars(shell).get("user_ns_hidden", {})
        self._traceback = getattr(getattr(shell, "InteractiveTB", None), "tb", None)
        self._out: dict[Any, Any] = self._names["_oh"] if type(self._names.get("_oh")) is dict else {}
        in_ipython = "_oh" in self._names
        self._ipythons = {name for name in self._names if in_ipython and _IPYTHONS.fullmatch(name)}
        self._displayed: set[int] = set()
        ends = (namespace, shell, self._names, self._hidden, self._out)
        self._reach = Reach(targets, ends)
        self._told: set[tuple[int, object]] = set()

    def records(self) -> list[HolderRecord]:
        places = list(self._places())
        found: dict[int, bool] = {}
        for share in ((_SHARE,), ()):
            for number, (_, value, _) in enumerate(places):
                if number not in found:
                    with suppress(EnoughError):
                        found[number] = self._reach.leads(value, *share)
        records: dict[str, HolderRecord] = {}
        for number, (name, value, release) in enumerate(places):
            if number not in found:
                records.setdefault(name, HolderRecord(name=name, kind="", release=""))
            elif found[number]:
                self._tell(records, name, value, release)
        return list(records.values())

    def _places(self) -> Iterator[tuple[str, Any, str | None]]:
        """Yield every place once, with what lets go of it where its name alone does not say."""
        shown = [(f"Out[{key}]", value) for key, value in list(self._out.items())]
        shown += [(name, self._names[name]) for name in self._names if name in self._ipythons]
        for name, value in self._names.items():
            if value is self._out and name == "_oh":
                for label, one in shown:
                    if id(one) not in self._displayed:
                        self._displayed.add(id(one))
                        yield label, one, None
            elif value is not self._out and name not in self._ipythons:
                yield name, value, None
        for name, value in list(self._hidden.items()):
            if _IPYTHONS.fullmatch(name) and id(value) not in self._displayed:
                self._displayed.add(id(value))
                yield name, value, _LET_GO_OF_HIDDEN
        for name in _LAST:
            yield _LAST_TRACEBACK, getattr(sys, name, None), _LET_GO_OF_LAST
        if self._traceback is not None:
            yield _LAST_TRACEBACK, self._traceback, _LET_GO_OF_IPYTHONS_LAST

    def _tell(self, records: dict[str, HolderRecord], name: str, value: Any, release: str | None) -> None:
        if release is None and id(value) in self._displayed:
            release = self._deleted(value)
        if release is None:
            name, value, release, told = self._within(name, value)
            if told in self._told:
                return
            self._told.add(told)
        known = records.get(name) or HolderRecord(name=name, kind="", release="")
        if release not in known["release"]:
            lines = f"{known['release']}\n{release}".strip()
            records[name] = HolderRecord(name=name, kind=known["kind"] or _kind(value), release=lines)

    def _deleted(self, value: Any) -> str:
        """Return what deletes a value that was displayed: IPython keeps it in places that have no name."""
        names = [name for name, one in self._names.items() if one is value]
        # `_3` rather than `_`, which is another's after the next display.
        names.sort(key=lambda name: (name in self._ipythons, not name[1:].isdigit()))
        return f"%xdel {names[0]}" if names else _LET_GO_OF_HIDDEN

    def _within(self, name: str, value: Any) -> tuple[str, Any, str, tuple[int, object]]:
        """Return where in a container the one thing is that holds, if that is near; last what tells it from others."""
        whole: tuple[str, Any, str, tuple[int, object]] = (name, value, f"del {name}", (0, name))
        place = whole
        for _ in range(2):
            step = self._step(value)
            if step is None:
                return place
            (key, item), holder, (path, _, release, _) = step, value, place
            path = f"{path}[{key!r}]"
            if not issubclass(type(holder), tuple):
                # Not `del` in a list: where it has two names, the second would delete the next one.
                release = f"del {path}" if issubclass(type(holder), dict) else f"{path} = None"
            value, place = item, (path, item, release, (id(holder), key))
        return whole if self._step(value) else place

    def _step(self, holder: Any) -> tuple[int | str, Any] | None:
        """Return the only item of a container that holds, where its key is short."""
        kind = type(holder)
        if issubclass(kind, dict):
            items = list(dict.items(holder))
        elif issubclass(kind, (list, tuple)):
            items = list(enumerate((list if issubclass(kind, list) else tuple).__iter__(holder)))
        else:
            return None
        held: list[tuple[Any, Any]] = []
        with suppress(EnoughError):
            held = [item for item in items if any(self._reach.leads(one, _SHARE) for one in reversed(item))]
        if len(held) != 1:
            return None
        ((key, item),) = held
        return (key, item) if type(key) is int or (type(key) is str and len(key) <= 20) else None


def _kind(value: object) -> str:
    for module, name in lineage(value):
        package = module.partition(".")[0].removeprefix("tf_")
        if (package, name) in _KINDS:
            return _KINDS[package, name]
    name = lineage(value)[0][1]
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


def held_in_notebook(targets: Sequence[object]) -> list[HolderRecord]:
    """Return what of the notebook keeps any of these objects alive."""
    # Where IPython runs it is imported already, and its names are the main module's.
    ipython = sys.modules.get("IPython.core.getipython")
    shell = None if ipython is None else ipython.get_ipython()
    return holders(targets, vars(sys.modules["__main__"]), shell=shell)
