"""Where models are saved: what is refused, and what is left when writing fails."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from factories import fresh_python, printed, save_linear_v1

from tfmagic import models
from tfmagic.concurrency.cancel_scope import CancelScope
from tfmagic.errors import DestinationError, ModelStateError, PathTakenError, SaveError
from tfmagic.formats.common.destination import Destination

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

X = np.array([[1, 2], [3, 4]], np.float32)


@pytest.fixture
def model(tmp_path: Path) -> Any:
    return models.add("net", save_linear_v1(tmp_path / "source", 3.0, 1.0))


def contents(folder: Path) -> dict[str, bytes]:
    """Return everything below a folder, hidden files too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("suffix", [".h5", ".onnx", ".tflite", ".PT", ".zip"])
def test_a_format_that_is_not_written_is_refused_with_those_that_are(model: Any, tmp_path: Path, suffix: str) -> None:
    written = r"a folder \(SavedModel\), .pb \(frozen graph\) or .keras \(Keras file\) can be written"
    with pytest.raises(SaveError, match=rf"{suffix.lower()} is a format that is not .*{written}"):
        model.save(tmp_path / f"net{suffix}")
    assert not (tmp_path / f"net{suffix}").exists()


def test_any_other_name_is_a_folders(model: Any, tmp_path: Path) -> None:
    assert (model.save(tmp_path / "net-1.5") / "saved_model.pb").is_file()
    assert (model.save(str(tmp_path / "slash") + "/") / "saved_model.pb").is_file()
    with pytest.raises(SaveError, match=r"would be the file inside a SavedModel: give the folder"):
        model.save(tmp_path / "saved_model.pb")


@pytest.mark.parametrize("name", ["net", "net.pb"])
def test_an_existing_path_is_refused_and_replaced_on_request(model: Any, tmp_path: Path, name: str) -> None:
    model.save(tmp_path / name)
    before = contents(tmp_path)
    model.lifecycle.built_backend().assign([("w", np.float32(5.0))])
    with pytest.raises(PathTakenError, match=r"is there already: say --replace \(replace=True\)"):
        model.save(tmp_path / name)
    assert contents(tmp_path) == before
    with pytest.raises(FileExistsError):
        model.save(str(tmp_path / name))
    model.save(tmp_path / name, replace=True)
    np.testing.assert_array_equal(models.add("back", tmp_path / name)(X), 5 * X + 1)
    assert {path.name for path in tmp_path.iterdir()} == {"source", name}


