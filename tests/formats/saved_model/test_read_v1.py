"""SavedModels as TF1 wrote them: ``simple_save``, the builder, tags, assets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import save_linear_v1

from tfmagic import models
from tfmagic.errors import MissingPathError, SourceError, UnknownNameError

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1
X = np.array([[1, 2], [3, 4]], np.float32)


def plain_answer(folder: Path, x: Any, tags: tuple[str, ...] = ("serve",)) -> Any:
    """Return what TensorFlow's own loader and session answer."""
    with tf.Graph().as_default(), v1.Session() as session:
        meta = v1.saved_model.load(session, list(tags), str(folder))
        signature = meta.signature_def["serving_default"]
        return session.run(signature.outputs["y"].name, {signature.inputs["x"].name: x})


def predict(inputs: dict[str, Any], outputs: dict[str, Any]) -> Any:
    return v1.saved_model.predict_signature_def(inputs, outputs)


@pytest.mark.parametrize("reference", [False, True])
def test_simple_save_with_either_kind_of_variable(tmp_path: Path, reference: bool) -> None:  # noqa: FBT001
    folder = save_linear_v1(tmp_path / "net", 2.5, -1.0, reference=reference)
    model = models.add("net", folder)
    np.testing.assert_array_equal(model(X), 2.5 * X - 1.0)
    np.testing.assert_array_equal(model(X), plain_answer(folder, X))
    assert model.default_signature == "serving_default"
    assert [str(spec) for spec in model.signature().inputs] == ["x float32 (?, 2)"]
    assert model.record()["variables"] == 2
    assert model.record()["weights_bytes"] == 8
    assert model.mode == "graph"


def two_tag_sets(folder: Path) -> Path:
    builder = v1.saved_model.Builder(str(folder))
    for first, factor in ((True, 2.0), (False, 3.0)):
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None, 2], "x")
            w = v1.get_variable("w", initializer=tf.constant(10.0))
            session.run(w.initializer)
            signatures = {
                "serving_default": predict({"x": x}, {"y": factor * x * w}),
                "double": predict({"x": x}, {"twice": 2.0 * x}),
            }
            if first:
                builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
            else:
                builder.add_meta_graph(["serve", "gpu"], signature_def_map=signatures)
    builder.save()
    return folder


def test_builder_with_several_signatures_and_tag_sets(tmp_path: Path) -> None:
    folder = two_tag_sets(tmp_path / "net")
    np.testing.assert_array_equal(models.add("one", folder)(X), 20 * X)
    np.testing.assert_array_equal(models.one(X, signature="double"), 2 * X)
    other = models.add("other", folder, tags="gpu, serve", signature="double")
    np.testing.assert_array_equal(other(X), 2 * X)
    np.testing.assert_array_equal(other(X, signature="serving_default"), plain_answer(folder, X, ("serve", "gpu")))


def test_an_unknown_tag_set_or_signature_names_those_there_are(tmp_path: Path) -> None:
    folder = two_tag_sets(tmp_path / "net")
    with pytest.raises(SourceError, match=r"net: .* has no tag set 'gpu' \(there are: gpu,serve, serve\)"):
        models.add("net", folder, tags=["gpu"])
    with pytest.raises(UnknownNameError, match=r"net has no signature 'doubel' \(did you mean 'double'\?\)"):
        models.add("net", folder, signature="doubel")
    assert "net" not in models
    model = models.add("net", folder)
    with pytest.raises(UnknownNameError, match=r"net has no signature 'dubble' \(did you mean 'double'\?\)"):
        model(X, signature="dubble")


def save_with(folder: Path, tag_sets: list[list[str]], names: list[str]) -> Path:
    builder = v1.saved_model.Builder(str(folder))
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        w = v1.get_variable("w", initializer=tf.constant(2.0))
        session.run(w.initializer)
        signatures = {name: predict({"x": x}, {"y": x * w}) for name in names}
        builder.add_meta_graph_and_variables(session, tag_sets[0], signature_def_map=signatures)
        for tags in tag_sets[1:]:
            builder.add_meta_graph(tags, signature_def_map=signatures)
    builder.save()
    return folder


def test_an_only_signature_and_an_only_tag_set_are_taken_whatever_their_names(tmp_path: Path) -> None:
    model = models.add("net", save_with(tmp_path / "net", [["mine"]], ["answers"]))
    assert model.default_signature == "answers"
    np.testing.assert_array_equal(model(X), 2 * X)


