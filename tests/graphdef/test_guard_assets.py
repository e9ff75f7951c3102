"""A model may read the assets that it brought along, and nothing that only looks like one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf
from factories import refused
from tensorflow.core.protobuf import saved_model_pb2

from tfmagic import models
from tfmagic.errors import SourceError, UnsafeSourceError
from tfmagic.graphdef.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable

v1 = tf.compat.v1
raw = tf.raw_ops


def reads(path: Any) -> Any:
    return tf.io.read_file(path)


def through_a_function(path: Any) -> Any:
    return tf.function(lambda p: tf.io.read_file(tf.identity(p)))(path)


def through_a_branch(path: Any) -> Any:
    return tf.cond(tf.constant(True), lambda: tf.io.read_file(path), lambda: tf.constant("none"))  # noqa: FBT003


def beside_another_path(path: Any) -> Any:
    return tf.io.read_file(raw.IdentityN(input=[path, tf.constant("/etc/hostname")])[1])


def joined_to_another_path(path: Any) -> Any:
    return tf.io.read_file(tf.strings.join([path, "/../../secret"]))


def from_the_elements_of_a_dataset(path: Any) -> Any:
    dataset = tf.data.Dataset.from_tensors("/etc/hostname").map(
        lambda other: tf.io.read_file(tf.where(tf.strings.length(path) < 0, path, other)), num_parallel_calls=2
    )
    return dataset.get_single_element()


def element_with_the_asset_captured(path: Any) -> Any:
    dataset = tf.data.Dataset.from_tensors("/etc/hostname").map(
        lambda other: (tf.io.read_file(other), path), num_parallel_calls=2
    )
    return dataset.get_single_element()[0]


def in_the_second_round_of_a_loop(path: Any) -> Any:
    text = tf.constant("")
    rounds = tf.while_loop(
        lambda turn, _, __: turn < 2,
        lambda turn, now, _: (turn + 1, tf.constant("/etc/hostname"), tf.io.read_file(now)),
        [tf.constant(0), path, text],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([]), tf.TensorShape([])],
    )
    return rounds[2]


def check(build: Callable[[Any], Any], *, fed: bool) -> None:
    graph = tf.Graph()
    with graph.as_default():
        asset = v1.placeholder_with_default("/etc/hostname", [], "asset")
        end = tf.identity(build(asset), name="y")
    library = graph.as_graph_def().library.function
    Guard("net", graph, library, ["asset:0"], fed=fed).check([end.name])


@pytest.mark.parametrize("build", [reads, through_a_function, through_a_branch])
def test_an_asset_that_is_fed_may_be_read(build: Callable[[Any], Any]) -> None:
    check(build, fed=True)


@pytest.mark.parametrize(
    "build",
    [
        beside_another_path,
        joined_to_another_path,
        from_the_elements_of_a_dataset,
        element_with_the_asset_captured,
        in_the_second_round_of_a_loop,
    ],
)
def test_another_path_that_comes_along_with_it_is_refused(build: Callable[[Any], Any]) -> None:
    with pytest.raises(UnsafeSourceError, match=r"ReadFile.*reads files other than the model's own assets"):
        check(build, fed=True)


@pytest.mark.parametrize("build", [reads, through_a_function, through_a_branch])
def test_where_no_asset_is_fed_its_default_is_no_asset(build: Callable[[Any], Any]) -> None:
    with pytest.raises(UnsafeSourceError, match="ReadFile"):
        check(build, fed=False)


class Reading(tf.Module):
    """Reads its asset in its signature, from the variable that a SavedModel keeps the path in."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = tf.saved_model.Asset(str(file))

    @tf.function(input_signature=[])
    def text(self) -> dict[str, Any]:
        return {"text": tf.io.read_file(self.file.asset_path)}


