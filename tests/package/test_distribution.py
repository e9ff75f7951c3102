"""What ``make dist`` makes: a wheel with everything in it, and an archive that builds the same wheel without npm."""

from __future__ import annotations

import email
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from trove_classifiers import classifiers

import tfmagic

if TYPE_CHECKING:
    from email.message import Message

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).resolve().parents[2]
CHANGELOG = CHECKOUT / "CHANGELOG.md"
DATA = f"tfmagic-{tfmagic.__version__}.data/data"
LAB = f"{DATA}/share/jupyter/labextensions/@tfmagic/lab"
# A port that nobody listens on: whoever asks npm for a package gets an error.
NOWHERE = "http://127.0.0.1:9"


def build(source: Path, folder: Path, *options: str, **environment: str) -> None:
    command = [sys.executable, "-m", "build", "--outdir", str(folder), *options, str(source)]
    done = subprocess.run(  # noqa: S603 - these fixed words
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build(CHECKOUT, folder, "--no-isolation")
    return folder


@pytest.fixture(scope="module")
def wheel(made: Path) -> Path:
    (path,) = made.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def archive(made: Path) -> Path:
    (path,) = made.glob("*.tar.gz")
    return path


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as files:
        return {name: files.read(name) for name in files.namelist()}


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    return email.message_from_bytes(contents(wheel)[f"tfmagic-{tfmagic.__version__}.dist-info/METADATA"])


def test_the_wheel_is_at_most_1_mb_and_for_every_platform(wheel: Path) -> None:
    assert wheel.name == f"tfmagic-{tfmagic.__version__}-py3-none-any.whl"
    assert wheel.stat().st_size <= 1_000_000


def test_the_wheel_carries_panel_extension_types_and_licence(wheel: Path) -> None:
    names = set(contents(wheel))
    needed = {
        "tfmagic/py.typed",
        "tfmagic/panel/snapshot.schema.json",
        "tfmagic/panel/static/panel.js",
        "tfmagic/panel/static/panel.css",
        f"{LAB}/package.json",
        f"{LAB}/install.json",
        f"{LAB}/schemas/@tfmagic/lab/plugin.json",
        f"{DATA}/etc/jupyter/jupyter_server_config.d/tfmagic.json",
        f"tfmagic-{tfmagic.__version__}.dist-info/licenses/LICENSE",
    }
    assert needed <= names
    assert any(name.startswith(f"{LAB}/static/remoteEntry.") for name in names)


def test_the_wheel_has_every_module_and_nothing_else_of_the_checkout(wheel: Path) -> None:
    tracked = {path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "tfmagic").rglob("*.py")}
    shipped = {name for name in contents(wheel) if name.endswith(".py")}
    assert shipped == tracked
    assert {name.partition("/")[0].partition("-")[0] for name in contents(wheel)} == {"tfmagic"}


def test_metadata_says_whose_what_and_for_whom(metadata: Message) -> None:
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra", [])) == {"cpu", "gpu", "tensorflow", "lab", "examples"}
    given = set(metadata.get_all("Classifier", []))
    assert given <= classifiers
    assert "Typing :: Typed" in given


def test_only_the_extras_that_are_for_it_bring_a_tensorflow(metadata: Message) -> None:
    asked = map(Requirement, metadata.get_all("Requires-Dist", []))
    extras = [extra for one in asked if one.name.startswith("tensorflow") for extra in brought_by(one, metadata)]
    assert set(extras) == {"cpu", "gpu", "tensorflow"}


def brought_by(requirement: Requirement, metadata: Message) -> list[str]:
    """Return the extras that bring a requirement, "" for what comes without any, on Linux and on macOS."""
    systems = ({"sys_platform": "linux", "platform_machine": "x86_64"}, {"sys_platform": "darwin"})
    extras = ("", *metadata.get_all("Provides-Extra", []))
    marker = requirement.marker
    return [
        extra
        for extra in extras
        if marker is None or any(marker.evaluate({**system, "extra": extra}) for system in systems)
    ]


def test_the_extra_for_any_tensorflow_can_be_resolved_in_an_empty_environment(wheel: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    done = subprocess.run([*pip, f"{wheel}[tensorflow]"], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    names = {one["metadata"]["name"] for one in json.loads(done.stdout)["install"]}
    assert {"tfmagic", "tensorflow", "ipython"} <= names
    assert "tensorflow-cpu" not in names


def test_the_changelog_begins_with_this_version() -> None:
    sections = [line for line in CHANGELOG.read_text().splitlines() if line.startswith("## ")]
    assert sections[0].split()[1] == tfmagic.__version__


def test_the_archive_builds_the_same_wheel_without_asking_npm(archive: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as files:
        files.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    folder = tmp_path / "again"
    # An environment of its own, with what the archive asks for and nothing else; Python alone is in reach.
    build(source, folder, "--wheel", npm_config_registry=NOWHERE, PATH=str(Path(sys.executable).parent))
    (again,) = folder.glob("*.whl")
    assert contents(again) == contents(wheel)


def test_no_wheel_is_made_without_the_page(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as files:
        files.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    (source / "tfmagic" / "panel" / "static" / "panel.js").unlink()
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    environment = {**os.environ, "HATCH_JUPYTER_BUILDER_SKIP_NPM": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603
    assert done.returncode != 0
    assert "panel.js" in done.stdout + done.stderr
    assert not list(tmp_path.glob("*.whl"))


def test_the_extension_of_jupyterlab_bears_the_packages_version_and_its_ranges(wheel: Path) -> None:
    about = json.loads(contents(wheel)[f"{LAB}/package.json"])
    assert about["version"] == tfmagic.__version__
    ranges = {name: shared["requiredVersion"] for name, shared in about["jupyterlab"]["sharedPackages"].items()}
    assert ranges == about["dependencies"]
    assert ranges["@jupyterlab/application"] == "^4.4.0"


def test_the_archive_has_all_that_it_takes_to_work_on_it(archive: Path) -> None:
    with tarfile.open(archive) as files:
        inside = {name.partition("/")[2] for name in files.getnames()}
    tracked = subprocess.run(
        ["git", "ls-files"],  # noqa: S607 - whichever git there is
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode != 0:
        pytest.skip("this is no git checkout")
    assert set(tracked.stdout.splitlines()) - inside <= {".ci/run", ".gitignore"}
