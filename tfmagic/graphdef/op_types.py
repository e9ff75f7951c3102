"""What TensorFlow's operations do, told from their types.

A test goes through every operation of the installed TensorFlow and fails when one
that looks as if it reached into files or ran Python is in none of the tables.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"})

REFERENCE_VARIABLES = frozenset({"VariableV2", "Variable"})
"""TF1's variables, which are handed on by reference."""

VARIABLES = REFERENCE_VARIABLES | {"VarHandleOp"}

READS_VARIABLES = frozenset({"ReadVariableOp", "VariableShape", "ResourceGather", "ResourceGatherNd"})

PARTITIONED_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
BRANCHES = frozenset({"If", "StatelessIf", "Case", "StatelessCase"})
LOOPS = frozenset({"While", "StatelessWhile"})
"""Each output is what the input of the same number has become."""

FUNCTION_CALLS = PARTITIONED_CALLS | BRANCHES | LOOPS
"""Operations whose inputs are the parameters of their functions, in the same order."""

FORWARDS = frozenset({"Identity", "Enter", "Exit", "NextIteration", "Switch", "Merge"})
"""Operations that forward the handle of a variable as they do a value."""

SAME_ELEMENTS = frozenset({"Identity", "StopGradient", "Reshape", "ExpandDims", "PlaceholderWithDefault"})
"""The output has the elements of the first input. `IdentityN` is not here: its outputs are of different inputs."""

ALIASES_INPUT = frozenset(
    {
        *("Identity", "Reshape", "Squeeze", "ExpandDims", "StopGradient", "PreventGradient", "EnsureShape"),
        *("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"),
    }
)
"""The first output may be the memory of the first input."""

ALIASES_AN_OPERAND = frozenset({"Add", "AddV2", "BiasAdd", "Sub", "Mul", "RealDiv", "Maximum", "Minimum"})
"""Where one operand turns out to be zeros or ones, the optimizer passes the other on."""

ALLOCATES_OUTPUT = frozenset(
    {
        *("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum"),
        *("Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput"),
        *("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D", "LRN", "ResizeBilinear"),
        *("Softmax", "LogSoftmax", "Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Softplus", "Sigmoid", "Tanh"),
        *("Exp", "Log", "Log1p", "Sqrt", "Rsqrt", "Square", "Erf", "Sin", "Cos"),
        *("ArgMax", "ArgMin", "TopKV2", "Gather", "GatherV2", "GatherNd", "ResourceGather", "OneHot"),
        *("Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual"),
    }
)
"""The first output has memory of its own, or that of an input that nothing else uses."""

RUNS_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})

ENDS_THE_PROCESS = frozenset({"Abort"})

READS_FILES: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(
        (
            *("CSVDataset", "CSVDatasetV2", "ExperimentalCSVDataset", "TextLineDataset"),
            *("TFRecordDataset", "TFRecordDatasetV2", "FixedLengthRecordDataset", "FixedLengthRecordDatasetV2"),
            *("LMDBDataset", "ExperimentalLMDBDataset", "MatchingFilesDataset", "ExperimentalMatchingFilesDataset"),
            *("LoadDataset", "ListSnapshotChunksDataset", "SnapshotChunkDataset", "SnapshotDatasetReader"),
            *("LoadAndRemapMatrix", "MatchingFiles", "ReadFile"),
        ),
        (0,),
    ),
    **dict.fromkeys(("InitializeTableFromTextFile", "InitializeTableFromTextFileV2"), (1,)),
    "GenerateVocabRemapping": (0, 1),
}
"""Operations that read the files named by these inputs; allowed on the model's own assets."""

RESTORES: Mapping[str, tuple[int, ...]] = {"Restore": (0,), "RestoreSlice": (0,), "RestoreV2": (0,)}
"""The same for the operations that read checkpoints; allowed only while a SavedModel is restored."""

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
        # Checkpoints.
        *("Save", "SaveSlices", "SaveV2", "Restore", "RestoreSlice", "RestoreV2", "DTensorRestoreV2"),
        "MergeV2Checkpoints",
        # Datasets that write, and those that take more than a file's name.
        *("SaveDataset", "SaveDatasetV2", "DistributedSave", "DatasetToTFRecord", "ExperimentalDatasetToTFRecord"),
        *("SnapshotDataset", "SnapshotDatasetV2", "SqlDataset", "ExperimentalSqlDataset"),
        # TF1's readers, which get their files' names from a queue.
        *("FixedLengthRecordReader", "FixedLengthRecordReaderV2", "LMDBReader", "TFRecordReader", "TFRecordReaderV2"),
        *("TextLineReader", "TextLineReaderV2", "WholeFileReader", "WholeFileReaderV2"),
        # Other files.
        *("WriteFile", "DumpTensor", "CreateSummaryDbWriter", "CreateSummaryFileWriter"),
        *("CalibrationStatisticsSaver", "FileSystemSetConfiguration"),
        # Other processes, and other code.
        *("DataServiceDataset", "DataServiceDatasetV2", "DataServiceDatasetV3", "DataServiceDatasetV4"),
        *("RegisterDataset", "RegisterDatasetV2", "RpcCall", "RpcClient", "RpcServer"),
        *("XlaCustomCall", "XlaCustomCallV2"),
        "DatasetFromGraph",  # runs a graph from bytes, which the guard does not see
        "SymbolicGradient",  # runs a gradient function that no attribute names
    }
)
"""Operations that reach out of the process, or into files, whatever their inputs."""

WRITES_VARIABLES = re.compile(
    r"Assign|(Resource)?(Sparse)?Apply[A-Z]|ResourceScatter|(Resource)?StridedSliceAssign"
    r"|Scatter(Nd)?(Add|Sub|Mul|Div|Min|Max|Update)$|Rng|Stateful(Standard|Uniform|Truncated|Random)|(Resource)?CountUpTo"
)

WRITES_TABLES = re.compile(r"LookupTable(Insert|Import|Remove)")

HAS_SIDE_EFFECTS = re.compile(
    r"(Stage|Unstage)$|(Ordered)?Map(Stage|Unstage|Clear)|StageClear|Queue(Enqueue|Dequeue|Close)|Barrier"
    r"|(Multi[Dd]evice)?IteratorGetNext|MakeIterator|Reader(Read|Reset|Restore)|.*Accumulator(Apply|Take)"
    r"|Print(V2)?$|(Eager)?PyFunc|Write\w*(Summary|File)"
)
"""Operations that advance a queue, an iterator or a reader, or that somebody can see."""

STATEFUL_RANDOM = re.compile(
    r"Random(Uniform|StandardNormal|Shuffle$|Gamma$|Poisson|Crop)|(Parameterized)?TruncatedNormal|Multinomial"
    r"|\w+CandidateSampler|SampleDistortedBoundingBox|Skipgram"
)
"""Operations with a random generator in their kernel: one for each node, in each function that is traced."""
