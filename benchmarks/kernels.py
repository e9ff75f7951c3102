"""Real kernels of the interpreter that measures, as a front end starts them."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client.blocking.client import BlockingKernelClient

CHECKOUT = str(Path(__file__).resolve().parent.parent)


class _ThisInterpreter(KernelSpecManager):
    """Knows one kernel, of the interpreter that measures."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return it."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--IPKernelApp.log_level=ERROR"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


@contextmanager
def kernel() -> Iterator[BlockingKernelClient]:
    """Have a kernel that knows this checkout, for as long as the block lasts."""
    manager = KernelManager(kernel_name="benchmark", kernel_spec_manager=_ThisInterpreter())
    paths = [CHECKOUT, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "TF_CPP_MIN_LOG_LEVEL": "3"}
    manager.start_kernel(env=environment)
    try:
        client: BlockingKernelClient = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=120)
        yield client
        client.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)
