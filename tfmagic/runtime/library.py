"""The TensorFlow library of this environment, or one line that says how to get one."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from typing import TYPE_CHECKING

from tfmagic.errors import MissingTensorFlowError
from tfmagic.runtime.arrival import IMPORT
from tfmagic.runtime.banner import without_banners
from tfmagic.runtime.libraries import libraries
from tfmagic.runtime.policy import memory_policy

if TYPE_CHECKING:
    from types import ModuleType

OLDEST = (2, 16)
"""The first TensorFlow whose Keras is Keras 3, which is what tfmagic supports."""

LITE_IS_SOUND = frozenset({(2, 19), (2, 20), (2, 21)})
"""The versions of which it is known that their ``tf.lite.Interpreter`` does no harm to the process."""


def _imported() -> ModuleType:
    # Also where a script has imported TensorFlow before: it reads the settings when it first takes memory.
    memory_policy().apply()
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    with without_banners(), libraries().occasion(IMPORT):
        return importlib.import_module("tensorflow")


def require_tensorflow() -> None:
    """Import TensorFlow if it is not imported yet.

    Raises
    ------
    MissingTensorFlowError
        When no TensorFlow is installed, when it is older than 2.16, or when the
        one that is installed cannot be imported; the message says what to type.
    """
    if "tensorflow" not in sys.modules and importlib.util.find_spec("tensorflow") is None:
        msg = (
            "tfmagic needs TensorFlow and none is installed here: "
            "pip install 'tfmagic[cpu]' (or 'tfmagic[gpu]', or 'tfmagic[tensorflow]')"
        )
        raise MissingTensorFlowError(msg)
    try:
        version = str(_imported().__version__)
    except (ImportError, AttributeError) as error:
        reason = str(error).strip().splitlines()
        msg = (
            "the TensorFlow that is installed here cannot be imported "
            f"({reason[0] if reason else type(error).__name__}): install it again, "
            "for example pip install --force-reinstall 'tfmagic[cpu]'"
        )
        raise MissingTensorFlowError(msg) from error
    found = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if found < OLDEST:
        msg = f"tfmagic needs TensorFlow 2.16 or newer, this is {version}: pip install -U tensorflow"
        raise MissingTensorFlowError(msg)
