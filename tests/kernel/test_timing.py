"""``--repeat``, ``--trace`` and ``--timeout`` in a kernel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from kernel.cells import HELD, LINE
from kernel.interrupting import interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

TIMED = re.compile(
    r"^[\d.]+ (s|ms|µs) ± [\d.]+ (s|ms|µs) per run "
    r"\(mean ± std\. dev\. of 3 runs, [\d,]+ loops? each\), best [\d.]+ (s|ms|µs)$"
)


@pytest.fixture
def kernel(kernel: Kernel) -> Iterator[Kernel]:
    """A kernel with ``line`` and ``held``, the latter released at the end."""
    kernel.ok(LINE)
    kernel.ok(HELD)
    kernel.ok("from tfmagic import models\nrelease = models.held.names['release']")
    yield kernel
    kernel.ok("release.set()")


# -- --repeat ---------------------------------------------------------------------------


def test_repeat_times_as_timeit_does(kernel: Kernel) -> None:
    reply = kernel.ok("%tf_run line [[1, 2]] --repeat 3")
    assert TIMED.match(reply.text), reply.text
    assert len(reply.results) == 1


def test_repeat_gives_the_figures_a_name(kernel: Kernel) -> None:
    reply = kernel.ok("%tf_run line [[1, 2]] --repeat 3 -o t")
    assert TIMED.match(reply.text), reply.text
    assert kernel.value("t.repeat, len(t.all_runs), t.best <= t.average <= t.worst, t.loops > 1") == (
        "(3, 3, True, True)"
    )
    assert kernel.value("sorted(t.record())[:3]") == "['best_s', 'deviation_s', 'loops']"
    assert TIMED.match(kernel.ok("t").text)
    kernel.ok("u = %tf_run line [[1, 2]] --repeat 3")
    assert kernel.value("type(u).__name__, u.repeat") == "('Timing', 3)"


def test_repeat_with_a_semicolon_shows_nothing(kernel: Kernel) -> None:
    assert kernel.ok("%tf_run line [[1, 2]] --repeat 1 -o t;").results == []
    assert kernel.value("t.repeat") == "1"


def test_repeat_is_interrupted_at_once_and_calls_no_more(kernel: Kernel) -> None:
    reply = interrupted(kernel, "%tf_run held 1 --repeat 5 -o t")
    assert (reply.status, reply.ename) == ("error", "KeyboardInterrupt")
    assert kernel.value("models.held.state, 't' in globals(), __import__('gc').isenabled()") == (
        "('stopping', False, True)"
    )
    kernel.ok("release.set()")
    kernel.wait_until("models.held.state == 'ready'")
    assert kernel.value("models.held.record()['calls']") in {"0", "1"}


def test_repeat_has_a_deadline(kernel: Kernel) -> None:
    said = kernel.refused("%tf_run held 1 --repeat 5 --timeout 0.5")
    assert said.startswith("held: no answer within 0.5 s; held is stopping")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--repeat 0", "--repeat takes a whole number from 1 on, got 0"),
        ("--repeat -1", "--repeat takes a whole number from 1 on, got -1"),
        ("--repeat abc", "--repeat takes a whole number from 1 on, got abc"),
        ("--repeat 1.5", "--repeat takes a whole number from 1 on, got 1.5"),
        ("--repeat", "--repeat needs a value: --repeat N"),
        ("--repeat 3 --batch-size 2", "--batch-size and --repeat do not go together: run it once for each"),
        ("--repeat 3 --trace", "--repeat and --trace do not go together: run it once for each"),
        ("--trace --batch-size 2", "--batch-size and --trace do not go together: run it once for each"),
        ("--repeat 3 -o a,b", "with --repeat, -o takes one name, for the figures: write -o VAR"),
        ("--trace=yes", "--trace takes no value, and 'yes' was given"),
        ("--timeout 0", "--timeout takes a number of seconds above 0, got 0"),
        ("--timeout -1", "--timeout takes a number of seconds above 0, got -1"),
        ("--timeout abc", "--timeout takes a number of seconds above 0, got abc"),
        ("--timeout", "--timeout needs a value: --timeout S"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(kernel: Kernel, options: str, said: str) -> None:
    assert kernel.refused(f"%tf_run line [[1, 2]] {options}") == said
    assert kernel.value("models.line.record()['calls']") == "0"


def test_what_is_timed_or_traced_needs_its_inputs(kernel: Kernel) -> None:
    for options in ("--repeat 3 -o w", "--trace -o w", "--timeout 3 -o w"):
        assert kernel.refused(f"%tf_run line {options}").startswith("line needs input 'x'"), options


# -- --trace ----------------------------------------------------------------------------


def test_a_trace_is_shown_beside_the_result_and_kept_on_the_model(kernel: Kernel) -> None:
    reply = kernel.ok("%tf_run line [[1, 2]] --trace")
    shown, result = reply.results
    assert shown["text/plain"].startswith("line: one run, ")
    assert shown["text/html"].count("<table>") == 2
    assert result["text/plain"] == "array([[2., 4.]], dtype=float32)"
    assert kernel.value("models.line.trace.operations[0]['device']") == "'CPU:0'"
    assert kernel.ok("models.line.trace").text == shown["text/plain"]
    assert kernel.value("models.line.record()['calls']") == "1"


def test_a_trace_is_shown_also_where_the_result_has_a_name(kernel: Kernel) -> None:
    reply = kernel.ok("%tf_run line [[1, 2]] --trace -o r")
    assert [result["text/plain"].split(":")[0] for result in reply.results] == ["line"]
    assert kernel.value("r") == "array([[2., 4.]], dtype=float32)"


def test_a_trace_is_kept_and_not_shown_with_a_semicolon(kernel: Kernel) -> None:
    assert kernel.ok("%tf_run line [[1, 2]] --trace;").results == []
    assert kernel.value("len(models.line.trace.operations) > 0") == "True"


def test_a_trace_is_saved_for_perfetto(kernel: Kernel) -> None:
    kernel.ok("%tf_run line [[1, 2]] --trace;")
    kernel.ok("""
        import json
        file = models.line.trace.save("trace.json")
        events = json.loads(file.read_text())["traceEvents"]
    """)
    assert kernel.value("any(event['ph'] == 'X' and event['dur'] >= 0 and event['ts'] > 0 for event in events)") == (
        "True"
    )
    reply = kernel.run("models.line.trace.save('trace.json')")
    assert reply.ename == "PathTakenError"
    kernel.ok("models.line.trace.save('trace.json', replace=True)")


def test_an_eager_model_is_traced(kernel: Kernel) -> None:
    kernel.ok("""
        import tensorflow as tf
        module = tf.Module()
        module.w = tf.Variable([[1.0], [2.0]])
        product = tf.function(lambda x: tf.matmul(x, module.w))
        product(tf.ones([1, 2]))
    """)
    kernel.ok("%tf_model add live product")
    shown, result = kernel.ok("%tf_run live [[1., 2.]] --trace").results
    assert "MatMul" in shown["text/plain"]
    assert "unknown" in shown["text/plain"]
    assert result["text/plain"] == "array([[5.]], dtype=float32)"


# -- --timeout --------------------------------------------------------------------------


def test_a_run_in_time_is_a_run(kernel: Kernel) -> None:
    assert kernel.ok("%tf_run line [[1, 2]] --timeout 60").text == "array([[2., 4.]], dtype=float32)"


def test_at_the_deadline_the_model_is_stopping_until_its_operation_ends(kernel: Kernel) -> None:
    assert kernel.refused("%tf_run held 1 --timeout 0.5 -o r") == (
        "held: no answer within 0.5 s; held is stopping until the present operation ends "
        "(%tf_model stop held waits for it)"
    )
    assert kernel.value("models.held.state, 'r' in globals()") == "('stopping', False)"
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"
    kernel.ok("release.set()")
    kernel.wait_until("models.held.state == 'ready'")
    assert kernel.ok("%tf_run held 1 --timeout 60").text == "np.float32(6.0)"


def test_a_run_that_can_be_cancelled_leaves_the_model_ready(kernel: Kernel) -> None:
    kernel.ok("""
        %%tf_model queue --inputs x --outputs y
        import tensorflow as tf
        v1 = tf.compat.v1
        x = v1.placeholder_with_default(0.0, [], name="x")
        y = v1.FIFOQueue(1, [tf.float32], shapes=[[]]).dequeue(name="y")
    """)
    assert kernel.refused("%tf_run queue --fetch y --timeout 0.5") == (
        "queue: no answer within 0.5 s; the run has ended, and the model can be run again"
    )
    assert kernel.value("models.queue.state") == "'ready'"


def test_stop_comes_back_before_the_deadline(kernel: Kernel) -> None:
    reply = interrupted(kernel, "%tf_run held 1 --timeout 600")
    assert (reply.status, reply.ename) == ("error", "KeyboardInterrupt")
    assert kernel.value("models.held.state") == "'stopping'"
