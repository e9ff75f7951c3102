"""Mutants of every kind of source: none ends the kernel, hangs, floods the memory or brings a long error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faults.mutants import KINDS
from faults.soak import outcomes, write_good_models

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

COUNT = 10
# On a machine with much to do only what never ends takes so long.
MOST_S = 120.0


@pytest.fixture(scope="module")
def good_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    write_good_models(folder, list(KINDS))
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_mutant_is_taken_or_refused_in_a_few_lines(kind: str, good_models: Path) -> None:
    found = list(outcomes(kind, good_models, range(COUNT), workers=1, most_s=MOST_S))
    assert len(found) == COUNT
    assert [(outcome.seed, outcome.fault, outcome.detail) for outcome in found if outcome.fault is not None] == []


def test_an_unchanged_model_of_each_kind_is_run_and_saved(good_models: Path) -> None:
    for kind in KINDS:
        (outcome,) = outcomes(kind, good_models, range(-1, 0), workers=1, most_s=MOST_S)
        assert (kind, outcome.fault, outcome.detail) == (kind, None, "")
