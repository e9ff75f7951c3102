"""Networks of ``keras.applications`` with every kind of layer that those have, and no more of each than that takes."""

from __future__ import annotations

from typing import Any

import keras
from keras.src.applications.efficientnet import DEFAULT_BLOCKS_ARGS, EfficientNet


def mobile_net(**options: Any) -> Any:
    """Return a MobileNet: convolutions in depth, ReLU6."""
    return keras.applications.MobileNet(weights=None, alpha=0.25, **options)


def efficient_net(**options: Any) -> Any:
    """Return an EfficientNet of five blocks, where B0 has sixteen: constants, shortcuts, squeezing, dropout, swish."""
    blocks = DEFAULT_BLOCKS_ARGS[:4]
    return EfficientNet(0.5, 0.5, 64, blocks_args=blocks, weights=None, name="efficient", **options)
