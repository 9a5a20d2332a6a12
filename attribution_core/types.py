"""The types of arguments and results, each written once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from torch import Tensor

Tensors = tuple[Tensor, ...]

Inputs = Tensor | Tensors | dict[str, Tensor]
"""What a user may pass as `inputs`: a tensor, a tuple of tensors, or a dict of tensors by name."""

InputsT = TypeVar("InputsT", Tensor, Tensors, dict[str, Tensor])
"""The form of the inputs, in which attributions come back."""

Single = Tensor | float | None
"""A baseline of one input; None is zero."""

Baseline = Tensor | float | tuple[Tensor | float, ...] | Mapping[str, Tensor | float] | None
"""A number or a tensor, for each input if there are several; None is zero."""

Baselines = Baseline | Sequence[Baseline] | Callable[..., Baseline | Sequence[Baseline]]
"""One baseline, a list of which the mean of the attributions is taken, or a function of the inputs that makes them."""

Distribution = Baseline | Callable[..., Baseline]
"""Rows from which baselines are drawn, (K, …) for each input, or a function of the inputs that makes them."""

Mask = Tensor | Tensors | Mapping[str, Tensor] | None
"""Integers that number the features, for each input."""

TargetLike = (
    int
    | str
    | tuple[int, ...]
    | Tensor
    | Sequence[int]
    | Sequence[str]
    | Sequence[tuple[int, ...]]
    | Callable[..., Tensor]
    | None
)
"""What a user may pass as `target`: Captum's forms, a label, "pred" for the predicted class, or a function."""

Selector = int | tuple[int | slice, ...] | Callable[..., Tensor]
"""Which neuron of a layer: its index, an index or slice for each dimension, or a function of the layer's values."""

LayerValues = Tensor | Any
"""Shaped like a layer's values: a tensor; a tuple where it passes on several; for a list of layers a list of those."""

Layout = Literal["channels_first", "channels_last", "tokens", "tokens_first"]
"""How a layer's values lie: (B, C, …), (B, …, C), (B, tokens, C) or (tokens, B, C)."""

Model = Callable[..., object]
"""A module, or any function of the inputs."""

GradKwargs = Mapping[str, Any] | None
"""Further options of torch.autograd.grad."""
