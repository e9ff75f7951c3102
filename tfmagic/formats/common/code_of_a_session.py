"""Code that runs a graph in a session of TensorFlow 1's kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.formats.common.code_of_a_function import CodeTensor, function, quoted, values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tfmagic.execution.signature.signature import Signature


def session_code(name: str, signature: Signature, load: Iterable[str], *, imports: Sequence[str] = ()) -> str:
    """Return code that loads a graph with the lines `load`, which use ``_NAME_graph`` and ``_NAME_session``, and runs it."""
    inputs = [CodeTensor(spec, str(spec.tensor)) for spec in signature.inputs]
    outputs = [CodeTensor(spec, str(spec.tensor)) for spec in signature.outputs]
    given = values(name, inputs)
    fed = ", ".join(
        f"{quoted(tensor.expression)}: {given[tensor.spec.name]}" for tensor in inputs if not tensor.spec.optional
    )
    fetched = ", ".join(f"{quoted(tensor.spec.name)}: {quoted(tensor.expression)}" for tensor in outputs)
    run = f"return _{name}_session.run({{{fetched}}}, "
    body = [f"{run}{{{fed}}})"]
    optional = [tensor for tensor in inputs if tensor.spec.optional]
    if optional:
        body = [f"feeds = {{{fed}}}"]
        for tensor in optional:
            value = given[tensor.spec.name]
            body += [f"if {value} is not None:", f"    feeds[{quoted(tensor.expression)}] = {value}"]
        body.append(f"{run}feeds)")
    lines = [
        *sorted([*imports, "import tensorflow as tf"], key=lambda line: ("tensorflow" in line, line)),
        "",
        f"_{name}_graph = tf.Graph()",
        f"_{name}_session = tf.compat.v1.Session(",
        f"    graph=_{name}_graph, config=tf.compat.v1.ConfigProto(allow_soft_placement=True)",
        ")",
        *load,
        "",
        "",
        function(name, inputs, outputs, body),
        "",
    ]
    return "\n".join(lines)