def test_where_several_could_be_meant_one_has_to_be_chosen(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"2 signatures and none is 'serving_default': choose with --signature"):
        models.add("net", save_with(tmp_path / "a", [["serve"]], ["one", "two"]))
    with pytest.raises(SourceError, match=r"2 tag sets and none is 'serve': choose with --tags"):
        models.add("net", save_with(tmp_path / "b", [["mine"], ["yours"]], ["one"]))
    with pytest.raises(SourceError, match="has no signature that can be called"):
        models.add("net", save_with(tmp_path / "c", [["serve"]], []))
    assert len(models) == 0


def test_assets_tables_and_main_op(tmp_path: Path) -> None:
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_text("red\ngreen\nblue\n")
    builder = v1.saved_model.Builder(str(tmp_path / "net"))
    with tf.Graph().as_default(), v1.Session() as session:
        words = v1.placeholder(tf.string, [None], "words")
        file = tf.constant(str(vocabulary))
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, file)
        table = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(
                file, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
            ),
            1,
        )
        ids = table.lookup(words)
        session.run(v1.tables_initializer())
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signature_def_map={"serving_default": predict({"words": words}, {"ids": ids})},
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=v1.tables_initializer(),
        )
    builder.save()
    # The model must read the copy that it brought along, wherever it has been moved.
    vocabulary.unlink()
    moved = (tmp_path / "net").rename(tmp_path / "moved")
    model = models.add("net", moved)
    np.testing.assert_array_equal(model(["blue", "red", "pink"]), [2, 0, 3])


def test_a_folder_of_numbered_versions_means_its_highest_and_says_which(tmp_path: Path) -> None:
    for number, factor in (("00000009", 9.0), ("10", 10.0), ("2", 2.0)):
        save_linear_v1(tmp_path / "net" / number, factor, 0.0)
    (tmp_path / "net" / "99").mkdir()
    model = models.add("net", tmp_path / "net")
    np.testing.assert_array_equal(model(X), 10 * X)
    assert model.notes == ("version 10, the highest of 3",)
    np.testing.assert_array_equal(models.add("old", tmp_path / "net" / "2")(X), 2 * X)
    np.testing.assert_array_equal(models.add("file", tmp_path / "net" / "2" / "saved_model.pb")(X), 2 * X)


def test_a_new_version_renews_the_model(tmp_path: Path) -> None:
    save_linear_v1(tmp_path / "net" / "1", 1.0, 0.0)
    first = models.add("net", tmp_path / "net")
    assert models.add("net", tmp_path / "net") is first
    save_linear_v1(tmp_path / "net" / "2", 2.0, 0.0)
    np.testing.assert_array_equal(models.add("net", tmp_path / "net")(X), 2 * X)


def test_missing_paths_and_folders_that_are_no_saved_model(tmp_path: Path) -> None:
    with pytest.raises(MissingPathError, match=rf"there is nothing at {tmp_path}/a/b \({tmp_path} is there, a/b in it"):
        models.add("net", tmp_path / "a" / "b")
    with pytest.raises(SourceError, match=r"is no SavedModel: there is no saved_model.pb in it.*\(there is: nothing\)"):
        models.add("net", tmp_path)
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(SourceError, match=r"\(there is: notes.txt\)"):
        models.add("net", tmp_path)
    with pytest.raises(SourceError, match=r"notes.txt is no model that tfmagic can read.*got a .txt"):
        models.add("net", tmp_path / "notes.txt")
    with pytest.raises(SourceError, match="gs://bucket/net is not on this machine: download it first"):
        models.add("net", "gs://bucket/net")
    assert len(models) == 0


def test_variables_without_their_files_are_said_to_be_missing(tmp_path: Path) -> None:
    folder = save_linear_v1(tmp_path / "net")
    for file in (folder / "variables").iterdir():
        file.unlink()
    with pytest.raises(SourceError, match=r"has 2 variables and no file variables/variables\.index"):
        models.add("net", folder)
    assert len(models) == 0


def test_ends_are_renamed_on_request(tmp_path: Path) -> None:
    folder = save_linear_v1(tmp_path / "net")
    model = models.add("net", folder, inputs="rows=x", outputs={"answer": "y"})
    assert list(model.run(rows=X)) == ["answer"]
    with pytest.raises(SourceError, match=r"there is no input 'z' to rename \(there is: x\)"):
        models.add("other", folder, inputs="rows=z")
