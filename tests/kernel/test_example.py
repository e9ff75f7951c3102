"""The example notebooks run top to bottom, and once more in the same kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


EVENTS = ("two models", "tall parked", "wide run", "all dropped")
STEPS = ("all three", "waves parked", "waves woken by a run", "waves dropped")
WIDGET = "application/vnd.jupyter.widget-view+json"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def cells(name: str) -> list[str]:
    notebook = nbformat.read(EXAMPLES / name, 4)  # type: ignore[no-untyped-call]  # nbformat has none here
    return [cell["source"] for cell in notebook.cells if cell["cell_type"] == "code"]


def test_juggling_runs_and_runs_again(kernel: Kernel) -> None:
    kernel.ok(f"%cd -q {EXAMPLES}\n%matplotlib inline")
    first = [kernel.ok(cell) for cell in cells("juggling.ipynb")]
    assert "array([[" in first[2].text, "there is a result by the third cell"
    assert kernel.value("float(table.loc['v2', 'accuracy']) > 0.95") == "True"
    assert kernel.value("bool(losses[-1] < losses[0] / 5)") == "True"
    again = [kernel.ok(cell) for cell in cells("juggling.ipynb")]
    assert "frozen: unchanged, kept" in "".join(result["text/plain"] for result in again[1].results)
    assert kernel.value("sorted(models)") == "['frozen', 'live', 'tf1', 'tf1~1', 'v2']"


def test_a_frozen_graph_comes_back_to_life_and_does_so_again(kernel: Kernel) -> None:
    kernel.ok(f"%cd -q {EXAMPLES}\n%matplotlib inline")
    for cell in cells("revival.ipynb"):
        kernel.ok(cell)
    assert kernel.value("bool(losses[-1] < losses[0])") == "True"
    assert kernel.value("sorted(both)") == "['v1', 'v2']"
    assert kernel.value("bool((both['v2'].argmax(axis=1) == y_test).mean() > 0.95)") == "True"
    for cell in cells("revival.ipynb"):
        kernel.ok(cell)


def test_memory_comes_back_and_does_so_again(kernel: Kernel) -> None:
    kernel.ok(f"%cd -q {EXAMPLES}\n%matplotlib inline")
    for _ in range(2):
        for cell in cells("memory.ipynb"):
            kernel.ok(cell)
        assert kernel.value("bool((before == after).all())") == "True"
        assert kernel.value("states") == "{'tall': 'ready', 'wide': 'parked', 'third': 'ready'}"
        used = {name: float(kernel.value(f"next(mb for _, mb, text in events if text == {name!r})")) for name in EVENTS}
        assert used["two models"] - used["tall parked"] > 55
        assert used["wide run"] - used["all dropped"] > 110


def test_the_panel_is_shown_and_memory_falls_and_does_so_again(kernel: Kernel) -> None:
    kernel.ok(f"%cd -q {EXAMPLES}")
    for _ in range(2):
        shown = [kernel.ok(cell) for cell in cells("panel.ipynb")]
        (panel,) = (data for reply in shown for data in reply.results if WIDGET in data)
        assert "waves" in panel["text/html"], "the models are there where no widget is drawn"
        assert "waves" in panel["text/plain"]
        assert kernel.value("str(table['accuracy'].idxmax())") == "'waves'"
        assert kernel.value("bool((table['accuracy'] > 0.9).all())") == "True"
        used = {step: float(kernel.value(f"steps[{step!r}]['process, MB']")) for step in STEPS}
        assert used["all three"] - used["waves parked"] > 30
        assert used["waves woken by a run"] - used["waves dropped"] > 30
    assert kernel.value("sorted(models)") == "['live', 'old']"


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: str(file.name))
def test_an_example_is_kept_without_outputs(file: Path) -> None:
    notebook = nbformat.read(file, 4)  # type: ignore[no-untyped-call]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
