"""Which variable an error of TensorFlow's means."""

from __future__ import annotations

import pytest

from tfmagic.errors import UninitialisedVariableError
from tfmagic.runtime.session.uninitialised import uninitialised


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("Could not find variable layer/w. This could mean that the variable has been deleted.", "layer/w"),
        ("Attempting to use uninitialized value layer/w\n\t [[{{node layer/w/read}}]]", "layer/w"),
        ("Resource localhost/w/N10tensorflow3VarE does not exist.", "w"),
        ("Error while reading resource variable w from Container: localhost.", "w"),
    ],
)
def test_the_error_names_the_variable_of_each_of_the_texts(message: str, name: str) -> None:
    error = uninitialised(RuntimeError(message), "model 'net'")
    assert isinstance(error, UninitialisedVariableError)
    assert str(error).startswith(f"variable {name!r} of model 'net' was never initialised")


@pytest.mark.parametrize("message", ["Table not initialized.", ""])
def test_another_error_stays_as_it_is(message: str) -> None:
    error = RuntimeError(message)
    assert uninitialised(error, "model 'net'") is error
