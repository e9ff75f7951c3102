"""A comparison: the results of several models on the same inputs, and how far these agree."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.errors import UnknownNameError, did_you_mean
from tfmagic.model.several.agreement import AgreementRecord, agreement, are_scores
from tfmagic.model.several.matching import pair_outputs
from tfmagic.model.several.scores import ScoresRecord, scores_of

if TYPE_CHECKING:
    from tfmagic.execution.signature.result import Result


class OutputRecord(TypedDict):
    """One output of one model in a comparison.

    Attributes
    ----------
    name
        The first model's name for it.
    agreement
        With the first model's; None for the first model itself.
    """

    name: str
    agreement: AgreementRecord | None


class ComparedRecord(TypedDict):
    """One model of a comparison.

    Attributes
    ----------
    latency_s
        How long its call took, beside the calls of the others; all batches together.
    first_call
        Whether the call was the model's first, or a compiled model's first with inputs
        of these shapes: later calls are faster.
    outputs
        The compared outputs.
    others
        The outputs that not all models have.
    """

    model: str
    latency_s: float
    first_call: bool
    outputs: list[OutputRecord]
    others: list[str]


class ComparisonRecord(TypedDict):
    """A comparison as plain data: a record for each model, and class scores to draw if an output has them."""

    models: list[ComparedRecord]
    scores: ScoresRecord | None


class Comparison(Mapping[str, Any]):
    """The results of several models on the same inputs, by model name, and how far they agree with the first."""

    def __init__(
        self, results: Mapping[str, Result], latencies: Mapping[str, float], first_calls: Collection[str] = ()
    ) -> None:
        self._results = dict(results)
        self._latencies = dict(latencies)
        self._first_calls = set(first_calls)
        self._pairing = pair_outputs(self._results)
        self._record: ComparisonRecord | None = None

    def __getitem__(self, model: str) -> Any:
        """Return the array of a model's single output, else its outputs by name."""
        result = self._results.get(model)
        if result is None:
            msg = f"this comparison has no model {model!r}{did_you_mean(str(model), self._results)}"
            raise UnknownNameError(msg)
        return next(iter(result.values())) if len(result) == 1 else result

    def __iter__(self) -> Iterator[str]:
        """Iterate over the models' names."""
        return iter(self._results)

    def __len__(self) -> int:
        """Return how many models were compared."""
        return len(self._results)

    @property
    def table(self) -> list[ComparedRecord]:
        """A record for each model; the others are compared with the first."""
        return self.record()["models"]

    def record(self) -> ComparisonRecord:
        """Return the comparison as plain data."""
        if self._record is None:
            models = [self._compared(model) for model in self._results]
            self._record = {"models": models, "scores": self._scores()}
        return self._record

    def __repr__(self) -> str:
        """Say which models were compared."""
        return f"<comparison of {', '.join(self._results)}>"

    def _compared(self, model: str) -> ComparedRecord:
        first = next(iter(self._results))
        outputs: list[OutputRecord] = [
            {
                "name": name,
                "agreement": None
                if model == first
                else agreement(self._output(name, first), self._output(name, model)),
            }
            for name in self._pairing
        ]
        own = {names[model] for names in self._pairing.values()}
        return {
            "model": model,
            "latency_s": self._latencies[model],
            "first_call": model in self._first_calls,
            "outputs": outputs,
            "others": [name for name in self._results[model] if name not in own],
        }

    def _scores(self) -> ScoresRecord | None:
        for name in self._pairing:
            arrays = {model: self._output(name, model) for model in self._results}
            if all(are_scores(array) and array.size for array in arrays.values()):
                return scores_of(name, arrays)
        return None

    def _output(self, name: str, model: str) -> Any:
        return self._results[model][self._pairing[name][model]]
