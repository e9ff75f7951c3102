"""Troubles of a notebook: page, server and kernel do not have the same tfmagic."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tfmagic.checkup.jupyter import OURS, SERVER_PART, WIDGETS
from tfmagic.checkup.troubles.trouble import Trouble, pip, python, trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfmagic.checkup.jupyter import JupyterRecord
    from tfmagic.checkup.report import Report

_AGAIN = "install --force-reinstall --no-deps tfmagic"
# ipywidgets 8 works with version 5 of the extension that draws widgets.
_MANAGERS = {"8": "5"}


def troubles(report: Report) -> list[Trouble]:
    """Return what is wrong with Jupyter."""
    jupyter = report["jupyter"]
    lab = [] if jupyter is None or not jupyter["lab"] else [*_lab_extension(jupyter, report), *_server_part(jupyter)]
    return [*lab, *_widgets(report), *_kernels(report), *_two_versions(report)]


def _lab_extension(jupyter: JupyterRecord, report: Report) -> Iterator[Trouble]:
    ours, versions = jupyter["lab_extension"], report["versions"]
    if ours is None:
        what = (
            f"JupyterLab does not find tfmagic's part of it ({OURS}) in any of {', '.join(jupyter['searched'])}: "
            "no sidebar, no commands. (The magics and the inline panel work without.)"
        )
        yield trouble("lab-extension-missing", what, pip(_AGAIN))
        return
    if ours["disabled"]:
        what = f"JupyterLab's settings disable {', '.join(ours['disabled'])}: no sidebar, no commands."
        enable = f"{python()} -m jupyterlab.labextensions enable"
        yield trouble("lab-extension-disabled", what, *(f"{enable} {shlex.quote(part)}" for part in ours["disabled"]))
    if versions is not None and ours["version"] != versions["tfmagic"]:
        what = (
            f"JupyterLab has tfmagic {ours['version']} (in {ours['folder']}) and this Python has "
            f"{versions['tfmagic']}: the page and the kernel may not understand each other. "
            "Install the same in both, and reload the page."
        )
        yield trouble("lab-extension-version", what, pip(_AGAIN))


def _server_part(jupyter: JupyterRecord) -> Iterator[Trouble]:
    if jupyter["server_extension"] is not True:
        # Jupyter's own command enables only what an installation has brought.
        command = (
            f"{python()} -m jupyter_server.extension.serverextension enable {jupyter['server_level']} {SERVER_PART}"
        )
        setting, remedy = "is not told to load", pip(_AGAIN)
        if jupyter["server_extension"] is False:
            setting, remedy = "is told not to load", command
        yield trouble(
            "server-extension-off",
            f"Jupyter's server {setting} {SERVER_PART}: while a panel is open, the notebook looks idle though a cell "
            "runs, and the kernel never counts as unused. Enable it, and start the server again.",
            remedy,
        )


def _widgets(report: Report) -> Iterator[Trouble]:
    versions, jupyter = report["versions"], report["jupyter"]
    packages = {} if versions is None else versions["packages"]
    if not (packages.get("ipykernel") or packages.get("jupyterlab")):
        return
    missing = [name for name in ("ipywidgets", "anywidget") if packages.get(name) is None]
    if missing:
        what = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed: %tf_panel needs them."
        yield trouble("widgets-missing", what, pip("install 'tfmagic[lab]'"))
    if jupyter is None or not jupyter["lab"] or "ipywidgets" in missing:
        return
    manager, ours = jupyter["widget_manager"], str(packages["ipywidgets"])
    wanted = _MANAGERS.get(ours.partition(".")[0])
    if manager is None:
        what = f"JupyterLab has nothing that draws widgets ({WIDGETS}): a panel shows as text."
        yield trouble("widget-manager", what, pip("install --force-reinstall --no-deps jupyterlab_widgets"))
    elif manager["disabled"]:
        what = f"JupyterLab's settings disable {', '.join(manager['disabled'])}, which draws widgets."
        yield trouble("widget-manager", what, f"{python()} -m jupyterlab.labextensions enable {WIDGETS}")
    elif wanted is not None and manager["version"].partition(".")[0] != wanted:
        what = (
            f"ipywidgets {ours} needs version {wanted} of what draws widgets in JupyterLab, and the one that is found "
            f"is {manager['version']} (in {manager['folder']}): “Error displaying widget”."
        )
        yield trouble("widget-manager", what, pip("install --upgrade --force-reinstall jupyterlab_widgets"))


def _kernels(report: Report) -> Iterator[Trouble]:
    kernels = report["kernels"]
    versions = report["versions"]
    if kernels is None or versions is None:
        return
    if versions["packages"].get("ipykernel") is None and versions["packages"].get("jupyterlab") is not None:
        what = "JupyterLab is installed here and ipykernel is not: there is no kernel of this Python."
        yield trouble("no-kernel", what, pip("install ipykernel"))
    for kernel in kernels:
        if not kernel["exists"]:
            what = (
                f"The kernel “{kernel['shown_as']}” ({kernel['folder']}) starts {kernel['interpreter']}, "
                "which is not there: it cannot start. Its environment was moved or removed."
            )
            yield trouble("kernel-gone", what, f"jupyter kernelspec remove {shlex.quote(kernel['name'])}")
        elif kernel["tfmagic"] is None:
            if kernel["name"] == "python3" and not kernel["is_this_python"] and kernel["error"] is None:
                what = (
                    f"The kernel “{kernel['shown_as']}” ({kernel['folder']}), which notebooks take by default, runs "
                    f"{kernel['interpreter']}, where tfmagic is not installed: %load_ext tfmagic fails there. "
                    "Install it there, or let this Python be a kernel and choose it in the notebook."
                )
                there = f"{shlex.quote(kernel['interpreter'])} -m pip install 'tfmagic[lab]'"
                here = f"{python()} -m ipykernel install --user --name tfmagic --display-name 'Python (tfmagic)'"
                yield trouble("kernel-elsewhere", what, there, here)
        elif kernel["tfmagic"] != versions["tfmagic"]:
            what = (
                f"The kernel “{kernel['shown_as']}” has tfmagic {kernel['tfmagic']}, and this Python has "
                f"{versions['tfmagic']}: the page and that kernel may not understand each other."
            )
            yield trouble(
                "kernel-version", what, f"{shlex.quote(kernel['interpreter'])} -m pip install --upgrade tfmagic"
            )


def _two_versions(report: Report) -> Iterator[Trouble]:
    versions = report["versions"]
    installed = None if versions is None else versions["packages"]["tfmagic"]
    if versions is not None and installed is not None and installed != versions["tfmagic"]:
        what = (
            f"tfmagic {versions['tfmagic']} is running, and {installed} is what is installed here: another copy comes "
            "first on Python's path, or a checkout has moved on since it was installed."
        )
        yield trouble("tfmagic-twice", what, pip("install --force-reinstall tfmagic"))
