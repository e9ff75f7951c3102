"""What GitHub, Read the Docs and others read: valid, and in agreement with ``pyproject.toml`` and the Makefile."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import tfmagic

CHECKOUT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
TARGETS = set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in (CHECKOUT / ".github/workflows").iterdir()}
# Whose code runs in a workflow, beside ours.
ACTIONS = {
    *("actions/checkout", "actions/setup-python", "actions/upload-artifact", "actions/download-artifact"),
    "pypa/gh-action-pypi-publish",
}


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{name}.{job}", steps) for name, flow in WORKFLOWS.items() for job, steps in flow["jobs"].items()]


def steps() -> list[dict[str, Any]]:
    return [step for _, job in jobs() for step in job["steps"]]


def classified() -> list[str]:
    """Return the versions of Python that the classifiers name."""
    prefix = "Programming Language :: Python :: 3."
    return ["3." + one.removeprefix(prefix) for one in PROJECT["project"]["classifiers"] if one.startswith(prefix)]


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("github-workflows", ".github/workflows/*.yml"),
        ("github-issue-forms", ".github/ISSUE_TEMPLATE/[!c]*.yml"),
        ("github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
        ("readthedocs", ".readthedocs.yaml"),
        ("citation-file-format", "CITATION.cff"),
    ],
)
def test_a_file_follows_the_schema_of_whoever_reads_it(schema: str, files: str) -> None:
    found = sorted(CHECKOUT.glob(files))
    assert found
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    if schema == "citation-file-format":
        command += ["--default-filetype", "yaml", "--force-filetype", "yaml"]
    done = subprocess.run([*command, *map(str, found)], capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    assert done.returncode == 0, done.stdout + done.stderr


def test_workflows_call_targets_that_the_makefile_has() -> None:
    typed = [line for step in steps() for line in step.get("run", "").splitlines()]
    called = {words[1] for line in typed if (words := line.split()) and words[0] == "make"}
    assert called >= {"setup", "test", "fast", "coverage", "docs", "links", "dist"}
    assert called <= TARGETS


def test_every_job_has_a_limit_and_may_only_read_but_for_the_one_that_publishes() -> None:
    assert all(flow["permissions"] == {"contents": "read"} for flow in WORKFLOWS.values())
    assert [name for name, job in jobs() if "timeout-minutes" not in job] == []
    more = {name: job["permissions"] for name, job in jobs() if "permissions" in job}
    assert more == {"release.publish": {"id-token": "write"}}
    assert {used.partition("@")[0] for step in steps() if (used := step.get("uses"))} == ACTIONS
    # PyPI trusts a workflow: there is no password to keep.
    assert "secrets." not in json.dumps(WORKFLOWS)


def test_the_matrix_has_every_version_that_is_admitted_and_no_other() -> None:
    matrix = WORKFLOWS["tests"]["jobs"]["fast"]["strategy"]["matrix"]
    assert matrix["python"] == classified() == WORKFLOWS["release"]["jobs"]["install"]["strategy"]["matrix"]["python"]
    admitted = SpecifierSet(PROJECT["project"]["requires-python"])
    assert matrix["python"][0] == min(f"3.{minor}" for minor in range(10, 20) if f"3.{minor}" in admitted)
    (wanted,) = map(Requirement, PROJECT["project"]["optional-dependencies"]["tensorflow"])
    minors = [int(release.removeprefix("2.")) for release in matrix["tensorflow"]]
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert [f"2.{minor}" in wanted.specifier for minor in (minors[0] - 1, minors[0])] == [False, True]
    for left_out in matrix["exclude"]:
        assert left_out["python"] in matrix["python"]
        assert left_out["tensorflow"] in matrix["tensorflow"]


def test_what_is_fetched_each_week_fails_where_it_fails() -> None:
    weekly = WORKFLOWS["weekly"]
    # YAML takes the word "on" for true.
    assert set(weekly[True]) == {"schedule", "workflow_dispatch"}
    runs = [step for job in weekly["jobs"].values() for step in job["steps"] if "make" in step.get("run", "")]
    assert not any("continue-on-error" in step for step in runs)
    assert not any("continue-on-error" in job for job in weekly["jobs"].values())


def test_a_release_is_tried_before_it_is_published() -> None:
    release = WORKFLOWS["release"]["jobs"]
    assert (release["publish"]["needs"], release["install"]["needs"]) == ("install", "build")
    assert release["publish"]["environment"] == "pypi"
    contributing = (CHECKOUT / "CONTRIBUTING.md").read_text()
    assert "`release.yml`" in contributing


def test_a_report_has_to_have_what_doctor_says() -> None:
    form = yaml.safe_load((CHECKOUT / ".github/ISSUE_TEMPLATE/bug.yml").read_text())
    (doctor,) = [one for one in form["body"] if one.get("id") == "doctor"]
    assert "tfmagic doctor" in doctor["attributes"]["label"]
    assert doctor["validations"]["required"]


def test_the_citation_agrees() -> None:
    citation = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text())
    project = PROJECT["project"]
    assert (citation["title"], citation["abstract"]) == (project["name"], project["description"])
    assert (citation["version"], citation["license"]) == (tfmagic.__version__, project["license"])
    assert (citation["authors"], citation["keywords"]) == (project["authors"], project["keywords"])


def test_read_the_docs_and_the_container_use_the_oldest_python_and_what_is_there() -> None:
    config = yaml.safe_load((CHECKOUT / ".readthedocs.yaml").read_text())
    oldest = classified()[0]
    assert config["build"]["tools"]["python"] == oldest
    assert (CHECKOUT / config["sphinx"]["configuration"]).exists()
    words = " ".join(config["build"]["jobs"]["install"])
    ((extras, group),) = re.findall(r'"\.\[([\w,]+)\]" --group (\w+)', words)
    assert set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"])
    assert group in PROJECT["dependency-groups"]
    container = json.loads((CHECKOUT / ".devcontainer/devcontainer.json").read_text())
    assert f"python:{oldest}-" in container["image"]
    assert container["postCreateCommand"].removeprefix("make ") in TARGETS


def test_what_only_developers_need_is_in_groups_and_no_extra() -> None:
    groups, extras = PROJECT["dependency-groups"], PROJECT["project"]["optional-dependencies"]
    assert set(groups) == {"dev", "docs", "test", "bench"}
    assert not set(groups) & set(extras)
    for lines in groups.values():
        included = {line["include-group"] for line in lines if isinstance(line, dict)}
        assert included <= set(groups)
        names = [Requirement(line).name for line in lines if isinstance(line, str)]
        assert names == sorted(names)
    setup = (CHECKOUT / "scripts" / "make_venv.py").read_text()
    (asked,) = re.findall(r'^EXTRAS = "([\w,]+)"$', setup, re.MULTILINE)
    (group,) = re.findall(r'^GROUP = "(\w+)"$', setup, re.MULTILINE)
    assert set(asked.split(",")) <= set(extras)
    assert {line["include-group"] for line in groups[group]} == {"docs", "test"}


def test_what_security_md_names_is_what_the_guard_refuses() -> None:
    from tfmagic.graphdef.op_types import ENDS_THE_PROCESS, READS_FILES, RUNS_PYTHON, TOUCHES_FILES

    text = (CHECKOUT / "SECURITY.md").read_text()
    named = set(re.findall(r"`([A-Z]\w+)`", text)) - {"Lambda"}
    assert named >= RUNS_PYTHON | ENDS_THE_PROCESS
    assert named <= RUNS_PYTHON | ENDS_THE_PROCESS | set(READS_FILES) | TOUCHES_FILES


def test_notebooks_are_kept_without_outputs_as_the_hook_has_it() -> None:
    git = shutil.which("git")
    if git is None or not (CHECKOUT / ".git").exists():
        pytest.skip("this is no clone")
    kept = subprocess.check_output([git, "ls-files", "*.ipynb"], cwd=CHECKOUT, text=True).split()  # noqa: S603 - fixed words
    assert len(kept) > 3
    (local,) = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text())["repos"]
    (hook,) = [one for one in local["hooks"] if one["id"] == "nbstripout"]
    words = hook["entry"].removeprefix(".venv/bin/").split()
    command = [sys.executable, "-m", *words, "--verify", *kept]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    assert done.returncode == 0, done.stdout
