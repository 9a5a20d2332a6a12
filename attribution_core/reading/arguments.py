"""Arguments of every method: read and checked once, before the first forward pass."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

from attribution_core.errors import AttributionError

TensorOrTuple = TypeVar("TensorOrTuple", Tensor, tuple[Tensor, ...])
Baselines = Tensor | int | float | tuple[Tensor | int | float, ...] | None
Tensors = tuple[Tensor, ...]

UNUSED: Any = object()
"""The baselines of a method that has none."""

ARGUMENTS: dict[str, str] = {
    "inputs": "Input tensor, or tuple of tensors, with one row per example.",
    "baselines": "What an absent feature looks like: a number or a tensor for each input; zero if not given.",
    "target": 'Which output to explain: an index, a label, "pred", a tuple of indices, one per example, or a function.',
    "additional_forward_args": "Further arguments of the model, which get no attributions.",
    "abs": "Show the size of the gradient without its sign.",
    "n_steps": 'Points on the path from baseline to input: more is more exact; "auto" doubles them as needed.',
    "method": "How the path integral is approximated.",
    "internal_batch_size": "Most rows in one pass through the model; chosen from the input's size if not given.",
    "return_convergence_delta": "Also return how far each example's sum of attributions misses the output's change.",
    "multiply_by_inputs": "Multiply slopes by the difference between input and baseline.",
    "eps": "Smallest change of a value that a slope is computed from; below it the gradient is used.",
    "custom_attribution_func": "Own formula from (multipliers), (…, inputs) or (…, inputs, baselines) to attributions.",
    "feature_mask": "Integer tensors shaped like the inputs: positions with the same number are one feature.",
    "perturbations_per_eval": "Most perturbed copies of the batch in one pass; at 1 it is chosen automatically.",
    "layer": "The module whose values are explained, Layer(module, call=…) for one of its calls, or a list of those.",
    "device_ids": "Taken for Captum's sake; a model spread over devices is refused.",
    "token": "The token of the last layer that is explained: 0 the class token, -1 the last, None the mean of all.",
    "memory_efficient": "Keep what the backward pass needs in the CPU's memory.",
    "attribute_to_layer_input": "Take what enters the layer instead of what leaves it.",
    "attribute_to_neuron_input": "Take the neuron from what enters the layer instead of what leaves it.",
    "neuron_selector": "The neuron: an index, an index or slice per dimension, or a function of the layer's values.",
    "grad_kwargs": "Further options of torch.autograd.grad.",
    "layer_baselines": "What an absent value of the layer looks like: a number or a tensor; zero if not given.",
    "layer_mask": "Integer tensors shaped like the layer's values: positions with the same number are one feature.",
    "relu_attributions": "Keep only what speaks for the score.",
    "attr_dim_summation": "Add the weighted maps up to one.",
    "interpolate_mode": "How the coarse map is stretched over the input, as in torch.nn.functional.interpolate.",
    "perm_func": "Own way to shuffle: from an input and the mask of a feature to an input of the same shape.",
    "n_samples": "How much is drawn at random: more is more exact and slower.",
    "estimator": "Estimate from sets of features (the most exact), or from random orders of them as Captum does.",
    "tolerance": "Go on until the error, or the last change of the result, is below this share of it.",
    "seed": "The same seed gives the same result; without it, one draw from the global random state decides.",
    "n_masks": "Random masks to look through: more is more exact and slower.",
    "grid_size": "Cells of a mask in each dimension: more show finer structures and need more masks.",
    "probability": "How likely a cell of a mask shows the input.",
    "interpretable_model": "What is fitted to the samples: Lasso, Ridge, LinearRegression, or anything that can fit.",
    "similarity_func": "How much a sample counts: from input, perturbed input and its features to a number.",
    "perturb_func": "Own way to draw samples: from the input to a perturbed one, or to its features.",
    "perturb_interpretable_space": "Whether samples are drawn as features rather than as inputs.",
    "from_interp_rep_transform": "From features (1, n) and the input to a perturbed input.",
    "to_interp_rep_transform": "From a perturbed input and the input to features (1, n).",
    "return_input_shape": "Whether each position gets its feature's value, or one row of values is returned.",
    "attribution_method": "The method that explains each noisy copy.",
    "attr_method": "The FeatureAblation whose model is asked.",
    "dataloader": "What can be read several times: each batch a tensor, or a tuple or list of them.",
    "input_roles": "Of each element of a batch: 0 attributed to, 1 passed to the model only, 2 kept from it (a label).",
    "reduce": "From what is accumulated (first None), the model's output and the batch to what is accumulated.",
    "to_metric": "From what is accumulated at last to a tensor of numbers.",
    "perturbations_per_pass": "How many metrics are accumulated each time the data is read.",
    "nt_type": "Mean (smoothgrad), mean square (smoothgrad_sq) or variance (vargrad) over noisy copies.",
    "nt_samples": "Noisy copies of each example.",
    "nt_samples_batch_size": "Most noisy copies in one call of the other method; chosen if not given.",
    "stdevs": "Standard deviation of the noise, one for all inputs or one for each.",
    "draw_baseline_from_distrib": "Draw each copy's baseline from the rows of `baselines`.",
    "verbose": "Print which rule is applied to which operation.",
    "composite": "Rules for the whole model by name, such as epsilon-gamma-box, or a Composite; Captum's if not given.",
    "show_progress": "Show a progress bar (needs tqdm).",
    "sliding_window_shapes": "Shape of the window that is hidden, without the batch dimension, for each input.",
    "strides": "How far the window moves in each dimension; 1 if not given.",
}
"""One sentence for every public argument; documentation and forms use these."""


def as_inputs(inputs: Tensor | tuple[Tensor, ...], differentiable: bool) -> Tensors:
    """The inputs as a tuple, aligned along dimension 0, and floating point where gradients are needed."""
    tensors = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    for place, x in enumerate(tensors):
        if not isinstance(x, Tensor):
            raise AttributionError(f"inputs[{place}] is a {type(x).__name__}.", "Pass a tensor, or a tuple of tensors.")
        if x.dim() == 0:
            raise AttributionError(f"inputs[{place}] has no batch dimension.", "Add one: x[None].")
        if differentiable and not (x.is_floating_point() or is_ids(x)):
            raise AttributionError(
                f"inputs[{place}] is {x.dtype}; gradients need floating point.",
                "Use .float(), or a perturbation method.",
            )
    if not tensors or len({x.shape[0] for x in tensors}) > 1:
        raise AttributionError(
            f"inputs have {[x.shape[0] for x in tensors]} rows.", "Dimension 0 of every input counts the same examples."
        )
    return tensors


def is_ids(x: Tensor) -> bool:
    """Whether a tensor holds integers, such as token ids."""
    return not x.is_floating_point() and not x.is_complex() and x.dtype != torch.bool


def as_baselines(baselines: Baselines, inputs: Tensors) -> Tensors:
    """A baseline of each input's shape and dtype (expanded, not copied); None is zero."""
    each = baseline_of_each(baselines, len(inputs))
    return tuple(as_baseline(b, x, place) for place, (b, x) in enumerate(zip(each, inputs, strict=True)))


