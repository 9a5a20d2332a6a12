"""`help()` of a method: every argument with its type or shape and its meaning, from the one table of arguments."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import NamedTuple, TypeVar

FunctionT = TypeVar("FunctionT", bound=Callable[..., object])

WIDTH = 110
"""Columns of the text."""


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
    "device_ids": Argument("list of ints", "Accepted as in Captum; a model spread over several devices is refused."),
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
    "layout": Argument(
        '"channels_first", "channels_last", "tokens" or "tokens_first"',
        "How the layer's values lie: (B, C, …), (B, …, C), (B, tokens, C) or (tokens, B, C); found out if not given.",
    ),
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


def documented(cls: type) -> None:
    """Write the arguments into the documentation of a class's constructor and of its `attribute`."""
    for name in ("__init__", "attribute", "compute_convergence_delta"):
        if name in vars(cls):
            with_arguments(vars(cls)[name])


def with_arguments(function: FunctionT) -> FunctionT:
    """The same function; its documentation ends with its arguments, in the order of its signature."""
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    lines = [inspect.cleandoc(function.__doc__ or ""), "", "Args:", *map(_wrapped, parameters)]
    lines += ["", "Raises:", "    AttributionError: An argument is wrong; said before the model runs, where possible."]
    function.__doc__ = "\n".join(lines).lstrip()
    return function


def _wrapped(parameter: inspect.Parameter) -> str:
    wrapper = textwrap.TextWrapper(WIDTH, "    ", "        ", break_long_words=False, break_on_hyphens=False)
    return wrapper.fill(_described(parameter))


def _described(parameter: inspect.Parameter) -> str:
    argument = ARGUMENTS.get(parameter.name)
    if argument is None:  # of a class that is not ours
        return str(parameter)
    given = parameter.default is not inspect.Parameter.empty and parameter.default is not None
    default = f" Default: {_shown(parameter.default)}." if given else ""
    return f"{parameter.name} ({argument.shape}): {argument.meaning}{default}"


def _shown(default: object) -> str:
    return getattr(default, "__name__", None) or repr(default)
