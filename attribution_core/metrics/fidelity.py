"""Infidelity: how well attributions predict what perturbations do to the score."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.isolation import submodules, undisturbed
from attribution_core.metrics.perturbed import (
    Block,
    Perturb,
    PerturbedCopies,
    as_counts,
    as_tensors,
    check_alike,
    check_callable,
    seeded_functions,
    takes,
)
from attribution_core.question.question import Question
from attribution_core.question.target_forms import as_target
from attribution_core.reading.arguments import as_baselines, as_extra, as_inputs, owned
from attribution_core.reading.help import with_arguments
from attribution_core.types import Baseline, TargetLike, Tensors


@with_arguments
def infidelity(
    forward_func: Callable[..., object],
    perturb_func: Perturb,
    inputs: Tensor | Tensors,
    attributions: Tensor | Tensors,
    baselines: Baseline = None,
    additional_forward_args: object = None,
    target: TargetLike = None,
    n_perturb_samples: int = 10,
    max_examples_per_batch: int | None = None,
    normalize: bool = False,
    *,
    seed: int | None = None,
) -> Tensor:
    """Mean over disturbances I of (I · attribution − (f(x) − f(x − I)))², shape (B,) [yeh2019, definition 2.1].

    `perturb_func(inputs)`, or `perturb_func(inputs, baselines)` where there are baselines, gets each example repeated
    n times, one after the other (B·n, …), and returns (disturbances, disturbed inputs) of that shape: tensors for a
    tensor, tuples for a tuple. `normalize` scales each example's attributions by the factor that fits best.
    `max_examples_per_batch` bounds the rows of a forward pass (never less than one batch). With `seed`, torch, numpy
    and random start from it inside the call; the global random state is left as it was. Half precision gives float32.
    """
    samples, rows = as_counts(n_perturb_samples, max_examples_per_batch)
    originals = as_inputs(inputs, differentiable=False)
    explanation = _as_attributions(attributions, originals)
    single = isinstance(inputs, Tensor)
    as_baselines(baselines, originals)  # refuses what does not fit
    explained = as_target(target, len(originals[0]))
    check_callable("perturb_func", perturb_func)
    check_callable("forward_func", forward_func)
    with undisturbed(submodules(forward_func), originals), seeded_functions(seed, originals), torch.no_grad():
        xs = tuple(owned(x).detach() for x in originals)
        question = Question(forward_func, (explained,), extra=tuple(map(owned, as_extra(additional_forward_args))))
        draws = PerturbedCopies(xs, single, samples, lambda *x: _as_pair(perturb_func(*x)), baselines)
        undisturbed_scores: list[Tensor] = []

        def part(block: Block, start: int, stop: int) -> Tensor:
            """Of each copy and example: I · attribution, and f(x) − f(x − I); (2, copies, B)."""
            disturbances, disturbed = block
            undisturbed_scores[:] = undisturbed_scores or [_scores(question, xs)]
            dots = [_dot(_copies(i, start, stop), a) for i, a in zip(disturbances, explanation, strict=True)]
            stacked = tuple(_copies(x, start, stop).flatten(0, 1) for x in disturbed)
            scores = _scores(question.repeated(stop - start), stacked).reshape(stop - start, -1)
            expected, observed = functools.reduce(torch.add, dots), undisturbed_scores[0] - scores
            dtype = torch.promote_types(expected.dtype, observed.dtype)
            return torch.stack([expected.to(dtype), observed.to(dtype)])

        expected, observed = torch.cat(list(draws.evaluated(part, rows)), 1)
        return _distance(expected, observed, normalize)


def _distance(expected: Tensor, observed: Tensor, normalize: bool) -> Tensor:
    """Mean squared distance of (n, B) numbers, (B,).

    With `normalize`, `expected` is scaled by the β = E[expected · observed] / E[expected²] that makes it smallest, so
    that attributions are judged by their proportions only.
    """
    if normalize:
        power = expected.square().mean(0)
        beta = (expected * observed).mean(0) / torch.where(power == 0, 1, power)
        expected = expected * torch.where(power == 0, 1, beta)
    return (expected - observed).square().mean(0)


def infidelity_perturb_func_decorator(
    multiply_by_inputs: bool = True,
) -> Callable[[Perturb], Callable[..., tuple[Tensors, Tensors]]]:
    """Let `perturb_func` return only the disturbed inputs x′; the disturbances are derived from them.

    They are x − x′, and with `multiply_by_inputs` (x − x′) / (x − baseline) where x differs from its baseline: for
    attributions that are slopes times (x − baseline), so that their product is slopes · (x − x′) either way. Baselines
    reach the function only if it takes a second argument.
    """

    def decorate(perturb_func: Perturb) -> Callable[..., tuple[Tensors, Tensors]]:
        check_callable("perturb_func", perturb_func)
        takes_baselines = takes(perturb_func, 2)

        @functools.wraps(perturb_func)
        def wrapped(inputs: Tensor | Tensors, baselines: Baseline = None) -> tuple[Tensors, Tensors]:
            xs = as_inputs(inputs, differentiable=False)
            arguments = (inputs, baselines) if takes_baselines and baselines is not None else (inputs,)
            disturbed = as_tensors(perturb_func(*arguments))
            check_alike("perturb_func returned", disturbed, xs)
            disturbances = tuple(x - d for x, d in zip(xs, disturbed, strict=True))
            if not multiply_by_inputs:
                return disturbances, disturbed
            ranges = (torch.where(x == b, 1, x - b) for x, b in zip(xs, as_baselines(baselines, xs), strict=True))
            return tuple(i / r for i, r in zip(disturbances, ranges, strict=True)), disturbed

        return wrapped

    return decorate


def _copies(x: Tensor, start: int, stop: int) -> Tensor:
    """Copies start…stop of (B, copies, …), copy after copy: (stop − start, B, …)."""
    return x[:, start:stop].transpose(0, 1)


def _dot(disturbances: Tensor, attribution: Tensor) -> Tensor:
    """Sum over an example's values of (copies, B, …) · (B, …), in float32 or better: (copies, B)."""
    dtype = functools.reduce(torch.promote_types, [disturbances.dtype, attribution.dtype, torch.float32])
    products = disturbances.to(dtype) * attribution.to(dtype)
    return products.flatten(2).sum(2) if attribution.dim() > 1 else products


def _scores(question: Question, xs: Tensors) -> Tensor:
    scores = question.scores(xs)[:, 0]
    if scores.numel() != len(xs[0]):
        raise AttributionError(
            f"infidelity: the model gave {scores.numel()} scores for {len(xs[0])} examples.",
            "It must return one for each; otherwise pass examples one by one.",
        )
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _as_pair(returned: object) -> tuple[Tensors, Tensors]:
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        arrived = f"{len(returned)} values" if isinstance(returned, (tuple, list)) else f"a {type(returned).__name__}"
        raise AttributionError(
            f"perturb_func returned {arrived}, not (disturbances, disturbed inputs).",
            "Return both, or decorate it with @infidelity_perturb_func_decorator().",
        )
    return as_tensors(returned[0]), as_tensors(returned[1])


def _as_attributions(attributions: Tensor | Tensors, xs: Tensors) -> Tensors:
    parts = tuple(owned(part).detach() for part in as_tensors(attributions))
    if [p.shape for p in parts] != [x.shape for x in xs]:
        raise AttributionError(
            f"attributions have shapes {[tuple(p.shape) for p in parts]}, inputs {[tuple(x.shape) for x in xs]}.",
            "They must match; for a layer's attributions pass the model from that layer on.",
        )
    return parts
