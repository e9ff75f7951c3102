"""Troubles with TensorFlow itself: not there, too old, twice, or not to be imported."""

from __future__ import annotations

import re
import shlex
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from tfmagic.checkup.trial import START
from tfmagic.checkup.troubles.trouble import Trouble, pip, trouble
from tfmagic.runtime.startup.importing import LITE_IS_SOUND, OLDEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfmagic.checkup.report import Report
    from tfmagic.checkup.trial import TrialRecord

_REINSTALL = "install --force-reinstall 'tfmagic[cpu]'"
# Up to 3.11 a Discretization layer is wrong in a graph, and several layers of .h5 files are misread.
_KERAS_IS_RIGHT = (3, 12)
# Likely causes by the last line of a failed import.
_CAUSES = (
    (
        re.compile(r"numpy|_ARRAY_API|multiarray", re.IGNORECASE),
        "NumPy is of another generation than this TensorFlow was built for",
        "install --upgrade --force-reinstall numpy",
    ),
    (
        re.compile(r"protobuf|Descriptors? cannot be created", re.IGNORECASE),
        "protobuf is of another generation than this TensorFlow was made with",
        "install --upgrade --force-reinstall protobuf",
    ),
    (
        re.compile(r"GLIBC|CXXABI"),
        "the system's C or C++ library is older than this TensorFlow needs, or another one (conda's) comes before it",
        "install 'tensorflow-cpu==2.16.*'",
    ),
    (
        re.compile(r"DLL load failed"),
        "Microsoft's Visual C++ Redistributable (x64) is missing or old: get https://aka.ms/vs/17/release/vc_redist.x64.exe",
        _REINSTALL,
    ),
    (
        re.compile(r"static TLS"),
        "libraries that were loaded before TensorFlow have taken the room that it needs: import TensorFlow first",
        None,
    ),
    (re.compile(r"No module named"), "a part of it, or of what it needs, is missing", _REINSTALL),
)


def troubles(report: Report) -> list[Trouble]:
    """Return what is wrong with TensorFlow."""
    found = [*_several(report), *_unmet(report), *_backend(report), *_keras(report), *_lite(report)]
    found += [*_legacy_keras(report), *_text_graphs(report)]
    trial = report["trial"]
    if trial is None:
        return found
    # Only the first of these: the others are its consequences.
    first = _missing(trial) or _imposter(trial) or _crashed(trial, report) or _old(trial) or _failed(trial)
    return [*([first] if first else []), *found]


def _missing(trial: TrialRecord) -> Trouble | None:
    if trial["origin"] is not None or trial["failed_step"] is not None or trial["timed_out_s"] is not None:
        return None
    return trouble(
        "tensorflow-missing",
        f"No TensorFlow is installed for this Python ({sys.executable}). "
        "tfmagic leaves it to you which one: for processors alone, or for NVIDIA's GPUs.",
        pip("install 'tfmagic[cpu]'"),
        pip("install 'tfmagic[gpu]'"),
    )


def _imposter(trial: TrialRecord) -> Trouble | None:
    if trial["origin"] is None or trial["is_tensorflow"] is not False:
        return None
    found = Path(trial["origin"])
    yours = found.parent if found.name == "__init__.py" else found
    return trouble(
        "tensorflow-shadowed",
        f"`import tensorflow` finds {trial['origin']}, which is not TensorFlow: a file or folder of that name "
        "comes before it on Python's path. Give it another name.",
        f"mv {shlex.quote(str(yours))} {shlex.quote(str(yours.with_stem('my_' + yours.stem)))}",
    )


def _crashed(trial: TrialRecord, report: Report) -> Trouble | None:
    if trial["timed_out_s"] is not None:
        what = (
            f"TensorFlow was still being imported after {trial['timed_out_s']:g} s: a disk or network folder that is "
            "very slow, or a library that waits for something. `--timeout` gives it longer."
        )
        return trouble("tensorflow-hangs", what, "tfmagic doctor --timeout 600")
    machine, number = report["machine"], trial["exit_signal"]
    no_avx = machine is not None and machine["avx"] is False
    if number == "SIGILL" or (no_avx and trial["version"] is None):
        has = "This processor has no AVX, and" if no_avx else "This processor lacks an instruction that"
        what = (
            f"{has} TensorFlow's packages are built for {'processors that do' if no_avx else 'is used by TensorFlow'}"
            ": importing it ends the process (“Illegal instruction”; in a notebook: “the kernel died”). Only a build "
            "without those instructions (conda-forge has one, or your own) or another machine helps."
        )
        return trouble("illegal-instruction", what, "conda install -c conda-forge tensorflow-cpu")
    if number == "SIGKILL":
        what = (
            "The process that imported TensorFlow was killed, most likely because memory ran out: "
            "the import alone takes some 500 MB."
        )
        return trouble("killed", what, "free -m")
    if number is None:
        return None
    variables = {} if machine is None else machine["variables"]
    loader = [name for name in variables if name.startswith(("LD_", "DYLD_"))]
    why = (
        f"{' and '.join(loader)} put other libraries before its own: take them out and try again"
        if loader
        else "libraries that do not fit together are the usual cause: install it again, best into a new environment"
    )
    remedy = f"unset {' '.join(loader)}" if loader else pip(_REINSTALL)
    return trouble("tensorflow-crashes", f"Importing TensorFlow ends the process with {number}; {why}.", remedy)


