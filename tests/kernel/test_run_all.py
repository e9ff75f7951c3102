"""Run All: twice works, and it stops at a cell that fails."""

from __future__ import annotations

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient.client import NotebookClient
from nbclient.exceptions import CellExecutionError

from kernel.cells import SAVE_TO_DISK
from kernel.harness import Kernel, ThisInterpreter

pytestmark = pytest.mark.kernel

NOTEBOOK = [
    "%load_ext tfmagic",
    SAVE_TO_DISK,
    """
    class Net(tf.Module):
        def __init__(self):
            self.w = tf.Variable(2.0)
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def __call__(self, x):
            return x * self.w
    net = Net()
    """,
    "%tf_model add file scales",
    "%tf_model add frozen plus.pb",
    "%tf_model add live net",
    """
    %%tf_model fit --inputs x --outputs y
    import tensorflow.compat.v1 as tf
    tf.disable_v2_behavior()
    x = tf.placeholder(tf.float32, [None], name="x")
    target = tf.placeholder(tf.float32, [None], name="target")
    w = tf.get_variable("w", initializer=0.0)
    y = tf.identity(x * w, name="y")
    loss = tf.reduce_mean((y - target) ** 2)
    step = tf.train.GradientDescentOptimizer(0.05).minimize(loss)
    """,
    """
    %%tf_run fit -o losses
    losses = []
    with tf.Session() as sess:
        for _ in range(50):
            losses.append(sess.run([loss, step], {x: [1, 2], target: [3, 6]})[0])
    """,
    "net.w.assign(4.0);",
    "%tf_run fit [1] -o fitted",
    "%tf_run live [1] -o alive",
    "%tf_run file [[1, 2]] -o filed",
    "%tf_run frozen [1] -o froze",
    "[round(float(v.flat[0]), 3) for v in (fitted, alive, filed, froze)], len(losses), round(float(losses[0]), 2)",
]


def test_a_whole_notebook_runs_twice_with_the_same_results(kernel: Kernel) -> None:
    first = [kernel.ok(cell).text for cell in NOTEBOOK]
    assert first[-1] == "([3.0, 4.0, 3.0, 2.0], 50, 22.5)"
    kernel.ok("import tfmagic\nnames = [*tfmagic.models, 'fit~1']; graphs = len(tfmagic.session.open_graphs())")
    second = [kernel.ok(cell).text for cell in NOTEBOOK]
    assert second[-1] == first[-1]
    assert kernel.value("(list(tfmagic.models), len(tfmagic.session.open_graphs())) == (names, graphs)") == "True"


def test_an_unchanged_file_and_object_are_kept_with_their_rooms(kernel: Kernel) -> None:
    kernel.ok(SAVE_TO_DISK)
    kernel.ok("triples = tf.function(lambda x: x * 3.0)\nimport tfmagic")
    kernel.ok("%tf_model add file scales\n%tf_model add live triples")
    kernel.ok("before = dict(tfmagic.models)")
    assert kernel.ok("%tf_model add file scales").text == "file: unchanged, kept"
    assert kernel.ok("%tf_model add live triples").text == "live: unchanged, kept"
    assert kernel.value("dict(tfmagic.models) == before") == "True"


def test_a_changed_file_or_object_is_renewed_in_place(kernel: Kernel) -> None:
    kernel.ok(SAVE_TO_DISK)
    kernel.ok("live = tf.function(lambda x: x * 3.0)")
    kernel.ok("%tf_model add file scales/1\n%tf_model add eager live")
    kernel.ok("import shutil\nshutil.rmtree('scales/1'); save(7.0, 'scales/1')\nlive = tf.function(lambda x: x * 8.0)")
    assert kernel.ok("%tf_model add file scales/1").text.startswith("file renewed")
    assert kernel.ok("%tf_model add eager live").text.startswith("eager renewed")
    assert kernel.ok("%tf_run file [[1, 2]]").text == "array([[ 7., 14.]], dtype=float32)"
    assert float(kernel.value("float(__import__('tfmagic').models.eager(1.0))")) == 8


def test_other_options_for_the_same_source_renew_it(kernel: Kernel) -> None:
    kernel.ok(SAVE_TO_DISK)
    kernel.ok("%tf_model add file scales")
    assert kernel.ok("%tf_model add file scales --signature halves").text.startswith("file renewed")


@pytest.mark.parametrize("failing", ["%tf_run nothing [1]", "%%tf_run net\n1 / 0", "%tf_model add net nowhere"])
def test_run_all_stops_at_the_failing_cell(kernel: Kernel, failing: str) -> None:
    kernel.ok("net = 0")
    # All three are queued before the first of them can end, as Run All does it.
    (kernel.folder / "queued").unlink(missing_ok=True)
    waiting = kernel.client.execute("import pathlib\nwhile not pathlib.Path('queued').exists():\n    pass")
    first = kernel.client.execute(failing, stop_on_error=True)
    second = kernel.client.execute("reached = True", stop_on_error=True)
    (kernel.folder / "queued").touch()
    statuses: dict[str, str] = {}
    while len(statuses) < 3:
        reply = kernel.client.get_shell_msg(timeout=60)
        statuses[reply["parent_header"]["msg_id"]] = reply["content"]["status"]
    assert statuses == {waiting: "ok", first: "error", second: "aborted"}
    assert kernel.value("'reached' in globals()") == "False"


def test_nbclient_stops_at_the_failing_cell(kernel: Kernel) -> None:
    cells = ["%load_ext tfmagic", "%tf_run nothing [1]", "print('reached')"]
    written = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]  # nbformat has no types here
    written.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]  # type: ignore[no-untyped-call]
    manager = AsyncKernelManager(kernel_name="tests", kernel_spec_manager=ThisInterpreter())
    client = NotebookClient(written, km=manager)
    with pytest.raises(CellExecutionError, match="UsageError: there is no model 'nothing'"):
        client.execute(cwd=str(kernel.folder), env=kernel.environment)
    assert [cell["execution_count"] for cell in written.cells] == [1, 2, None]
    assert written.cells[2]["outputs"] == []
