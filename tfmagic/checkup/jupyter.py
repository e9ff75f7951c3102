"""The parts of tfmagic that JupyterLab and Jupyter's server find, looked up where they look."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Any, TypedDict

OURS = "@tfmagic/lab"
WIDGETS = "@jupyter-widgets/jupyterlab-manager"
SERVER_PART = "tfmagic"


class LabExtensionRecord(TypedDict):
    """An extension of JupyterLab, and which parts of it JupyterLab's settings disable."""

    name: str
    version: str
    folder: str
    disabled: list[str]


class JupyterRecord(TypedDict):
    """Jupyter in this environment.

    `searched` are the folders in which JupyterLab looks for extensions, in order: for tfmagic's
    own, and for the one that draws widgets. `server_extension` is whether the server's settings
    load tfmagic's part, None where they do not name it, and `server_level` the option of
    Jupyter's own command for these settings: ``--user``, ``--sys-prefix`` or ``--system``.
    `lab_elsewhere` is the ``jupyter-lab`` on the path where another Python runs it.
    """

    lab: bool
    searched: list[str]
    lab_extension: LabExtensionRecord | None
    widget_manager: LabExtensionRecord | None
    server_extension: bool | None
    server_level: str | None
    lab_elsewhere: str | None


def jupyter_record() -> JupyterRecord:
    """Return what is installed and enabled; nothing of JupyterLab is started."""
    command = shutil.which("jupyter-lab")
    is_ours = command is not None and Path(command).parent.resolve() == Path(sys.executable).parent.resolve()
    record: JupyterRecord = {
        "lab": importlib.util.find_spec("jupyterlab") is not None,
        "searched": [],
        "lab_extension": None,
        "widget_manager": None,
        "server_extension": None,
        "server_level": None,
        "lab_elsewhere": None if is_ours else command,
    }
    if not record["lab"]:
        return record
    from jupyter_core.paths import jupyter_path
    from jupyterlab.commands import get_app_dir
    from jupyterlab_server.config import get_federated_extensions, get_page_config

    searched = jupyter_path("labextensions")
    extensions: dict[str, Any] = get_federated_extensions(searched)
    disabled: Any = get_page_config(searched, str(Path(get_app_dir()) / "settings")).get("disabledExtensions", [])
    enabled, level = _server_setting()
    return record | {
        "searched": searched,
        "lab_extension": _extension(extensions.get(OURS), disabled),
        "widget_manager": _extension(extensions.get(WIDGETS), disabled),
        "server_extension": enabled,
        "server_level": level,
    }


def _server_setting() -> tuple[bool | None, str | None]:
    """Return whether the server's settings load tfmagic's part, and the level of the first that name it."""
    from jupyter_core.paths import ENV_CONFIG_PATH, jupyter_config_dir, jupyter_config_path
    from jupyter_server.extension.config import ExtensionConfigManager

    levels = dict.fromkeys(ENV_CONFIG_PATH, "--sys-prefix") | {jupyter_config_dir(): "--user"}
    for folder in jupyter_config_path():
        manager: Any = ExtensionConfigManager(read_config_path=[folder])
        enabled = manager.get_jpserver_extensions().get(SERVER_PART)
        if enabled is not None:
            return bool(enabled), levels.get(folder, "--system")
    return None, None


def _extension(extension: dict[str, Any] | None, disabled: list[str]) -> LabExtensionRecord | None:
    if extension is None:
        return None
    name = str(extension["name"])
    # A whole extension, or one of its plugins.
    parts = sorted(part for part in disabled if part == name or part.startswith(f"{name}:"))
    return {"name": name, "version": str(extension["version"]), "folder": str(extension["ext_path"]), "disabled": parts}
