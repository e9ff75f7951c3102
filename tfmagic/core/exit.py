"""The end of a kernel's process, which TensorFlow's objects would hold up.

Python looks through all objects once more before it ends, some two million of
them with TensorFlow: a second or two in which a restarted kernel is not there.
Nobody needs what is freed then.
"""

from __future__ import annotations

import atexit
import gc


def exit_at_once() -> None:
    """Have this process end without that, from now on."""
    finalize_as_usual()
    atexit.register(_freeze)


def finalize_as_usual() -> None:
    """Take that back."""
    atexit.unregister(_freeze)


def _freeze() -> None:
    gc.freeze()
