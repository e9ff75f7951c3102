"""What a Keras file declares, held against what it contains, before Keras allocates or reads it."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import h5py

from tfmagic.core.units import size_text
from tfmagic.errors import SourceError, UnsafeSourceError
from tfmagic.execution.room.variables import bytes_of
from tfmagic.formats.common.declared import check_obtainable

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Sequence
    from pathlib import Path

DESCRIPTION_BYTES = 1 << 26
"""No configuration is larger: those of the largest models have a few million characters."""

# Files that unpack to less than this, or to less than so many times their size, are no bombs.
_UNPACKED_BYTES = 1 << 28
_MOST_TIMES = 200
# What a byte can become in one of HDF5's filters.
_FILTERED_TIMES = 1100
# Weights may be kept in a smaller dtype, and the state of random generators is not kept.
_DTYPES = 4
_SLACK_BYTES = 1 << 26


def check_archive(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse a zip file that unpacks to far more than it contains."""
    packed = path.stat().st_size
    members = archive.infolist()
    unpacked = sum(member.file_size for member in members)
    if unpacked > max(_UNPACKED_BYTES, packed * _MOST_TIMES):
        largest = max(members, key=lambda member: member.file_size)
        msg = (
            f"{path} contains {size_text(packed)} and would unpack to {size_text(unpacked)} (most of it "
            f"{largest.filename!r}): it is no model, or damaged"
        )
        raise SourceError(msg)


def description(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a small member of a zip file, ``config.json`` or ``metadata.json``."""
    size = archive.getinfo(name).file_size
    if size > DESCRIPTION_BYTES:
        msg = f"{name} in {path} is {size_text(size)}: expected {size_text(DESCRIPTION_BYTES)} at most"
        raise SourceError(msg)
    return archive.read(name)


def check_weights(path: Path, weights: IO[bytes] | Path, variables: Sequence[Any], *, whole: bool) -> None:
    """Refuse a file whose weights are not what its model needs, or are in other files.

    `variables` are those of the model, without values; where it could not be made whole, those made until then.
    """
    needed = sum(bytes_of(variable.shape, variable.dtype) or 0 for variable in variables)
    most = needed * _DTYPES + _SLACK_BYTES
    contained = 0
    with h5py.File(weights, "r") as file:
        for name, dataset in _datasets(path, file):
            contained += _contained_bytes(dataset)
            if whole and dataset.nbytes > most:
                msg = (
                    f"{path} declares {size_text(dataset.nbytes)} of weights in {name!r}, and its model has "
                    f"{size_text(needed)} in all: it may be damaged"
                )
                raise SourceError(msg)
    if needed > contained * _DTYPES + _SLACK_BYTES:
        msg = (
            f"the configuration of {path} asks for {size_text(needed)} of weights, and it contains "
            f"{size_text(contained)}: it may be damaged"
        )
        raise SourceError(msg)
    check_obtainable(f"{path}, with its weights,", needed)


def _datasets(path: Path, file: Any) -> list[tuple[str, Any]]:
    """Return the arrays of an HDF5 file by name; those in other files are refused."""
    groups, found = [file], []

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found.append((name, item))
        else:
            groups.append(item)

    file.visititems(note)
    links = (group.get(key, getlink=True) for group in groups for key in group)
    elsewhere = next((link.filename for link in links if isinstance(link, h5py.ExternalLink)), None)
    if elsewhere is None:
        elsewhere = next((name for name, dataset in found if dataset.is_virtual or dataset.external), None)
    if elsewhere is not None:
        msg = f"{path} reads weights from another file ({elsewhere!r}): save it again, whole"
        raise UnsafeSourceError(msg)
    return found


def _contained_bytes(dataset: Any) -> int:
    """Return how large an array can become at most of what is in the file for it."""
    stored = int(dataset.id.get_storage_size())
    filtered = dataset.id.get_create_plist().get_nfilters() > 0
    return min(int(dataset.nbytes), stored * (_FILTERED_TIMES if filtered else 1))
