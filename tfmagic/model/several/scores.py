"""What there is to draw of models that give scores of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np

from tfmagic.model.several.agreement import classes

if TYPE_CHECKING:
    from collections.abc import Mapping

# As many as can be told apart in one look.
_SHOWN = 12
_FEW = 20


class ClassRecord(TypedDict):
    """One class.

    Attributes
    ----------
    index
        Its place among the scores.
    rows
        How many rows the first model puts there.
    values
        By model: of one row its score; of several the share of the first model's
        rows that this model puts there too.
    instead
        By model, of several rows: where most of the others go, None where there are
        none.
    """

    index: int
    rows: int
    values: dict[str, float | None]
    instead: dict[str, int | None]


class ScoresRecord(TypedDict):
    """Scores of classes, compared.

    Attributes
    ----------
    output
        The first model's name for the output.
    first
        The first model.
    rows
        How many rows there are. Of one, each class has the models' scores; of
        several, the share of rows that each model puts into the class where the
        first has them.
    classes
        Those that say most, in order.
    left_out
        How many other classes there are in which the first model has rows (of one
        row: how many other classes).
    """

    output: str
    first: str
    rows: int
    classes: list[ClassRecord]
    left_out: int


def scores_of(output: str, arrays: Mapping[str, np.ndarray]) -> ScoresRecord:
    """Return what there is to draw of scores by model, all of the same shape."""
    first = next(iter(arrays))
    rows = {model: array.reshape(-1, array.shape[-1]) for model, array in arrays.items()}
    count, width = rows[first].shape
    found = _of_one_row(rows) if count == 1 else _of_rows(rows)
    of = width if count == 1 else len(found)
    # Those that say most come first; what is shown is in the classes' own order.
    shown = sorted(found[: _FEW if of <= _FEW else _SHOWN], key=lambda record: record["index"])
    return {"output": output, "first": first, "rows": count, "classes": shown, "left_out": of - len(shown)}


def _of_one_row(rows: Mapping[str, np.ndarray]) -> list[ClassRecord]:
    """Return the classes, the one with the highest score of any model first."""
    scores = np.stack([array[0].astype(np.float64) for array in rows.values()])
    highest = np.where(np.isnan(scores), -np.inf, scores).max(0)
    return [
        {
            "index": int(index),
            "rows": 0,
            "values": {model: _known(scores[number, index]) for number, model in enumerate(rows)},
            "instead": {},
        }
        for index in np.argsort(-highest, kind="stable")
    ]


def _of_rows(rows: Mapping[str, np.ndarray]) -> list[ClassRecord]:
    """Return the classes in which the first model has rows, the one about which most rows differ first."""
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
            "values": {model: 1 - len(gone) / total for model, gone in elsewhere.items()},
            "instead": {model: _most_common(gone) for model, gone in elsewhere.items()},
        }
        records.append((sum(len(gone) for gone in elsewhere.values()), record))
    return [record for _, record in sorted(records, key=lambda one: -one[0])]


def _most_common(chosen: np.ndarray) -> int | None:
    known = chosen[chosen >= 0]
    return int(np.bincount(known).argmax()) if len(known) else None


def _known(score: float) -> float | None:
    return float(score) if np.isfinite(score) else None
