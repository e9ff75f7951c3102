"""Large variables are read by several operations side by side, with the values and the errors of one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf

from tfmagic import models, session
from tfmagic.errors import SourceError
from tfmagic.formats.saved_model.restore_plan import DONE, PREFIX, CheckpointEntry, add_restore, restore_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

v1 = tf.compat.v1

VALUES: Mapping[str, np.ndarray] = {
    "small": np.arange(3, dtype=np.int64),
    **{f"large_{at}": np.random.default_rng(at).random((1000, 1000 + at), np.float32) for at in range(5)},
    "double": np.linspace(0, 1, 700_000),
    "none": np.zeros((0, 4), np.float32),
    "one": np.array(3, np.float32),
}


def saved(folder: Path, *, reference: bool = False) -> Path:
    """Write a v1 SavedModel that holds the values, with what is the sum of each as its outputs."""
    with tf.Graph().as_default(), v1.Session() as native:
        x = v1.placeholder(tf.float64, [], "x")
        held = {
            name: v1.get_variable(name, initializer=value, use_resource=not reference) for name, value in VALUES.items()
        }
        sums = {f"sum_{name}": x * tf.cast(tf.reduce_sum(one), tf.float64) for name, one in held.items()}
        native.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(native, str(folder), {"x": x}, sums)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Write both kinds, with reference variables and without, for those that leave them as they are."""
    return {kind: saved(tmp_path_factory.mktemp("written") / "net", reference=kind) for kind in (True, False)}


@pytest.fixture
def own(written: dict[bool, Path], tmp_path: Path) -> Path:
    """Return a copy that may be damaged."""
    return Path(shutil.copytree(written[False], tmp_path / "net"))


def readers_of(graph: Any) -> list[Any]:
    return [operation for operation in graph.get_operations() if operation.type == "RestoreV2"]


@pytest.mark.slow
@pytest.mark.parametrize("reference", [True, False])
@pytest.mark.parametrize("readers", [1, 2, 4, 100])
def test_any_number_of_readers_restores_every_value(
    written: dict[bool, Path],
    readers: int,
    reference: bool,  # noqa: FBT001
) -> None:
    with tf.Graph().as_default() as graph:
        for name, value in VALUES.items():
            v1.get_variable(name, shape=value.shape, dtype=value.dtype, use_resource=not reference)
    definition = graph.as_graph_def()
    plan = {name: CheckpointEntry(name, tf.as_dtype(value.dtype).as_datatype_enum) for name, value in VALUES.items()}
    add_restore(definition, plan, list(VALUES), readers=readers)
    with tf.Graph().as_default() as restored:
        tf.import_graph_def(definition, name="")
    # 26 MB, and each reads four or more.
    assert len(readers_of(restored)) == min(readers, 6)
    assert sum(len(one.outputs) for one in readers_of(restored)) == len(VALUES)
    with v1.Session(graph=restored) as native:
        native.run(DONE, {f"{PREFIX}:0": str(written[reference] / "variables" / "variables")})
        for name, value in VALUES.items():
            read = f"{name}:0" if reference else f"{name}/Read/ReadVariableOp:0"
            np.testing.assert_array_equal(native.run(read), value)


@pytest.mark.slow
def test_a_saved_model_with_large_weights_has_a_reader_a_core(written: dict[bool, Path]) -> None:
    model = models.add("net", written[False])
    assert len(readers_of(model.graph)) == min(len(os.sched_getaffinity(0)), 6)
    restored = dict(model.lifecycle.built_backend().values())
    assert restored.keys() == VALUES.keys()
    for name, value in restored.items():
        np.testing.assert_array_equal(value, VALUES[name], strict=True)
    answer = model(2.0)
    for name, value in VALUES.items():
        np.testing.assert_allclose(answer[f"sum_{name}"], 2 * np.sum(value, dtype=np.float64), rtol=1e-5)


def test_small_weights_have_one_reader() -> None:
    with tf.Graph().as_default() as graph:
        for at in range(20):
            v1.get_variable(f"w_{at}", shape=[100, 100])
    definition = graph.as_graph_def()
    add_restore(
        definition,
        {f"w_{at}": CheckpointEntry(f"w_{at}", 1) for at in range(20)},
        [f"w_{at}" for at in range(20)],
        readers=8,
    )
    assert [node.op for node in definition.node].count("RestoreV2") == 1


def test_variables_of_unknown_size_have_one_reader() -> None:
    definition = v1.GraphDef()
    for name in VALUES:
        node = definition.node.add(name=name, op="VariableV2")
        node.attr["dtype"].type = tf.as_dtype(VALUES[name].dtype).as_datatype_enum
        node.attr["shape"].shape.unknown_rank = True
    plan = {name: CheckpointEntry(name, tf.as_dtype(value.dtype).as_datatype_enum) for name, value in VALUES.items()}
    add_restore(definition, plan, list(VALUES), readers=4)
    assert [node.op for node in definition.node].count("RestoreV2") == 1


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 0.9999])
def test_a_flipped_bit_is_noticed_whoever_reads_it(own: Path, share: float) -> None:
    file = own / "variables" / "variables.data-00000-of-00001"
    damaged = bytearray(file.read_bytes())
    damaged[int(share * len(damaged))] ^= 4
    file.write_bytes(damaged)
    with pytest.raises(
        SourceError, match=r"^net: the variables of .* cannot be read, it may be damaged \(.*hecksum.*\)$"
    ):
        models.add("net", own)
    assert len(models) == 0
    assert session.open_graphs() == []


@pytest.mark.slow
@pytest.mark.parametrize("size", [0, 1000, None])
def test_what_stops_every_reader_is_said_in_one_line(own: Path, size: int | None) -> None:
    file = own / "variables" / "variables.data-00000-of-00001"
    if size is None:
        file.unlink()
    else:
        os.truncate(file, size)
    with pytest.raises(
        SourceError, match=r"^net: the variables of .* cannot be read, it may be damaged \((?!.*root error).*\)$"
    ):
        models.add("net", own)
    assert len(models) == 0
    assert session.open_graphs() == []


@pytest.mark.parametrize("circle", [1, 2])
def test_a_restored_value_that_goes_in_circles_has_no_plan(circle: int) -> None:
    meta = v1.MetaGraphDef()
    meta.saver_def.restore_op_name = "restore"
    nodes = meta.graph_def.node
    nodes.add(name="restore", op="NoOp", input=["^assign", "^restore"])
    nodes.add(name="v", op="VarHandleOp")
    nodes.add(name="assign", op="AssignVariableOp", input=["v", "value_0"])
    for at in range(circle):
        nodes.add(name=f"value_{at}", op="Identity", input=[f"value_{(at + 1) % circle}"])
    assert restore_plan(meta) is None


def test_a_deep_tree_of_restore_operations_has_a_plan() -> None:
    meta = v1.MetaGraphDef()
    meta.saver_def.restore_op_name = "restore_0"
    for at in range(5000):
        meta.graph_def.node.add(name=f"restore_{at}", op="NoOp", input=[f"^restore_{at + 1}"])
    meta.graph_def.node.add(name="restore_5000", op="NoOp")
    assert restore_plan(meta) == {}
