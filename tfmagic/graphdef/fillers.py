"""Operations that fill the tables and iterators of a graph, which somebody has to run once before they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.graphdef.op_types import PLACEHOLDERS
from tfmagic.graphdef.walk import ancestors, data_inputs, producer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

# By type, the input with the handle of what is filled.
_FILLS = {
    **dict.fromkeys(("InitializeTable", "InitializeTableV2", "InitializeTableFromDataset"), 0),
    **dict.fromkeys(("InitializeTableFromTextFile", "InitializeTableFromTextFileV2"), 0),
    **dict.fromkeys(("LookupTableImport", "LookupTableImportV2"), 0),
    "MakeIterator": 1,
}
_IMPORTS = {"LookupTableImport", "LookupTableImportV2"}
_STATIC = {"HashTable", "HashTableV2"}
_NEEDS_MORE = PLACEHOLDERS | {"Restore", "RestoreSlice", "RestoreV2"}


def fillers_of(
    nodes: Mapping[str, Any], tensors: Iterable[str], *, given: Collection[str] = (), assets: Collection[str] = ()
) -> list[str]:
    """Return the nodes that fill what these tensors depend on, when `given` is fed; `assets` are fed to a filler."""
    fillers = [name for name, node in nodes.items() if node.op in _FILLS]
    if not fillers:
        return []
    needed = _needed(nodes, tensors, given)
    return [name for name in fillers if _fills(nodes, nodes[name], needed) and not _needs_more(nodes, name, assets)]


def fills_needed(nodes: Mapping[str, Any], initialiser: str, tensors: Iterable[str]) -> bool:
    """Return whether an initialiser fills what these tensors depend on; of an unknown kind it does."""
    fillers = [nodes[name] for name in ancestors(nodes, [initialiser]) if nodes[name].op in _FILLS]
    needed = ancestors(nodes, tensors)
    return not fillers or any(_handle(nodes, node) in needed for node in fillers)


def _needed(nodes: Mapping[str, Any], tensors: Iterable[str], given: Collection[str]) -> set[str]:
    """Return the nodes that run for these tensors; an input of another output than the first is never cut off."""
    cut = {producer(name) for name in given if not name.partition(":")[2].strip("0")}
    open_nodes = {name: node for name, node in nodes.items() if name not in cut}
    return ancestors(open_nodes, tensors)


def _fills(nodes: Mapping[str, Any], node: Any, needed: Collection[str]) -> bool:
    handle = _handle(nodes, node)
    # Into other tables a run imports; those that are static get their one content.
    return handle in needed and (node.op not in _IMPORTS or nodes[handle].op in _STATIC)


def _handle(nodes: Mapping[str, Any], node: Any) -> str:
    name = producer(data_inputs(node)[_FILLS[node.op]])
    while name in nodes and nodes[name].op == "Identity":
        name = producer(nodes[name].input[0])
    return name


def _needs_more(nodes: Mapping[str, Any], name: str, assets: Collection[str]) -> bool:
    """Return whether a filler takes what only a person could give."""
    fed = {producer(asset) for asset in assets}
    return any(nodes[one].op in _NEEDS_MORE and one not in fed for one in ancestors(nodes, [name]))
