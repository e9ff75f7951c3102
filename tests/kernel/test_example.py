"""The example notebook runs top to bottom, and once more in the same kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def cells() -> list[str]:
    notebook = nbformat.read(EXAMPLES / "juggling.ipynb", 4)  # type: ignore[no-untyped-call]  # nbformat has none here
    return [cell["source"] for cell in notebook.cells if cell["cell_type"] == "code"]


def test_the_example_runs_and_runs_again(kernel: Kernel) -> None:
    kernel.ok(f"%cd -q {EXAMPLES}\n%matplotlib inline")
    first = [kernel.ok(cell) for cell in cells()]
    assert "array([[" in first[2].text, "there is a result by the third cell"
    assert kernel.value("float(table.loc['v2', 'accuracy']) > 0.95") == "True"
    assert kernel.value("bool(losses[-1] < losses[0] / 5)") == "True"
    again = [kernel.ok(cell) for cell in cells()]
    assert "frozen: unchanged, kept" in "".join(result["text/plain"] for result in again[1].results)
    assert kernel.value("sorted(models)") == "['frozen', 'live', 'tf1', 'v2']"


def test_the_example_is_kept_without_outputs() -> None:
    notebook = nbformat.read(EXAMPLES / "juggling.ipynb", 4)  # type: ignore[no-untyped-call]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
