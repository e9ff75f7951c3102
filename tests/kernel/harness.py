"""A running kernel, and what it answers to a cell."""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from queue import Empty
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from forking.provisioner import METADATA, know_here
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

from tfmagic.runtime.memory.policy import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_client.blocking.client import BlockingKernelClient

PATIENCE_S = 120.0
"""How long a cell may take before the kernel counts as stuck."""


_COLOURS = re.compile(r"\x1b\[[\d;]*m")


class ThisInterpreter(KernelSpecManager):
    """Knows one kernel, of the interpreter that runs the tests; it may be forked."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(
            argv=[
                sys.executable,
                "-m",
                "ipykernel_launcher",
                "-f",
                "{connection_file}",
                "--IPKernelApp.log_level=ERROR",
            ],
            display_name=kernel_name,
            language="python",
            metadata=METADATA if kernel_name == "forked" else {},
        )


@dataclass
class Reply:
    """What came of one cell."""

    status: str = ""
    ename: str = ""
    evalue: str = ""
    traceback: str = ""
    stdout: str = ""
    stderr: str = ""
    page: str = ""
    results: list[dict[str, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The last thing displayed, as text; empty where nothing was."""
        return self.results[-1]["text/plain"] if self.results else ""

    @property
    def html(self) -> str:
        """The last thing displayed, as HTML."""
        return self.results[-1]["text/html"]

    @property
    def usage_error(self) -> str:
        """The one line that a person sees of an error of tfmagic's own."""
        assert (self.status, self.ename) == ("error", "UsageError"), self
        assert f"UsageError: {self.evalue}" in self.stderr, self
        assert "Traceback" not in self.stderr, self.stderr
        assert "\n" not in self.evalue, self.evalue
        assert not self.results, self
        return self.evalue


@dataclass
class Tab:
    """What Tab offered in a cell.

    Attributes
    ----------
    matches
        The texts.
    cells
        The cell as a front end leaves it after each of them was taken.
    types
        What each is called.
    printed
        What was printed meanwhile.
    """

    matches: list[str]
    cells: list[str]
    types: list[str]
    printed: str


class Kernel:
    """A kernel with TensorFlow and tfmagic in it, in a folder of its own.

    TensorFlow is imported when it starts, unless it is to start by itself, or with an environment that
    has TensorFlow imported in another way.
    """

    def __init__(self, folder: Path, *, by_itself: bool = False, **environment: str) -> None:
        self.folder = folder
        know_here()
        name = "by itself" if by_itself else "forked"
        self.manager = KernelManager(kernel_name=name, kernel_spec_manager=ThisInterpreter())
        tfmagic = find_spec("tfmagic")
        assert tfmagic is not None
        assert tfmagic.origin is not None
        checkout = str(Path(tfmagic.origin).parents[1])
        paths = [checkout, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        self.environment = {
            # Without what this process has set for its own TensorFlow, which may not have read it yet, and without
            # what has ipykernel leave file descriptor 2 alone.
            **{
                name: value
                for name, value in os.environ.items()
                if name not in SETTINGS and name != "PYTEST_CURRENT_TEST"
            },
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "IPYTHONDIR": str(folder / ".ipython"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "NO_COLOR": "1",
            **environment,
        }
        self.manager.start_kernel(cwd=str(folder), env=self.environment)
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE_S)

    def run(self, code: str, *, meanwhile: Callable[[], None] | None = None) -> Reply:
        """Run a cell and wait for everything it shows; `meanwhile` is called once it has been sent."""
        request = self.send(dedent(code).strip("\n"))
        if meanwhile is not None:
            meanwhile()
        reply = Reply()
        content = self._collect(request, reply)
        reply.status = content["status"]
        reply.ename, reply.evalue = content.get("ename", ""), content.get("evalue", "")
        reply.page = "".join(
            page["data"]["text/plain"] for page in content.get("payload", ()) if page["source"] == "page"
        )
        reply.page = _COLOURS.sub("", reply.page)
        return reply

    def send(self, code: str) -> str:
        """Send a cell off, and return what its answers will refer to."""
        # One that comes while ipykernel still aborts what followed a failed cell would be aborted, too.
        return str(self.client.execute(code, allow_stdin=False, stop_on_error=False))

    def ok(self, code: str) -> Reply:
        """Run a cell that has to succeed."""
        reply = self.run(code)
        assert reply.status == "ok", f"{reply.ename}: {reply.evalue}\n{reply.traceback}\n{reply.stderr}"
        return reply

    def value(self, expression: str) -> str:
        """Return the text of a Python expression's value."""
        return self.ok(expression).text

    def refused(self, code: str) -> str:
        """Run a cell that tfmagic has to refuse, and return its one-line error."""
        return self.run(code).usage_error

    def complete(self, cell: str) -> Tab:
        """Press Tab at the end of a cell, or where ``<Tab>`` stands in it."""
        before, _, after = cell.partition("<Tab>")
        request = self.client.complete(before + after, len(before))
        shown = Reply()
        content = self._collect(request, shown)
        assert content["status"] == "ok", content
        start, end = content["cursor_start"], content["cursor_end"]
        assert end == len(before), content
        return Tab(
            content["matches"],
            [before[:start] + match + after for match in content["matches"]],
            [one["type"] for one in content["metadata"].get("_jupyter_types_experimental", ())],
            shown.stdout + shown.stderr,
        )

    def wait_until(self, expression: str) -> None:
        """Wait until an expression is true in the kernel."""
        deadline = time.monotonic() + PATIENCE_S
        while self.value(f"bool({expression})") != "True":
            assert time.monotonic() < deadline, f"{expression} did not come true"

    def _collect(self, request: str, reply: Reply) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            message = self._message(request, deadline)
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                setattr(reply, content["name"], getattr(reply, content["name"]) + content["text"])
            elif kind in {"execute_result", "display_data"}:
                reply.results.append(content["data"])
            elif kind == "error":
                reply.traceback = _COLOURS.sub("", "\n".join(content["traceback"]))
            elif kind == "status" and content["execution_state"] == "idle":
                return self._reply_to(request, deadline)

    def _message(self, request: str, deadline: float) -> dict[str, Any]:
        while time.monotonic() < deadline:
            try:
                message: dict[str, Any] = self.client.get_iopub_msg(timeout=1)
            except Empty:
                assert self.manager.is_alive(), "the kernel died"
                continue
            if message["parent_header"].get("msg_id") == request:
                return message
        msg = f"no answer within {PATIENCE_S:.0f} s"
        raise TimeoutError(msg)

    def _reply_to(self, request: str, deadline: float) -> dict[str, Any]:
        while True:
            message = self.client.get_shell_msg(timeout=max(1.0, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") == request:
                content: dict[str, Any] = message["content"]
                return content

    def clean(self) -> None:
        """Leave the kernel as a test is to find it: no models, no names, tfmagic loaded anew."""
        self.ok(f"""
            %cd -q {self.folder}
            %unload_ext tfmagic
            %load_ext tfmagic
            %config TfMagic.memory_budget = ''
            %tf_model drop --all
            %reset -f
        """)
        # What is left lives as long as the kernel, such as all that Jedi has read: each drop would look through it.
        self.ok("__import__('gc').freeze()")

    def stop(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
