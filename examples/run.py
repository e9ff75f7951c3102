"""Run notebooks top to bottom, each in a kernel of its own, showing each step as it goes.

Prints every cell and what it gives, while it gives it; then writes the executed notebook
and an HTML page of it. A cell that fails ends the run with its error and status 1.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

ANSI = re.compile(r"\x1b\[[0-9;]*m")
HERE = Path(__file__).parent
IMAGES = ("image/png", "image/jpeg", "image/svg+xml")
WIDGET = "application/vnd.jupyter.widget-view+json"
LONGEST = 60


class Screen:
    """Prints cells and results, with colours only where they are understood."""

    def __init__(self) -> None:
        self.colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.line_is_open = False

    def paint(self, code: int, text: str) -> str:
        """Colour a text where colours are on."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours else text

    def close_line(self) -> None:
        """End a line that a stream has left open."""
        if self.line_is_open:
            print(flush=True)
            self.line_is_open = False

    def say(self, line: str = "") -> None:
        """Print a line of its own."""
        self.close_line()
        print(line, flush=True)

    def result(self, text: str) -> None:
        """Print a piece of a cell's output, which may end in the middle of a line."""
        if not self.colours:
            text = ANSI.sub("", text)
        mark = self.paint(2, "  │ ")
        for line in text.splitlines(keepends=True):
            print(line if self.line_is_open else mark + line, end="", flush=True)
            self.line_is_open = not line.endswith("\n")

    def message(self, kind: str, content: dict[str, Any]) -> None:
        """Print one output message of the kernel."""
        if kind == "stream":
            self.result(content["text"])
        elif kind == "error":
            self.result("\n".join(content["traceback"]) + "\n")
        elif kind in {"execute_result", "display_data", "update_display_data"}:
            data = content["data"]
            image = next((name for name in IMAGES if name in data), None)
            text = data.get("text/plain", "")
            self.close_line()
            if image is not None:
                self.result(self.paint(2, f"[{image}: in the HTML page]") + "\n")
            elif text:
                lines = text.splitlines()
                self.result("\n".join(lines[:LONGEST]) + "\n")
                if len(lines) > LONGEST:
                    self.result(self.paint(2, f"[{len(lines) - LONGEST} more lines: in the HTML page]") + "\n")


class LiveClient(NotebookClient):
    """A notebook client that shows each message as it arrives."""

    screen: Screen

    def process_message(
        self, msg: dict[str, Any], cell: nbformat.NotebookNode, cell_index: int
    ) -> nbformat.NotebookNode | None:
        """Print the message, then let nbclient keep it in the notebook."""
        self.screen.message(msg["msg_type"], msg["content"])
        return super().process_message(msg, cell, cell_index)

    def show_source(self, cell: nbformat.NotebookNode, **_: object) -> None:
        """Print a cell before it runs."""
        self.screen.say()
        if cell.cell_type == "code":
            first = self.screen.paint(32, f"[{self.code_cells_executed + 1}] ".rjust(6))
            lines = cell.source.splitlines() or [""]
            self.screen.say(first + lines[0])
            for line in lines[1:]:
                self.screen.say(" " * 6 + line)
        elif cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                self.screen.say(self.screen.paint(1 if line.startswith("#") else 36, line))


def near(path: Path) -> str:
    """Write a path as seen from the working directory, where it lies below it."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def replace(path: Path, text: str) -> None:
    """Write a file in one move, so that two runs side by side never mix."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def page_of(content: nbformat.NotebookNode) -> str:
    """Return an executed notebook as HTML; a page has no kernel, so widgets give way to what they say without one."""
    plain = deepcopy(content)
    plain.metadata.pop("widgets", None)
    for cell in plain.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET, None)
    return str(HTMLExporter().from_notebook_node(plain)[0])  # type: ignore[no-untyped-call]


def run(notebook: Path, build: Path, timeout: float) -> int:
    """Run one notebook and write its results.

    Parameters
    ----------
    notebook : Path
        The notebook; it runs in its own folder.
    build : Path
        Where the executed notebook and its page go.
    timeout : float
        Seconds that a single cell may take.

    Returns
    -------
    int
        0, or 1 where a cell failed.
    """
    screen = Screen()
    content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    client = LiveClient(
        content,
        timeout=timeout,
        kernel_name="python3",
        # It warns that its channels are not encrypted; they do not leave this machine.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    client.screen = screen
    client.on_cell_start = client.show_source
    started = time.monotonic()
    screen.say(f"Running {near(notebook)} in a kernel of its own.")
    failure = ""
    try:
        client.execute()
    except CellExecutionError as error:
        failure = f"cell [{client.code_cells_executed}] failed: {error.ename}: {error.evalue}"
    except CellTimeoutError:
        failure = f"cell [{client.code_cells_executed}] took more than {timeout:g} s"
    except DeadKernelError:
        failure = f"the kernel died in cell [{client.code_cells_executed}]"

    build.mkdir(parents=True, exist_ok=True)
    executed, page = build / notebook.name, build / f"{notebook.stem}.html"
    replace(executed, nbformat.writes(content))  # type: ignore[no-untyped-call]
    replace(page, page_of(content))
    screen.say()
    if failure:
        screen.say(screen.paint(31, f"{notebook.name}: {failure}"))
    else:
        took = time.monotonic() - started
        screen.say(f"All {client.code_cells_executed} cells ran in {took:.0f} s.")
    screen.say(f"Executed notebook: {near(executed)}")
    screen.say(f"HTML page:         {near(page)}")
    return 1 if failure else 0


def main() -> int:
    """Read the command line and run the notebooks it names."""
    parser = argparse.ArgumentParser(description="Run example notebooks top to bottom.")
    all_of_them = [HERE / f"{name}.ipynb" for name in ("juggling", "revival", "memory", "panel")]
    parser.add_argument("notebooks", type=Path, nargs="*", default=all_of_them, metavar="notebook")
    parser.add_argument("--build", type=Path, default=HERE.parent / "build", metavar="FOLDER")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for a single cell")
    options = parser.parse_args()
    missing = next((notebook for notebook in options.notebooks if not notebook.is_file()), None)
    if missing is not None:
        parser.error(f"no notebook at {missing}")
    # The kernel of this environment, though the person may have another python3 of their own.
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    failed = 0
    for notebook in options.notebooks:
        failed |= run(notebook.resolve(), options.build, options.timeout)
    return failed


if __name__ == "__main__":
    sys.exit(main())
