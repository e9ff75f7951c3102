"""Eight threads over twenty models: calls, parking, waking and renewing at once, every answer checked."""

from __future__ import annotations

import os
import random
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from factories import frozen_linear, save_linear_v1

from tfmagic import models
from tfmagic.errors import ModelStateError
from tfmagic.model.memory.budget import budget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

THREADS, MODELS = 8, 20
STEPS = int(os.environ.get("TFMAGIC_STORM_STEPS", "60"))


@pytest.fixture(autouse=True)
def _without_a_budget() -> Iterator[None]:
    yield
    budget().choose("")


@pytest.mark.parametrize("limit", ["", "1MB"])
def test_every_answer_is_right_while_other_threads_park_and_wake_and_add(  # noqa: C901 - what each thread does
    tmp_path: Path, limit: str
) -> None:
    names = [f"m{number}" for number in range(MODELS)]
    factors = {name: float(number + 1) for number, name in enumerate(names)}
    paths = {}
    for number, name in enumerate(names):
        if number % 2:
            paths[name] = str(frozen_linear(tmp_path / f"{name}.pb", factors[name], 0.0))
        else:
            paths[name] = str(save_linear_v1(tmp_path / name, factors[name], 0.0))
        models.add(name, paths[name])
    budget().choose(limit)
    wrong: list[str] = []
    answers = [0] * THREADS

    def work(thread: int) -> None:
        chance = random.Random(thread)  # noqa: S311 - the same each time
        for _ in range(STEPS):
            name = chance.choice(names)
            x = np.full((chance.choice((1, 3)), 2), chance.random(), np.float32)
            try:
                act = chance.random()
                if act < 0.1:
                    models[name].park()
                elif act < 0.2:
                    models[name].wake()
                elif act < 0.25:
                    models.add(name, paths[name])
                else:
                    answer = np.asarray(models[name](x))
                    answers[thread] += 1
                    if not np.allclose(answer, x * factors[name]):
                        wrong.append(f"{name} gave {answer} for {x}")
            except ModelStateError:
                # A command may be refused while another one has the model; an answer may not be wrong.
                pass
            except Exception as error:  # noqa: BLE001 - of a thread: the test names it
                wrong.append(f"{name}: {type(error).__name__}: {error}")

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert min(answers) > 0
