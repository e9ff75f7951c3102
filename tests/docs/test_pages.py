"""The documentation: its pages are built from the repository, with every code cell run in a real kernel."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from browser.panel_page import browser, chromium_path
from forking import kernels

import tfmagic
from tfmagic.magics.commands import model as model_magic
from tfmagic.magics.commands import panel as panel_magic
from tfmagic.magics.commands import run as run_magic
from tfmagic.magics.commands import runtime as runtime_magic
from tfmagic.magics.shell.settings import TfMagic

if TYPE_CHECKING:
    from tfmagic.magics.grammar.options import Command

pytestmark = [pytest.mark.kernel, pytest.mark.slow, pytest.mark.timeout(1200)]

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
PAGES = sorted(path.relative_to(DOCS) for path in DOCS.rglob("*.md"))
EXECUTED = [page for page in PAGES if "file_format: mystnb" in (DOCS / page).read_text()]
# What `make docs` calls, and for each page which files its cells have left in its folder, which is gone then.
BUILD = """
import sys
from pathlib import Path
from uuid import uuid4

from myst_nb.core.execute import direct
from sphinx.cmd.build import main

run, noted = direct.single_nb_execution, Path(sys.argv.pop(1))

def run_and_note(notebook, cwd, **options):
    result = run(notebook, cwd=cwd, **options)
    files = [str(path.relative_to(cwd)) for path in Path(cwd).rglob("*") if path.is_file()]
    (noted / uuid4().hex).write_text("\\n".join(files))
    return result

direct.single_nb_execution = run_and_note
sys.exit(main(sys.argv[1:]))
"""
# Outputs come from running the cells, and code that is shown was run: a page has blocks of these kinds alone.
KINDS = {"{code-cell}", "{toctree}", "{eval-rst}", "bash"}

# What has a scroll box that ends above its content's end, and what the next one lies upon.
CUT = """() => [...document.querySelectorAll('.cell_output, .cell_output *')]
  .filter(one => one.clientHeight && getComputedStyle(one).overflowY != 'visible'
    && one.scrollHeight > one.clientHeight + 1)
  .map(one => one.textContent.trim().slice(0, 80))"""
COVERED = """() => [...document.querySelectorAll('.cell_output > .output')]
  .filter(one => one.nextElementSibling
    && one.nextElementSibling.getBoundingClientRect().top < one.getBoundingClientRect().bottom - 1)
  .map(one => one.textContent.trim().slice(0, 80))"""


class Anchors(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.text = ""
        self.feed(page.read_text())

    def handle_starttag(self, _: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.links.extend(link for key in ("href", "src") if (link := given.get(key)))
        self.names.update(name for key in ("id", "name") if (name := given.get(key)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the pages as ``make docs`` does, and return where they are."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    written = folder.parent / "written"
    written.mkdir()
    options = ["--quiet", "--fail-on-warning", "--keep-going", "--jobs", "2"]
    done = subprocess.run(  # noqa: S603 - fixed words
        [sys.executable, "-c", BUILD, str(written), *options, str(DOCS), str(folder)],
        env=kernels.environment(tmp_path_factory.mktemp("kernels")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-12000:]
    return folder


def cells(site: Path, page: Path) -> list[Any]:
    """Return the code cells of a page as they were run."""
    file = site.parent / "jupyter_execute" / page.with_suffix(".ipynb")
    notebook = nbformat.read(file, 4)  # type: ignore[no-untyped-call]  # nbformat has none here
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def failed(cell: Any) -> bool:
    """Tell whether a cell ended with an error; those of a person's typing are a line on stderr."""
    return any(
        one.output_type == "error" or (one.get("name") == "stderr" and "UsageError: " in one.text)
        for one in cell.outputs
    )


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_has_nothing_installed_that_is_not_there_to_install(page: Path) -> None:
    # Until there is a release, from a clone alone.
    assert re.findall(r"pip install (?:-\S+ )*['\"]?tfmagic\b.*", (DOCS / page).read_text()) == []


def test_the_first_page_says_what_it_is_before_its_links() -> None:
    before, _, _ = (DOCS / "index.md").read_text().partition("```{toctree}")
    assert "TensorFlow models in one Jupyter kernel" in before


@pytest.mark.parametrize("page", EXECUTED, ids=str)
def test_every_cell_of_a_page_was_run_and_fails_only_where_it_is_said_to(site: Path, page: Path) -> None:
    run = cells(site, page)
    assert len(run) == (DOCS / page).read_text().count("```{code-cell}") > 0
    for cell in run:
        assert cell.execution_count, cell.source
        assert failed(cell) == ("raises-exception" in cell.metadata.get("tags", ())), cell.source