def test_a_folder_that_is_no_saved_model_is_never_replaced(model: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("1,2")
    with pytest.raises(PathTakenError, match=r"is a folder that is no SavedModel \(there is: rows.csv\)"):
        model.save(tmp_path / "data", replace=True)
    folder = model.save(tmp_path / "net")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(PathTakenError, match=r"holds more than a SavedModel \(notes.txt\), which would be gone"):
        model.save(folder, replace=True)
    assert (folder / "notes.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert model.save(tmp_path / "empty", replace=True)


def test_a_file_and_a_folder_do_not_replace_each_other(model: Any, tmp_path: Path) -> None:
    (tmp_path / "net").write_text("a file")
    (tmp_path / "net.pb").mkdir()
    with pytest.raises(PathTakenError, match=r"net is a file, and a folder is to be written"):
        model.save(tmp_path / "net", replace=True)
    with pytest.raises(PathTakenError, match=r"net.pb is a folder, and a file is to be written"):
        model.save(tmp_path / "net.pb", replace=True)


def test_a_missing_folder_is_named_and_not_made(model: Any, tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match=rf"its folder {tmp_path}/runs/3 is not there \(make it first: mkdir -p"):
        model.save(tmp_path / "runs" / "3" / "net")
    (tmp_path / "file").write_text("")
    with pytest.raises(DestinationError, match=rf"its folder {tmp_path}/file is a file"):
        model.save(tmp_path / "file" / "net")
    with pytest.raises(OSError, match="not there"):
        model.save(tmp_path / "runs" / "net.pb")
    with pytest.raises(DestinationError, match="gs://bucket/net is not on this machine: save to a path here"):
        model.save("gs://bucket/net")


def test_a_link_is_written_through(model: Any, tmp_path: Path) -> None:
    folder = model.save(tmp_path / "real")
    (tmp_path / "link").symlink_to(folder)
    model.lifecycle.built_backend().assign([("w", np.float32(7.0))])
    assert model.save(tmp_path / "link", replace=True) == folder
    assert (tmp_path / "link").is_symlink()
    np.testing.assert_array_equal(models.add("back", folder)(X), 7 * X + 1)


def test_what_is_written_can_be_read_by_whom_the_old_could(model: Any, tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        file, folder = model.save(tmp_path / "net.pb"), model.save(tmp_path / "net")
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755
        file.chmod(0o640)
        folder.chmod(0o750)
        model.save(file, replace=True)
        model.save(folder, replace=True)
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    finally:
        os.umask(umask)


@pytest.mark.parametrize("folder", [True, False])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError(errno.ENOSPC, "No space left on device")])
def test_whatever_stops_the_writing_leaves_what_was_there(
    tmp_path: Path,
    error: Any,
    folder: bool,  # noqa: FBT001
) -> None:
    if folder:
        (tmp_path / "net").mkdir()
        (tmp_path / "net" / "saved_model.pb").write_text("old")
    else:
        (tmp_path / "net").write_text("old")
    before = contents(tmp_path)
    destination = Destination(tmp_path / "net", folder=folder, replace=True)
    wanted = DestinationError if isinstance(error, OSError) else error

    def write() -> None:
        with destination.written() as beside:
            assert beside.parent == tmp_path
            (beside / "half" if folder else beside).write_text("half")
            raise error

    with pytest.raises(wanted) as raised:
        write()
    assert contents(tmp_path) == before
    if wanted is DestinationError:
        why = "No space left on device; what was there is as it was"
        assert str(raised.value) == f"{tmp_path}/net cannot be saved: {why}"


def test_an_old_folder_comes_back_when_the_new_cannot_be_placed(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model.save(tmp_path / "net")
    before = contents(tmp_path)
    replace: Callable[[Path, Path], Path] = Path.replace
    moves: list[Path] = []

    def interrupted(path: Path, target: Path) -> Path:
        moves.append(path)
        if len(moves) == 2:
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.save(folder, replace=True)
    assert len(moves) == 3
    assert contents(tmp_path) == before


def test_an_interrupt_while_the_old_folder_goes_leaves_the_new_and_nothing_beside_it(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model.save(tmp_path / "net")
    before = sorted(tmp_path.iterdir())
    rmtree, removed = shutil.rmtree, []

    def struck(path: Path, **options: Any) -> None:
        removed.append(path)
        os.kill(os.getpid(), signal.SIGINT)
        rmtree(path, **options)

    monkeypatch.setattr(shutil, "rmtree", struck)
    with pytest.raises(KeyboardInterrupt):
        model.save(folder, replace=True)
    assert [path.name.endswith("-old") for path in removed] == [True]
    assert sorted(tmp_path.iterdir()) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from tfmagic.formats.common.destination import Destination

where, at = Path(sys.argv[1]), sys.argv[2]
folder = not where.suffix

def write(path, text):
    (path / "saved_model.pb" if folder else path).write_text(text)

def end(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

with Destination(where, folder=folder, replace=True).written() as beside:
    write(beside, "new")
    if at == "writing":
        end()
    elif at == "placing":
        copy = Path.replace
        Path.replace = lambda path, to: end() if path == beside else copy(path, to)
"""


@pytest.mark.parametrize("name", ["net", "net-1.5", "net.pb", "net.keras"])
@pytest.mark.parametrize("at", ["writing", "placing"])
def test_what_a_killed_save_has_left_goes_with_the_next(tmp_path: Path, name: str, at: str) -> None:
    where = tmp_path / name
    is_folder = where.suffix not in {".pb", ".keras"}
    if is_folder:
        where.mkdir()
    inside = where / "saved_model.pb" if is_folder else where
    inside.write_text("old")
    done = fresh_python(KILLED.replace("not where.suffix", repr(is_folder)), str(where), at)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = {path.name for path in tmp_path.iterdir()} - {name}
    assert left
    # Another save in that folder, which fails: what was there is there again, and nothing else.
    with pytest.raises(ZeroDivisionError), Destination(tmp_path / "other", folder=True, replace=False).written():
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert inside.read_text() == "old"


def test_a_save_that_still_writes_is_left_alone(tmp_path: Path) -> None:
    with Destination(tmp_path / "net", folder=True, replace=False).written() as beside:
        (beside / "saved_model.pb").write_text("new")
        with Destination(tmp_path / "net.pb", folder=False, replace=False).written() as file:
            file.write_text("graph")
    assert {path.name for path in tmp_path.iterdir()} == {"net", "net.pb"}
    assert (tmp_path / "net" / "saved_model.pb").read_text() == "new"


FULL = """
import resource, sys
from pathlib import Path
import keras, numpy as np
import tensorflow as tf
from tfmagic import models

folder = Path(sys.argv[1])
network = keras.Sequential([keras.Input((300,)), keras.layers.Dense(500)])
live, copy = models.add("live", network), models.add("copy", network, copy=True)
names = [f"{model.name}{suffix}" for model in (live, copy) for suffix in ("", ".pb", ".keras")]
for name in names:
    models[name.split(".")[0]].save(folder / name)
held = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
network.set_weights([weight + 1 for weight in network.get_weights()])
# What a full disk says, said by a limit on the size of files.
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for name in names:
    for path in (folder / name, folder / f"new-{name}"):
        try:
            models[name.split(".")[0]].save(path, replace=True)
        except OSError as error:
            print(type(error).__name__, error)
print(held == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()})
print(sorted(path.name for path in folder.iterdir()) == sorted(names))
print(live(np.ones((1, 300), np.float32)).shape, copy(np.ones((1, 300), np.float32)).shape)
"""


def test_a_full_disk_leaves_every_old_file_whole(tmp_path: Path) -> None:
    *said, untouched, nothing_more, answers = printed(FULL, str(tmp_path))
    assert (untouched, nothing_more, answers) == ("True", "True", "(1, 500) (1, 500)")
    assert len(said) == 12
    for at, line in enumerate(said):
        kept = "nothing was written" if at % 2 else "what was there is as it was"
        assert line.startswith(f"DestinationError {tmp_path}/")
        assert line.endswith(f" cannot be saved: File too large; {kept}")


UNWRITABLE = """
import os, tempfile
from pathlib import Path
import tensorflow as tf
from tfmagic import models

folder = Path(tempfile.mkdtemp())
model = models.add("net", tf.function(lambda x: x + 1, input_signature=[tf.TensorSpec([None], name="x")]))
os.chmod(folder, 0o555)
if os.geteuid() == 0:
    os.seteuid(65534)
for name in ("net", "net.pb"):
    try:
        model.save(folder / name)
    except OSError as error:
        print(type(error).__name__, str(error).replace(str(folder), "FOLDER"))
if os.geteuid() == 65534:
    os.seteuid(0)
os.rmdir(folder)
"""


def test_an_unwritable_folder_is_said_in_one_line() -> None:
    assert printed(UNWRITABLE) == [
        f"DestinationError FOLDER/{name} cannot be saved: Permission denied; nothing was written"
        for name in ("net", "net.pb")
    ]


def test_a_dropped_model_and_one_that_is_stopping_are_not_saved(model: Any, tmp_path: Path) -> None:
    backend = model.lifecycle.built_backend()
    with CancelScope() as scope, backend.runs.counted():
        scope.cancel()
        with ThreadPoolExecutor() as other, pytest.raises(ModelStateError, match="still stopping"):
            other.submit(model.save, tmp_path / "net").result()
    models.drop("net")
    with pytest.raises(ModelStateError, match="was dropped"):
        model.save(tmp_path / "net")
    assert not (tmp_path / "net").exists()
