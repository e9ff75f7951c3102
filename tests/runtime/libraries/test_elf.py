"""Headers of ELF files, against readelf."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tfmagic.runtime.libraries.elf import NoElfError, is_mapped, read_elf
from tfmagic.runtime.libraries.shared_objects import shared_objects

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("readelf") is None, reason="there is no readelf to compare with"
)


def loaded() -> list[str]:
    return sorted({os.path.realpath(one.path) for one in shared_objects().listed()})


def readelf(*arguments: str) -> str:
    return subprocess.run(["readelf", "-W", *arguments], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607 - of binutils


def test_every_loaded_library_reads_as_readelf_reads_it() -> None:
    import tensorflow as tf

    own = Path(tf.__file__).parent
    files = [*loaded()[:25], str(own / "libtensorflow_framework.so.2"), str(own / "libtensorflow_cc.so.2")]
    for path in files:
        elf = read_elf(path)
        dynamic = readelf("-d", path)
        assert list(elf.needed) == re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic), path
        paths = re.findall(r"\((?:RUNPATH|RPATH)\).*\[(.*)\]", dynamic)
        assert list(elf.runpath) == [part for one in paths for part in one.split(":") if part], path
        assert [elf.build_id] == (re.findall(r"Build ID: (\w+)", readelf("-n", path)) or [None]), path


def test_what_is_no_elf_file_or_cut_short_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    whole = Path(loaded()[0]).read_bytes()
    for content in (b"", b"#!/bin/sh\n", b"\x7fELF", whole[:18], whole[:60]):
        file.write_bytes(content)
        with pytest.raises(NoElfError):
            read_elf(str(file))


def test_any_damage_is_told_or_read_past(tmp_path: Path) -> None:
    file = tmp_path / "file"
    whole = Path(loaded()[0]).read_bytes()[:20_000]
    for at in range(4, 1200, 3):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        file.write_bytes(damaged)
        try:
            read_elf(str(file))
        except NoElfError:
            continue


def test_a_file_is_told_from_what_is_mapped(tmp_path: Path) -> None:
    one = next(one for one in shared_objects().listed() if "libz" in one.path or "_ctypes" in one.path)
    copy = tmp_path / "copy.so"
    shutil.copy(one.path, copy)
    assert is_mapped(os.path.realpath(one.path), one.address) is True
    assert is_mapped(str(copy), one.address) is True
    data = bytearray(copy.read_bytes())
    place, _, size = read_elf(str(copy)).constant[-1]
    data[place + size // 2] ^= 1
    copy.write_bytes(data)
    assert is_mapped(str(copy), one.address) is False
    assert is_mapped(str(tmp_path / "nowhere"), one.address) is None
    assert is_mapped(str(copy), None) is None
