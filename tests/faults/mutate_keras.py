"""Structural mutations of Keras files: their configuration as JSON, and their weights."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    import random
    from pathlib import Path

_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 2, 10**4, 10**9, 2**63, 1.5, float("nan"), float("inf")),
    *("", "relu", "nonsense", "é"),
    *([], {}, [None], [0, 0], [10**5, 10**5], {"class_name": "Lambda", "config": {}}, [[["y", 0, 0, {}]]]),
)
_CLASSES = (
    "Dense",
    "LSTM",
    "Conv2D",
    "Lambda",
    "Embedding",
    "Reshape",
    "Functional",
    "Sequential",
    "os.system",
    "Nope",
)


def mutate_archive(path: Path, chance: random.Random) -> None:
    """Mutate a ``.keras`` file in place: its configuration, its weights or its members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    choice = chance.random()
    if choice < 0.6:
        members["config.json"] = _json(members["config.json"], chance)
    elif choice < 0.85:
        weights = io.BytesIO(members["model.weights.h5"])
        _weights(weights, chance)
        members["model.weights.h5"] = weights.getvalue()
    elif choice < 0.95:
        name = chance.choice(sorted(members))
        members[chance.choice(("config.json", "../outside", "a" * 300, name))] = members.pop(name)
    else:
        members[chance.choice(sorted(members))] = chance.choice((b"", b"{}", b"null", b"[" * 10_000, b"\xff" * 100))
    compression = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def mutate_h5(path: Path, chance: random.Random) -> None:
    """Mutate an ``.h5`` file in place."""
    with path.open("r+b") as stream:
        _weights(stream, chance)
    if chance.random() < 0.6:
        with h5py.File(path, "r+") as file:
            config = file.attrs.get("model_config")
            if config is not None:
                text = config if isinstance(config, bytes) else config.encode()
                file.attrs["model_config"] = _json(text, chance)


def _json(data: bytes, chance: random.Random) -> bytes:
    config = json.loads(data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        places = [(holder, key) for holder, key in _places(config)]
        holder, key = chance.choice(places)
        choice = chance.randrange(5)
        if choice == 0:
            del holder[key]
        elif choice == 1:
            other, other_key = chance.choice(places)
            try:
                holder[key] = json.loads(json.dumps(other[other_key]))
            except (KeyError, IndexError):
                holder[key] = None
        elif choice == 2:
            names = [(at, name) for at, name in places if name == "class_name"]
            if names:
                holder, key = chance.choice(names)
                holder[key] = chance.choice(_CLASSES)
        else:
            numbers = [(at, name) for at, name in places if isinstance(at[name], int)]
            if choice == 3 and numbers:
                holder, key = chance.choice(numbers)
            holder[key] = chance.choice(_VALUES)
    return json.dumps(config).encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place of a value in JSON, as what holds it and its key there."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], (dict, list)):
                waiting.append(holder[key])
    return found


def _weights(stream: Any, chance: random.Random) -> None:
    with h5py.File(stream, "r+") as file:
        datasets: list[str] = []
        groups: list[str] = []
        file.visititems(lambda name, item: (datasets if isinstance(item, h5py.Dataset) else groups).append(name))
        name = chance.choice(datasets)
        value = file[name][()]
        choice = chance.randrange(6)
        if choice == 0:
            del file[name]
        elif choice == 1:
            del file[name]
            file.create_dataset(name, shape=chance.choice(((10**9,), (10**5, 10**5), (0,), ())), dtype="f4")
        elif choice == 2:
            del file[name]
            file[name] = np.asarray(value).astype(chance.choice(("f8", "i4", "S3", "c8")))
        elif choice == 3:
            del file[name]
            file[name] = h5py.ExternalLink("/etc/hostname", "/a")
        elif choice == 4 and groups:
            del file[chance.choice(groups)]
        else:
            del file[name]
            file[name] = h5py.SoftLink(chance.choice((f"/{name}", "/missing")))
