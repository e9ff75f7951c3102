"""Names that the pages refer to: those of Python lead to its own pages, and what leads nowhere is an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
INVENTORY = DOCS / "inventories" / "python.inv"
# Nobody answers there.
NOWHERE = "http://127.0.0.1:9"

pytestmark = pytest.mark.slow


def build(folder: Path, page: str) -> subprocess.CompletedProcess[str]:
    """Build one page as `make docs` builds all of them, with no network."""
    (folder / "index.md").write_text(page)
    options = ["-c", str(DOCS), "--quiet", "--fail-on-warning", "--keep-going"]
    return subprocess.run(  # noqa: S603 - fixed words
        [sys.executable, "-m", "sphinx", *options, str(folder), str(folder / "site")],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "http_proxy": NOWHERE, "https_proxy": NOWHERE},
        capture_output=True,
        text=True,
        check=False,
    )


def test_names_of_the_reference_lead_to_pages_of_python_without_a_network(tmp_path: Path) -> None:
    done = build(tmp_path, (DOCS / "reference" / "python.md").read_text())
    assert done.returncode == 0, done.stderr[-4000:]
    page = (tmp_path / "site" / "index.html").read_text()
    for place in ("pathlib.html#pathlib.Path", "exceptions.html#FileNotFoundError", "typing.html#typing.Any"):
        assert f"https://docs.python.org/3/library/{place}" in page


def test_a_name_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    roles = "# Roles\n\n{py:class}`pathlib.Path`, {py:class}`pathlib.Pfad` and {py:func}`tfmagic.models.fly`\n"
    done = build(tmp_path, roles)
    assert done.returncode == 1
    assert "py:class reference target not found: pathlib.Pfad" in done.stderr
    assert "py:func reference target not found: tfmagic.models.fly" in done.stderr
    assert "pathlib.Path " not in done.stderr


def test_every_name_of_the_list_is_one_of_this_python() -> None:
    from pkgutil import resolve_name

    head, *lines = INVENTORY.read_text().splitlines()
    assert head == "# Sphinx inventory version 1"
    names = [line.split()[0] for line in lines if not line.startswith("#")]
    assert len(names) == len(set(names)) > 20
    for name in set(names) - {"None"}:
        assert resolve_name(name if "." in name else f"builtins:{name}")
