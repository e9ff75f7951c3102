"""Architectures of ``keras.applications``, with random weights, in every format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
from keras_applications import efficient_net, mobile_net
from reference_keras import assert_close, assert_same, eager_answer
from reference_tensorflow import by_import, by_loader_1, by_loader_2, same

from tfmagic import models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("make", [mobile_net, efficient_net])
def test_it_answers_from_each_format_as_it_does_here(tmp_path: Path, make: Callable[..., Any]) -> None:
    network = make(input_shape=(64, 64, 3), classes=10)
    rows = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype(np.float32)
    live = models.add("live", network)
    copy = models.add("copy", network, copy=True)
    (end,), (out,) = live.signature().inputs, live.signature().outputs
    given, answer = {end.name: rows}, copy.run(rows)
    for model in (live, copy):
        folder = model.save(tmp_path / model.name)
        same(answer, by_loader_1(folder, given))
    assert_close([by_loader_2(folder, given)[out.name]], [answer[out.name]], 1e-4)
    same(answer, models.add("back", folder).run(given))
    frozen = live.save(tmp_path / "live.pb")
    plain = by_import(frozen, given, [out.name])
    same(models.add("back", frozen, replace=True).run(given), plain)
    assert_close([plain[out.name]], [answer[out.name]], 1e-4)
    file = copy.save(tmp_path / "copy.keras")
    assert_same(eager_answer(keras.models.load_model(file), given), eager_answer(network, given))
