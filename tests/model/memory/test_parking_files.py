"""The file of a parked model, where it is not as it was or cannot be written."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import run_cell
from parked_models import files
from trained_cells import NAMES, TRAIN, X, linear

from tfmagic import session
from tfmagic.errors import ParkError
from tfmagic.runtime.state.kept_state import OnDisk

pytestmark = pytest.mark.usefixtures("parks_here")


def test_a_damaged_file_is_one_line_and_the_model_stays_parked(tmp_path: Path) -> None:
    model = linear().model
    run_cell(model, TRAIN, NAMES)
    before = model(X)
    model.park()
    (file,) = files(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    for _ in range(2):
        with pytest.raises(ParkError, match="is damaged") as caught:
            model(X)
        assert len(str(caught.value).splitlines()) == 1
        assert model.state == "parked"
    file.write_bytes(whole)
    assert np.array_equal(model(X), before)


def test_a_file_that_cannot_be_removed_loses_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = linear().model
    run_cell(model, TRAIN, NAMES)
    before = model(X)
    model.park()

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        patched.setattr(Path, "unlink", refuse)
        assert np.array_equal(model(X), before)
    assert np.array_equal(model(X), before)
    assert files(tmp_path)


def test_a_park_that_cannot_be_written_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = linear().model
    run_cell(model, TRAIN, NAMES)
    before = model(X)
    shutil.rmtree(tmp_path / "parked")
    (tmp_path / "parked").write_text("")
    with pytest.raises(ParkError, match="cannot be written to"):
        model.park()
    assert model.state == "ready"
    assert np.array_equal(model(X), before)
    (tmp_path / "parked").unlink()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["wake", "run", "call"])
def test_ctrl_c_at_the_very_end_of_a_wake_loses_no_weights(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = linear().model
    run_cell(model, TRAIN, NAMES)
    before = model(X)
    model.park()
    discard = OnDisk.discard

    def interrupted(away: OnDisk) -> None:
        signal.raise_signal(signal.SIGINT)
        discard(away)

    act = {"wake": model.wake, "run": lambda: session.run(model.names["w"]), "call": lambda: model(X)}[way]
    with monkeypatch.context() as patched:
        patched.setattr(OnDisk, "discard", interrupted)
        with pytest.raises(KeyboardInterrupt):
            act()
    assert np.array_equal(model(X), before)
