"""The file of a parked model: what was written is what is read, or nothing is."""

from __future__ import annotations

import os
import random
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest
from factories import printed

from tfmagic.errors import ParkError
from tfmagic.runtime.memory.fed_arrays import aligned
from tfmagic.runtime.state.spill import Spill

if TYPE_CHECKING:
    from collections.abc import Iterator

DTYPES = (
    *(np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
    *(np.float16, np.float32, np.float64, np.complex64, np.complex128),
    *(ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.int4, ml_dtypes.uint4),
)
SHAPES: tuple[tuple[int, ...], ...] = ((), (1,), (7,), (0,), (3, 0, 2), (2, 3, 4), (1, 1, 1, 1, 5))
WRITE = """
import sys, numpy as np
from pathlib import Path
from tfmagic.errors import ParkError
from tfmagic.runtime.state.spill import Spill
{before}
try:
    Spill(Path(sys.argv[1])).write([("a", np.zeros(10, np.uint8)), ("b", np.ones(int(sys.argv[2]), np.uint8))])
except ParkError as error:
    print(error)
else:
    print("written")
"""


def values(dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return random bits of a dtype: signalling NaNs, infinities and subnormal numbers are among them."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    bits = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    if dtype is np.bool_:
        bits &= 1
    elif np.dtype(dtype).name in {"int4", "uint4"}:
        bits = (bits % 8).astype(dtype)
    made: np.ndarray = bits.view(dtype).reshape(shape)
    return made


def text(parts: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    array = np.empty(len(parts), object)
    array[:] = parts
    return array.reshape(shape)


def some() -> list[tuple[str, np.ndarray]]:
    return [
        ("first/kernel", np.arange(24, dtype=np.float32).reshape(4, 6)),
        ("step", np.array(7, np.int64)),
        ("empty", np.zeros((0, 3), np.float16)),
        ("words", text([b"a", b"\0\xff\n", b"", "über".encode()], (2, 2))),
        ("last", np.arange(100, dtype=np.uint8)),
    ]


def assert_same(read: Iterator[tuple[str, np.ndarray]], written: list[tuple[str, np.ndarray]]) -> None:
    found = list(read)
    assert [name for name, _ in found] == [name for name, _ in written]
    for (name, value), (_, before) in zip(found, written, strict=True):
        assert value.dtype == before.dtype, name
        assert value.shape == before.shape, name
        if before.dtype == object:
            assert value.tolist() == before.tolist(), name
        else:
            assert value.tobytes() == before.tobytes(), name


def names_in(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def read_and_refused(spill: Spill) -> str:
    with pytest.raises(ParkError) as caught:
        list(spill.read())
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_bits_of_every_dtype_and_shape_come_back(tmp_path: Path, dtype: Any) -> None:
    written = [(f"v{index}", values(dtype, shape)) for index, shape in enumerate(SHAPES)]
    spill = Spill(tmp_path / "all")
    assert spill.write(iter(written)) == spill.path.stat().st_size
    assert_same(spill.read(), written)


def test_text_of_any_rank_comes_back(tmp_path: Path) -> None:
    parts = [b"", b"a", b"\0", b"ends in nothing\0\0", "ünï".encode(), b"x" * 100_000]
    written = [
        ("scalar", text([b"only"], ())),
        ("empty", text([], (0, 4))),
        ("vector", text(parts, (6,))),
        ("cube", text(parts * 2, (2, 3, 2))),
    ]
    spill = Spill(tmp_path / "text")
    spill.write(written)
    assert_same(spill.read(), written)


def test_str_is_written_as_utf_8(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "text")
    spill.write([("u", np.array(["é", "z"])), ("s", np.array([b"p", b"qq"])), ("o", text(["é"], (1,)))])
    assert [value.tolist() for _, value in spill.read()] == [["é".encode(), b"z"], [b"p", b"qq"], ["é".encode()]]


def test_arrays_that_lie_otherwise_in_memory_come_back(tmp_path: Path) -> None:
    table = np.arange(24, dtype=np.int16).reshape(4, 6)
    written = [("T", table.T), ("steps", table[::2, ::-1]), ("fortran", np.asfortranarray(table))]
    spill = Spill(tmp_path / "lying")
    spill.write(written)
    assert_same(spill.read(), [(name, np.ascontiguousarray(value)) for name, value in written])


def test_no_arrays_are_a_file_too(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "none")
    spill.write([])
    assert list(spill.read()) == []


def test_what_is_read_is_aligned_writable_and_nobody_elses(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "own")
    spill.write(some())
    first, second = (dict(spill.read()) for _ in range(2))
    for name, value in first.items():
        assert value.flags.writeable
        assert value.dtype == object or not value.size or value.ctypes.data % 64 == 0, name
        assert not np.shares_memory(value, second[name])
    assert all(aligned(size).ctypes.data % 64 == 0 for size in (1, 63, 4096))


def test_a_torn_file_is_never_read(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "torn")
    spill.write(some())
    whole = spill.path.read_bytes()
    for length in {*range(0, len(whole), 3), *range(len(whole) - 30, len(whole))}:
        spill.path.write_bytes(whole[:length])
        read_and_refused(spill)
    spill.path.write_bytes(whole + b"\0")
    read_and_refused(spill)


def test_a_flipped_bit_never_gives_other_data(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "flipped")
    spill.write(some())
    whole = spill.path.read_bytes()
    chance = random.Random(1)  # noqa: S311 - for a test
    refused = 0
    for at in [*chance.sample(range(len(whole)), 400), *range(len(whole) - 24, len(whole))]:
        spill.path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :])
        try:
            # Between two blocks there is nothing to lose.
            assert_same(spill.read(), some())
        except ParkError:
            refused += 1
    assert refused > 300


def test_a_file_cut_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "cut")
    spill.write(some())
    reading = spill.read()
    next(reading)
    os.truncate(spill.path, 100)
    with pytest.raises(ParkError, match="is damaged"):
        list(reading)


def test_a_file_that_is_gone_is_one_line(tmp_path: Path) -> None:
    said = read_and_refused(Spill(tmp_path / "gone"))
    assert "cannot be read (No such file" in said
    assert said.endswith("put it back, or drop the model and add it again")


def test_a_write_that_fails_leaves_the_former_file_and_nothing_beside_it(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "kept")
    spill.write(some())

    def ending() -> Iterator[tuple[str, np.ndarray]]:
        yield "a", np.zeros(10_000)
        message = "not readable"
        raise RuntimeError(message)

    for values_given, kind in ((ending(), RuntimeError), (interrupted(), KeyboardInterrupt)):
        with pytest.raises(kind):
            spill.write(values_given)
        assert names_in(tmp_path) == ["kept"]
        assert_same(spill.read(), some())


def interrupted() -> Iterator[tuple[str, np.ndarray]]:
    yield "a", np.zeros(10)
    raise KeyboardInterrupt


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "private")
    spill.write(some())
    assert spill.path.stat().st_mode & 0o777 == 0o600


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, bool]] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        seen.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, (tmp_path / "net").exists()))
        sync(descriptor)

    if not sys.platform.startswith("linux"):
        pytest.skip("looks at /proc")
    monkeypatch.setattr(os, "fsync", noted)
    Spill(tmp_path / "net").write(some())
    assert seen == [("net.part", False), (tmp_path.name, True)]


