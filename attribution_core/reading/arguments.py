"""Arguments of every method: read and checked once, before the first forward pass."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.types import Baseline, Tensors


class Argument(NamedTuple):
    """What is written of an argument wherever it appears: its type or shape, and a sentence."""

    shape: str
    meaning: str


ARGUMENTS: dict[str, Argument] = {
    "inputs": Argument(
        "(B, …) tensor, or tuple or dict of them",
        "What is explained, with one row per example; attributions come back in the same form, of a dict by name.",
    ),
    "baselines": Argument(
        "number or (B | 1, …) tensor, for each input; function, or list of baselines",
        "What an absent feature looks like, zero if not given; of a list the mean of results. SHAP draws its rows.",
    ),
    "target": Argument(
        "int, str, tuple of ints, (B,) tensor or list, or function",
        'Which output to explain: an index, a label, "pred", a tuple of indices, one per example, or a function.',
    ),
    "targets": Argument(
        "list of what target takes",
        "In place of target, several: one result for each in a list, from shared passes where that is possible.",
    ),
    "additional_forward_args": Argument(
        "anything, tuple, or dict of keywords",
        "Further arguments of the model, which get no attributions.",
    ),
    "abs": Argument("bool", "Show the size of the gradient without its sign."),
    "n_steps": Argument(
        'int ≥ 1, or "auto"',
        'Points on the path from baseline to input: more is more exact; "auto" doubles them as needed.',
    ),
    "method": Argument("str", "How the path integral is approximated."),
    "internal_batch_size": Argument(
        "int ≥ 1",
        "Most rows in one pass through the model; chosen from the input's size if not given.",
    ),
    "return_convergence_delta": Argument(
        "bool",
        "Also return how far each example's sum of attributions misses the output's change.",
    ),
    "multiply_by_inputs": Argument("bool", "Multiply slopes by the difference between input and baseline."),
    "eps": Argument(
        "float ≥ 0",
        "Smallest change of a value that a slope is computed from; below it the gradient is used.",
    ),
    "custom_attribution_func": Argument(
        "function",
        "Own formula from (multipliers), (…, inputs) or (…, inputs, baselines) to attributions.",
    ),
    "feature_mask": Argument(
        "integers that broadcast to each input",
        "Integer tensors shaped like the inputs: positions with the same number are one feature.",
    ),
    "perturbations_per_eval": Argument(
        "int ≥ 1",
        "Most perturbed copies of the batch in one pass; at 1 it is chosen automatically.",
    ),
    "layer": Argument(
        "module, Layer, or list of them",
        "The module whose values are explained, Layer(module, call=…) for one of its calls, or a list of those.",
    ),
    "device_ids": Argument("list of ints", "Taken for Captum's sake; a model spread over devices is refused."),
    "token": Argument(
        "int",
        "The token of the last layer that is explained: 0 the class token, -1 the last, None the mean of all.",
    ),
    "memory_efficient": Argument("bool", "Keep what the backward pass needs in the CPU's memory."),
    "attribute_to_layer_input": Argument("bool", "Take what enters the layer instead of what leaves it."),
    "attribute_to_neuron_input": Argument(
        "bool",
        "Take the neuron from what enters the layer instead of what leaves it.",
    ),
    "neuron_selector": Argument(
        "int, tuple of ints and slices, or function",
        "The neuron: an index, an index or slice per dimension, or a function of the layer's values.",
    ),
    "grad_kwargs": Argument("dict", "Further options of torch.autograd.grad."),
    "layer_baselines": Argument(
        "number or tensor, for each tensor of the layer; a list for a list of layers",
        "What an absent value of the layer looks like: a number or a tensor; zero if not given.",
    ),
    "layer_mask": Argument(
        "integers that broadcast to the layer's values; a list for a list of layers",
        "Integer tensors shaped like the layer's values: positions with the same number are one feature.",
    ),
    "relu_attributions": Argument("bool", "Keep only what speaks for the score."),
    "attr_dim_summation": Argument("bool", "Add the weighted maps up to one."),
    "interpolate_mode": Argument(
        "str",
        "How the coarse map is stretched over the input, as in torch.nn.functional.interpolate.",
    ),
    "perm_func": Argument(
        "function",
        "Own way to shuffle: from an input and the mask of a feature to an input of the same shape.",
    ),
    "n_samples": Argument("int ≥ 1", "How much is drawn at random: more is more exact and slower."),
    "estimator": Argument(
        '"sets" or "orders"',
        "Estimate from sets of features (the most exact), or from random orders of them as Captum does.",
    ),
    "tolerance": Argument(
        "float between 0 and 1",
        "Go on until the error, or the last change of the result, is below this share of it.",
    ),
    "seed": Argument(
        "int ≥ 0",
        "The same seed gives the same result; without it, one draw from the global random state decides.",
    ),
    "n_masks": Argument("int ≥ 1", "Random masks to look through: more is more exact and slower."),
    "grid_size": Argument(
        "int ≥ 1",
        "Cells of a mask in each dimension: more show finer structures and need more masks.",
    ),
    "probability": Argument("float between 0 and 1", "How likely a cell of a mask shows the input."),
    "interpretable_model": Argument(
        "object with fit and representation",
        "What is fitted to the samples: Lasso, Ridge, LinearRegression, or anything that can fit.",
    ),
    "similarity_func": Argument(
        "function",
        "How much a sample counts: from input, perturbed input and its features to a number.",
    ),
    "perturb_func": Argument(
        "function",
        "Own way to disturb inputs or draw samples: from the input to a disturbed one, or to its features.",
    ),
    "perturb_interpretable_space": Argument("bool", "Whether samples are drawn as features rather than as inputs."),
    "from_interp_rep_transform": Argument("function", "From features (1, n) and the input to a perturbed input."),
    "to_interp_rep_transform": Argument("function", "From a perturbed input and the input to features (1, n)."),
    "return_input_shape": Argument(
        "bool",
        "Whether each position gets its feature's value, or one row of values is returned.",
    ),
    "attribution_method": Argument("Attribution", "The method that explains each noisy copy."),
    "nt_type": Argument(
        "str",
        "Mean (smoothgrad), mean square (smoothgrad_sq) or variance (vargrad) over noisy copies.",
    ),
    "nt_samples": Argument("int ≥ 1", "Noisy copies of each example."),
    "nt_samples_batch_size": Argument(
        "int ≥ 1",
        "Most noisy copies in one call of the other method; chosen if not given.",
    ),
    "stdevs": Argument(
        "float ≥ 0, for each input",
        "Standard deviation of the noise, one for all inputs or one for each.",
    ),
    "draw_baseline_from_distrib": Argument("bool", "Draw each copy's baseline from the rows of `baselines`."),
    "verbose": Argument("bool", "Print which rule is applied to which operation."),
    "composite": Argument(
        "str or Composite",
        "Rules for the whole model by name, such as epsilon-gamma-box, or a Composite; Captum's if not given.",
    ),
    "show_progress": Argument("bool", "Show a progress bar (needs tqdm)."),
    "sliding_window_shapes": Argument(
        "tuple of ints, for each input",
        "Shape of the window that is hidden, without the batch dimension, for each input.",
    ),
    "strides": Argument(
        "int or tuple of ints, for each input",
        "How far the window moves in each dimension; 1 if not given.",
    ),
    "forward_func": Argument(
        "module or function",
        "The model, or any function of the inputs, that returns a score or a row of outputs per example.",
    ),
    "model": Argument(
        "module or function",
        "The model; DeepLIFT, LRP and their like follow the operations inside of it.",
    ),
    "kwargs": Argument("keywords", "Further arguments, of the method or of the functions that are called."),
    "start_point": Argument(
        "number or (B | 1, …) tensor, for each input",
        "The baselines that attributions were made with.",
    ),
    "end_point": Argument("(B, …) tensor, or tuple of them", "The inputs that attributions were made for."),
    "attributions": Argument("(B, …) tensor, or tuple of them", "What a method returned."),
    "output": Argument("(B,) tensor", "The score of each example."),
    "attr_method": Argument("FeatureAblation", "The method that explains the data."),
    "dataloader": Argument("iterable of batches", "A DataLoader, or anything else that can be read several times."),
    "input_roles": Argument(
        "tuple of 0, 1 and 2",
        "Of each element of a batch: 0 it is attributed to, 1 only passed to the model, 2 only to reduce.",
    ),
    "reduce": Argument("function", "From what was accumulated (first None), output and batch to what is accumulated."),
    "to_metric": Argument("function", "From what was accumulated to a tensor of M numbers."),
    "perturbations_per_pass": Argument("int ≥ 1", "Features that are removed by turns in one reading of the data."),
    "explanation_func": Argument(
        "function",
        "From inputs and further keywords to attributions, as a method's attribute.",
    ),
    "perturb_radius": Argument("float", "How far the default perturb_func moves each value."),
    "n_perturb_samples": Argument("int ≥ 1", "Disturbed copies of each example."),
    "norm_ord": Argument('"fro", or a number', "The norm in which explanations are compared."),
    "max_examples_per_batch": Argument("int ≥ 1", "Most rows in one pass through the model."),
    "normalize": Argument("bool", "Scale each example's attributions by the factor that fits best."),
}
"""Every public argument, said once: `help()` and the forms of the dashboard are made from this."""


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


def as_baselines(baselines: Baseline, inputs: Tensors) -> Tensors:
    """A baseline of each input's shape and dtype (expanded, not copied); None is zero."""
    each = baseline_of_each(baselines, len(inputs))
    return tuple(as_baseline(b, x, place) for place, (b, x) in enumerate(zip(each, inputs, strict=True)))


def baseline_of_each(baselines: Baseline, count: int) -> tuple[Any, ...]:
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


def as_copies(perturbations_per_eval: int, batch: int) -> int | None:
    """The rows of one pass that a caller asked for as copies of the batch; at 1 they are chosen by what fits."""
    copies = at_least("perturbations_per_eval", perturbations_per_eval, 1)
    return None if copies == 1 else copies * batch


def owned(value: Any) -> Any:
    """A tensor that autograd may use: those made in inference mode are copied."""
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value
