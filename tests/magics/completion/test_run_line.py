"""Tab in a line of ``%tf_run``."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf
from tab_key import all_offered, tab

from tfmagic import models
from tfmagic.magics.commands import run as run_magic


@pytest.mark.parametrize(
    "form", ["%tf_run {}", "%%tf_run {}", "r = %tf_run {}", "    %tf_run {}", "tf_run {}", "a, b = %tf_run {}"]
)
@pytest.mark.usefixtures("rooms")
def test_every_form_of_the_line_takes_models(shell: Any, form: str) -> None:
    assert tab(shell, form.format("")) == ["two", "one"]
    assert tab(shell, form.format("o")) == ["one"]


@pytest.mark.usefixtures("rooms")
def test_models_to_compare_are_listed_with_commas(shell: Any) -> None:
    assert tab(shell, "%tf_run two,") == ["one"]
    assert tab(shell, "%tf_run two,one,") == []
    assert tab(shell, "%%tf_run two,") == []
    assert tab(shell, "%tf_run two,one im") == ["image="]
    assert tab(shell, "%tf_run two,one --fetch ")[0] == "sum"
    assert "gap" not in tab(shell, "%tf_run two,one --fetch ")


@pytest.mark.usefixtures("two")
def test_inputs_come_by_name_before_the_notebooks_names(shell: Any) -> None:
    assert tab(shell, "%tf_run two ") == ["image=", "mask=", "batch", "block"]
    assert tab(shell, "%tf_run two im") == ["image="]
    assert tab(shell, "%tf_run two image=batch ") == ["mask="]
    assert tab(shell, "%tf_run two <Tab> image=batch") == ["mask=", "batch", "block"]
    assert tab(shell, "%tf_run two image=batch mask=batch ") == []
    assert tab(shell, "%tf_run two block ") == ["image=", "mask="]


@pytest.mark.parametrize("jedi", [True, False])
@pytest.mark.usefixtures("two")
def test_expressions_take_the_notebooks_names(shell: Any, jedi: bool) -> None:  # noqa: FBT001 - a parameter
    shell.Completer.use_jedi = jedi
    assert tab(shell, "%tf_run two image=") == ["batch", "block"]
    assert tab(shell, "%tf_run two image=ba") == ["batch"]
    assert tab(shell, "%tf_run two image= ba") == ["batch"]
    assert tab(shell, "%tf_run two ba") == ["batch"]
    assert tab(shell, "%tf_run two **bl") == ["block"]
    assert tab(shell, "%tf_run two image=batch + ") == ["batch", "block"]
    assert tab(shell, "%tf_run two image=len(") == ["batch", "block"]
    assert all_offered(shell, "%tf_run two batch.app") == ["%tf_run two batch.append"]
    assert tab(shell, "%tf_run two image=block['") == ["first", "second"]
    assert tab(shell, '%tf_run two image=block["s') == ["second"]
    assert tab(shell, "%tf_run two image=block['nothing") == []
    assert tab(shell, "%tf_run two image=lamb") == ["lambda"]
    assert tab(shell, "%tf_run two image=whi") == []
    assert tab(shell, "%tf_run two image=time") == []


def test_names_that_the_cell_has_yet_to_bind_are_offered_too(shell: Any, two: Any) -> None:
    assert tab(shell, f"for rows in batch:\n    %tf_run {two.name} row") == ["rows"]
    assert "rows" in tab(shell, f"for rows in batch:\n    %tf_run {two.name} ")
    assert tab(shell, f"def answer(question):\n    r = %tf_run {two.name} qu") == ["question"]


def test_values_of_options_are_the_models(shell: Any, two: Any) -> None:
    assert tab(shell, "%tf_run two --") == [option.name for option in run_magic.LINE.options if len(option.name) > 2]
    assert tab(shell, "%tf_run two --signature ") == ["serving_default"]
    assert tab(shell, "%tf_run two --signature nothing im") == []
    fetched = tab(shell, "%tf_run two --fetch ")
    assert fetched[:2] == ["sum", "gap"]
    assert {"image", "hidden", "body/hidden"} <= set(fetched)
    assert not [name for name in fetched if name.startswith("tfmagic_")]
    assert tab(shell, "%tf_run two --fetch sum,g") == ["gap"]
    assert tab(shell, "%tf_run two --fetch=sum,body/h") == ["body/hidden/y", "body/hidden"]
    assert "sum" not in tab(shell, "%tf_run two --fetch sum,")
    assert tab(shell, "%tf_run --fetch g<Tab> two") == ["gap"]
    assert tab(shell, "%tf_run two batch --repeat ") == []
    assert tab(shell, "%tf_run two batch --timeout=") == []
    assert two.lifecycle.backend is not None


@pytest.mark.usefixtures("two")
def test_what_is_sent_out(shell: Any) -> None:
    assert tab(shell, "%tf_run two image=batch -o ") == ["batch", "block"]
    assert tab(shell, "%tf_run two image=batch -o r=") == ["sum", "gap"]
    assert tab(shell, "%tf_run two image=batch --fetch mask -o r=") == ["mask"]
    assert tab(shell, "%tf_run two -o ") == ["image", "mask", "hidden", "sum", "gap", "batch", "block"]
    assert tab(shell, "%tf_run two -o hi") == ["hidden"]
    assert tab(shell, "%tf_run two -o sum,mine=g") == ["gap"]
    assert tab(shell, "%%tf_run two -o mine=hi") == ["hidden"]
    assert tab(shell, "%%tf_run two -o image,ma") == ["mask"]


def test_a_live_model_has_outputs_and_no_tensors(shell: Any) -> None:
    models.add("live", tf.function(lambda x: {"y": x}, input_signature=[tf.TensorSpec([None], tf.float32, name="x")]))
    assert tab(shell, "%tf_run live ") == ["x=", "batch", "block"]
    assert tab(shell, "%tf_run live --fetch ") == [
        output.name for output in models.live.signatures[models.live.default_signature].outputs
    ]


@pytest.mark.usefixtures("two")
def test_a_line_goes_on_behind_a_backslash(shell: Any) -> None:
    assert tab(shell, "%tf_run two \\\n  image=batch \\\n  ma") == ["mask="]
    assert tab(shell, "%tf_run two \\\n  mas<Tab> \\\n  image=batch") == ["mask="]
    assert tab(shell, "r = %tf_run two <Tab>\\\n  image=batch")[0] == "mask="


@pytest.mark.usefixtures("two")
def test_behind_the_end_of_a_line_nothing_is_offered(shell: Any) -> None:
    assert tab(shell, "%tf_run two batch  # ba") == []
    assert tab(shell, "%tf_run two batch;") == []
    assert tab(shell, "%tf_run two image=batch ; ") == []
    assert tab(shell, "%tf_run two image=block[';") == []
