"""The steps of the process that tries TensorFlow; each writes down its results."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmagic.runtime.memory.policy import memory_policy

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Notes:
    """A file of results, complete up to the last step even if the process crashes."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def add(self, **answers: Any) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(answers) + "\n")

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.add(failed_step=name)
        try:
            yield
        except BaseException as error:
            self.add(error="".join(traceback.format_exception_only(error)).strip().splitlines()[-1])
            raise
        self.add(failed_step=None)


def main(path: str) -> None:
    """Import TensorFlow and Keras, make the devices, look at what is loaded."""
    notes = _Notes(path)
    with notes.step("import"):
        there = _import(notes)
    if not there:
        return
    with notes.step("keras"):
        # The backend of the settings first: Keras cannot be imported where it is not installed.
        notes.add(keras_backend=_asked_backend())
        import keras

        notes.add(keras=str(keras.__version__), keras_backend=str(keras.config.backend()))
    with notes.step("devices"):
        _devices(notes)
    with notes.step("libraries"):
        _libraries(notes)


def _import(notes: _Notes) -> bool:
    from tfmagic.runtime.libraries.gpu import tensorflow_folder
    from tfmagic.runtime.libraries.shared_objects import IMPORT
    from tfmagic.runtime.libraries.timeline import libraries
    from tfmagic.runtime.memory.malloc import rss_bytes

    spec = importlib.util.find_spec("tensorflow")
    if spec is None:
        return False
    # A folder without an __init__.py is a package without a file.
    origin = spec.origin or next(iter(spec.submodule_search_locations or ()), None)
    notes.add(origin=origin, is_tensorflow=tensorflow_folder() is not None)
    memory_policy().apply()
    began_s = time.perf_counter()
    with libraries().phase(IMPORT):
        import tensorflow as tf
    # A half-removed package may be imported without an error.
    notes.add(version=str(tf.__version__), import_s=time.perf_counter() - began_s, rss_bytes=rss_bytes())
    return True


def _asked_backend() -> str:
    """Return the backend that the environment or Keras's settings name, read as Keras reads them."""
    settings: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        settings = json.loads((folder / "keras.json").read_text(encoding="utf-8"))
    return os.environ.get("KERAS_BACKEND") or str(settings.get("backend", "tensorflow"))


def _devices(notes: _Notes) -> None:
    import tensorflow as tf

    from tfmagic.runtime.session.devices import devices

    tf.reduce_sum(tf.ones([2, 2])).numpy()
    found = devices()
    notes.add(
        devices=[device["name"] for device in found],
        descriptions={device["name"]: device["description"] for device in found},
        policy=memory_policy().record(),
    )


def _libraries(notes: _Notes) -> None:
    from tfmagic.runtime.libraries.environment import settings
    from tfmagic.runtime.libraries.files import duplicates
    from tfmagic.runtime.libraries.timeline import libraries

    loaded = libraries()
    files = loaded.files()
    through = {
        setting["name"]: setting["libraries"]
        for setting in settings(file.path for file in files)
        if setting["libraries"]
    }
    found = duplicates(file.loaded.header for file in files)
    notes.add(libraries=loaded.summary(), duplicates=found, through=through)
