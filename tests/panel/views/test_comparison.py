"""The view of a comparison: a table, notes, and a chart of the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from tfmagic.panel.views.comparison import ComparisonTable, chart_of, share_text

if TYPE_CHECKING:
    from tfmagic.model.several.agreement import AgreementRecord
    from tfmagic.model.several.comparison import ComparedRecord, ComparisonRecord
    from tfmagic.model.several.scores import ScoresRecord

HOSTILE = "<img src=x onerror=1>"
DASH = "–"  # noqa: RUF001 - as the view has it


def agreement(**fields: Any) -> AgreementRecord:
    known: AgreementRecord = {
        "largest": 0.25,
        "mean": 0.0125,
        "nan_apart": 0,
        "values": 80,
        "same_argmax": 0.975,
        "equal": None,
    }
    return {**known, **fields}  # type: ignore[typeddict-item]


def compared(model: str, *outputs: AgreementRecord | None, first_call: bool = False) -> ComparedRecord:
    return {
        "model": model,
        "latency_s": 0.002,
        "first_call": first_call,
        "outputs": [{"name": f"out{number}", "agreement": one} for number, one in enumerate(outputs)],
        "others": [],
    }


def scores(*, rows: int = 100, first: str = "old", other: str = "new") -> ScoresRecord:
    return {
        "output": "probs",
        "first": first,
        "rows": rows,
        "classes": [
            {"index": 0, "rows": 60, "values": {other: 1.0}, "instead": {other: None}},
            {"index": 7, "rows": 1, "values": {other: 0.5}, "instead": {other: 3}},
        ],
        "left_out": 0,
    }


def comparison(*models: ComparedRecord, drawn: ScoresRecord | None = None) -> ComparisonRecord:
    return {"models": list(models) or [compared("old", None), compared("new", agreement())], "scores": drawn}


def test_the_table_has_a_row_a_model_and_dashes_for_the_first() -> None:
    caption, headings, old, new = ComparisonTable(comparison()).text().splitlines()
    assert caption == "compared with old; latency is that of this run, in which they share the machine"
    assert headings.split("  ")[0] == "model"
    for heading in ("latency", "largest difference", "mean difference", "same argmax"):
        assert heading in headings
    assert old.split() == ["old", "2", "ms", DASH, DASH, DASH]
    assert new.split() == ["new", "2", "ms", "0.25", "0.0125", "97.5", "%"]


def test_a_column_that_makes_no_sense_for_any_output_is_left_out() -> None:
    numbers = agreement(same_argmax=None)
    text = ComparisonTable(comparison(compared("old", None), compared("new", numbers))).text()
    assert "same argmax" not in text
    assert "equal" not in text
    texts = agreement(largest=None, mean=None, same_argmax=None, equal=0.5)
    text = ComparisonTable(comparison(compared("old", None), compared("new", texts))).text()
    assert "difference" not in text
    assert "equal values" in text
    assert "50 %" in text


def test_several_outputs_have_a_row_each() -> None:
    view = ComparisonTable(comparison(compared("old", None, None), compared("new", agreement(), agreement(largest=3))))
    _, headings, *rows = view.text().splitlines()
    assert "output" in headings
    assert [row.split()[0] for row in rows] == ["old", "out1", "new", "out1"]
    assert "out0" in rows[2]
    assert rows[3].split()[:2] == ["out1", "3"]


@pytest.mark.parametrize(
    ("share", "shown"),
    [(1.0, "100 %"), (0.0, "0 %"), (0.5, "50 %"), (0.8333, "83.3 %"), (0.9996, "99.96 %"), (0.99996, "99.996 %")],
)
def test_a_share_is_shown_in_percent(share: float, shown: str) -> None:
    assert share_text(share) == shown


def test_what_is_not_all_is_never_shown_as_all_and_what_is_not_none_never_as_none() -> None:
    assert share_text(1 - 1e-9) == "under 100 %"
    assert share_text(1e-9) == "over 0 %"


def test_nan_first_calls_and_other_outputs_are_noted() -> None:
    new = compared("new", agreement(nan_apart=3), first_call=True)
    new["others"] = ["logits", "loss"]
    view = ComparisonTable(comparison(compared("old", None), new))
    for shown in (view.text(), view.html()):
        assert "new: 3 of 80 values of out0 are NaN in only one of it and old, and are left out" in shown
        assert "new had its first call of this kind, which prepares the later ones: run it again for the" in shown
        assert "not compared, as not all have it: logits, loss of new" in shown


def test_html_is_a_native_table_with_a_caption() -> None:
    html = ComparisonTable(comparison())._repr_html_()
    assert "<caption" in html
    assert '<th scope="col"' in html
    assert "<svg" not in html


@pytest.mark.parametrize(
    "record",
    [
        comparison(compared(HOSTILE, None), compared("new", agreement())),
        comparison(compared("old", None), compared(HOSTILE, agreement(nan_apart=1), first_call=True)),
        comparison(drawn=scores(other=HOSTILE)),
        comparison(drawn=scores(first=HOSTILE)),
    ],
)
def test_a_name_that_is_html_never_becomes_html(record: ComparisonRecord) -> None:
    assert "<img" not in ComparisonTable(record).html()
    assert "&lt;img" in ComparisonTable(record).html()


# -- the chart -----------------------------------------------------------------------------


def drawn(record: ScoresRecord) -> ET.Element:
    html = ComparisonTable(comparison(drawn=record)).html()
    return ET.fromstring(html[html.index("<svg") : html.index("</svg>") + len("</svg>")])  # noqa: S314 - our own text


def texts(svg: ET.Element) -> list[str]:
    return [element.text or "" for element in svg.iter("{http://www.w3.org/2000/svg}text")]


def test_classes_of_several_rows_are_drawn_with_where_the_others_went() -> None:
    shown = texts(drawn(scores()))
    assert "probs: of the rows that old puts into a class, how many new puts there too" in shown
    assert {"class 0 (60 rows)", "class 7 (1 row)", "100 %", "50 %, others mostly 3"} <= set(shown)


def test_a_class_is_as_long_as_its_share() -> None:
    bars = [
        float(element.get("width") or 0)
        for element in drawn(scores()).iter("{http://www.w3.org/2000/svg}rect")
        if list(element)
    ]
    assert bars[0] == pytest.approx(2 * bars[1], rel=0.01)


def one_row() -> ScoresRecord:
    return {
        "output": "probs",
        "first": "old",
        "rows": 1,
        "classes": [
            {"index": 4, "rows": 0, "values": {"old": 0.75, "new": -0.25}, "instead": {}},
            {"index": 9, "rows": 0, "values": {"old": 0.1, "new": None}, "instead": {}},
        ],
        "left_out": 98,
    }


def test_scores_of_one_row_are_drawn_by_class_and_model() -> None:
    shown = texts(drawn(one_row()))
    assert "probs: scores by class (98 other classes with lower scores not shown)" in shown
    assert {"class 4", "class 9", "old", "new", "0.75", "-0.25", "no number"} <= set(shown)
    chart = chart_of(one_row())
    assert (chart.least, chart.most) == (-0.25, 0.75)


def test_no_classes_draw_nothing() -> None:
    record = {**scores(), "classes": []}
    assert "<svg" not in ComparisonTable(comparison(drawn=record)).html()  # type: ignore[arg-type]