def baseline_of_each(baselines: Baselines, count: int) -> tuple[Any, ...]:
    """The baselines of `count` inputs as a tuple, None where none is given; that of a single input may be bare."""
    given: Any = (baselines,) if count == 1 and not isinstance(baselines, (tuple, list)) else baselines
    given = (None,) * count if given is None or given == (None,) else given
    if not isinstance(given, (tuple, list)) or len(given) != count:
        entries = len(given) if isinstance(given, (tuple, list)) else 1
        raise AttributionError(f"baselines has {entries} entries for {count} inputs.", "Pass one for each input.")
    return tuple(given)


def as_baseline(baseline: Any, x: Tensor, place: int) -> Tensor:
    """A baseline of one input's shape and dtype; None is zero."""
    if baseline is None:
        return torch.zeros((), dtype=x.dtype, device=x.device).expand_as(x)
    if isinstance(baseline, (int, float)):
        return _whole(torch.tensor(baseline), x, place).to(x).expand_as(x)
    if not isinstance(baseline, Tensor):
        raise AttributionError(f"baselines[{place}] is a {type(baseline).__name__}, not a number or a tensor.")
    try:
        if baseline.dim() > x.dim():
            raise RuntimeError
        return _whole(baseline.detach(), x, place).to(x).expand_as(x)
    except RuntimeError as error:
        raise AttributionError(
            f"baselines[{place}] has shape {tuple(baseline.shape)}, its input {tuple(x.shape)}.",
            "Pass a number, a tensor of the input's shape, or one row to be used for all examples.",
        ) from error


def _whole(baseline: Tensor, x: Tensor, place: int) -> Tensor:
    if not x.is_floating_point() and baseline.is_floating_point() and bool((baseline % 1 != 0).any()):
        raise AttributionError(
            f"baselines[{place}] has fractions, its input is {x.dtype}.",
            "Pass whole numbers, or the input as .float().",
        )
    return baseline


def as_grad_kwargs(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Further options of `torch.autograd.grad`, checked against its signature."""
    if not options:
        return {}
    given = dict(options)
    known = set(inspect.signature(torch.autograd.grad).parameters) - {"outputs", "inputs", "only_inputs"}
    if set(given) - known:
        raise AttributionError(
            f"grad_kwargs has {sorted(set(given) - known)}, unknown to torch.autograd.grad.", f"Known: {sorted(known)}."
        )
    return given


def as_extra(extra: Any) -> tuple[Any, ...]:
    """Additional forward arguments as a tuple."""
    if extra is None:
        return ()
    return extra if isinstance(extra, tuple) else (extra,)


def at_least(name: str, value: Any, least: int) -> int:
    """An integer argument that must not be smaller than `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise AttributionError(f"{name}={value!r}: expected an integer ≥ {least}.")
    return value


def as_tolerance(tolerance: float | None) -> float | None:
    """Read `tolerance`."""
    if tolerance is not None and not 0 < tolerance < 1:
        raise AttributionError(f"tolerance={tolerance!r}: expected a share between 0 and 1.")
    return tolerance


def as_rows(internal_batch_size: int | None) -> int | None:
    """The rows of one pass that a caller asked for."""
    return None if internal_batch_size is None else at_least("internal_batch_size", internal_batch_size, 1)


def owned(value: Any) -> Any:
    """A tensor that autograd may use: those made in inference mode are copied."""
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value


def packed(attributions: Tensors, inputs: TensorOrTuple) -> TensorOrTuple:
    """Tensor in, tensor out; tuple in, tuple out."""
    return attributions[0] if isinstance(inputs, Tensor) else tuple(attributions)
