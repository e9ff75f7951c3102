"""The data for a chart of models that return class scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np

from tfmagic.model.several.agreement import classes

if TYPE_CHECKING:
    from collections.abc import Mapping

# How many classes are shown; all of them up to the second number.
_SHOWN = 12
_ALL_SHOWN = 20


class ClassRecord(TypedDict):
    """One class.

    Attributes
    ----------
    index
        Its place among the scores.
    rows
        How many rows the first model puts there.
    values
        By model: for one row its score; for several the share of the first model's
        rows that this model puts there too.
    instead
        By model, for several rows: the class that gets most of the other rows, None
        where there are none.
    """

    index: int
    rows: int
    values: dict[str, float | None]
    instead: dict[str, int | None]


class ScoresRecord(TypedDict):
    """Class scores of several models.

    Attributes
    ----------
    output
        The first model's name for the output.
    first
        The first model.
    rows
        How many rows there are. For one, each class has the models' scores; for several, the
        share of rows that each model puts into the class where the first model has them.
    classes
        The classes that differ most, in their own order.
    left_out
        How many classes are not among them; for several rows, of those in which the first model
        has rows.
    """

    output: str
    first: str
    rows: int
    classes: list[ClassRecord]
    left_out: int


def scores_of(output: str, arrays: Mapping[str, np.ndarray]) -> ScoresRecord:
    """Return the chart data for scores by model, all of the same shape."""
    first = next(iter(arrays))
    rows = {model: array.reshape(-1, array.shape[-1]) for model, array in arrays.items()}
    count, width = rows[first].shape
    records = _of_one_row(rows) if count == 1 else _of_rows(rows)
    total = width if count == 1 else len(records)
    # The most interesting come first, and are shown in the classes' own order.
    shown = sorted(records[: _ALL_SHOWN if total <= _ALL_SHOWN else _SHOWN], key=lambda record: record["index"])
    return {"output": output, "first": first, "rows": count, "classes": shown, "left_out": total - len(shown)}


def _of_one_row(rows: Mapping[str, np.ndarray]) -> list[ClassRecord]:
    """Return the classes, the one with the highest score of any model first."""
    scores = np.stack([array[0].astype(np.float64) for array in rows.values()])
    highest = np.where(np.isnan(scores), -np.inf, scores).max(0)
    return [
        {
            "index": int(index),
            "rows": 0,
            "values": {model: _finite(scores[number, index]) for number, model in enumerate(rows)},
            "instead": {},
        }
        for index in np.argsort(-highest, kind="stable")
    ]


def _of_rows(rows: Mapping[str, np.ndarray]) -> list[ClassRecord]:
    """Return the classes in which the first model has rows, the one with the most differing rows first."""
    first, *others = rows
    chosen = {model: classes(array) for model, array in rows.items()}
    records: list[tuple[int, ClassRecord]] = []
    for index in np.unique(chosen[first]):
        if index < 0:
            continue  # rows with NaN are in no class
        here = chosen[first] == index
        elsewhere = {model: chosen[model][here & (chosen[model] != index)] for model in others}
        total = int(np.count_nonzero(here))
        record: ClassRecord = {
            "index": int(index),
            "rows": total,
            "values": {model: 1 - len(differing) / total for model, differing in elsewhere.items()},
            "instead": {model: _most_common(differing) for model, differing in elsewhere.items()},
        }
        records.append((sum(len(differing) for differing in elsewhere.values()), record))
    return [record for _, record in sorted(records, key=lambda pair: -pair[0])]


def _most_common(chosen: np.ndarray) -> int | None:
    in_a_class = chosen[chosen >= 0]
    return int(np.bincount(in_a_class).argmax()) if len(in_a_class) else None


def _finite(score: float) -> float | None:
    return float(score) if np.isfinite(score) else None
