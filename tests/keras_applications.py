"""Networks of ``keras.applications`` with every kind of layer that those have, and no more of each than that takes."""

from __future__ import annotations

from typing import Any

import keras
from keras.src.applications.efficientnet import EfficientNet


def mobile_net(**options: Any) -> Any:
    """Return a MobileNet: convolutions in depth, ReLU6."""
    return keras.applications.MobileNet(weights=None, alpha=0.25, **options)


def efficient_net(**options: Any) -> Any:
    """Return an EfficientNet of ten blocks, where B0 has sixteen: constants, shortcuts, squeezing, dropout, swish."""
    return EfficientNet(0.5, 0.5, 64, weights=None, name="efficient", **options)
