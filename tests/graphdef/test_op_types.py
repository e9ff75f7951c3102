"""Every operation of this TensorFlow that could touch files is known to the guard."""

from __future__ import annotations

import re
from typing import Any

from tensorflow.core.framework import op_def_pb2, types_pb2
from tensorflow.python.client import pywrap_tf_session

from tfmagic.graphdef import op_types as unsafe_operations

SUSPECT = re.compile(r"file|path|dir|prefix|pattern|address|url|uri|host|server|target|source|graph_def", re.IGNORECASE)

HARMLESS = {
    # "direction" of a recurrent layer or of a sort.
    "CudnnRNN": "direction",
    "CudnnRNNBackprop": "direction",
    "CudnnRNNBackpropV2": "direction",
    "CudnnRNNBackpropV3": "direction",
    "CudnnRNNCanonicalToParams": "direction",
    "CudnnRNNCanonicalToParamsV2": "direction",
    "CudnnRNNParamsSize": "direction",
    "CudnnRNNParamsToCanonical": "direction",
    "CudnnRNNParamsToCanonicalV2": "direction",
    "CudnnRNNV2": "direction",
    "CudnnRNNV3": "direction",
    "RiscSort": "direction",
    # A regular expression for text.
    "RegexFullMatch": "pattern",
    "RegexReplace": "pattern",
    "StaticRegexFullMatch": "pattern",
    "StaticRegexReplace": "pattern",
    # Of the names of counters.
    "ExperimentalSetStatsAggregatorDataset": "counter_prefix",
    "SetStatsAggregatorDataset": "counter_prefix",
    # A device of this process; the function that runs there is looked through.
    "RemoteCall": "target",
    # Class indices.
    "InTopK": "targets",
    "InTopKV2": "targets",
    # Which gradient a tensor array belongs to.
    "TensorArrayGrad": "source",
    "TensorArrayGradV2": "source",
    "TensorArrayGradV3": "source",
    "TensorArrayGradWithShape": "source",
    # The values to scatter.
    "XlaSelectAndScatter": "source",
    # For TPUs: which part of a program runs on their host.
    "TPUReplicateMetadata": "host_compute_core",
    "_TPUReplicate": "host_compute_core",
    "_XlaHostComputeMlir": "host_mlir_module",
}


def operations() -> list[Any]:
    found = op_def_pb2.OpList()
    found.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    return list(found.op)


def known() -> set[str]:
    return {
        *unsafe_operations.RUNS_PYTHON,
        *unsafe_operations.READS_FILES,
        *unsafe_operations.RESTORES,
        *unsafe_operations.CACHES,
        *unsafe_operations.NAMES_A_FILE,
        *unsafe_operations.PROTO_OPS,
        *unsafe_operations.TOUCHES_FILES,
    }


def suspicious(op: Any) -> list[str]:
    """Return the names of the string inputs and attributes that sound like a file or an address."""
    inputs = [end.name for end in op.input_arg if end.type == types_pb2.DT_STRING or end.type_attr]
    attributes = [attribute.name for attribute in op.attr if attribute.type in {"string", "list(string)"}]
    return [name for name in (*inputs, *attributes) if SUSPECT.search(name)]


def test_every_operation_that_could_touch_files_is_in_a_table_or_known_to_be_harmless() -> None:
    everything = operations()
    assert len(everything) > 1000
    unknown = {op.name: suspicious(op) for op in everything if suspicious(op) and op.name not in known()}
    surprising = {name: ends for name, ends in unknown.items() if HARMLESS.get(name) not in ends}
    assert surprising == {}


def test_every_operation_that_runs_python_is_in_the_table() -> None:
    named = {op.name for op in operations() if re.search(r"py_?func", op.name, re.IGNORECASE)}
    assert named == unsafe_operations.RUNS_PYTHON


def test_nothing_is_both_harmless_and_in_a_table() -> None:
    assert not known() & set(HARMLESS)


def test_the_inputs_that_the_tables_name_are_strings() -> None:
    by_name = {op.name: op for op in operations()}
    for name, positions in {**unsafe_operations.READS_FILES, **unsafe_operations.RESTORES}.items():
        if name in by_name:
            for position in positions:
                assert by_name[name].input_arg[position].type == types_pb2.DT_STRING, name
    for name, position in unsafe_operations.CACHES.items():
        if name in by_name:
            assert by_name[name].input_arg[position].type == types_pb2.DT_STRING, name
    for name, attribute in unsafe_operations.NAMES_A_FILE.items():
        if name in by_name:
            types = {one.name: one.type for one in by_name[name].attr}
            assert types[attribute] in {"string", "list(string)"}, name
