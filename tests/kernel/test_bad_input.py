"""What a person types wrong is one line that says what was expected, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE, PAIR, SAVE_TO_DISK

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel


@pytest.fixture
def kernel(kernel: Kernel) -> Kernel:
    """A kernel with two models, and others on disk."""
    if not (kernel.folder / "plus.pb").exists():
        kernel.ok(SAVE_TO_DISK)
        kernel.clean()
    kernel.ok(LINE)
    kernel.ok(PAIR)
    kernel.ok("import numpy as np, tfmagic")
    return kernel


def refused(kernel: Kernel, cell: str) -> str:
    """Run a cell that has to be refused, and check that it leaves models, session and names as they were."""
    seen = (
        "[(name, id(model), model.state) for name, model in tfmagic.models.items()], "
        "len(tfmagic.session.open_graphs()), sorted(name for name in globals() if not name.startswith('_'))"
    )
    before = kernel.value(seen)
    said = kernel.refused(cell)
    assert kernel.value(seen) == before
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"
    return said


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ("[['a', 'b']]", "line: input 'x' takes float32, got text"),
        ("np.array([[1j, 2]])", "line: input 'x' takes float32, got complex128"),
        ("[[None, {}]]", "line: input 'x' takes float32 (?, 2), got list"),
        ("[1, 2]", "line: input 'x' takes float32 (?, 2), got (2,): a batch of one is np.expand_dims(…, 0)"),
        ("[[[1, 2]]]", "line: input 'x' takes float32 (?, 2), got (1, 1, 2)"),
        ("[[1, 2, 3]]", "line: input 'x' takes float32 (?, 2), got (1, 3)"),
        ("[[1, 2], [3]]", "line: input 'x' cannot become an array"),
        ("5", "line: input 'x' takes float32 (?, 2), got ()"),
        ("", "line needs input 'x' (float32 (?, 2)): give x=…"),
        ("X=[[1, 2]]", "line has no input 'X' (did you mean 'x'?)"),
        ("x=[[1, 2]] y=[[1, 2]]", "line has no input 'y' (there is: x)"),
        ("{'z': [[1, 2]]}", "line has no input 'z' (there is: x)"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_with_what_was_expected(kernel: Kernel, inputs: str, said: str) -> None:
    assert said in refused(kernel, f"%tf_run line {inputs}")


def test_a_fraction_is_never_cut_to_an_integer(kernel: Kernel) -> None:
    kernel.ok("""
        %%tf_model whole
        import tensorflow as tf
        n = tf.compat.v1.placeholder(tf.int32, [None], name="n")
        m = tf.identity(n, name="m")
    """)
    assert "whole: input 'n' takes int32, got float64" in refused(kernel, "%tf_run whole [1.5]")
    assert "does not fit" in refused(kernel, "%tf_run whole [2**40]")
    assert kernel.ok("%tf_run whole [1, 2]").text == "array([1, 2], dtype=int32)"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("pair [1]", "pair takes 2 inputs"),
        ("pair a=[1]", "'b'"),
        ("pair a=[1] c=[2]", "pair has no input 'c'"),
    ],
)
def test_several_inputs_have_to_be_named_and_complete(kernel: Kernel, line: str, said: str) -> None:
    assert said in refused(kernel, f"%tf_run {line}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("lime [[1, 2]]", "there is no model 'lime' (did you mean 'line'?)"),
        ("line [[1, 2]] --signature other", "line has no signature 'other'"),
        ("line [[1, 2]] --fetch z", "line has no output or tensor 'z'; its outputs are: y"),
        ("line [[1, 2]] --fetch a/b:0", "line: there is no tensor 'a/b:0'"),
        ("line [[1, 2]] --fetch=,", "--fetch names nothing"),
        ("line unknown", "'unknown' raised NameError: name 'unknown' is not defined"),
        ("line 1/0", "'1/0' raised ZeroDivisionError: division by zero"),
    ],
)
def test_a_run_of_what_is_not_there_is_refused(kernel: Kernel, line: str, said: str) -> None:
    assert said in refused(kernel, f"%tf_run {line}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('net "nowhere"', "there is nothing at "),
        ("net nowhere", "there is no path nowhere here"),
        ("net empty", "is no SavedModel"),
        ("net notes.txt", "is no model that tfmagic can read"),
        ("net cut.pb", "may be damaged"),
        ("net cut", "may be damaged"),
        ("net scales --signature serving", "has no signature 'serving' (did you mean 'serving_default'?)"),
        ("net scales --tags train", "has no tag set 'train' (there is: serve)"),
        ("net scales --inputs z=w", "there is no input 'w' to rename"),
        ("net scales --device cpu:x", "'cpu:x' is no device"),
        ("net scales --inputs =", "'=' names no tensor"),
        ("line scales", "the name 'line' is taken by a cell"),
        ("pair np", "np is no model, it is of type module"),
        ("net", "a name and a source were expected"),
        ("", "a name and a source were expected"),
    ],
)
def test_a_source_that_cannot_be_is_refused(kernel: Kernel, line: str, said: str) -> None:
    (kernel.folder / "empty").mkdir(exist_ok=True)
    (kernel.folder / "cut").mkdir(exist_ok=True)
    (kernel.folder / "notes.txt").write_text("no model")
    (kernel.folder / "cut.pb").write_bytes((kernel.folder / "plus.pb").read_bytes()[:-9])
    (kernel.folder / "cut" / "saved_model.pb").write_bytes(
        (kernel.folder / "scales" / "1" / "saved_model.pb").read_bytes()[:-9]
    )
    assert said in refused(kernel, f"%tf_model add {line}")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("add", "'add' is a verb of %tf_model"),
        ("stop", "'stop' is a verb of %tf_model"),
        ("class", "'class' cannot be a model's name"),
        ("keys", "'keys' cannot be a model's name"),
        ("_hidden", "'_hidden' cannot be a model's name"),
        ("2nd", "'2nd' cannot be a model's name: a name is made of letters, digits and _, and begins with a letter"),
        ("1 a", "begins with a letter"),
        ("a/b", "such as 'a_b'"),
        ("my-net", "such as 'my_net'"),
        ("a.b", "such as 'a_b'"),
        ("line~1", "'line~1' cannot be a model's name"),
        ("'net'", "cannot be a model's name"),
    ],
)
def test_a_reserved_or_impossible_name_is_refused_everywhere(kernel: Kernel, name: str, said: str) -> None:
    assert said in refused(kernel, f"%tf_model add {name} plus.pb")
    # Also where the source is missing: what is said first is mended first.
    assert said in refused(kernel, f"%tf_model add {name} nowhere.pb")
    assert said in refused(kernel, f"%%tf_model {name}\nimport tensorflow as tf\ntf.zeros([2])")


def test_a_dropped_model_is_refused_by_name_and_by_reference(kernel: Kernel) -> None:
    kernel.ok("%tf_model add net plus.pb\nnet = tfmagic.models.net")
    kernel.ok("%tf_model drop net")
    assert "there is no model 'net'" in refused(kernel, "%tf_run net [1]")
    assert "there is no model 'net'" in refused(kernel, "%%tf_run net\n1")
    reply = kernel.run("net([1])")
    assert (reply.ename, reply.evalue) == ("ModelStateError", "model 'net' was dropped: add it again to run it")


def test_a_variable_that_was_never_initialised_is_named(kernel: Kernel) -> None:
    kernel.ok("""
        %%tf_model raw
        import tensorflow as tf
        v1 = tf.compat.v1
        fed = v1.placeholder(tf.float32, [], name="fed")
        never = v1.get_variable("never", initializer=fed, validate_shape=False)
        out = tf.identity(never * 2.0, name="out")
    """)
    said = refused(kernel, "%tf_run raw --fetch out")
    assert "'never'" in said
    assert "raw" in said
    assert "was never initialised" in said
    kernel.ok("%%tf_run raw\nsession.run(never.initializer, {fed: 4.0})")
    assert kernel.ok("%tf_run raw --fetch out").text == "np.float32(8.0)"


def test_a_file_that_would_run_python_is_refused_without_unsafe(kernel: Kernel) -> None:
    kernel.ok("""
        import tensorflow as tf
        with tf.Graph().as_default() as graph:
            x = tf.compat.v1.placeholder(tf.string, [], name="x")
            tf.io.read_file(x, name="y")
        tf.io.write_graph(graph, ".", "reads.pb", as_text=False);
    """)
    said = refused(kernel, "%tf_model add reads reads.pb")
    assert "ReadFile" in said
    assert "--unsafe" in said
    kernel.ok("%tf_model add reads reads.pb --unsafe")


def test_show_refuses_what_is_neither_a_model_nor_a_path(kernel: Kernel) -> None:
    assert refused(kernel, "%tf_model show lime") == "there is no model 'lime' (did you mean 'line'?)"
    assert "there is no path nowhere/at here" in refused(kernel, "%tf_model show nowhere/at")
    assert "one name or path was expected" in refused(kernel, "%tf_model show")
