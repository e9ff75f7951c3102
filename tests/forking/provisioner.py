"""A kernel provisioner whose kernels are forked, known to the managers of this process."""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from forking.process import Forked, can_fork

if TYPE_CHECKING:
    import subprocess

NAME = "forking"
METADATA = {"kernel_provisioner": {"provisioner_name": NAME}}
"""What a kernel spec says to have its kernels forked."""

ENTRY_POINT = EntryPoint(NAME, f"{__name__}:Forking", KernelProvisionerFactory.GROUP_NAME)


class Forking(LocalProvisioner):
    """Starts kernels as its base does, but forks those whose environment allows it."""

    _noted: Path | None = None

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
        """Start the kernel."""
        environment: dict[str, str] = options["env"]
        if not can_fork(environment):
            return await super().launch_kernel(cmd, **options)
        cwd = str(options.get("cwd") or Path.cwd())
        nothing = os.open(os.devnull, os.O_RDONLY)
        forked = Forked(cmd[1:], cwd, environment, [nothing, 1, 2])
        os.close(nothing)
        # Which a Popen is for all that a provisioner asks of it.
        self.process = cast("subprocess.Popen[Any]", forked)
        self.pid = self.pgid = forked.pid
        self.cwd = cwd
        self._note(cmd)
        return self.connection_info

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - as its base has it
        """Remove what was noted, too."""
        if self._noted is not None:
            self._noted.unlink(missing_ok=True)
        await super().cleanup(restart)

    def _note(self, cmd: list[str]) -> None:
        # Nothing in its command line, which is the server's, tells which it is.
        if "-f" in cmd:
            self._noted = Path(f"{cmd[cmd.index('-f') + 1]}.pid")
            self._noted.write_text(str(self.pid))


def know_here() -> None:
    """Have managers of this process know the provisioner."""
    KernelProvisionerFactory.instance().provisioners[NAME] = ENTRY_POINT