def test_a_signature_may_read_the_models_own_asset(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("brought along")
    module = Reading(file)
    tf.saved_model.save(module, str(tmp_path / "net"), signatures=module.text)
    file.unlink()
    model = models.add("net", tmp_path / "net")
    assert model() == b"brought along"


def variable_graph(*, second_handle: bool = False, second_value: bool = False) -> tuple[Any, str]:
    graph = tf.Graph()
    with graph.as_default():
        asset = v1.placeholder(tf.string, [], "asset")
        handle = raw.VarHandleOp(dtype=tf.string, shape=[], shared_name="path", name="path")
        raw.AssignVariableOp(resource=handle, value=asset)
        if second_value:
            raw.AssignVariableOp(resource=handle, value=tf.constant("/etc/hostname"))
        if second_handle:
            raw.VarHandleOp(dtype=tf.string, shape=[], shared_name="path", name="other")
        end = tf.io.read_file(raw.ReadVariableOp(resource=handle, dtype=tf.string))
    return graph, end.name


def test_a_variable_that_only_ever_holds_an_asset_may_be_read() -> None:
    graph, end = variable_graph()
    Guard("net", graph, [], ["asset:0"]).check([end])


@pytest.mark.parametrize("how", ["second_handle", "second_value"])
def test_a_variable_that_may_hold_another_path_may_not(how: str) -> None:
    graph, end = variable_graph(**{how: True})
    with pytest.raises(UnsafeSourceError, match="ReadFile"):
        Guard("net", graph, [], ["asset:0"]).check([end])


def brought_along(folder: Path) -> Path:
    """Write a SavedModel that gives the text of its asset, which is ``brought along``."""
    file = folder.parent / "words.txt"
    file.write_text("brought along")
    module = Reading(file)
    tf.saved_model.save(module, str(folder), signatures=module.text)
    return folder


def linked(link: Path, to: Path | str) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(to)


def to_another_file(folder: Path, secret: Path) -> None:
    linked(folder / "assets" / "words.txt", secret)


def by_way_of_the_folder_itself(folder: Path, secret: Path) -> None:
    linked(folder / "assets" / "words.txt", Path("..", "..", secret.parent.name, secret.name))


def beside_the_asset(folder: Path, secret: Path) -> None:
    # Some operations read what lies beside the file that they are given: the parts of a checkpoint.
    (folder / "assets" / "sub").mkdir()
    linked(folder / "assets" / "sub" / "link", secret)


def the_folder_of_the_assets(folder: Path, secret: Path) -> None:
    (folder / "assets" / "words.txt").rename(secret.parent / "words.txt")
    (folder / "assets").rmdir()
    linked(folder / "assets", secret.parent)


def through_a_link_that_stays_inside(folder: Path, secret: Path) -> None:
    (folder / "more").mkdir()
    linked(folder / "more" / "link", secret)
    linked(folder / "assets" / "more", Path("..", "more"))


def into_nothing(folder: Path, secret: Path) -> None:
    linked(folder / "assets" / "gone", secret.parent / "gone")


@pytest.mark.parametrize(
    "leads_out",
    [
        to_another_file,
        by_way_of_the_folder_itself,
        beside_the_asset,
        the_folder_of_the_assets,
        through_a_link_that_stays_inside,
        into_nothing,
    ],
)
def test_a_link_among_the_assets_that_leads_out_of_the_model_needs_unsafe(
    tmp_path: Path, leads_out: Callable[[Path, Path], None]
) -> None:
    folder = brought_along(tmp_path / "net")
    secret = tmp_path / "elsewhere" / "secret"
    secret.parent.mkdir()
    secret.write_text("secret")
    leads_out(folder, secret)
    refused(
        folder, r"net: the asset .* is a link to .*, out of the model's folder: add it with --unsafe", PermissionError
    )
    assert models.inspect(folder)["kind"] == "SavedModel"
    model = models.add("net", folder, unsafe=True)
    expected = b"secret" if leads_out in {to_another_file, by_way_of_the_folder_itself} else b"brought along"
    assert model() == expected


def test_links_within_the_model_and_to_the_model_are_followed(tmp_path: Path) -> None:
    folder = brought_along(tmp_path / "0003")
    (folder / "assets" / "words.txt").rename(folder / "words.kept")
    linked(folder / "assets" / "words.txt", Path("..", "words.kept"))
    linked(folder / "assets" / "circle", "circle")
    linked(folder / "assets" / "itself", ".")
    linked(tmp_path / "latest", "0003")
    assert models.add("net", tmp_path / "latest")() == b"brought along"


def test_a_download_cache_of_links_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "snapshots").mkdir()
    folder = brought_along(tmp_path / "snapshots" / "1a2b")
    (tmp_path / "blobs").mkdir()
    for number, file in enumerate(one for one in folder.rglob("*") if one.is_file()):
        blob = file.rename(tmp_path / "blobs" / str(number))
        file.symlink_to(blob)
    refused(folder, r"the caches of download tools, such as Hugging Face's, .*: a copy with cp -rL has none")
    assert models.add("net", folder, unsafe=True)() == b"brought along"


@pytest.mark.parametrize("name", ["../saved_model.pb", "sub/../../saved_model.pb", "/etc/hostname", ".", ""])
def test_an_asset_whose_own_name_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    folder = brought_along(tmp_path / "net")
    message = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    message.meta_graphs[0].asset_file_def[0].filename = name
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())
    for unsafe in (False, True):
        refused(folder, r"it may be damaged \(the asset .* is outside", SourceError, unsafe=unsafe)
