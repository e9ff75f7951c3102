"""Results, signatures and errors as a person sees them."""

from __future__ import annotations

import numpy as np
import pytest

from tfmagic.errors import TfMagicError, UnknownNameError, did_you_mean
from tfmagic.execution.signature.result import Result
from tfmagic.execution.signature.signature import Signature, TensorSpec, default_among, shape_text


def test_a_result_is_a_mapping_with_attribute_access() -> None:
    result = Result({"probabilities": np.ones(2), "class": 3})
    assert list(result) == ["probabilities", "class"]
    assert result["class"] == 3
    assert result.probabilities is result["probabilities"]
    assert {"probabilities", "class"} <= set(dir(result))
    assert "probabilities: float64 (2,)" in repr(result)
    assert repr(Result({})) == "Result()"


def test_an_output_that_is_not_there_offers_the_nearest() -> None:
    result = Result({"probabilities": 1})
    said = r"this result has no output 'probabilites' \(did you mean 'probabilities'\?\)"
    with pytest.raises(UnknownNameError, match=said):
        result["probabilites"]
    with pytest.raises(UnknownNameError, match=said):
        result.probabilites  # noqa: B018
    assert not hasattr(result, "_repr_html_")


@pytest.mark.parametrize(
    ("shape", "text"),
    [((), "()"), ((3,), "(3,)"), ((None, 64), "(?, 64)"), (None, "any shape")],
)
def test_shapes_in_words(shape: tuple[int | None, ...] | None, text: str) -> None:
    assert shape_text(shape) == text


def test_specs_in_words() -> None:
    assert str(TensorSpec("x", "float32", (None, 2))) == "x float32 (?, 2)"
    assert str(TensorSpec("x")) == "x"


def test_the_default_signature_is_the_one_asked_for_the_usual_one_or_the_only_one() -> None:
    one, two = Signature("one", (), ()), Signature("serving_default", (), ())
    assert default_among("net", {"one": one}, None) == "one"
    assert default_among("net", {"one": one, "serving_default": two}, None) == "serving_default"
    assert default_among("net", {"one": one, "serving_default": two}, "one") == "one"


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("digit", ["digits", "other"], " (did you mean 'digits'?)"),
        ("DIGITS", ["digits", "other"], " (did you mean 'digits'?)"),
        ("zzz", ["digits", "other"], " (there are: digits, other)"),
        ("zzz", ["digits"], " (there is: digits)"),
        ("zzz", [], ""),
        ("zzz", [f"name{n}" for n in range(9)], " (there are: " + ", ".join(f"name{n}" for n in range(8)) + ", …)"),
    ],
)
def test_did_you_mean(word: str, known: list[str], said: str) -> None:
    assert did_you_mean(word, known) == said


def test_an_unknown_name_is_a_key_error_whose_text_is_the_message() -> None:
    error = UnknownNameError("there is no model 'x'")
    assert str(error) == "there is no model 'x'"
    assert isinstance(error, KeyError)
    assert isinstance(error, AttributeError)
    assert str(TfMagicError()) == ""
