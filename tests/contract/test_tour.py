"""The tour of the documentation, cell by cell, as a person types it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kernel.harness import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel

CHECKOUT = Path(__file__).parents[2]
TOUR = CHECKOUT / "docs" / "tour.md"
CELL = re.compile(r"^```\{code-cell\} ipython3\n(:tags: \[[^\n]*\]\n)?(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    models = str(CHECKOUT / "examples" / "models")
    running = Kernel(tmp_path_factory.mktemp("tour"), by_itself=True, TFMAGIC_EXAMPLE_MODELS=models)
    yield running
    running.stop()


def test_each_cell_of_the_tour_runs_and_the_one_that_is_wrong_says_so_in_a_line(kernel: Kernel) -> None:
    page = TOUR.read_text(encoding="utf-8")
    cells = CELL.findall(page)
    assert len(cells) == page.count("```{code-cell}") > 10
    for tags, code in cells:
        if "raises-exception" in tags:
            assert kernel.refused(code) == "legacy: input 'pixels' takes float32 (?, 64), got (3, 8)"
        else:
            kernel.ok(code)
    assert kernel.value("sorted(models)") == "['legacy', 'live', 'tf1', 'v2']"
