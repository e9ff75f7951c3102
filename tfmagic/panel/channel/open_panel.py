"""Makes a panel where the packages that it needs are installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from tfmagic.concurrency.entry_point import hide_own_frames
from tfmagic.errors import MissingPanelError

if TYPE_CHECKING:
    from tfmagic.panel.channel.widget import Panel

_SCRIPT = Path(__file__).parents[1] / "static" / "panel.js"


@hide_own_frames
def panel() -> Panel:
    """Return a new panel.

    Raises
    ------
    MissingPanelError
        When ipywidgets or anywidget is not installed, or the panel's script was not
        built; the message says what to type.
    """
    missing = [name for name in ("ipywidgets", "anywidget") if importlib.util.find_spec(name) is None]
    if missing:
        msg = f"the panel needs {' and '.join(missing)}: pip install 'tfmagic[lab]' (%tf_runtime shows it as text)"
        raise MissingPanelError(msg)
    if not _SCRIPT.is_file():
        msg = "the panel's script was not built with this checkout: pip install . (it builds it)"
        raise MissingPanelError(msg)
    from tfmagic.panel.channel.widget import Panel

    return Panel()