def test_what_pages_write_changes_no_clone_whose_examples_they_are_typed_in(site: Path) -> None:
    git = shutil.which("git")
    if git is None or not (CHECKOUT / ".git").exists():
        pytest.skip("this is no clone")
    notes = list((site.parent / "written").iterdir())
    assert len(notes) == len(EXECUTED)
    written = {f"examples/{name}" for note in notes for name in note.read_text().splitlines()}
    kept = subprocess.check_output([git, "ls-files", "examples"], cwd=CHECKOUT, text=True)  # noqa: S603 - fixed words
    new = sorted(written - set(kept.splitlines()))
    assert "examples/served/saved_model.pb" in new
    asked = "\n".join(new)
    ignored = subprocess.run(  # noqa: S603 - fixed words
        [git, "check-ignore", "--stdin"], input=asked, cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert [name for name in new if name not in ignored.stdout.splitlines()] == []


def test_what_a_cell_says_is_shown_whole(site: Path) -> None:
    if chromium_path() is None:
        pytest.skip("there is no Chromium here: apt-get install chromium, or name one in TFMAGIC_CHROMIUM")
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        for name in EXECUTED:
            page.goto((site / name).with_suffix(".html").as_uri())
            assert page.locator(".cell_output").count() > 0
            assert page.evaluate(CUT) == [], name
            assert page.evaluate(COVERED) == [], name


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_shows_no_code_that_is_not_run_and_no_output_typed_by_hand(page: Path) -> None:
    fences = re.findall(r"^ *(?:`{3,}|~{3,}|:{3,})(\S+)", (DOCS / page).read_text(), re.MULTILINE)
    assert set(fences) <= KINDS


def test_every_link_of_the_pages_leads_somewhere(site: Path) -> None:
    pages = {path: Anchors(path) for path in site.rglob("*.html")}
    assert len(pages) > len(PAGES)
    broken = []
    for page, anchors in pages.items():
        for link in anchors.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not target.exists() or (parts.fragment and unquote(parts.fragment) not in pages[target].names):
                broken.append(f"{page.relative_to(site)}: {link}")
    assert broken == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_link_of_the_texts_beside_the_code_leads_somewhere(name: str) -> None:
    text = (CHECKOUT / name).read_text()
    links = re.findall(r"\]\(([^)\s]+)\)|\b(?:src|href)=\"([^\"]+)\"", text)
    inside = [link for pair in links for link in pair if link and not urlsplit(link).scheme]
    headings = {
        re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    for link in inside:
        path, _, fragment = link.partition("#")
        assert (CHECKOUT / path).exists(), link
        assert path or fragment in headings, link


def test_the_reference_has_every_command_and_option(site: Path) -> None:
    text = Anchors(site / "reference" / "magics.html").text
    commands: list[Command] = [
        *model_magic.COMMANDS.values(),
        model_magic.CELL,
        run_magic.LINE,
        run_magic.CELL,
        *runtime_magic.COMMANDS.values(),
        panel_magic.COMMAND,
    ]
    for command in commands:
        assert command.usage in text
        for option in command.options:
            assert f"{option.name} {option.value}".strip() in text
    assert "add(device=…)" in text
    assert "run(batch_size=…)" in text


def test_the_reference_has_every_setting_with_its_default(site: Path) -> None:
    text = Anchors(site / "reference" / "settings.html").text
    for name, trait in TfMagic.class_traits(config=True).items():
        assert name in text
        assert f"{trait.default_value!r} by default" in text


def test_the_reference_has_every_public_name_and_every_keyword_of_add(site: Path) -> None:
    text = Anchors(site / "reference" / "python.html").text
    hooks = {"__version__", "load_ipython_extension", "unload_ipython_extension"}
    assert [name for name in tfmagic.__all__ if name not in hooks and name not in text] == []
    assert "memory_budget" in text
    assert "ForeignTensorError" in text
    assert "Allow a file to run Python, and to use files other than its own assets." in text


def test_the_reference_has_every_record_of_the_snapshot(site: Path) -> None:
    import json

    schema = json.loads((CHECKOUT / "tfmagic" / "panel" / "snapshot.schema.json").read_text())
    text = Anchors(site / "reference" / "snapshot.html").text
    for name, record in schema["$defs"].items():
        assert name in text
        assert [field for field in record.get("properties", {}) if field not in text] == []
