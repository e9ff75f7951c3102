"""What else is done with a parked model: dropped, saved, replaced, synced, its cell run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from factories import add_cell, frozen_linear
from parked_models import files, parked_trained, random_network
from trained_cells import EAGER, NAMES, X, linear

from tfmagic import models, session
from tfmagic.errors import ModelStateError, SourceError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("parks_here")


def test_dropping_a_parked_model_removes_its_file(tmp_path: Path) -> None:
    model, _ = parked_trained()
    assert len(files(tmp_path)) == 1
    models.drop("net")
    assert files(tmp_path) == []
    for act in (model.park, model.wake, lambda: model(X)):
        with pytest.raises(ModelStateError, match="was dropped"):
            act()


def test_dropping_a_parked_eager_cell_removes_its_file(tmp_path: Path) -> None:
    add_cell("net", EAGER, NAMES, eager=True).model.park()
    assert len(files(tmp_path)) == 1
    models.drop("net")
    assert files(tmp_path) == []


def test_closing_the_session_leaves_a_parked_model_parked() -> None:
    model, before = parked_trained()
    session.close()
    assert model.state == "parked"
    assert np.array_equal(model(X), before)


def test_a_model_parked_after_the_session_was_closed_begins_from_its_source() -> None:
    model = linear().model
    before = model(X)
    session.close()
    model.park()
    assert np.array_equal(model(X), before)


def test_saving_a_parked_model_writes_its_weights(tmp_path: Path) -> None:
    model, before = parked_trained()
    model.save(tmp_path / "saved")
    assert np.array_equal(models.add("again", tmp_path / "saved")(X), before)


def test_running_its_cell_again_keeps_what_a_parked_model_had_learnt(tmp_path: Path) -> None:
    _, before = parked_trained()
    came = linear()
    assert came.previous == {"name": "net~1", "carried": 0}
    assert np.array_equal(models["net~1"](X), before)
    assert came.model(X).tolist() == [[3], [7]]
    assert files(tmp_path) == []
    # What stands aside can be parked, too, and comes from its own folder.
    assert models["net~1"].park()["written_bytes"] == 0
    assert np.array_equal(models["net~1"](X), before)


def test_keep_carries_the_weights_of_a_parked_model_over() -> None:
    _, before = parked_trained()
    came = linear(keep=True)
    assert came.previous is not None
    assert came.previous["carried"] == 2
    assert np.array_equal(came.model(X), before)


def test_replacing_a_parked_model_removes_its_file(tmp_path: Path) -> None:
    parked_trained()
    models.add("net", frozen_linear(tmp_path / "net.pb"), replace=True)
    assert files(tmp_path) == []
    assert models["net"](X).tolist() == [[3, 5], [7, 9]]


def test_a_copy_takes_the_present_weights_while_it_is_parked() -> None:
    network = random_network()
    model = models.add("net", network, copy=True)
    model.park()
    network.set_weights([weight * 2 + 1 for weight in network.get_weights()])
    assert model.sync() == 4
    np.testing.assert_allclose(model(X), network(X), rtol=1e-5)


def test_a_lazy_model_that_was_never_built_stays_unbuilt(tmp_path: Path) -> None:
    model = models.add("net", frozen_linear(tmp_path / "net.pb"), lazy=True)
    assert model.park()["outcome"] == "already"
    assert model.lifecycle.backend is None
    (tmp_path / "net.pb").unlink()
    with pytest.raises(SourceError):
        model(X)
