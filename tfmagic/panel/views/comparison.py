"""``%tf_run a,b``: one table of the models, and a chart where they give scores of classes."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from tfmagic.core.units import counted, seconds_text
from tfmagic.panel.drawing.chart import Bar, BarChart
from tfmagic.panel.drawing.table import Table
from tfmagic.panel.views.view import RecordView

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.model.several.agreement import AgreementRecord
    from tfmagic.model.several.comparison import ComparedRecord, ComparisonRecord
    from tfmagic.model.several.scores import ClassRecord, ScoresRecord

_FIGURES: dict[str, Callable[[AgreementRecord], float | None]] = {
    "largest difference": lambda agreement: agreement["largest"],
    "mean difference": lambda agreement: agreement["mean"],
    "same argmax": lambda agreement: agreement["same_argmax"],
    "equal values": lambda agreement: agreement["equal"],
}
_SHARES = {"same argmax", "equal values"}


class ComparisonTable(RecordView["ComparisonRecord"]):
    """A row for each model and output, notes, and a chart of the classes."""

    def text(self) -> str:
        """Return the table and the notes."""
        return "\n".join([self._table().text(), *self._notes()])

    def html(self) -> str:
        """Return the table, the notes and the chart."""
        notes = "".join(f"<div>{note}</div>" for note in map(escape, self._notes()))
        scores = self.record["scores"]
        chart = "" if scores is None or not scores["classes"] else f"<div>{chart_of(scores).svg()}</div>"
        return self._table().html() + notes + chart

    def _table(self) -> Table:
        records = self.record["models"]
        several = len(records[0]["outputs"]) > 1
        agreements = [output["agreement"] for record in records for output in record["outputs"]]
        wanted = [
            heading
            for heading, figure in _FIGURES.items()
            if any(agreement is not None and figure(agreement) is not None for agreement in agreements)
        ]
        headings = ["model", "latency", *(["output"] if several else []), *wanted]
        rows = []
        for record in records:
            for number, output in enumerate(record["outputs"]):
                head = (record["model"], seconds_text(record["latency_s"])) if number == 0 else ("", "")
                figures = [_figure(output["agreement"], heading) for heading in wanted]
                rows.append((*head, *((output["name"],) if several else ()), *figures))
        first = records[0]["model"]
        caption = f"compared with {first}; latency is that of this run, in which they share the machine"
        return Table(headings, rows, caption)

    def _notes(self) -> list[str]:
        records = self.record["models"]
        first = records[0]["model"]
        notes = [note for record in records for note in _nan_notes(record, first)]
        new = [record["model"] for record in records if record["first_call"]]
        if new:
            their = "their" if len(new) > 1 else "its"
            notes.append(
                f"{' and '.join(new)} had {their} first call of this kind, which prepares the later ones: "
                "run it again for the usual latency"
            )
        notes += [
            f"not compared, as not all have it: {', '.join(record['others'])} of {record['model']}"
            for record in records
            if record["others"]
        ]
        return notes


def _figure(agreement: AgreementRecord | None, heading: str) -> str:
    value = None if agreement is None else _FIGURES[heading](agreement)
    if value is None:
        return "–"  # noqa: RUF001 - a dash for a figure without a meaning
    return share_text(value) if heading in _SHARES else f"{value:.3g}"


def share_text(share: float) -> str:
    """Return a share as ``98.4 %``; only all of them are shown as 100 %."""
    percent = 100 * share
    for digits in (1, 2, 3):
        shown = f"{percent:.{digits}f}"
        if float(shown) not in {0.0, 100.0} or percent in {0.0, 100.0}:
            return f"{float(shown):.{digits}f}".rstrip("0").rstrip(".") + " %"
    return "under 100 %" if share > 0.5 else "over 0 %"


def _nan_notes(record: ComparedRecord, first: str) -> list[str]:
    found = [(output["name"], output["agreement"]) for output in record["outputs"]]
    return [
        f"{record['model']}: {agreement['nan_apart']} of {agreement['values']} values of {name} are NaN in only one "
        f"of it and {first}, and are left out of the differences"
        for name, agreement in found
        if agreement is not None and agreement["nan_apart"]
    ]


def chart_of(scores: ScoresRecord) -> BarChart:
    """Return the chart of models that give scores of classes."""
    models = list(scores["classes"][0]["values"])
    if scores["rows"] == 1:
        values = [value for scored in scores["classes"] for value in scored["values"].values() if value is not None]
        return BarChart(
            f"{scores['output']}: scores by class" + _left_out(scores, "with lower scores"),
            models,
            [(f"class {scored['index']}", [_score(scored, model) for model in models]) for scored in scores["classes"]],
            min([0.0, *values]),
            max([0.0, *values]),
        )
    others = models[0] if len(models) == 1 else "each of the others"
    first = scores["first"]
    title = f"{scores['output']}: of the rows that {first} puts into a class, how many {others} puts there too"
    return BarChart(
        title + _left_out(scores, "with fewer differences"),
        models,
        [
            (
                f"class {scored['index']} ({counted(scored['rows'], 'row')})",
                [_agreement(scored, model) for model in models],
            )
            for scored in scores["classes"]
        ],
        # The first model has no bars here; its colour stays free for charts where it has.
        first_colour=1,
        track=True,
    )


def _score(record: ClassRecord, model: str) -> Bar:
    value = record["values"][model]
    return Bar(value, "no number" if value is None else f"{value:.3g}")


def _agreement(record: ClassRecord, model: str) -> Bar:
    share, instead = record["values"][model] or 0.0, record["instead"][model]
    where = "" if instead is None else f", others mostly {instead}"
    return Bar(share, share_text(share) + where)


def _left_out(scores: ScoresRecord, why: str) -> str:
    left_out = scores["left_out"]
    return f" ({counted(left_out, 'other class', 'other classes')} {why} not shown)" if left_out else ""
