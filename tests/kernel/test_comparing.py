"""``%tf_run a,b``: several models on the same inputs, in a kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.interrupting import interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel


def scores(name: str, factors: str, takes: str = "x", gives: str = "probs", width: int = 2) -> str:
    return f"""
%%tf_model {name}
import tensorflow as tf
v1 = tf.compat.v1
x = v1.placeholder(tf.float32, [None, {width}], name="{takes}")
probs = tf.identity(x * {factors}, name="{gives}")
"""


def held(name: str) -> str:
    return f"""
%%tf_model {name} --inputs x --outputs probs
import pathlib
import tensorflow as tf
v1 = tf.compat.v1

def hold(value):
    entered.append("{name}")
    if len(entered) == 2:
        pathlib.Path("started").touch()
    release.wait()
    return value

x = v1.placeholder(tf.float32, [None, 2], name="x")
y = v1.py_func(hold, [x], tf.float32)
y.set_shape([None, 2])
probs = tf.identity(y, name="probs")
"""


@pytest.fixture
def kernel(kernel: Kernel) -> Iterator[Kernel]:
    """A kernel with two versions of a model and an array of four rows."""
    kernel.ok(scores("old", "[1., 1.]"))
    kernel.ok(scores("new", "[1., 1.5]"))
    kernel.ok("""
        import threading
        import numpy as np
        import tfmagic
        from tfmagic import models
        X = np.array([[4, 1], [1, 4], [3, 2.5], [2, 5]], "float32")
        entered, release = [], threading.Event()
    """)
    yield kernel
    kernel.ok("globals().get('release', threading.Event()).set()")


def test_a_table_compares_the_models_with_the_first(kernel: Kernel) -> None:
    reply = kernel.ok("%tf_run old,new X")
    lines = reply.text.splitlines()
    assert lines[0] == "compared with old; latency is that of this run, in which they share the machine"
    assert lines[1].split("  ")[0] == "model"
    assert lines[2].split()[0] == "old"
    name, _, _, largest, mean, share, percent = lines[3].split()
    assert (name, largest, mean, share, percent) == ("new", "2.5", "0.781", "75", "%")
    assert len(reply.results) == 1


def test_a_chart_shows_the_classes(kernel: Kernel) -> None:
    html = kernel.ok("%tf_run old,new X").html
    assert "<caption" in html
    assert '<svg xmlns="http://www.w3.org/2000/svg" role="img"' in html
    assert "of the rows that old puts into a class, how many new puts there too" in html
    assert "50 %, others mostly 1" in html
    assert "scores by class" in kernel.ok("%tf_run old,new X[:1]").html


def test_three_models_are_compared_with_the_first(kernel: Kernel) -> None:
    kernel.ok(scores("newest", "[2., 2.]"))
    rows = kernel.ok("%tf_run old,new,newest X").text.splitlines()[2:5]
    assert [row.split()[0] for row in rows] == ["old", "new", "newest"]


def test_results_come_by_model_name_and_the_table_is_shown(kernel: Kernel) -> None:
    reply = kernel.ok("%tf_run old,new X -o r")
    assert reply.text.startswith("compared with old")
    assert "<table>" in reply.html
    assert len(reply.results) == 1
    assert kernel.value("r['old'].tolist() == X.tolist(), list(r)") == "(True, ['old', 'new'])"
    assert kernel.value("r.table[1]['outputs'][0]['agreement']['same_argmax']") == "0.75"


def test_a_semicolon_shows_nothing(kernel: Kernel) -> None:
    assert kernel.ok("%tf_run old,new X -o r;").results == []
    assert kernel.value("len(r)") == "2"
    assert kernel.ok("%tf_run old,new X;").results == []


def test_models_by_position_and_by_name(kernel: Kernel) -> None:
    kernel.ok("%tf_run old,new X -o a,b")
    kernel.ok("%tf_run old,new X -o mine=new")
    assert kernel.value("a.tolist() == X.tolist(), b.tolist() == mine.tolist()") == "(True, True)"
    assert kernel.refused("%tf_run old,new X -o a,b,c") == (
        "-o names 3 models by position and the comparison gives 2 (old, new): name as many, or say mine=theirs"
    )
    assert "the comparison gives no model 'nw' (did you mean 'new'?)" in kernel.refused("%tf_run old,new X -o a=nw")


def test_the_result_can_be_assigned_and_displayed_later(kernel: Kernel) -> None:
    kernel.ok("r = %tf_run old,new X")
    assert kernel.ok("r").text.startswith("compared with old")
    assert kernel.ok("tfmagic.compare(['old', 'new'], X)").html.count("<svg") == 1


def test_a_single_input_matches_whatever_its_name(kernel: Kernel) -> None:
    kernel.ok(scores("other", "[1., 1.]", takes="features"))
    for line in ("X", "x=X", "features=X", "**{'x': X}", "{'x': X}"):
        kernel.ok(f"%tf_run old,other {line} -o r;")
        assert kernel.value("(r['old'] == r['other']).all()") == "np.True_", line


PAIR = """
%%tf_model {name}
import tensorflow as tf
v1 = tf.compat.v1
a = v1.placeholder(tf.float32, [None], name="a")
b = v1.placeholder(tf.float32, [None], name="{other}")
total = tf.add(a, b, name="total")
gap = tf.subtract(a, b, name="gap")
"""


def test_several_inputs_come_by_name_and_every_common_output_is_compared(kernel: Kernel) -> None:
    kernel.ok(PAIR.format(name="one", other="b"))
    kernel.ok(PAIR.format(name="two", other="b"))
    kernel.ok("import pandas")
    for line in (
        "a=[3] b=[1]",
        "dict(a=[3], b=[1])",
        "**dict(a=[3]) b=[1]",
        "**pandas.DataFrame({'a': [3], 'b': [1]})",
    ):
        text = kernel.ok(f"%tf_run one,two {line}").text
        assert [line.split()[-1] for line in text.splitlines()[2:6]] == ["–", "–", "0", "0"]  # noqa: RUF001
        assert "total" in text
        assert "gap" in text
    kernel.ok("%tf_run one,two a=[3] b=[1] --fetch gap -o r;")
    assert kernel.value("r['two'].tolist()") == "[2.0]"


def test_batches_are_compared_together(kernel: Kernel) -> None:
    reply = kernel.ok("%tf_run old,new X --batch-size 3 -o r")
    assert any("old,new" in result["text/plain"] for result in reply.results)
    assert kernel.value("r['new'].shape, models.new.record()['calls']") == "((4, 2), 2)"


def test_a_deadline_names_who_had_not_answered(kernel: Kernel) -> None:
    kernel.ok(held("slow"))
    said = kernel.refused("%tf_run old,slow X --timeout 0.5")
    assert said.startswith("slow: no answer within 0.5 s; slow is stopping until the present operation ends")
    assert kernel.value("models.old.state, models.slow.state") == "('ready', 'stopping')"


def test_stop_comes_back_at_once_and_every_model_is_stopping(kernel: Kernel) -> None:
    kernel.ok(held("one"))
    kernel.ok(held("two"))
    reply = interrupted(kernel, "%tf_run one,two X -o r")
    assert (reply.status, reply.ename) == ("error", "KeyboardInterrupt")
    assert kernel.value("models.one.state, models.two.state, 'r' in globals()") == "('stopping', 'stopping', False)"
    # Not before this: with two cores TensorFlow has two threads for operations, and both wait here.
    kernel.ok("release.set()")
    kernel.wait_until("models.one.state == models.two.state == 'ready'")
    assert kernel.ok("%tf_run one,two X").text.startswith("compared with one")


def test_run_all_runs_each_model_on_its_own_input(kernel: Kernel) -> None:
    kernel.ok("r = tfmagic.run_all({'old': X, 'new': {'x': X[:1]}})")
    assert kernel.value("r['old'].shape, r['new'].shape") == "((4, 2), (1, 2))"


def test_run_all_is_stopped_at_once(kernel: Kernel) -> None:
    kernel.ok(held("one"))
    kernel.ok(held("two"))
    reply = interrupted(kernel, "tfmagic.run_all({'one': X, 'two': X})")
    assert reply.ename == "KeyboardInterrupt"
    assert kernel.value("models.one.state, models.two.state") == "('stopping', 'stopping')"


# -- bad input --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("old,old X", "old is named twice: a comparison is between different models"),
        ("old,nw X", "there is no model 'nw' (did you mean 'new'?)"),
        ("old, new X", "'old,' lacks a model's name: several are written a,b,c without blanks between"),
        ("old,new", "old needs input 'x' (float32 (?, 2)): give x=…"),
        ("old,new X --fetch prob", "old has no output or tensor 'prob'"),
        ("old,new X --signature s", "old has no signature 's'"),
        ("old,new X --trace", "several models and --trace do not go together"),
        ("old,new X --repeat 3", "several models and --repeat do not go together"),
        ("old,new X --batch-size 0", "--batch-size takes a whole number from 1 on, got 0"),
        ("old,new X --timeout -1", "--timeout takes a number of seconds above 0, got -1"),
        ("old,new X[:, :1]", "old: input 'x' takes float32 (?, 2), got (4, 1)"),
        ("old,new -o r", "old needs input 'x'"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(kernel: Kernel, line: str, said: str) -> None:
    assert kernel.refused(f"%tf_run {line}").startswith(said)
    assert kernel.value("models.old.record()['calls']") == "0"


def test_inputs_that_do_not_match_are_refused_and_it_says_how(kernel: Kernel) -> None:
    kernel.ok(scores("wide", "2.0", width=3))
    assert kernel.refused("%tf_run old,wide X").startswith(
        "old takes x float32 (?, 2) and wide takes x float32 (?, 3): a comparison gives the same inputs to all"
    )


def test_outputs_that_do_not_match_are_refused_and_it_says_how(kernel: Kernel) -> None:
    kernel.ok("""
        %%tf_model several
        import tensorflow as tf
        x = tf.compat.v1.placeholder(tf.float32, [None, 2], name="x")
        logits = tf.identity(x, name="logits")
        scores = tf.identity(x, name="scores")
    """)
    assert kernel.refused("%tf_run old,several X").startswith("old gives probs and several gives logits, scores: ")
    kernel.ok("""
        %%tf_model narrow
        import tensorflow as tf
        x = tf.compat.v1.placeholder(tf.float32, [None, 2], name="x")
        probs = tf.identity(x[:, :1], name="probs")
    """)
    assert kernel.refused("%tf_run old,narrow X") == (
        "old gives probs (?, 2) and narrow gives probs (?, 1): a comparison is of outputs of the same shape"
    )


def test_a_model_that_fails_is_named_and_run_all_stops(kernel: Kernel) -> None:
    kernel.ok("""
        %%tf_model broken
        import tensorflow as tf
        x = tf.compat.v1.placeholder(tf.float32, [None, 2], name="x")
        probs = tf.debugging.check_numerics(x, "found no number", name="probs")
    """)
    kernel.ok("after = 'not run'")
    reply = kernel.run("%tf_run old,broken X * np.nan -o r\nafter = 'run'")
    assert (reply.status, reply.ename) == ("error", "InvalidArgumentError")
    assert "raised by model 'broken'" in reply.traceback
    assert reply.results == []
    assert kernel.value("after, 'r' in globals()") == "('not run', False)"


def test_a_cell_takes_one_model(kernel: Kernel) -> None:
    assert kernel.refused("%%tf_run old,new\npass").startswith("a cell runs in the room of one model")
