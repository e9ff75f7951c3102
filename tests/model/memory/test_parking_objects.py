"""Live objects: those of the notebook are not parked, those of a cell with all that they have learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from factories import add_cell, run_cell
from parked_models import files, random_network
from trained_cells import EAGER, EAGER_TRAIN, NAMES, X

from tfmagic import models
from tfmagic.errors import ModelStateError, ParkError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("parks_here")


def test_a_live_object_is_never_parked() -> None:
    network = random_network()
    model = models.add("net", network)
    before = model(X)
    with pytest.raises(ModelStateError, match=r"net is yours, a live object, .*--copy") as caught:
        model.park()
    assert len(str(caught.value).splitlines()) == 1
    assert model.live is network
    assert np.array_equal(model(X), before)


COMPILED = EAGER.replace(
    "    network\n", '    network.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")\n    network\n'
)
FIT = "network.fit(np.ones((4, 2)), np.zeros((4, 1)), epochs=3, verbose=0)"


@pytest.mark.slow
def test_an_eager_cell_trains_on_as_if_its_object_had_never_been_let_go_of() -> None:
    ended: list[Any] = []
    for parks in (True, False):
        model = add_cell("net", COMPILED, NAMES, eager=True).model
        run_cell(model, FIT, NAMES)
        before = model(X)
        if parks:
            assert model.park()["written_bytes"] > 0
            assert (model.state, model.lifecycle.backend) == ("parked", None)
            assert np.array_equal(model(X), before)
        run_cell(model, FIT, NAMES)
        ended.append([np.array(one) for one in (model(X), *model.live.optimizer.variables)])
        models.drop("net")
    for parked, never in zip(*ended, strict=True):
        assert np.array_equal(parked, never)


def test_an_eager_cell_whose_object_the_notebook_has_is_not_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    import __main__

    model = add_cell("net", EAGER, NAMES, eager=True).model
    monkeypatch.setattr(__main__, "mine", model.live, raising=False)
    with pytest.raises(ModelStateError, match="is yours"):
        model.park()
    assert not model.parking.can_be_parked
    monkeypatch.undo()
    assert model.park()["outcome"] == "parked"


def test_what_was_compiled_outside_its_cell_is_not_lost() -> None:
    model = add_cell("net", EAGER, NAMES, eager=True).model
    run_cell(model, EAGER_TRAIN, NAMES)
    with pytest.raises(ModelStateError, match="compiled outside its cell"):
        model.park()
    assert (model.parking.can_be_parked, model.parking.why_it_stays) == (False, "compiled outside its cell")
    assert model.state == "ready"


def test_names_of_an_eager_room_that_its_cell_does_not_make_are_said() -> None:
    model = add_cell("net", EAGER, NAMES, eager=True).model
    run_cell(model, "mine = 5")
    assert model.park()["notes"] == ["names of its room that are gone when it wakes: mine"]


def test_an_eager_cell_that_makes_another_object_keeps_what_was_learnt(tmp_path: Path) -> None:
    sizes = [1]
    code = "keras.Sequential([keras.Input((2,), name='x'), keras.layers.Dense(sizes[0], name='y')])"
    model = add_cell("net", code, {**NAMES, "sizes": sizes}, eager=True).model
    before = model(X)
    model.park()
    sizes[0] = 2
    with pytest.raises(ParkError, match="its cell makes another object than it did"):
        model(X)
    assert len(files(tmp_path)) == 1
    sizes[0] = 1
    assert np.array_equal(model(X), before)
    assert files(tmp_path) == []
