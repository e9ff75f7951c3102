"""What a person meets in the first hour, and what it says."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from kernel.cells import SAVE_TO_DISK

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

PASTED = """
%%tf_model pasted
import tensorflow.compat.v1 as tf
images = tf.placeholder(tf.float32, [None, 2])
truth = tf.placeholder(tf.float32, [None])
scores = tf.reduce_sum(images, 1, name="scores")
answer = tf.identity(scores, name="answer")
loss = tf.reduce_mean((scores - truth) ** 2, name="loss")
"""


def test_a_path_that_would_be_a_senseless_expression_is_the_path(kernel: Kernel) -> None:
    kernel.ok(SAVE_TO_DISK)
    kernel.ok("save(3.0, 'models/digits/1')\nfrom tfmagic import models\ndigits = {}")
    assert "added: SavedModel models/digits/1" in kernel.ok("%tf_model add one models/digits/1").text
    assert "unchanged, kept" in kernel.ok('%tf_model add one "models/digits/1"').text
    assert "unchanged, kept" in kernel.ok("%tf_model add one ./models/digits/1").text


def test_one_input_that_suffices_for_an_output_needs_no_name(kernel: Kernel) -> None:
    kernel.ok(PASTED)
    assert kernel.value("%tf_run pasted [[1, 2]]") == "array([3.], dtype=float32)"


def test_a_fetch_beside_the_outputs_says_and_takes_what_it_needs(kernel: Kernel) -> None:
    kernel.ok(PASTED.replace("%%tf_model pasted", "%%tf_model pasted --inputs images --outputs scores"))
    refused = kernel.refused("%tf_run pasted [[1, 2]] --fetch loss")
    assert "needs the placeholder 'truth' too: give truth=…" in refused
    assert kernel.ok("%tf_run pasted images=[[1, 2]] truth=[1] --fetch loss").text == "np.float32(4.0)"


def test_and_takes_it_from_a_dict_too(kernel: Kernel) -> None:
    kernel.ok(PASTED.replace("%%tf_model pasted", "%%tf_model pasted --inputs images --outputs scores"))
    both = '%tf_run pasted {"images": [[1, 2]], "truth": [1]} --fetch loss'
    assert kernel.ok(both).text == "np.float32(4.0)"
    assert "no input 'ruth'" in kernel.refused('%tf_run pasted {"images": [[1, 2]], "ruth": [1]} --fetch loss')


def test_building_anew_says_that_the_variables_begin_anew(kernel: Kernel) -> None:
    kernel.ok(PASTED)
    assert "its variables start from their initial values" in kernel.ok(PASTED).text


def test_tf1_names_get_a_hint_where_tensorflow_2_has_them(kernel: Kernel) -> None:
    reply = kernel.run("%%tf_model old\nimport tensorflow as tf\nx = tf.placeholder(tf.float32)")
    assert reply.ename == "AttributeError"
    assert "begin with import tensorflow.compat.v1 as tf" in reply.traceback


def test_a_graph_of_its_own_in_a_room_is_refused_with_what_to_do(kernel: Kernel) -> None:
    cell = """
        %%tf_model own
        import tensorflow.compat.v1 as tf
        with tf.Graph().as_default():
            x = tf.placeholder(tf.float32, [None])
            y = x * 2
        """
    assert "take out with tf.Graph().as_default()" in kernel.refused(dedent(cell).strip())


def test_show_tells_the_path_behind_an_expression(kernel: Kernel) -> None:
    kernel.ok(SAVE_TO_DISK)
    kernel.ok("save(3.0, 'folder/a')\nimport pathlib\nP = pathlib.Path('folder')")
    kernel.ok("%tf_model add a P / 'a'")
    assert str(kernel.folder / "folder" / "a") in kernel.ok("%tf_model show a").text


def test_stop_and_errors_show_the_cell_and_not_the_rooms_machinery(kernel: Kernel) -> None:
    kernel.ok(PASTED)
    reply = kernel.run("%%tf_run pasted\nsession.run(loss, {images: [[1, 2]]})")
    assert reply.status == "error"
    assert "session.run(loss" in reply.traceback
    assert "worker.py" not in reply.traceback
    assert "runtime/session.py" not in reply.traceback
