# ruff: noqa: ARG001 - each mutation takes the nodes, the graph and the chance, whichever it needs
"""Structural mutations of GraphDefs, MetaGraphDefs and SavedModels: names, operations, attributes, shapes, cycles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorflow.core.framework import graph_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

_SIZES = (-2, -1, 0, 1, 2, 10**6, 10**9, 2**31, 2**40, 2**62)
_TYPES = [number for number in types_pb2.DataType.values() if 0 < number < 100]
_OPERATIONS = (
    *("Identity", "NoOp", "Const", "Placeholder", "VariableV2", "VarHandleOp", "MatMul", "Switch", "Merge"),
    *("Enter", "Exit", "NextIteration", "While", "If", "StatefulPartitionedCall", "PyFunc", "ReadFile", "Fill"),
    *("RestoreV2", "HashTableV2", "RandomUniform", "Abort", "Reshape", "Tile", "Range", "SomeContribOp", ""),
)
_NAMES = ("", "a:0", "^a", "a/b/c", "x", "é", "_", "a" * 5000, "../a", "y:0:0")


def mutate_saved_model(data: bytes, chance: random.Random) -> bytes:
    """Return the file of a mutated SavedModel."""
    model = saved_model_pb2.SavedModel.FromString(data)
    meta = model.meta_graphs[0]
    if chance.random() < 0.05:
        model.meta_graphs.add().CopyFrom(meta)
    _meta_graph(meta, chance)
    return bytes(model.SerializeToString())


def mutate_meta_graph(data: bytes, chance: random.Random) -> bytes:
    """Return the file of a mutated MetaGraphDef."""
    meta = meta_graph_pb2.MetaGraphDef.FromString(data)
    _meta_graph(meta, chance)
    return bytes(meta.SerializeToString())


def mutate_graph(data: bytes, chance: random.Random) -> bytes:
    """Return the file of a mutated GraphDef."""
    graph = graph_pb2.GraphDef.FromString(data)
    _graph(graph, chance)
    return bytes(graph.SerializeToString())


def mutate_graph_text(data: bytes, chance: random.Random) -> bytes:
    """Return the file of a mutated GraphDef in text form."""
    from google.protobuf import text_format

    graph = graph_pb2.GraphDef()
    text_format.Parse(data.decode(), graph)
    _graph(graph, chance)
    text = text_format.MessageToString(graph)
    if chance.random() < 0.1:
        lines = text.splitlines()
        lines.insert(chance.randrange(len(lines)), chance.choice(("}", "node {", 'name: "', "size: 1e400", "\x00")))
        text = "\n".join(lines)
    return bytes(text.encode())


def _meta_graph(meta: Any, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 4))):
        chance.choices(
            (_of_graph, _of_signature, _of_collection, _of_saver, _of_objects, _of_info),
            (6, 2, 2, 1, 1, 1),
        )[0](meta, chance)


def _of_graph(meta: Any, chance: random.Random) -> None:
    _graph(meta.graph_def, chance)


def _of_signature(meta: Any, chance: random.Random) -> None:
    if not meta.signature_def:
        return
    key = chance.choice(sorted(meta.signature_def))
    signature = meta.signature_def[key]
    ends = chance.choice((signature.inputs, signature.outputs))
    choice = chance.randrange(6)
    if choice == 0:
        meta.signature_def[chance.choice(_NAMES)].CopyFrom(signature)
        return
    if choice == 1 or not ends:
        del meta.signature_def[key]
        return
    name = chance.choice(sorted(ends))
    if choice == 2:
        ends[name].name = chance.choice(_names(meta.graph_def) + list(_NAMES))
    elif choice == 3:
        ends[name].dtype = chance.choice(_TYPES)
    elif choice == 4:
        _shape(ends[name].tensor_shape, chance)
    else:
        ends[chance.choice(_NAMES)].CopyFrom(ends[name])


def _of_collection(meta: Any, chance: random.Random) -> None:
    if not meta.collection_def or chance.random() < 0.2:
        entry = meta.collection_def[chance.choice(("variables", "table_initializer", "saved_model_main_op", "other"))]
        entry.node_list.value.append(chance.choice(_names(meta.graph_def) + list(_NAMES)))
        return
    key = chance.choice(sorted(meta.collection_def))
    entry = meta.collection_def[key]
    if chance.random() < 0.3:
        del meta.collection_def[key]
    elif entry.bytes_list.value:
        at = chance.randrange(len(entry.bytes_list.value))
        entry.bytes_list.value[at] = chance.choice((b"", b"\xff" * 20, entry.bytes_list.value[at] + b"\x0a\xff"))
    elif entry.node_list.value:
        entry.node_list.value[0] = chance.choice(_names(meta.graph_def) + list(_NAMES))


def _of_saver(meta: Any, chance: random.Random) -> None:
    field = chance.choice(("filename_tensor_name", "save_tensor_name", "restore_op_name"))
    setattr(meta.saver_def, field, chance.choice(_names(meta.graph_def) + list(_NAMES)))


def _of_objects(meta: Any, chance: random.Random) -> None:
    nodes = meta.object_graph_def.nodes
    if not nodes:
        return
    node = chance.choice(nodes)
    if node.children and chance.random() < 0.7:
        child = chance.choice(node.children)
        child.node_id = chance.choice((0, len(nodes), -1, 10**6, chance.randrange(len(nodes))))
    else:
        node.ClearField("kind") if hasattr(node, "kind") else node.Clear()


def _of_info(meta: Any, chance: random.Random) -> None:
    tags = meta.meta_info_def.tags
    if chance.random() < 0.5:
        del tags[:]
    else:
        tags.append(chance.choice(_NAMES))


def _graph(graph: Any, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        bodies = [graph.node, *(function.node_def for function in graph.library.function)]
        nodes = chance.choice([body for body in bodies if body] or [graph.node])
        if nodes:
            chance.choice(_MUTATIONS)(nodes, graph, chance)


def _rename(nodes: Any, graph: Any, chance: random.Random) -> None:
    chance.choice(nodes).name = chance.choice([*_NAMES, *(node.name for node in nodes)])


def _change_operation(nodes: Any, graph: Any, chance: random.Random) -> None:
    functions = [function.signature.name for function in graph.library.function]
    chance.choice(nodes).op = chance.choice([*_OPERATIONS, *functions, *(node.op for node in nodes)])


def _redirect(nodes: Any, graph: Any, chance: random.Random) -> None:
    node = chance.choice(nodes)
    other = chance.choice(nodes).name
    target = chance.choice((other, f"{other}:1", f"{other}:{10**9}", f"^{other}", node.name, chance.choice(_NAMES)))
    if node.input and chance.random() < 0.8:
        node.input[chance.randrange(len(node.input))] = target
    else:
        node.input.append(target)


def _drop_input(nodes: Any, graph: Any, chance: random.Random) -> None:
    node = chance.choice(nodes)
    if node.input:
        del node.input[chance.randrange(len(node.input))]


def _delete(nodes: Any, graph: Any, chance: random.Random) -> None:
    del nodes[chance.randrange(len(nodes))]


def _duplicate(nodes: Any, graph: Any, chance: random.Random) -> None:
    node = chance.choice(nodes)
    copies = chance.choice((1, 1, 300))
    for number in range(copies):
        copy = nodes.add()
        copy.CopyFrom(node)
        copy.name = f"{node.name}_copy{number}" if chance.random() < 0.9 else node.name


def _device(nodes: Any, graph: Any, chance: random.Random) -> None:
    devices = ("/job:ps/task:0", "/gpu:7", "/device:TPU:0", "nonsense", "/cpu:0")
    chance.choice(nodes).device = chance.choice(devices)


def _attribute(nodes: Any, graph: Any, chance: random.Random) -> None:
    holders = [node for node in nodes if node.attr]
    if not holders:
        return
    node = chance.choice(holders)
    name = chance.choice(sorted(node.attr))
    value = node.attr[name]
    choice = chance.randrange(5)
    if choice == 0:
        del node.attr[name]
    elif choice == 1:
        value.CopyFrom(chance.choice([other.attr[chance.choice(sorted(other.attr))] for other in holders]))
    elif choice == 2:
        node.attr[chance.choice(("T", "dtype", "shape", "value", "f", "_class", "N", "axis"))].CopyFrom(value)
    else:
        _value(value, graph, chance)


def _value(value: Any, graph: Any, chance: random.Random) -> None:
    kind = value.WhichOneof("value")
    if kind == "type":
        value.type = chance.choice(_TYPES)
    elif kind == "i":
        value.i = chance.choice(_SIZES)
    elif kind == "shape":
        _shape(value.shape, chance)
    elif kind == "tensor":
        _tensor(value.tensor, chance)
    elif kind == "func":
        names = [function.signature.name for function in graph.library.function]
        value.func.name = chance.choice([*names, "missing", ""])
    elif kind == "s":
        value.s = chance.choice((b"", b"\xff", b"loc:@missing", b"a" * 100_000))
    elif kind == "list":
        value.list.i.extend([chance.choice(_SIZES)] * chance.choice((1, 50)))
    elif kind == "b":
        value.b = not value.b


def _shape(shape: Any, chance: random.Random) -> None:
    choice = chance.randrange(4)
    if choice == 0:
        shape.unknown_rank = True
    elif choice == 1 and shape.dim:
        chance.choice(shape.dim).size = chance.choice(_SIZES)
    elif choice == 2:
        for _ in range(chance.choice((1, 5, 300))):
            shape.dim.add().size = chance.choice(_SIZES)
    else:
        del shape.dim[:]


def _tensor(tensor: Any, chance: random.Random) -> None:
    choice = chance.randrange(4)
    if choice == 0:
        _shape(tensor.tensor_shape, chance)
    elif choice == 1:
        tensor.dtype = chance.choice(_TYPES)
    elif choice == 2:
        tensor.tensor_content = tensor.tensor_content[: chance.randrange(8)] + b"\xff" * chance.randrange(8)
    else:
        tensor.float_val.append(float("nan"))
        tensor.int_val.append(chance.choice((-1, 0, 2**31 - 1)))


def _recursion(nodes: Any, graph: Any, chance: random.Random) -> None:
    if not graph.library.function:
        return
    function = chance.choice(graph.library.function)
    node = function.node_def.add() if chance.random() < 0.5 else nodes.add()
    node.name, node.op = f"again{chance.randrange(1000)}", "StatefulPartitionedCall"
    node.attr["f"].func.name = function.signature.name
    node.attr["Tin"].list.SetInParent()
    node.attr["Tout"].list.SetInParent()
    if function.node_def and chance.random() < 0.5:
        function.ret[f"more{chance.randrange(10)}"] = f"{node.name}:output:0"


def _library(nodes: Any, graph: Any, chance: random.Random) -> None:
    functions = graph.library.function
    if not functions:
        return
    function = chance.choice(functions)
    choice = chance.randrange(4)
    if choice == 0:
        function.signature.name = chance.choice([*_NAMES, *(other.signature.name for other in functions)])
    elif choice == 1 and function.ret:
        function.ret[chance.choice(sorted(function.ret))] = chance.choice(("missing:0", "", "a:b:c:d"))
    elif choice == 2 and function.signature.input_arg:
        chance.choice(function.signature.input_arg).type = chance.choice(_TYPES)
    else:
        functions.remove(function)


def _versions(nodes: Any, graph: Any, chance: random.Random) -> None:
    graph.versions.producer = chance.choice((-1, 0, 1, 10**6))
    graph.versions.min_consumer = chance.choice((0, 10**6))


_MUTATIONS: Sequence[Callable[[Any, Any, random.Random], None]] = (
    *(_rename, _change_operation, _redirect, _drop_input, _delete, _duplicate, _device),
    *(_attribute, _attribute, _attribute, _recursion, _library, _versions),
)


def _names(graph: Any) -> list[str]:
    names = [node.name for node in graph.node][:200] or ["x"]
    return [*names, *(f"{name}:0" for name in names[:20]), *(f"{name}:7" for name in names[:5])]
