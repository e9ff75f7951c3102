"""Every operation of this TensorFlow that makes a shape of a value counts as one that does."""

from __future__ import annotations

import re
from typing import Any

from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session

from tfmagic.graphdef import output_shapes
from tfmagic.graphdef.output_shapes import LIKE, SHAPED_BY, TELLS_SHAPE, decides_shape

SIZES = re.compile(
    r"shape|size|num_|nbins|limit|length|lens|count|split|segment|partition|dim|axis|axes|perm|depth|multiples"
    r"|paddings|crops|row|col|begin|end$|strides|steps|stop|indices|index|max_|^k$|^n$|deltas?$"
)

# Inputs that sound like a size and change no shape, by what they are.
HARMLESS = {
    # Where something is put or taken from: there are as many results as places.
    "indices": re.compile(
        r"Gather(V2|Nd)?|ResourceGather(Nd)?|OneHot|ScatterNd|ScatterNdNonAliasingAdd|TensorScatter\w+"
        r"|TensorArrayGather(V[23])?|TensorListGather|UnravelIndex"
        r"|SparseSegment(Mean|SqrtN|Sum)(Grad|WithNumSegments)?"
    ),
    # The number of segments is another input.
    "segment_ids": re.compile(r"UnsortedSegment\w+|Segment\w+V2|SparseSegment\w+(WithNumSegments|Grad)"),
    # The direction in which it goes, or how much of a tensor that keeps its shape it changes.
    "axis": re.compile("Cum(prod|sum)|CumulativeLogsumexp|ReverseV2|Roll"),
    "dims": re.compile("Reverse|UnravelIndex"),
    "seq_lengths": re.compile("ReverseSequence"),
    "num_(lower|upper)": re.compile("MatrixBandPart"),
    "k": re.compile("MatrixSetDiagV[23]|InTopKV2"),
    "n": re.compile("NthElement"),
    "begin|end|strides": re.compile("StridedSliceGrad|TensorStridedSliceUpdate"),
    # The results are shapes, as long as those that come in.
    "concat_dim|shape": re.compile("ConcatOffset"),
    "(input|new)_shape|input_indices": re.compile("SparseReshape"),
    # As many values as before, or the shape of the dense operand.
    "(sp|input|a|sparse)_(indices|shape)|indices|shapes": re.compile(
        "Sparse(Concat|DenseCwise(Add|Div|Mul)|Reorder|Softmax|TensorDenseAdd|ToDense)"
    ),
    "a_indices": re.compile("SparseTensorDenseMatMul"),
    # Up to which step a layer counts; its results are as long as its input.
    "(sequence_lengths?|labels_indices)": re.compile(r"CTCLoss(V2)?|CudnnRNN\w*V3"),
    "seq_len_max": re.compile(r"BlockLSTM\w*"),
    # Numbers that are drawn, and the state of what draws them.
    "counter|counts": re.compile(r"Stateless\w+|StochasticCastToInt"),
    "(max_)?index": re.compile("RandomIndexShuffle"),
    # Greatest values.
    r"max_\w+": re.compile(r"Quantize\w+|Dequantize|AdjustContrast"),
    "num_bits": re.compile("QuantizeAndDequantizeV3"),
    "delta": re.compile("AdjustHue"),
    "stop": re.compile("LinSpace"),
    "colors": re.compile("DrawBoundingBoxesV2"),
    # The gradient has the shape of what it belongs to.
    "(row|col)_pooling_sequence": re.compile("FractionalMaxPoolGrad"),
    # How quickly a dataset is read.
    "num_parallel_calls|buffer_size": re.compile(r"\w+Dataset(V2)?"),
}


def operations() -> list[Any]:
    found = op_def_pb2.OpList()
    found.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    return list(found.op)


def is_harmless(kind: str, name: str) -> bool:
    return any(re.fullmatch(names, name) and kinds.fullmatch(kind) for names, kinds in HARMLESS.items())


def test_every_input_that_sounds_like_a_size_says_the_shape_or_is_known_to_be_harmless() -> None:
    everything = operations()
    assert len(everything) > 1000
    surprising = {
        (op.name, one.name)
        for op in everything
        if op.name not in TELLS_SHAPE | LIKE
        for position, one in enumerate(op.input_arg)
        if SIZES.search(one.name) and not decides_shape(op.name, position, len(op.input_arg))
        if not is_harmless(op.name, one.name)
    }
    assert surprising == set()


def test_an_operation_that_nobody_listed_makes_a_shape_of_any_value() -> None:
    assert decides_shape("OfALibraryToCome", 0, 1)
    assert decides_shape("OfALibraryToCome", 3, 4)


def test_the_list_has_each_operation_once_and_nothing_that_tells_a_shape() -> None:
    lists = [*output_shapes._BY_NONE, *(names for _, names in output_shapes._BY_SOME)]
    names = [name for names in lists for name in names.split()]
    assert len(names) == len(set(names))
    assert not SHAPED_BY.keys() & (TELLS_SHAPE | LIKE)


def test_the_places_that_the_list_names_are_inputs() -> None:
    by_name = {op.name: op for op in operations()}
    for name, positions in SHAPED_BY.items():
        if name in by_name:
            takes = len(by_name[name].input_arg)
            many = any(one.number_attr or one.type_list_attr for one in by_name[name].input_arg)
            # The first version of BatchDataset and those like it have one input less.
            assert many or not positions or min(positions) < takes, name


def test_only_the_last_input_of_an_operation_with_many_is_counted_from_the_end() -> None:
    by_name = {op.name: op for op in operations()}
    for name, positions in SHAPED_BY.items():
        inputs = by_name[name].input_arg if name in by_name else []
        lists = [place for place, one in enumerate(inputs) if one.number_attr or one.type_list_attr]
        if lists:
            assert all(place < 0 or place <= lists[0] for place in positions), name
