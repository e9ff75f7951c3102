"""Code that a magic shows: a text that is displayed as code."""

from __future__ import annotations

from IPython.core.formatters import DisplayFormatter

from tfmagic.panel.views.view import Code

TEXT = 'import math\n\n\ndef f(x):\n    return "<" + str(math.sqrt(x))\n'


def test_it_is_the_text_and_nothing_else() -> None:
    code = Code(TEXT)
    assert code == TEXT
    assert code.splitlines()[0] == "import math"
    assert type(str(code)) is str
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - it is to be Python
    assert "f" in names


def test_it_is_shown_as_it_stands_in_a_file() -> None:
    shown, _ = DisplayFormatter().format(Code(TEXT))  # type: ignore[no-untyped-call]
    assert shown["text/plain"] == TEXT
    assert "return &quot;&lt;&quot;" in shown["text/html"]
    assert shown["text/html"].startswith("<pre")
