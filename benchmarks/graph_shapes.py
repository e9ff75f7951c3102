"""Graphs of any number of nodes, in the shapes that a step with a hidden square in it would find slow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FLOAT, BOOL = tf.float32.as_datatype_enum, tf.bool.as_datatype_enum
SIZE = 2
_ARMS = 4
_DEPTH = 50


class Shaped(NamedTuple):
    """A ``GraphDef``, and values for its placeholders by name."""

    definition: Any
    feeds: Mapping[str, np.ndarray]


class _Graph:
    def __init__(self) -> None:
        self.definition = tf.compat.v1.GraphDef()
        self.feeds: dict[str, np.ndarray] = {}

    def add(self, name: str, op: str, inputs: Iterable[str] = (), dtype: int | None = FLOAT, count: int = 0) -> str:
        node = self.definition.node.add(name=name, op=op, input=inputs)
        if dtype is not None:
            node.attr["T"].type = dtype
        if count:
            node.attr["N"].i = count
        return name

    def placeholder(self, name: str, value: np.ndarray) -> str:
        node = self.definition.node.add(name=name, op="Placeholder")
        node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(value.shape).as_proto())
        self.feeds[name] = value
        return name

    def numbers(self, name: str) -> str:
        return self.placeholder(name, np.ones(SIZE, np.float32))


def _chain(graph: _Graph, count: int) -> None:
    last = graph.numbers("x")
    for number in range(count):
        last = graph.add(f"i{number}", "Identity", [last])


def _ends_of_a_chain(graph: _Graph, count: int) -> None:
    _chain(graph, count // 2)
    for number in range(count // 2):
        graph.add(f"y{number}", "Neg", [f"i{count // 2 - 1}"])


def _many_inputs(graph: _Graph, count: int) -> None:
    for number in range(count // 2):
        graph.add(f"y{number}", "Neg", [graph.numbers(f"x{number}")])


def _sums(graph: _Graph, count: int) -> None:
    last = graph.numbers("x0")
    for number in range(1, count // 2):
        last = graph.add(f"y{number}", "AddV2", [last, graph.numbers(f"x{number}")])


def _operations_without_tensors(graph: _Graph, count: int) -> None:
    graph.add("y", "Neg", [graph.numbers("x")])
    for number in range(count):
        graph.add(f"n{number}", "NoOp", dtype=None)


def _control_inputs(graph: _Graph, count: int) -> None:
    last = graph.numbers("x")
    for number in range(count):
        last = graph.add(f"n{number}", "NoOp", [f"^{last}"], dtype=None)
    graph.add("y", "Neg", ["x", f"^{last}"])


def _fan(graph: _Graph, count: int) -> None:
    x = graph.numbers("x")
    graph.add("y", "AddN", [graph.add(f"i{number}", "Neg", [x]) for number in range(count)], count=count)


def _branches(graph: _Graph, count: int) -> None:
    last, condition = graph.numbers("x"), graph.placeholder("p", np.array(True))  # noqa: FBT003 - an array's value
    for number in range(count // _ARMS):
        switch = graph.add(f"c{number}/Switch", "Switch", [last, condition])
        arms = [
            graph.add(f"c{number}/{arm}", op, [f"{switch}:{side}"])
            for side, (arm, op) in enumerate((("no", "Identity"), ("yes", "Neg")))
        ]
        last = graph.add(f"c{number}/Merge", "Merge", arms, count=2)


def _scopes(graph: _Graph, count: int) -> None:
    last = graph.numbers("x")
    for number in range(count):
        last = graph.add("a/" * (number % _DEPTH) + f"i{number}", "Identity", [last])


SHAPES = {
    "a chain": _chain,
    "a chain with many ends": _ends_of_a_chain,
    "inputs with an output each": _many_inputs,
    "a sum of many inputs": _sums,
    "operations without tensors": _operations_without_tensors,
    "a chain of control inputs": _control_inputs,
    "a fan": _fan,
    "branches in a row": _branches,
    "names in deep scopes": _scopes,
}


def shaped(shape: str, count: int) -> Shaped:
    """Return a graph of about `count` nodes."""
    graph = _Graph()
    SHAPES[shape](graph, count)
    return Shaped(graph.definition, graph.feeds)
