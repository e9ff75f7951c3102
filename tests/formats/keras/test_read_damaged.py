"""Keras files that are damaged, that are none, or that carry code: one line each, and nothing left behind."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import h5py
import keras
import numpy as np
import pytest
from factories import ready_python, refused
from keras_networks import functional, rows, trained
from reference_keras import assert_same

from tfmagic import models, session
from tfmagic.errors import MissingPathError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

X = rows(2, 8)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A model in a .keras file."""
    return saved(tmp_path / "net.keras")


@pytest.fixture
def h5(tmp_path: Path) -> Path:
    """A model in an .h5 file."""
    return saved(tmp_path / "net.h5")


def saved(file: Path) -> Path:
    trained(functional()[0]).save(file)
    return file


def repacked(file: Path, change: Callable[[dict[str, bytes]], Any], kind: int = zipfile.ZIP_STORED) -> Path:
    """Write the members of a .keras file anew."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_file_that_was_packed_again_loads(file: Path, kind: int) -> None:
    expected = models.add("net", file)(X)
    models.drop("net")
    model = models.add("net", repacked(file, lambda _: None, kind))
    assert_same([model(X)], [expected])
    session.close()
    assert_same([model(X)], [expected])


def test_a_file_behind_other_bytes_loads(file: Path) -> None:
    expected = models.add("net", file)(X)
    models.drop("net")
    # As a zip file may be: what leads to its members is counted from its end.
    file.write_bytes(b"# something before it\n" * 9 + file.read_bytes())
    assert_same([models.add("net", file)(X)], [expected])


def test_the_suffix_does_not_decide(tmp_path: Path, file: Path, h5: Path) -> None:
    expected = models.add("one", file)(X)
    assert_same([models.add("two", h5)(X)], [expected])
    file.rename(tmp_path / "was_keras.h5")
    h5.rename(tmp_path / "net.hdf5")
    assert_same([models.add("three", tmp_path / "was_keras.h5")(X)], [expected])
    assert_same([models.add("four", tmp_path / "net.hdf5")(X)], [expected])


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_an_empty_file(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"net{suffix}").touch()
    refused(tmp_path / f"net{suffix}", r"is empty \(0 bytes\)")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_text_under_that_name(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"net{suffix}").write_text("a text\n" * 900)
    refused(tmp_path / f"net{suffix}", "cannot be read, it may be damaged")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_file_without_its_end(tmp_path: Path, suffix: str, share: float) -> None:
    whole = saved(tmp_path / f"net{suffix}").read_bytes()
    (tmp_path / f"net{suffix}").write_bytes(whole[: int(len(whole) * share)])
    refused(tmp_path / f"net{suffix}", "it may be damaged")


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
def test_a_missing_member(file: Path, member: str) -> None:
    repacked(file, lambda members: members.pop(member))
    refused(file, f"{file} is no Keras model: it has no config.json with model.weights.h5 in it")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"7", b'"a"', b'{"config": 3}', b"\xff\xfe"])
def test_a_damaged_configuration(file: Path, content: bytes) -> None:
    repacked(file, lambda members: members.update({"config.json": content}))
    refused(file, "may be damaged|is no Keras model")


@pytest.mark.parametrize("content", [b"", b"a text", b"\x89HDF\r\n\x1a\n" + b"0" * 900])
def test_damaged_weights(file: Path, content: bytes) -> None:
    repacked(file, lambda members: members.update({"model.weights.h5": content}))
    refused(file, "the weights of .* cannot be read, it may be damaged")


def with_weights(file: Path, change: Callable[[Any], Any]) -> None:
    """Change the HDF5 file inside a .keras file."""

    def changed(members: dict[str, bytes]) -> None:
        inside = io.BytesIO(members["model.weights.h5"])
        with h5py.File(inside, "r+") as weights:
            change(weights)
        members["model.weights.h5"] = inside.getvalue()

    repacked(file, changed)


def test_weights_of_another_shape(file: Path) -> None:
    def change(weights: Any) -> None:
        del weights["layers/dense/vars/0"]
        weights["layers/dense/vars/0"] = np.zeros((3, 5), np.float32)

    with_weights(file, change)
    refused(file, r"the weights of .* is \(8, 16\) in the model and \(3, 5\) in the file")


def test_weights_that_would_broadcast_do_not_fit_either(file: Path) -> None:
    def change(weights: Any) -> None:
        del weights["layers/dense/vars/1"]
        weights["layers/dense/vars/1"] = np.zeros((1,), np.float32)

    with_weights(file, change)
    refused(file, r"is \(16,\) in the model and \(1,\) in the file")


@pytest.mark.parametrize("missing", ["layers/dense/vars/1", "layers/dense/vars", "layers/dense", "layers"])
def test_weights_that_are_not_there(file: Path, missing: str) -> None:
    with_weights(file, lambda weights: weights.pop(missing))
    refused(file, "the weights of .* cannot be read, it may be damaged")


def test_h5_weights_of_another_shape_or_missing(h5: Path) -> None:
    with h5py.File(h5, "r+") as weights:
        name = next(one for one in weights["model_weights"] if one.startswith("dense"))
        group = weights["model_weights"][name]
        kernel = next(path for path in _datasets(group) if path.endswith("kernel"))
        del group[kernel]
        group[kernel] = np.zeros((3, 5), np.float32)
    refused(h5, "the weights of .* cannot be read, it may be damaged .*hape")
    with h5py.File(h5, "r+") as weights:
        del weights["model_weights"][name]
    refused(h5, "the weights of .* cannot be read, it may be damaged")


def _datasets(group: Any) -> Iterator[str]:
    found: list[str] = []
    group.visititems(lambda path, one: found.append(path) if isinstance(one, h5py.Dataset) else None)
    return iter(found)


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
def test_weights_alone_are_no_model(tmp_path: Path, suffix: str) -> None:
    functional()[0].save_weights(tmp_path / "net.weights.h5")
    file = tmp_path / f"net{suffix}"
    (tmp_path / "net.weights.h5").rename(file)
    refused(file, "holds no model, perhaps only its weights: build the model in a cell")


def test_any_other_hdf5_file_is_no_model(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as data:
        data["rows"] = np.zeros(3)
    refused(tmp_path / "data.h5", "holds no model, perhaps only its weights")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingPathError, match=r"there is nothing at .*none\.keras"):
        models.add("net", tmp_path / "none.keras")


def test_a_file_that_went_or_changed_says_so_when_it_is_read_again(file: Path) -> None:
    model = models.add("net", file)
    expected = model(X)
    whole = file.read_bytes()
    session.close()
    file.unlink()
    with pytest.raises(SourceError, match=r"net: the weights of .*net\.keras cannot be read") as caught:
        model(X)
    assert "\n" not in str(caught.value)
    file.write_bytes(whole)
    assert_same([model(X)], [expected])
    session.close()
    x = keras.Input((8,))
    keras.Model(x, keras.layers.Dense(5)(x)).save(file)
    with pytest.raises(SourceError, match=r"net: .*net\.keras has changed since it was loaded: add it again"):
        model(X)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_changed_file_is_renewed(tmp_path: Path, suffix: str) -> None:
    file = saved(tmp_path / f"net{suffix}")
    first = models.add("net", file)
    assert models.add("net", file) is first
    before = first(X)
    network = keras.models.load_model(file, compile=False)
    network.set_weights([2 * weight for weight in network.get_weights()])
    network.save(file)
    assert not np.allclose(models.add("net", file)(X), before)
    assert models.net is not first


DAMAGE = """
    import faulthandler, json, pathlib, random, sys, warnings
    faulthandler.enable()
    warnings.simplefilter("ignore")
    from tfmagic import models, session
    from tfmagic.errors import TfMagicError

    file, times = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    whole = file.read_bytes()
    wrong, outcomes = [], {"loaded": 0, "refused": 0}
    for seed in range(times):
        chance = random.Random(seed)
        damaged = bytearray(whole)
        for _ in range(chance.choice([1, 1, 4])):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        print("seed", seed, flush=True)
        file.write_bytes(damaged)
        try:
            models.add("net", file)
            outcomes["loaded"] += 1
        except TfMagicError as error:
            outcomes["refused"] += 1
            if len(str(error).splitlines()) != 1 or not str(error).isprintable():
                wrong.append([seed, "not one line", str(error)])
        except BaseException as error:
            wrong.append([seed, type(error).__name__, str(error)[:300]])
        models.drop(all=True)
        if session.hosted_graphs() or session.open_graphs():
            wrong.append([seed, "left behind", repr(session)])
    file.write_bytes(whole)
    models.add("net", file)
    print(json.dumps({"outcomes": outcomes, "wrong": wrong}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_damage_at_random_is_refused_in_one_line_or_loads(tmp_path: Path, suffix: str) -> None:
    done = ready_python(DAMAGE, str(saved(tmp_path / f"net{suffix}")), "60")
    lines = done.stdout.splitlines() or ["nothing"]
    assert done.returncode == 0, f"crashed at {lines[-1]} with {done.returncode}\n{done.stderr[-3000:]}"
    found = json.loads(lines[-1])
    assert found["wrong"] == []
    assert found["outcomes"]["refused"] >= 10
