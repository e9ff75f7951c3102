"""Have a Chromium for the browser tests: Debian's, installed where that can be done without asking."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Install Chromium where there is none; say what to do where that cannot be done."""
    if os.environ.get("TFMAGIC_CHROMIUM") or any(map(shutil.which, NAMES)):
        return
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print("tfmagic: no Chromium here, so the browser tests are skipped: apt-get install chromium, or name one in")
        print("tfmagic: TFMAGIC_CHROMIUM", flush=True)
        return
    print("tfmagic: installing Chromium for the browser tests with apt-get (a minute)", flush=True)
    steps = ([*apt, "update", "-qq"], [*apt, "install", "-y", "-qq", "--no-install-recommends", "chromium"])
    for step in steps:
        if subprocess.run(step, check=False, stdout=subprocess.DEVNULL).returncode != 0:
            sys.exit(f"tfmagic: {' '.join(step[2:])} failed: install Chromium by hand, or name one in TFMAGIC_CHROMIUM")


if __name__ == "__main__":
    main()
