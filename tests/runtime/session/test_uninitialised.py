"""Which variable an error of TensorFlow's means."""

from __future__ import annotations

import pytest

from tfmagic.runtime.session.uninitialised import variable_named_in


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("Could not find variable layer/w. This could mean that the variable has been deleted.", "layer/w"),
        ("Attempting to use uninitialized value layer/w\n\t [[{{node layer/w/read}}]]", "layer/w"),
        ("Resource localhost/w/N10tensorflow3VarE does not exist.", "w"),
        ("Error while reading resource variable w from Container: localhost.", "w"),
        ("Table not initialized.", None),
        ("", None),
    ],
)
def test_the_variable_is_read_out_of_each_of_the_texts(message: str, name: str | None) -> None:
    assert variable_named_in(message) == name