def test_removing_it_twice_or_where_it_cannot_be_is_no_error(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "net")
    spill.write(some())
    spill.remove()
    assert names_in(tmp_path) == []
    spill.remove()
    (tmp_path / "folder").mkdir()
    Spill(tmp_path / "folder").remove()


def test_a_folder_that_is_not_there_or_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "gone", tmp_path / "file"):
        with pytest.raises(ParkError, match="cannot be written to") as caught:
            Spill(folder / "net").write(some())
        assert len(str(caught.value).splitlines()) == 1


def written_by_another(path: Path, size: int, before: str) -> str:
    (line,) = printed(WRITE.format(before=before), str(path), str(size))
    return line


@pytest.mark.slow
def test_a_file_that_may_grow_no_further_leaves_the_former_one(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "net")
    spill.write(some())
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += f"resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, {resource.RLIM_INFINITY}))"
    assert "cannot be written to (File too large)" in written_by_another(spill.path, 3_000_000, limit)
    assert names_in(tmp_path) == ["net"]
    assert_same(spill.read(), some())


@pytest.mark.slow
def test_a_folder_that_may_not_be_written_to_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0o500)
    before = "import os; os.setresuid(65534, 65534, 65534)" if os.geteuid() == 0 else ""
    # Root may write anywhere, and another user must reach the folder.
    for parent in (tmp_path, *list(tmp_path.parents)[:3]):
        if os.geteuid() == 0 and parent.owner() == "root" and parent != parent.parent and parent.name != "tmp":
            parent.chmod(0o755)
    if os.geteuid() == 0:
        folder.chmod(0o555)
    assert "cannot be written to (Permission denied)" in written_by_another(folder / "net", 10, before)
    assert names_in(folder) == []
