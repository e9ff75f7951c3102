"""Edges of a GraphDef are taken apart, followed, renamed and removed."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tfmagic.graphdef.walk import (
    ancestors,
    descendants,
    free_name,
    output_index,
    producer,
    redirect_inputs,
    remove_nodes,
)


def graph(**inputs: list[str]) -> Any:
    definition = tf.compat.v1.GraphDef()
    for name, edges in inputs.items():
        definition.node.add(name=name, op="NoOp", input=edges)
    return definition


def by_name(definition: Any) -> dict[str, Any]:
    return {node.name: node for node in definition.node}


@pytest.mark.parametrize(
    ("edge", "name", "index"), [("^a", "a", 0), ("a", "a", 0), ("a/b:2", "a/b", 2), ("call:output:3", "call", 3)]
)
def test_an_edge_has_a_producer_and_an_output(edge: str, name: str, index: int) -> None:
    assert (producer(edge), output_index(edge)) == (name, index)


def test_what_a_node_depends_on_and_what_depends_on_it_are_found_also_in_a_circle() -> None:
    nodes = by_name(graph(a=[], b=["a:1", "^c"], c=["d"], d=["c", "argument"], e=["b"]))
    assert ancestors(nodes, ["b:0"]) == {"a", "b", "c", "d"}
    assert ancestors(nodes, ["b"], controls=False) == {"a", "b"}
    assert descendants(nodes, ["c"]) == {"b", "c", "d", "e"}


def test_a_name_in_use_gets_a_number() -> None:
    assert free_name("x", {"y"}) == "x"
    assert free_name("x", {"x", "x_1"}) == "x_2"


def test_inputs_are_redirected_whatever_they_carry() -> None:
    definition = graph(a=[], b=["a", "^a", "a:1", "aa:1", "a/a"])
    redirect_inputs(definition.node, {"a": "new"})
    assert list(by_name(definition)["b"].input) == ["new", "^new", "new:1", "aa:1", "a/a"]


def test_nodes_are_removed_in_place() -> None:
    definition = graph(a=[], b=[], c=[])
    remove_nodes(definition.node, lambda node: node.name != "b")
    assert list(by_name(definition)) == ["b"]
