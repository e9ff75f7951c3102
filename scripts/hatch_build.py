"""The step of ``pip install`` that builds the panel's page into the package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from types import ModuleType


def _web() -> ModuleType:
    # Hatch runs this file by itself, outside any package.
    spec = importlib.util.spec_from_file_location("web", Path(__file__).with_name("web.py"))
    if spec is None or spec.loader is None:
        msg = "scripts/web.py is missing beside scripts/hatch_build.py"
        raise ImportError(msg)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class PanelPage(BuildHookInterface[Any]):
    """Builds ``tfmagic/panel/static`` before a wheel, an editable install or a source archive is made."""

    def dependencies(self) -> list[str]:
        """Ask for Node only where something is to be built: a source archive brings the built files."""
        web = _web()
        return [] if web.is_built() else [web.NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - Hatch's signature
        """Build, or end the installation with one line that says why not."""
        web = _web()
        try:
            web.build()
        except web.WebError as error:
            sys.exit(f"tfmagic: {error}")
