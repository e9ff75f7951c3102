"""Files with flipped bits and missing ends: refused in one line, or loaded; never a crash.

The many flips run in a Python of their own, in which a crash of native code is seen
as what it is; it prints what it does before doing it.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import frozen_linear, ready_python, save_linear_v1, save_v2, write_frozen
from tensorflow.core.protobuf import saved_model_pb2
from tf1_checkpoints import saved

from tfmagic import models, session
from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

v1 = tf.compat.v1
X = np.array([[1, 2], [3, 4]], np.float32)

DAMAGE = """
    import faulthandler, gc, json, pathlib, random, sys
    faulthandler.enable()
    from tfmagic import models, session
    from tfmagic.errors import SourceError
    gc.freeze()

    file, source, times = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    whole = file.read_bytes()
    outcomes = {"loaded": 0, "refused": 0}
    wrong = []
    for seed in range(times):
        chance = random.Random(seed)
        damaged = bytearray(whole)
        if seed % 8 == 7:
            del damaged[chance.randrange(len(damaged)):]
        else:
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        print("seed", seed, flush=True)
        file.write_bytes(damaged)
        try:
            models.add("net", source)
            outcomes["loaded"] += 1
            models.drop("net")
        except SourceError as error:
            outcomes["refused"] += 1
            if len(str(error).splitlines()) != 1 or not str(error).isprintable():
                wrong.append([seed, "not one line", str(error)])
        except BaseException as error:
            wrong.append([seed, type(error).__name__, str(error)[:300]])
        if len(models) or session.hosted_graphs() or session.open_graphs():
            wrong.append([seed, "left behind", repr(models) + repr(session)])
            models.drop(all=True)
    file.write_bytes(whole)
    models.add("net", source)
    print(json.dumps({"outcomes": outcomes, "wrong": wrong}))
