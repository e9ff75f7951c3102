"""``open_session``: the process's session, for a script."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tfmagic.runtime.session.kernel_session import KernelSession

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def open_session(config: Any = None) -> Iterator[KernelSession]:
    """Give a script the process's session, and close on leaving what it opened.

    Parameters
    ----------
    config
        A ``tf.compat.v1.ConfigProto``, as `KernelSession` takes it.

    Yields
    ------
    KernelSession
        As the default session. Leaving the block, also by an error, closes the
        graphs that were first run inside it; where nothing was open before,
        that is all of them.

    Raises
    ------
    ConfigError
        When another configuration is in force.
    """
    with KernelSession(config) as session:
        yield session
