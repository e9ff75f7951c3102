"""What JupyterLab and Jupyter's server find of tfmagic, looked up where they look themselves."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Any, TypedDict

OURS = "@tfmagic/lab"
WIDGETS = "@jupyter-widgets/jupyterlab-manager"
SERVER_PART = "tfmagic.labserver"


class LabExtensionRecord(TypedDict):
    """An extension of JupyterLab's, as it was found.

    Attributes
    ----------
    name, version, folder
        What it is, and where.
    disabled
        What of it JupyterLab's settings disable; ``[]`` for nothing.
    """

    name: str
    version: str
    folder: str
    disabled: list[str]


class JupyterRecord(TypedDict):
    """Jupyter in this environment.

    Attributes
    ----------
    lab
        Whether JupyterLab is installed.
    searched
        The folders that are searched for extensions of JupyterLab, in order.
    lab_extension, widget_manager
        tfmagic's, and that which draws widgets; None where it was not found.
    server_extension
        Whether the server is told to load tfmagic's part: True, False, or None where nothing is said of it.
    server_level
        The option with which Jupyter's own command changes that where it is said: ``--user``, ``--sys-prefix`` or
        ``--system``.
    lab_elsewhere
        The ``jupyter-lab`` on the path, where another Python runs it.
    """

    lab: bool
    searched: list[str]
    lab_extension: LabExtensionRecord | None
    widget_manager: LabExtensionRecord | None
    server_extension: bool | None
    server_level: str | None
    lab_elsewhere: str | None


def jupyter_record() -> JupyterRecord:
    """Return what is found now; nothing of JupyterLab is started."""
    record: JupyterRecord = {
        "lab": importlib.util.find_spec("jupyterlab") is not None,
        "searched": [],
        "lab_extension": None,
        "widget_manager": None,
        "server_extension": None,
        "server_level": None,
        "lab_elsewhere": lab_elsewhere(),
    }
    if not record["lab"]:
        return record
    from jupyter_core.paths import jupyter_path
    from jupyterlab.commands import get_app_dir
    from jupyterlab_server.config import get_federated_extensions, get_page_config

    searched = jupyter_path("labextensions")
    found: dict[str, Any] = get_federated_extensions(searched)
    disabled: Any = get_page_config(searched, str(Path(get_app_dir()) / "settings")).get("disabledExtensions", [])
    told, level = _told_to_the_server()
    return record | {
        "searched": searched,
        "lab_extension": _extension(found.get(OURS), disabled),
        "widget_manager": _extension(found.get(WIDGETS), disabled),
        "server_extension": told,
        "server_level": level,
    }


def _told_to_the_server() -> tuple[bool | None, str | None]:
    """Return whether the server loads tfmagic's part, and the level of the folder that says so, the first of them."""
    from jupyter_core.paths import ENV_CONFIG_PATH, jupyter_config_dir, jupyter_config_path
    from jupyter_server.extension.config import ExtensionConfigManager

    levels = dict.fromkeys(ENV_CONFIG_PATH, "--sys-prefix") | {jupyter_config_dir(): "--user"}
    for folder in jupyter_config_path():
        manager: Any = ExtensionConfigManager(read_config_path=[folder])
        told = manager.get_jpserver_extensions().get(SERVER_PART)
        if told is not None:
            return bool(told), levels.get(folder, "--system")
    return None, None


def _extension(found: dict[str, Any] | None, disabled: list[str]) -> LabExtensionRecord | None:
    if found is None:
        return None
    name = str(found["name"])
    # A whole extension, or one of its plugins.
    ours = sorted(one for one in disabled if one == name or one.startswith(f"{name}:"))
    return {"name": name, "version": str(found["version"]), "folder": str(found["ext_path"]), "disabled": ours}


def lab_elsewhere() -> str | None:
    """Return the ``jupyter-lab`` that typing it starts, where that is another environment's."""
    found = shutil.which("jupyter-lab")
    if found is None or Path(found).parent.resolve() == Path(sys.executable).parent.resolve():
        return None
    return found