"""


def damage(file: Path, source: Path, times: int) -> dict[str, Any]:
    done = ready_python(DAMAGE, str(file), str(source), str(times))
    lines = done.stdout.splitlines() or ["nothing"]
    assert done.returncode == 0, f"crashed at {lines[-1]} with {done.returncode}\n{done.stderr[-3000:]}"
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def with_a_table(folder: Path) -> Path:
    vocabulary = folder.with_suffix(".txt")
    vocabulary.write_text("red\ngreen\n")
    initialiser = tf.lookup.TextFileInitializer(
        str(vocabulary), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
    )
    table, weight = tf.lookup.StaticHashTable(initialiser, -1), tf.Variable([1, 2], dtype=tf.int64)

    def look(words: Any) -> Any:
        return {"ids": table.lookup(words) + weight[0]}

    return save_v2(folder, look, tf.TensorSpec([None], tf.string, name="words"), table=table, weight=weight)


def frozen_with_a_function(file: Path) -> Path:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        dense = tf.nn.relu(tf.matmul(x, tf.constant(np.eye(2, dtype=np.float32))))
        tf.identity(tf.cond(tf.reduce_sum(x) > 0, lambda: dense * 2.0, lambda: dense - 1.0), name="y")

    return write_frozen(file, build)


@pytest.mark.parametrize("kind", ["v1", "v2", "frozen", "text", "checkpoint"])
def test_a_damaged_graph_is_refused_in_one_line_or_loads(tmp_path: Path, kind: str) -> None:
    if kind == "frozen":
        source = file = frozen_with_a_function(tmp_path / "net.pb")
    elif kind == "text":
        definition = v1.GraphDef.FromString(frozen_with_a_function(tmp_path / "net.pb").read_bytes())
        source = file = tmp_path / "net.pbtxt"
        file.write_text(str(definition))
    elif kind == "checkpoint":
        source = saved(tmp_path / "net", steps=1)
        file = tmp_path / "net.meta"
    else:
        source = save_linear_v1(tmp_path / "net") if kind == "v1" else with_a_table(tmp_path / "net")
        file = source / "saved_model.pb"
    found = damage(file, source, 250)
    assert found["wrong"] == []
    assert found["outcomes"]["refused"] >= 25
    assert sum(found["outcomes"].values()) == 250


@pytest.mark.parametrize("reference", [True, False])
def test_every_flipped_byte_of_the_weights_is_noticed(tmp_path: Path, reference: bool) -> None:  # noqa: FBT001
    folder = save_linear_v1(tmp_path / "net", reference=reference)
    file = folder / "variables" / "variables.data-00000-of-00001"
    whole = file.read_bytes()
    assert len(whole) == 8
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        file.write_bytes(damaged)
        with pytest.raises(SourceError, match=r"net: the variables of .* cannot be read, it may be damaged"):
            models.add("net", folder)
        assert len(models) == 0
        assert session.open_graphs() == []
    file.write_bytes(whole)
    np.testing.assert_array_equal(models.add("net", folder)(X), 2 * X + 1)


def test_a_flipped_bit_of_the_index_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    folder = save_linear_v1(tmp_path / "net")
    file = folder / "variables" / "variables.index"
    whole = file.read_bytes()
    refused: list[str] = []
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        file.write_bytes(damaged)
        try:
            model = models.add("net", folder)
        except SourceError as error:
            refused.append(str(error))
        else:
            np.testing.assert_array_equal(model(X), 2 * X + 1)
            models.drop("net")
    # The rest is padding, and a block that no reader looks at.
    assert len(refused) > len(whole) * 0.6
    assert all(len(message.splitlines()) == 1 for message in refused)


def test_any_byte_of_the_index_may_be_wrong_when_a_model_is_only_looked_at(tmp_path: Path) -> None:
    folder = save_linear_v1(tmp_path / "net")
    file = folder / "variables" / "variables.index"
    whole = file.read_bytes()
    for position in range(len(whole)):
        for wrong in (0, 255):
            file.write_bytes(whole[:position] + bytes([wrong]) + whole[position + 1 :])
            with suppress(SourceError):
                models.inspect(folder)
        file.write_bytes(whole[:position])
        with pytest.raises(SourceError, match=r"variables.index cannot be read, it may be damaged"):
            models.inspect(folder)


@pytest.mark.parametrize("part", ["variables.index", "variables.data-00000-of-00001"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_truncated_checkpoint_is_refused(tmp_path: Path, part: str, share: float) -> None:
    folder = save_linear_v1(tmp_path / "net")
    file = folder / "variables" / part
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SourceError, match=r"net: the variables of .* cannot be read"):
        models.add("net", folder)
    assert len(models) == 0


@pytest.mark.parametrize("part", ["variables.index", "variables.data-00000-of-00001"])
def test_a_checkpoint_of_which_a_part_is_missing_is_refused(tmp_path: Path, part: str) -> None:
    folder = save_linear_v1(tmp_path / "net")
    (folder / "variables" / part).unlink()
    with pytest.raises(SourceError, match=r"net: "):
        models.add("net", folder)
    assert len(models) == 0


def test_an_asset_that_is_missing_is_refused(tmp_path: Path) -> None:
    folder = with_a_table(tmp_path / "net")
    shutil.rmtree(folder / "assets")
    with pytest.raises(SourceError, match="net: "):
        models.add("net", folder)
    assert len(models) == 0
    assert session.open_graphs() == []


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_graph_is_refused_and_the_others_stay(tmp_path: Path, share: float) -> None:
    kept = models.add("kept", frozen_linear(tmp_path / "kept.pb"))
    for source in (frozen_linear(tmp_path / "net.pb"), save_linear_v1(tmp_path / "net") / "saved_model.pb"):
        whole = source.read_bytes()
        source.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(SourceError, match=r"^net: "):
            models.add("net", source)
    assert list(models) == ["kept"]
    np.testing.assert_array_equal(kept(X), 2 * X + 1)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    for number, content in enumerate((b"PK\x03\x04 a zip file", "Grüße".encode() * 50, bytes(range(256)) * 20)):
        (tmp_path / "net.pb").write_bytes(content)
        with pytest.raises(SourceError, match=rf"^net{number}: .*net\.pb"):
            models.add(f"net{number}", tmp_path / "net.pb")
        (tmp_path / "saved_model.pb").write_bytes(content)
        with pytest.raises(SourceError, match=rf"^net{number}: .*saved_model\.pb"):
            models.add(f"net{number}", tmp_path)
    assert len(models) == 0


def test_a_constant_of_another_dtype_than_it_says_is_refused(tmp_path: Path) -> None:
    # TensorFlow itself ends the process at this one: a constant in a function's body.
    folder = with_a_table(tmp_path / "net")
    file = folder / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    bodies = message.meta_graphs[0].graph_def.library.function
    constants = [node for body in bodies for node in body.node_def if node.name == "strided_slice/stack"]
    assert constants
    for constant in constants:
        constant.attr["value"].tensor.dtype = tf.float64.as_datatype_enum
    file.write_bytes(message.SerializeToString())
    with pytest.raises(SourceError, match="constant 'strided_slice/stack' is of another dtype than it says"):
        models.add("net", folder)


def test_an_end_without_a_dtype_is_refused(tmp_path: Path) -> None:
    folder = save_linear_v1(tmp_path / "net")
    file = folder / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    message.meta_graphs[0].signature_def["serving_default"].inputs["x"].dtype = 0
    file.write_bytes(message.SerializeToString())
    with pytest.raises(SourceError, match=r"net: the signatures of .* cannot be read"):
        models.add("net", folder)
    with pytest.raises(SourceError, match=r"the signatures of .* cannot be read"):
        models.inspect(folder)
