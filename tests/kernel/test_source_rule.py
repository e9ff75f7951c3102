"""SOURCE: in quotes a path, in brackets an expression, else a name, a path, an expression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import SAVE_TO_DISK

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

TRIPLES = """
import shutil
from pathlib import Path
import tensorflow as tf
triples = tf.function(lambda x: x * 3.0, input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
"""


@pytest.fixture
def kernel(kernel: Kernel) -> Kernel:
    """A kernel with models on disk, and ``triples`` in the notebook, which multiplies by 3."""
    if not (kernel.folder / "plus.pb").exists():
        kernel.ok(SAVE_TO_DISK)
        kernel.clean()
    kernel.ok(TRIPLES)
    return kernel


def kind_of(kernel: Kernel, source: str) -> str:
    """Add a model, and say what kind of source it was taken for."""
    kernel.ok(f"%tf_model add net {source}")
    kernel.ok("import tfmagic")
    return kernel.value("tfmagic.models.net.source.kind").strip("'")


@pytest.mark.parametrize("source", ['"plus.pb"', "'plus.pb'", '"./plus.pb"', 'r"plus.pb"'])
def test_in_quotes_it_is_a_path(kernel: Kernel, source: str) -> None:
    assert kind_of(kernel, source) == "frozen graph"
    assert kernel.ok("%tf_run net [1, 2]").text == "array([2., 3.], dtype=float32)"


def test_in_quotes_it_is_a_path_though_the_notebook_has_the_name(kernel: Kernel) -> None:
    kernel.ok("scales = triples")
    assert kind_of(kernel, '"scales"') == "SavedModel"


def test_a_path_with_blanks_goes_in_quotes(kernel: Kernel) -> None:
    kernel.ok('shutil.copy("plus.pb", "plus one.pb")')
    assert kind_of(kernel, '"plus one.pb"') == "frozen graph"


def test_in_brackets_it_is_an_expression_though_the_path_exists(kernel: Kernel) -> None:
    kernel.ok("scales = triples")
    kernel.ok("%tf_model add net (scales)")
    assert kernel.ok("%tf_run net [1, 2]").text == "array([3., 6.], dtype=float32)"


def test_a_bound_name_is_that_object(kernel: Kernel) -> None:
    kernel.ok("%tf_model add net triples")
    assert kernel.ok("%tf_run net [1, 2]").text == "array([3., 6.], dtype=float32)"


def test_else_an_existing_path_is_that_path_though_it_is_valid_python(kernel: Kernel) -> None:
    assert kind_of(kernel, "plus.pb") == "frozen graph"
    assert kind_of(kernel, "scales/1 --replace") == "SavedModel"


def test_a_number_is_a_folder(kernel: Kernel) -> None:
    kernel.ok('shutil.copytree("scales/1", "2024", dirs_exist_ok=True)')
    assert kind_of(kernel, "2024") == "SavedModel"


def test_else_it_is_an_expression(kernel: Kernel) -> None:
    kernel.ok("choice = {'best': triples}")
    kernel.ok("%tf_model add net choice['best']")
    assert kernel.ok("%tf_run net [1, 2]").text == "array([3., 6.], dtype=float32)"


def test_an_expression_may_have_blanks(kernel: Kernel) -> None:
    kernel.ok("%tf_model add net triples if 1 < 2 else None --device cpu")
    assert kernel.ok("%tf_run net [1, 2]").text == "array([3., 6.], dtype=float32)"


def test_a_name_and_a_path_that_both_exist_are_refused_with_both_ways_to_say_it(kernel: Kernel) -> None:
    kernel.ok("scales = triples")
    said = kernel.refused("%tf_model add net scales")
    assert '"./scales"' in said
    assert "(scales)" in said
    kernel.ok('%tf_model add first "./scales"')
    kernel.ok("%tf_model add second (scales)")


def test_a_path_below_a_folder_whose_name_is_bound_is_refused_only_where_both_could_be_meant(kernel: Kernel) -> None:
    kernel.ok('shutil.copytree("scales/1", "models/churn/2", dirs_exist_ok=True)')
    # models is bound, churn is not: only the path can be meant.
    kernel.ok("models = 7")
    assert kind_of(kernel, "models/churn/2") == "SavedModel"
    kernel.ok("churn = 1")
    said = kernel.refused("%tf_model add other models/churn/2")
    assert '"./models/churn/2"' in said
    assert "(models/churn/2)" in said


def test_a_dotted_name_that_is_a_file_and_an_attribute_is_refused(kernel: Kernel) -> None:
    kernel.ok('class plus: pb = triples\nshutil.copy("plus.pb", "copy.pb")')
    assert '"./plus.pb"' in kernel.refused("%tf_model add net plus.pb")
    assert kind_of(kernel, "copy.pb") == "frozen graph"


@pytest.mark.parametrize("path", ['"scales/1"', 'Path("scales") / "1"'])
def test_an_object_that_is_a_text_or_a_path_is_a_path(kernel: Kernel, path: str) -> None:
    kernel.ok(f"where = {path}")
    assert kind_of(kernel, "where") == "SavedModel"
    assert kind_of(kernel, "(where) --replace") == "SavedModel"


def test_a_text_computed_in_brackets_is_a_path(kernel: Kernel) -> None:
    kernel.ok("version = 1")
    assert kind_of(kernel, '(f"scales/{version}")') == "SavedModel"
    assert kind_of(kernel, 'Path("scales") / str(version) --replace') == "SavedModel"


def test_a_folder_of_numbered_versions_means_the_highest_and_says_which(kernel: Kernel) -> None:
    assert "version 10, the highest of 2" in kernel.ok("%tf_model add net scales").text


def test_a_calling_functions_names_count(kernel: Kernel) -> None:
    kernel.ok("""
        def add():
            mine = triples
            get_ipython().run_line_magic("tf_model", "add net mine")
        add()
    """)
    assert kernel.ok("%tf_run net [1, 2]").text == "array([3., 6.], dtype=float32)"


@pytest.mark.parametrize("source", ["nowhere", "nowhere/at/all", "legacy.pb", "models/none.keras", "2023"])
def test_what_is_neither_is_refused_as_a_missing_path(kernel: Kernel, source: str) -> None:
    assert f"there is no path {source} here" in kernel.refused(f"%tf_model add net {source}")


def test_a_quoted_path_that_is_missing_names_the_part_that_exists(kernel: Kernel) -> None:
    said = kernel.refused('%tf_model add net "scales/none/11"')
    assert "there is nothing at " in said
    assert f"({kernel.folder / 'scales'} is there, none/11 in it is not)" in said
    assert "scales/11 (did you mean '1'?)" in kernel.refused('%tf_model add net "scales/11"')


@pytest.mark.parametrize("source", ["gs://bucket/model", '"hf://someone/model"', "s3://a/b"])
def test_a_remote_address_is_refused_with_what_to_do(kernel: Kernel, source: str) -> None:
    assert "download it first" in kernel.refused(f"%tf_model add net {source}")


def test_an_object_that_is_no_model_is_refused_with_its_type(kernel: Kernel) -> None:
    kernel.ok("number = 7")
    assert "number is no model, it is of type int" in kernel.refused("%tf_model add net number")


def test_an_expression_that_raises_is_refused_with_what_it_raised(kernel: Kernel) -> None:
    assert kernel.refused("%tf_model add net (1/0)") == "'(1/0)' raised ZeroDivisionError: division by zero"
    assert "raised KeyError" in kernel.refused("%tf_model add net globals()['none']")
