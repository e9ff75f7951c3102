"""Networks by chance, each way to run them against Keras: batches in turn, after training, parking, saving."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from faults.architectures import Architecture, architecture

from tfmagic import models

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

FIRST = int(os.environ.get("TFMAGIC_ARCHITECTURES_FROM", "0"))
COUNT = int(os.environ.get("TFMAGIC_ARCHITECTURES", "6"))
BATCHES = (1, 3, 1, 17, 3)


def check(name: str, made: Architecture, live: Any, when: str) -> None:
    for count in BATCHES:
        x = made.rows(count)
        wanted = {key: np.asarray(value) for key, value in live(x, training=False).items()}
        answer = models[name].run(x)
        for key, value in wanted.items():
            note = f"seed {made.seed} ({made.text}), {name} {when}, {count} rows, {key}"
            np.testing.assert_allclose(answer[key], value, rtol=2e-4, atol=2e-5, err_msg=note)


def train(live: Any) -> None:
    """Change the weights, as an optimizer would."""
    for variable in live.trainable_variables:
        variable.assign(variable * 0.9 + 0.01)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_each_way_to_run_a_network_gives_the_answers_of_keras(seed: int, tmp_path: Path) -> None:
    made = architecture(seed)
    live = made.model
    live.save(tmp_path / "net.keras")
    live.export(tmp_path / "folder", verbose=False)
    models.add("live", live)
    models.add("copied", live, copy=True)
    models.add("file", str(tmp_path / "net.keras"))
    models.add("folder", str(tmp_path / "folder"))
    models.add("warmed", str(tmp_path / "net.keras"), warm=True)
    models.file.save(tmp_path / "frozen.pb")
    models.add("frozen", str(tmp_path / "frozen.pb"))
    for name in ("live", "copied", "file", "folder", "warmed", "frozen"):
        check(name, made, live, "as added")
    for name in ("copied", "file", "folder", "warmed", "frozen"):
        models[name].park()
        check(name, made, live, "after it was parked")
    train(live)
    check("live", made, live, "after training")
    models.copied.sync()
    check("copied", made, live, "after sync")
    models.copied.park()
    check("copied", made, live, "parked with trained weights")
    models.copied.save(tmp_path / "saved")
    models.copied.save(tmp_path / "saved.keras")
    models.add("loaded", str(tmp_path / "saved"))
    models.add("loaded_keras", str(tmp_path / "saved.keras"), warm=True)
    for name in ("loaded", "loaded_keras"):
        check(name, made, live, "from what was saved")
