"""JupyterLab over the examples; to look at a notebook is not to change it: ``python scripts/lab.py OPTION...``.

JupyterLab writes into each notebook that it opens what the kernel says of its language, the version of Python
included, and saves it two minutes later. What is kept in git holds no version, so it would be changed on every
machine. Here a notebook is handed out with what this Python's kernel will say, and kept without it.
"""

from __future__ import annotations

import sys
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupyterlab.labapp import LabApp

SAID: dict[str, Any] = IPythonKernel.language_info  # by the kernel of this environment, when it is asked
KEPT = {"name": "python"}


class Examples(AsyncLargeFileManager):
    """The files of a folder, its notebooks without what every kernel of Python's adds."""

    async def get(self, path: str, *args: Any, **options: Any) -> dict[str, Any]:
        """Return a file; a notebook as JupyterLab would have it after a look at its kernel."""
        model: dict[str, Any] = await super().get(path, *args, **options)  # type: ignore[no-untyped-call]
        exchange(model, KEPT, SAID)
        return model

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        """Write a file; a notebook without the version of Python that showed it."""
        exchange(model, SAID, KEPT)
        saved: dict[str, Any] = await super().save(model, path)  # type: ignore[no-untyped-call]
        return saved


def exchange(model: dict[str, Any], old: dict[str, Any], new: dict[str, Any]) -> None:
    """Say of a notebook's language this, where it says exactly that."""
    if model.get("type") == "notebook" and model.get("content") is not None:
        metadata = model["content"]["metadata"]
        if metadata.get("language_info") == old:
            metadata["language_info"] = dict(new)


if __name__ == "__main__":
    # By name, as a module's own class is named where it is the program.
    LabApp.launch_instance([*sys.argv[1:], f"--ServerApp.contents_manager_class={__name__}.{Examples.__name__}"])
