"""Ten models called in turn: from one kernel, and from a kernel each with a message for every call."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.figures import Figure
from benchmarks.kernels import kernel
from benchmarks.processes import printed_by
from benchmarks.turns import in_turns, over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jupyter_client.blocking.client import BlockingKernelClient

COUNT = 10
IN_A_LOOP = 200
EACH, LOOP = "a kernel each, a message a call", "one kernel, called in a loop"
PASS, CELL = "one kernel, a message for all ten", "one kernel, a message a call"
START = "import numpy as np\nx = np.random.default_rng(0).random((1, 64), np.float32)\n"
OURS = "%load_ext tfmagic\nfrom tfmagic import models\n"
THEIRS = """import tensorflow as tf
loaded = tf.saved_model.load({path!r})
signature = loaded.signatures["serving_default"]
(name,), (output,) = signature.structured_input_signature[1], signature.structured_outputs
def call(x):
    return signature(**{{name: tf.constant(x)}})[output].numpy()
"""


def write(folder: Path) -> None:
    """Write the models, no two alike."""
    from benchmarks.networks import network

    net, rng = network("small"), np.random.default_rng(0)
    for at in range(COUNT):
        net.set_weights([rng.normal(0, 0.2, value.shape) for value in net.get_weights()])
        net.export(str(folder / f"m{at}"), verbose=False)


def figures() -> list[Figure]:
    """Return the figures: calls a second, all messages counted."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        printed_by("benchmarks.ten_models", folder)
        paths = {f"m{at}": str(Path(folder) / f"m{at}") for at in range(COUNT)}
        one, each = running.enter_context(kernel()), {}
        run(one, START + OURS + "".join(f"models.add({name!r}, {path!r})\n" for name, path in paths.items()))
        for name, path in paths.items():
            each[name] = running.enter_context(kernel())
            run(each[name], START + THEIRS.format(path=path))
        for name, client in each.items():
            ours, theirs = _answer(one, f"models.{name}(x)"), _answer(client, "call(x)")
            np.testing.assert_allclose(ours, theirs, 1e-3, 1e-6, err_msg=name)
        in_turn = "\n".join(f"y = models.{name}(x)" for name in paths)
        loop = f"for _ in range({IN_A_LOOP}):\n" + "\n".join(f"    {line}" for line in in_turn.splitlines())
        readings = in_turns(
            {
                EACH: lambda: [run(client, "y = call(x)") for client in each.values()],
                CELL: lambda: [run(one, f"y = models.{name}(x)") for name in paths],
                PASS: lambda: run(one, in_turn),
                LOOP: lambda: run(one, loop),
            }
        )
    per_call = {way: [value / COUNT for value in found] for way, found in readings.items()}
    per_call[LOOP] = [value / IN_A_LOOP for value in per_call[LOOP]]
    return [
        *(Figure(f"ten models: {way}", "calls/s", [1 / value for value in found]) for way, found in per_call.items()),
        Figure(f"ten models: {LOOP}, over {EACH}", "times", over(_inverse(per_call), LOOP, [EACH]), "≥ 20"),
    ]


def _inverse(readings: dict[str, list[float]]) -> dict[str, Sequence[float]]:
    return {way: [1 / value for value in found] for way, found in readings.items()}


def run(client: BlockingKernelClient, code: str) -> str:
    """Run a cell, wait until the kernel is idle again, and return what it printed."""
    printed: list[str] = []

    def note(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            printed.append(message["content"]["text"])

    reply = client.execute_interactive(code, allow_stdin=False, timeout=600, output_hook=note)
    if reply["content"]["status"] != "ok":
        raise RuntimeError("\n".join(reply["content"].get("traceback", [str(reply["content"])])))
    return "".join(printed)


def _answer(client: BlockingKernelClient, expression: str) -> np.ndarray:
    return np.array(json.loads(run(client, f"print({expression}.tolist())")))


if __name__ == "__main__":
    import sys

    write(Path(sys.argv[1]))
