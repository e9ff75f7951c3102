"""``tfmagic autoload``: a startup file of the person's IPython profile that loads tfmagic before the first cell.

A file of its own: the lists in IPython's configuration files replace one another, so a second file with
``InteractiveShellApp.extensions`` would take away what the person has put there. A startup file also stays quiet where
an extension that is not installed would put a traceback into the log of every kernel.
"""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager
from itertools import chain, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from tfmagic.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

# IPython runs startup files in the order of their paths. This one comes before the 00-first.py that its README names.
FILE = "0-0-tfmagic.py"
DEFAULT = "default"
"""The profile of a kernel that is started without ``--profile``."""

_MARK = "# tfmagic autoload:"
# Not through IPython's list of loaded extensions: each %load_ext in a notebook would then print that it is there.
SOURCE = f"""\
{_MARK} tfmagic comes first in each notebook of this IPython profile, in any Python that has it.
# Written by `tfmagic autoload on`, removed by `tfmagic autoload off`.


def _load_tfmagic(shell):
    if not hasattr(shell, "kernel"):
        return
    try:
        from tfmagic import load_ipython_extension
    except ImportError:
        return
    try:
        load_ipython_extension(shell)
    except Exception as error:
        import sys

        sys.stderr.write(f"tfmagic autoload: tfmagic cannot be loaded ({{error}}): tfmagic doctor says why\\n")


_load_tfmagic(get_ipython())
del _load_tfmagic
"""
_CONFIGS = ("ipython_config.py", "ipython_config.json", "ipython_kernel_config.py", "ipython_kernel_config.json")


def turn_on(profile: str) -> str:
    """Write the startup file; return what is so now. SettingError where that cannot be."""
    file = _file(profile)
    _refuse_another(file)
    # Not half a file for a kernel that starts just now.
    new = file.with_name(f"{FILE}.{os.getpid()}.new")
    with _writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            new.write_text(SOURCE, encoding="utf-8")
            new.replace(file)
        finally:
            new.unlink(missing_ok=True)
    return f"{status(profile)}\nKernels that run already stay as they are."


def turn_off(profile: str) -> str:
    """Remove the startup file; return what is so now. SettingError where that cannot be."""
    file = _file(profile)
    _refuse_another(file)
    with _writing(file):
        file.unlink(missing_ok=True)
    return status(profile)


def status(profile: str) -> str:
    """Return whether tfmagic is loaded by itself, and through what."""
    file = _file(profile)
    present = _text(file)
    what = f"the IPython profile {profile!r}"
    if present is None:
        lines = [f"off: a notebook of {what} has tfmagic after its own %load_ext tfmagic (there is no {file})"]
    elif not present.startswith(_MARK):
        lines = [f"off: {file} is not tfmagic's"]
    else:
        lines = [f"on: each new kernel of {what} loads tfmagic before its first cell (through {file})"]
        if present != SOURCE:
            lines.append("That file is not as this tfmagic writes it: tfmagic autoload on writes it again.")
        if earlier := _earlier(file):
            lines.append(
                f"Before it runs {', '.join(earlier)}: a tensor that is made there is too early for the memory policy."
            )
    others = [str(one) for one in _others(file) if "tfmagic" in (_text(one) or "")]
    if others:
        lines.append(f"tfmagic is named in {', '.join(others)}, too.")
    return "\n".join(lines)


def _file(profile: str) -> Path:
    """Return the path of a profile's startup file; SettingError where there is no such profile."""
    folder = _ipython_folder()
    place = folder / f"profile_{profile}"
    # IPython makes the default profile when it is first started.
    if profile != DEFAULT and (Path(profile).name != profile or not place.is_dir()):
        here = ", ".join(sorted(one.name.removeprefix("profile_") for one in folder.glob("profile_*"))) or "none"
        msg = f"no IPython profile {profile!r} in {folder} (there: {here}): ipython profile create NAME makes one"
        raise SettingError(msg)
    return place / "startup" / FILE


def _ipython_folder() -> Path:
    from IPython.paths import get_ipython_dir

    named = os.environ.get("IPYTHONDIR")
    # IPython takes it from where each kernel starts, which is another folder each time.
    if named and not Path(named).expanduser().is_absolute():
        msg = f"IPYTHONDIR is {named!r}, a relative path: give it from the root, such as {Path(named).absolute()}"
        raise SettingError(msg)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            folder = Path(get_ipython_dir())
        except OSError as error:
            msg = f"IPython has no folder here ({error}): name another one with IPYTHONDIR"
            raise SettingError(msg) from None
    # IPython goes on in a temporary folder then, in each kernel in another one.
    if unwritable := [str(one.message) for one in said if "writable" in str(one.message)]:
        msg = f"{unwritable[0].partition(',')[0]}: make it one, or name another folder with IPYTHONDIR"
        raise SettingError(msg)
    return folder


def _refuse_another(file: Path) -> None:
    present = _text(file)
    if present is not None and not present.startswith(_MARK):
        msg = f"{file} is not tfmagic's, so it stays as it is: give it another name, then try again"
        raise SettingError(msg)


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = f"{file} cannot be changed ({error.strerror}): tfmagic autoload needs a folder that you may write to"
        raise SettingError(msg) from None


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        msg = f"{file} cannot be read ({error.strerror})"
        raise SettingError(msg) from None


def _earlier(file: Path) -> list[str]:
    """Return what IPython runs before a startup file, in its order."""
    from IPython.core.application import ENV_CONFIG_DIRS, SYSTEM_CONFIG_DIRS

    folders = [file.parent, *(Path(one) / "startup" for one in (*ENV_CONFIG_DIRS, *SYSTEM_CONFIG_DIRS))]
    scripts = sorted(str(script) for folder in folders for script in _scripts(folder))
    of_python = os.environ.get("PYTHONSTARTUP")
    return [*([of_python] if of_python else []), *takewhile(lambda script: script != str(file), scripts)]


def _others(file: Path) -> list[Path]:
    """Return the profile's other files that could load an extension."""
    configs = [file.parents[1] / name for name in _CONFIGS]
    return [one for one in (*configs, *_scripts(file.parent)) if one.is_file() and one.name != FILE]


def _scripts(folder: Path) -> Iterator[Path]:
    return chain(sorted(folder.glob("*.py")), sorted(folder.glob("*.ipy")))
