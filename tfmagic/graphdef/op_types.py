"""TensorFlow's operations that run Python or reach into files, and how each names them.

A test goes through every operation of the installed TensorFlow and fails when one
that looks like these is in none of the tables.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNS_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})

ENDS_THE_PROCESS = frozenset({"Abort"})

READS_FILES: Mapping[str, tuple[int, ...]] = {
    "CSVDataset": (0,),
    "CSVDatasetV2": (0,),
    "ExperimentalCSVDataset": (0,),
    "ExperimentalLMDBDataset": (0,),
    "ExperimentalMatchingFilesDataset": (0,),
    "FixedLengthRecordDataset": (0,),
    "FixedLengthRecordDatasetV2": (0,),
    "GenerateVocabRemapping": (0, 1),
    "InitializeTableFromTextFile": (1,),
    "InitializeTableFromTextFileV2": (1,),
    "LMDBDataset": (0,),
    "ListSnapshotChunksDataset": (0,),
    "LoadAndRemapMatrix": (0,),
    "LoadDataset": (0,),
    "MatchingFiles": (0,),
    "MatchingFilesDataset": (0,),
    "ReadFile": (0,),
    "SnapshotChunkDataset": (0,),
    "SnapshotDatasetReader": (0,),
    "TFRecordDataset": (0,),
    "TFRecordDatasetV2": (0,),
    "TextLineDataset": (0,),
}
"""Operations that read the files named by these inputs; allowed on the model's own assets."""

RESTORES: Mapping[str, tuple[int, ...]] = {"Restore": (0,), "RestoreSlice": (0,), "RestoreV2": (0,)}
"""The same for the operation that gives a SavedModel its variables, and for nothing else."""

CACHES: Mapping[str, int] = {"CacheDataset": 1, "CacheDatasetV2": 1}
"""Operations that write the file named by this input, or none if it is empty."""

NAMES_A_FILE: Mapping[str, str] = {
    "DebugIdentity": "debug_urls",
    "DebugIdentityV2": "debug_urls",
    "DebugIdentityV3": "debug_urls",
    "DebugNanCount": "debug_urls",
    "DebugNumericSummary": "debug_urls",
    "FixedUnigramCandidateSampler": "vocab_file",
    "ImmutableConst": "memory_region_name",
    "RecordInput": "file_pattern",
    "Skipgram": "filename",
}
"""Operations that touch what this attribute names, where it names anything."""

PROTO_OPS = frozenset({"DecodeProtoV2", "EncodeProto"})
"""Operations that read the file named by ``descriptor_source``, unless that is ``local://``."""

TOUCHES_FILES = frozenset(
    {
        "CalibrationStatisticsSaver",
        "CreateSummaryDbWriter",
        "CreateSummaryFileWriter",
        "DTensorRestoreV2",
        "DataServiceDataset",
        "DataServiceDatasetV2",
        "DataServiceDatasetV3",
        "DataServiceDatasetV4",
        "DatasetFromGraph",  # what it runs comes as bytes, which nobody has looked through
        "DatasetToTFRecord",
        "DistributedSave",
        "DumpTensor",
        "ExperimentalDatasetToTFRecord",
        "ExperimentalSqlDataset",
        "FileSystemSetConfiguration",
        "FixedLengthRecordReader",
        "FixedLengthRecordReaderV2",
        "LMDBReader",
        "MergeV2Checkpoints",
        "RegisterDataset",
        "RegisterDatasetV2",
        "Restore",
        "RestoreSlice",
        "RestoreV2",
        "RpcCall",
        "RpcClient",
        "RpcServer",
        "Save",
        "SaveDataset",
        "SaveDatasetV2",
        "SaveSlices",
        "SaveV2",
        "SnapshotDataset",
        "SnapshotDatasetV2",
        "SqlDataset",
        "SymbolicGradient",  # runs a gradient function that no attribute names
        "TFRecordReader",
        "TFRecordReaderV2",
        "TextLineReader",
        "TextLineReaderV2",
        "WholeFileReader",
        "WholeFileReaderV2",
        "WriteFile",
        "XlaCustomCall",
        "XlaCustomCallV2",
    }
)
"""Operations that reach out of the process, or into files, whatever their inputs."""

WRITES = re.compile(
    r"Assign|(Resource)?(Sparse)?Apply[A-Z]|ResourceScatter|(Resource)?StridedSliceAssign"
    r"|Scatter(Nd)?(Add|Sub|Mul|Div|Min|Max|Update)$|Rng|Stateful(Standard|Uniform|Truncated|Random)|(Resource)?CountUpTo"
)
"""The types of the operations that write to variables."""