def _failed(trial: TrialRecord) -> Trouble | None:
    step, error = trial["failed_step"], trial["error"] or "it ended without a word"
    if step is None or (step == "keras" and trial["keras_backend"] != "tensorflow"):
        return None
    if step == START:
        return trouble("python-broken", f"tfmagic's own modules cannot be imported: {error}.", pip("check"))
    if step != "import":
        what = f"TensorFlow {trial['version']} is imported, and the next step, {step}, fails: {error}."
        return trouble(f"{step}-fails", what, pip(_REINSTALL))
    cause, words = next(((cause, words) for sign, cause, words in _CAUSES if sign.search(error)), ("", _REINSTALL))
    what = f"TensorFlow is installed and cannot be imported: {error}." + (f" Likely: {cause}." if cause else "")
    return trouble("tensorflow-import-fails", what, *([pip(words)] if words else []))


def _old(trial: TrialRecord) -> Trouble | None:
    version = trial["version"]
    if version is None or tuple(int(part) for part in re.findall(r"\d+", version)[:2]) >= OLDEST:
        return None
    oldest = ".".join(map(str, OLDEST))
    what = f"This TensorFlow is {version}, and tfmagic needs {oldest} or newer, whose Keras is Keras 3."
    return trouble("tensorflow-too-old", what, pip(f"install --upgrade 'tensorflow>={oldest}'"))


def _several(report: Report) -> Iterator[Trouble]:
    versions = report["versions"]
    folders: dict[str, list[str]] = defaultdict(list)
    for flavour in [] if versions is None else versions["tensorflow"]:
        if flavour["brings_files"]:
            folders[flavour["folder"]].append(flavour["name"])
    for folder, names in folders.items():
        if len(names) > 1:
            yield trouble(
                "tensorflow-twice",
                f"{' and '.join(sorted(names))} are installed side by side in {folder}: they have the same files, so "
                "each has overwritten part of the other, and removing one breaks both. Remove all, then install one.",
                pip(f"uninstall -y {' '.join(sorted(names))}"),
                pip("install 'tfmagic[cpu]'") + "   # or 'tfmagic[gpu]'",
            )


def _unmet(report: Report) -> Iterator[Trouble]:
    unmet = report["requirements"]
    if unmet:
        asked = "; ".join(
            f"{requirement['package']} {requirement['version']} asks for {requirement['asks_for']}, and "
            + ("it is not installed" if requirement["found"] is None else f"{requirement['found']} is installed")
            for requirement in unmet
        )
        wanted = " ".join(dict.fromkeys(shlex.quote(requirement["asks_for"]) for requirement in unmet))
        yield trouble("versions-do-not-fit", f"Versions do not fit together: {asked}.", pip(f"install {wanted}"))


def _keras(report: Report) -> Iterator[Trouble]:
    version = _installed(report, "keras")
    if version is not None and (3,) <= _numbers(version) < _KERAS_IS_RIGHT:
        least = ".".join(map(str, _KERAS_IS_RIGHT))
        yield trouble(
            "keras-old",
            f"Keras {version} has faults that change answers: a Discretization layer is wrong in a graph, and some .h5 "
            f"files are read wrongly or not at all. Keras {least} and newer have them mended.",
            pip(f"install --upgrade 'keras>={least}'"),
        )


def _legacy_keras(report: Report) -> Iterator[Trouble]:
    machine = report["machine"]
    value = None if machine is None else machine["variables"].get("TF_USE_LEGACY_KERAS")
    if value is not None and value.lower() in {"1", "true"}:
        yield trouble(
            "keras-legacy",
            f"TF_USE_LEGACY_KERAS={value} makes tf.keras the old tf_keras: tfmagic takes its models as modules, and no "
            "Keras files of it.",
            "unset TF_USE_LEGACY_KERAS",
        )


def _text_graphs(report: Report) -> Iterator[Trouble]:
    version = None if report["trial"] is None else report["trial"]["version"]
    protobuf = _installed(report, "protobuf")
    if version is None or protobuf is None or _numbers(version)[:2] != (2, 20) or _numbers(protobuf) < (7,):
        return
    yield trouble(
        "protobuf-too-new",
        f"TensorFlow {version} writes no graph as text with protobuf {protobuf}: its tf.io.write_graph(as_text=True) "
        "fails. With protobuf 6 it works.",
        pip("install 'protobuf<7'"),
    )


def _lite(report: Report) -> Iterator[Trouble]:
    version = None if report["trial"] is None else report["trial"]["version"]
    # Later versions are not known to crash.
    if version is None or not OLDEST <= _numbers(version)[:2] < min(LITE_IS_SOUND):
        return
    if _installed(report, "ai-edge-litert") is None:
        yield trouble(
            "lite-not-sound",
            f"TensorFlow {version} has an interpreter for small networks (tf.lite.Interpreter) that can end the "
            "kernel, so tfmagic does not use it: --warm has one way less to try. ai-edge-litert brings a sound one.",
            pip("install ai-edge-litert"),
        )


def _installed(report: Report, name: str) -> str | None:
    return None if report["versions"] is None else report["versions"]["packages"].get(name)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _backend(report: Report) -> Iterator[Trouble]:
    machine, trial = report["machine"], report["trial"]
    set_here = None if machine is None else machine["variables"].get("KERAS_BACKEND")
    backend = set_here or (None if trial is None else trial["keras_backend"])
    if backend is not None and backend != "tensorflow":
        where = "KERAS_BACKEND" if set_here else '"backend" in ~/.keras/keras.json'
        yield trouble(
            "keras-backend",
            f"{where} has Keras run on {backend}: tfmagic takes Keras models only where it runs on TensorFlow.",
            "export KERAS_BACKEND=tensorflow",
        )
