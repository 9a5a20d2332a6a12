"""The graph that a forward pass leaves behind: what in it a rule has not made, although it should have."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from torch import Tensor
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import Node
from torch.utils.checkpoint import CheckpointFunction

from attribution_core.rules import operations as ops
from attribution_core.rules.autograd import Replaced
from attribution_core.rules.intercept import is_parameter

HIDING = {
    CheckpointFunction.__name__: "Use checkpoint(…, use_reentrant=False).",
    "CompiledFunction": "Pass the model as it was before compiling.",
}
"""Autograd functions of torch that hide what is computed in them, and what to do."""


def _kinds(operations: Iterable[str], of_torch: str = "") -> frozenset[str]:
    """Names of operations as `operation` writes them, and names that only the nodes have."""
    return frozenset(name.replace("_", "").lower() for name in (*operations, *of_torch.split()))


MOVES = _kinds(
    ops.MOVED,
    """AccumulateGrad AsStrided AsStridedScatter CopyBackwards CopySlices DiagEmbed DiagonalScatter Index IndexPutImpl
    Lift LiftFresh MkldnnReshape NarrowCopy PinMemory Put ReshapeAlias ReshapeCopy Slice ToCopy ToDense ToMkldnn
    UnsafeIndex UnsafeIndexPut UnsafeView""",
)
"""Nodes of what moves values."""

SELECTIONS = _kinds(
    ops.SELECTED, "Aminmax MaxPool2DWithIndices MaxPool3DWithIndices MkldnnMaxPool2D MkldnnMaxPool3D Nanmedian"
)
"""Nodes of what chooses some of the values."""

NORMS = _kinds([], "NativeBatchNorm CudnnBatchNorm MiopenBatchNorm BatchNorm NativeBatchNormLegitNoTraining")
FIRST_BY_SECOND = _kinds(
    ops.PRODUCTS | ops.WEIGHTED,
    """Convolution ConvDepthwise2D ConvDepthwise3D ConvTbc CudnnConvolution CudnnConvolutionTranspose MiopenConvolution
    MiopenConvolutionTranspose MiopenDepthwiseConvolution MkldnnConvolution MkldnnLinear MpsConvolution
    MpsConvolutionTranspose NnpackSpatialConvolution SlowConv2D SlowConv3D SlowConvDilated2D SlowConvDilated3D
    SlowConvTranspose2D SlowConvTranspose3D""",
)
FACTORS = dict.fromkeys(FIRST_BY_SECOND, (0, 1)) | dict.fromkeys(_kinds(ops.SHIFTED), (1, 2))
"""Nodes of products, and which of their arguments are multiplied: linear where at most one depends on the input."""

SAMPLERS = _kinds([], "CudnnGridSampler GridSampler2D GridSampler2DCpuFallback GridSampler3D")
CONSTANT = dict.fromkeys(SAMPLERS, (1,)) | {"div": (1,), "lerp": (2,)}
"""Nodes of what is linear in some arguments, and in which it is not."""

LINEAR = (
    MOVES
    | NORMS
    | FACTORS.keys()
    | CONSTANT.keys()
    | _kinds(
        ops.SUMS,
        """Col2Im Complex Conj ConjPhysical ConstantPadNd FftC2C FftC2R FftR2C FusedDropout Im2Col
        MkldnnAdaptiveAvgPool2D NegView ReflectionPad1D ReflectionPad2D ReflectionPad3D ReplicationPad1D
        ReplicationPad2D ReplicationPad3D UpsampleBicubic2D UpsampleBicubic2DAa UpsampleBilinear2D
        UpsampleBilinear2DAa UpsampleLanczos2DAa UpsampleLinear1D UpsampleNearest1D UpsampleNearest2D
        UpsampleNearest3D UpsampleNearestExact1D UpsampleNearestExact2D UpsampleNearestExact3D UpsampleTrilinear3D
        ViewAsComplex ViewAsReal""",
    )
)
"""Nodes of what is linear in one argument, the others being constant."""


def nodes_behind(scores: Tensor) -> list[Node]:
    """Each node that a backward pass meets."""
    return [] if scores.grad_fn is None else _behind(scores.grad_fn)


def _behind(node: Node) -> list[Node]:
    nodes = [node]
    seen = set(nodes)
    for node in nodes:
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                nodes.append(following)
    return nodes


def foreign_nodes(nodes: Iterable[Node]) -> list[str]:
    """Autograd functions among them that are not ours: nobody sees what they compute."""
    kinds = dict.fromkeys(map(type, nodes))
    return [_name(kind) for kind in kinds if _is_function(kind) and kind is not OURS]


def unseen_nodes(nodes: Iterable[Node], left_to_torch: frozenset[str]) -> list[str]:
    """Operations of torch that a rule has not answered, and that it does not leave to torch, in words."""
    kinds = dict.fromkeys(map(type, nodes))
    unseen = [_name(kind) for kind in kinds if not _is_function(kind) and operation(kind) not in left_to_torch]
    return [f"{', '.join(unseen)} {OUT_OF_SIGHT}"] if unseen else []


def _is_function(kind: type[Node]) -> bool:
    return issubclass(kind, BackwardCFunction)


def bent_nodes(nodes: Iterable[Node]) -> list[str]:
    """Products of several values that depend on the input, and the like: linear nodes in which the score is not."""
    bent = [node for node in nodes if _bends(node)]
    return [f"{name} of several values" for name in dict.fromkeys(_name(type(node)) for node in bent)]


def _bends(node: Node) -> bool:
    name = operation(type(node))
    if name in NORMS:
        return bool(getattr(node, "_saved_training", False))  # of the statistics of a batch
    factors, constants = _arguments(node, FACTORS.get(name, ())), _arguments(node, CONSTANT.get(name, ()))
    return (len(factors) > 1 and all(map(_depends, factors))) or any(map(_depends, constants))


def _arguments(node: Node, places: tuple[int, ...]) -> list[Node]:
    """The nodes of those arguments at some places that need a gradient."""
    edges = [node.next_functions[place][0] for place in places if place < len(node.next_functions)]
    return [edge for edge in edges if edge is not None]


def _depends(node: Node) -> bool:
    """Whether it is computed from something else than parameters."""
    leaves = [getattr(each, "variable", None) for each in _behind(node)]
    return any(leaf is not None and not is_parameter(leaf) for leaf in leaves)


OURS = Replaced._backward_cls
OUT_OF_SIGHT = "out of sight: in another thread, a scripted or compiled function, or past __torch_function__"


@lru_cache
def operation(kind: type[Node]) -> str:
    """The operation that nodes of a kind differentiate: "avgpool2d" of AvgPool2DBackward0."""
    return _name(kind).replace("_copy", "").replace("_", "").lower()


@lru_cache
def _name(kind: type[Node]) -> str:
    return re.sub(r"Backward\d*(_copy)?$", "", kind.__name__.rsplit("::", 1)[-1])
