"""Tables as text and as HTML."""

from __future__ import annotations

import re

from tfmagic.panel.drawing.table import Table

HOSTILE = "<img src=x onerror=1>"


def test_text_columns_are_aligned_and_lines_have_no_blanks_at_their_ends() -> None:
    table = Table(("name", "b"), [("a", "1"), ("longer", "")])
    assert table.text() == "name    b\na       1\nlonger"


def test_a_cell_of_several_lines_is_one_line_of_text() -> None:
    assert Table(("a", "b"), [("x\ny", "1")]).text() == "a    b\nx y  1"


def test_figures_are_read_from_their_right_ends() -> None:
    table = Table(("name", "time", "rows"), [("a", "1.2 ms", "–"), ("b", "unknown", "12")])  # noqa: RUF001
    assert table.text() == "name     time  rows\na      1.2 ms     –\nb     unknown    12"  # noqa: RUF001
    assert table.html().count("text-align:right") == 6
    assert len(re.findall(r"<td style=.text-align:right[^>]*white-space:pre.>", table.html())) == 4


def test_html_is_a_table_with_headings() -> None:
    html = Table(("name",), [("a",), ("b",)]).html()
    assert html.startswith("<table><thead>")
    assert html.count("<tr>") == 3
    assert html.count('<th scope="col"') == 1


def test_everything_in_html_is_escaped() -> None:
    html = Table((HOSTILE, '"&'), [(HOSTILE, "'&amp;")]).html()
    assert "<img" not in html
    assert html.count("&lt;img src=x onerror=1&gt;") == 2
    assert "&quot;&amp;" in html
    assert "&#x27;&amp;amp;" in html
