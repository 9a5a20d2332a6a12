"""How far an explanation can be trusted: infidelity and sensitivity [yeh2019].

Both perturb the inputs n times. Perturbed copies are drawn in blocks of a fixed size, and then evaluated in chunks that
fit: the size of a chunk changes no result.
"""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.chunks import in_chunks, rows_that_fit
from attribution_core.evaluation.isolation import seeded, submodules, undisturbed
from attribution_core.evaluation.observe import checkpoint, report
from attribution_core.question.question import Question
from attribution_core.question.target_forms import as_target
from attribution_core.reading.arguments import (
    as_baselines,
    as_extra,
    as_inputs,
    at_least,
    owned,
)
from attribution_core.reading.help import with_arguments
from attribution_core.types import Baseline, TargetLike, TensorOrTuple, Tensors

DRAWN = 1 << 24
"""Most input elements that are perturbed in one call of a perturbation function (unless one batch has more)."""

Block = tuple[Tensors, ...]
"""Perturbed copies of a batch, tensors (B, copies, …): disturbed inputs, for infidelity after the disturbances."""
Perturb = Callable[..., object]
"""A user's function from inputs to what `infidelity` and `sensitivity_max` say; it is checked when it returns."""


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
    samples, rows = _counts(n_perturb_samples, max_examples_per_batch)
    originals = as_inputs(inputs, differentiable=False)
    explanation = _as_attributions(attributions, originals)
    single = isinstance(inputs, Tensor)
    as_baselines(baselines, originals)  # refuses what does not fit
    explained = as_target(target, len(originals[0]))
    _check_callable("perturb_func", perturb_func)
    _check_callable("forward_func", forward_func)
    with undisturbed(submodules(forward_func), originals), _seeded(seed, originals), torch.no_grad():
        xs = tuple(owned(x).detach() for x in originals)
        question = Question(forward_func, (explained,), extra=tuple(map(owned, as_extra(additional_forward_args))))
        draws = _Draws(xs, single, samples, lambda *x: _as_pair(perturb_func(*x)), baselines)
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
        _check_callable("perturb_func", perturb_func)
        takes_baselines = _takes(perturb_func, 2)

        @functools.wraps(perturb_func)
        def wrapped(inputs: Tensor | Tensors, baselines: Baseline = None) -> tuple[Tensors, Tensors]:
            xs = as_inputs(inputs, differentiable=False)
            arguments = (inputs, baselines) if takes_baselines and baselines is not None else (inputs,)
            disturbed = _tensors(perturb_func(*arguments))
            _check_alike("perturb_func returned", disturbed, xs)
            disturbances = tuple(x - d for x, d in zip(xs, disturbed, strict=True))
            if not multiply_by_inputs:
                return disturbances, disturbed
            ranges = (torch.where(x == b, 1, x - b) for x, b in zip(xs, as_baselines(baselines, xs), strict=True))
            return tuple(i / r for i, r in zip(disturbances, ranges, strict=True)), disturbed

        return wrapped

    return decorate


def default_perturb_func(inputs: Tensor | Tensors, perturb_radius: float = 0.02) -> Tensors:
    """The inputs, each value moved by an independent uniform amount within ± `perturb_radius`."""
    return tuple(x + _noise(x, perturb_radius) for x in _tensors(inputs))


def _noise(x: Tensor, radius: float) -> Tensor:
    noise = torch.empty(x.shape, dtype=torch.float32, device=x.device).uniform_(-radius, radius)
    return noise.to(x.dtype) if x.is_floating_point() else noise


@with_arguments
def sensitivity_max(
    explanation_func: Callable[..., TensorOrTuple],
    inputs: Tensor | Tensors,
    perturb_func: Perturb = default_perturb_func,
    perturb_radius: float = 0.02,
    n_perturb_samples: int = 10,
    norm_ord: str | float = "fro",
    max_examples_per_batch: int | None = None,
    *,
    seed: int | None = None,
    **kwargs: object,
) -> Tensor:
    """Largest ‖explanation(x′) − explanation(x)‖ / ‖explanation(x)‖ over disturbed inputs x′, shape (B,).

    This is the maximum of [yeh2019, definition 3.1], estimated from samples and relative to the explanation.
    `perturb_func(inputs)`, or `perturb_func(inputs, perturb_radius)` if it takes two arguments, gets each example
    repeated n times, one after the other, and returns the disturbed inputs. `explanation_func(inputs, **kwargs)` is
    called with these rows; `target`, `baselines`, `additional_forward_args` and `feature_mask` with a row for each
    example are repeated along. An example's explanation is one vector over all inputs; `norm_ord` is "fro", "nuc" (both
    the Euclidean norm of a vector) or any order of torch.linalg.vector_norm. Where the explanation of x is zero the
    norm of the change is returned as it is. `seed` and `max_examples_per_batch` are as in `infidelity`.
    """
    samples, rows = _counts(n_perturb_samples, max_examples_per_batch)
    order = _norm_order(norm_ord)
    originals = as_inputs(inputs, differentiable=False)
    single = isinstance(inputs, Tensor)
    _check_callable("perturb_func", perturb_func)
    _check_callable("explanation_func", explanation_func)
    if kwargs.get("return_convergence_delta"):
        raise AttributionError(
            "sensitivity_max: return_convergence_delta=True is not part of an explanation.", "Omit it."
        )
    if not perturb_radius >= 0:
        raise AttributionError(f"perturb_radius={perturb_radius!r}: expected a number ≥ 0.")
    radius = (perturb_radius,) if _takes(perturb_func, 2) else ()
    with undisturbed(submodules(explanation_func), originals), _seeded(seed, originals):
        xs = tuple(owned(x).detach() for x in originals)
        draws = _Draws(xs, single, samples, lambda x: (_tensors(perturb_func(x, *radius)),))
        batch = len(xs[0])
        reference: list[Tensor] = []

        def explained(values: Tensors, copies: int) -> Tensor:
            """Explanations of `copies` rows for each example, as vectors (B · copies, elements)."""
            checkpoint()
            explanation = explanation_func(values[0] if single else values, **_repeated_kwargs(kwargs, batch, copies))
            return _as_vectors(explanation, batch * copies)

        def part(block: Block, start: int, stop: int) -> Tensor:
            """How far the explanation of each copy and example moves, (copies, B)."""
            reference[:] = reference or [explained(xs, 1)]
            copies = stop - start
            disturbed = tuple(x[:, start:stop].flatten(0, 1) for x in block[0])
            change = explained(disturbed, copies).reshape(batch, copies, -1) - reference[0][:, None]
            norms: Tensor = torch.linalg.vector_norm(change, order, dim=2)
            return norms.T

        largest = functools.reduce(torch.maximum, (norms.amax(0) for norms in draws.evaluated(part, rows)))
        size = torch.linalg.vector_norm(reference[0], order, dim=1)
        return largest / torch.where(size == 0, 1.0, size)


class _Draws:
    """The perturbed copies of a batch, drawn block by block."""

    def __init__(
        self, xs: Tensors, single: bool, samples: int, draw: Callable[..., Block], baselines: Baseline = None
    ) -> None:
        self.xs, self.single, self.samples, self.draw, self.baselines = xs, single, samples, draw, baselines
        self.block = max(1, min(samples, DRAWN // max(1, sum(x.numel() for x in xs))))

    def evaluated(self, part: Callable[[Block, int, int], Tensor], rows: int | None) -> Iterator[Tensor]:
        """`part(block, start, stop)` over all copies, in chunks that fit."""
        batch = len(self.xs[0])
        if batch == 0:
            raise AttributionError("The inputs have no rows.", "Pass at least one example.")
        report(0, self.samples)
        for first in range(0, self.samples, self.block):
            count = min(self.block, self.samples - first)
            compute = functools.partial(part, self._drawn(count))
            chunks = in_chunks(count, compute, batch, rows_that_fit(self.xs, rows), reported=False)
            for done, chunk in _counted(chunks, first):
                yield chunk
                report(done, self.samples)

    def _drawn(self, count: int) -> Block:
        repeated = tuple(x.repeat_interleave(count, 0) for x in self.xs)
        arguments = () if self.baselines is None else (_rows(self.baselines, len(self.xs[0]), count),)
        block = self.draw(repeated[0].clone() if self.single else tuple(x.clone() for x in repeated), *arguments)
        for tensors in block:
            _check_alike("perturb_func returned", tensors, repeated)
        return tuple(tuple(x.detach().reshape(-1, count, *x.shape[1:]) for x in tensors) for tensors in block)


def _counted(chunks: Iterator[Tensor], done: int) -> Iterator[tuple[int, Tensor]]:
    for chunk in chunks:
        done += chunk.shape[-2]
        yield done, chunk


def _copies(x: Tensor, start: int, stop: int) -> Tensor:
    """Copies start…stop of (B, copies, …), copy after copy: (stop − start, B, …)."""
    return x[:, start:stop].transpose(0, 1)


def _dot(disturbances: Tensor, attribution: Tensor) -> Tensor:
    """Sum over an example's values of (copies, B, …) · (B, …), in float32 or better: (copies, B)."""
    dtype = functools.reduce(torch.promote_types, [disturbances.dtype, attribution.dtype, torch.float32])
    products = disturbances.to(dtype) * attribution.to(dtype)
    return products.flatten(2).sum(2) if attribution.dim() > 1 else products


def _scores(question: Question, xs: Tensors) -> Tensor:
    scores = question.scores(tuple(x.clone() for x in xs))[:, 0]
    if scores.numel() != len(xs[0]):
        raise AttributionError(
            f"infidelity: the model gave {scores.numel()} scores for {len(xs[0])} examples.",
            "It must return one for each; otherwise pass examples one by one.",
        )
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _as_vectors(explanation: object, rows: int) -> Tensor:
    parts = _tensors(explanation)
    if not parts or any(p.dim() == 0 or len(p) != rows for p in parts):
        raise AttributionError(
            f"explanation_func returned shapes {[tuple(p.shape) for p in parts]} for {rows} rows.",
            "An explanation has one row for each example.",
        )
    dtype = functools.reduce(torch.promote_types, [p.dtype for p in parts], torch.float32)
    return torch.cat([p.detach().to(dtype).reshape(rows, -1) for p in parts], 1)


def _repeated_kwargs(kwargs: dict[str, object], batch: int, copies: int) -> dict[str, object]:
    if copies == 1:
        return kwargs
    of_examples = {"target", "baselines", "additional_forward_args", "feature_mask"}
    return {name: _rows(value, batch, copies) if name in of_examples else value for name, value in kwargs.items()}


def _rows(value: object, batch: int, copies: int) -> object:
    """Each example's row repeated, in a tensor or list, or in each entry of a tuple; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(_rows(entry, batch, copies) if isinstance(entry, Tensor) else entry for entry in value)
    if isinstance(value, list) and len(value) == batch:
        return [entry for entry in value for _ in range(copies)]
    if isinstance(value, Tensor) and value.dim() and len(value) == batch:
        return value.repeat_interleave(copies, 0)
    return value


def _as_pair(returned: object) -> tuple[Tensors, Tensors]:
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        arrived = f"{len(returned)} values" if isinstance(returned, (tuple, list)) else f"a {type(returned).__name__}"
        raise AttributionError(
            f"perturb_func returned {arrived}, not (disturbances, disturbed inputs).",
            "Return both, or decorate it with @infidelity_perturb_func_decorator().",
        )
    return _tensors(returned[0]), _tensors(returned[1])


def _tensors(value: object) -> Tensors:
    entries = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    for entry in entries:
        if not isinstance(entry, Tensor):
            raise AttributionError(f"Expected a tensor or a tuple of tensors, not a {type(entry).__name__}.")
    return entries


def _check_alike(what: str, actual: Tensors, expected: Tensors) -> None:
    if [x.shape for x in actual] != [x.shape for x in expected]:
        raise AttributionError(
            f"{what} shapes {[tuple(x.shape) for x in actual]}, not {[tuple(x.shape) for x in expected]}.",
            "Each input comes with its rows repeated; return tensors of the shapes that arrive.",
        )


def _as_attributions(attributions: Tensor | Tensors, xs: Tensors) -> Tensors:
    parts = tuple(owned(part).detach() for part in _tensors(attributions))
    if [p.shape for p in parts] != [x.shape for x in xs]:
        raise AttributionError(
            f"attributions have shapes {[tuple(p.shape) for p in parts]}, inputs {[tuple(x.shape) for x in xs]}.",
            "They must match; for a layer's attributions pass the model from that layer on.",
        )
    return parts


def _counts(samples: int, rows: int | None) -> tuple[int, int | None]:
    return (
        at_least("n_perturb_samples", samples, 1),
        None if rows is None else at_least("max_examples_per_batch", rows, 1),
    )


def _norm_order(order: str | float) -> float:
    if order in ("fro", "nuc"):
        return 2.0
    if isinstance(order, bool) or not isinstance(order, (int, float)) or order != order:
        raise AttributionError(f'norm_ord={order!r}: expected "fro", "nuc", or a number (inf and -inf included).')
    return float(order)


def _check_callable(name: str, value: object) -> None:
    if not callable(value):
        raise AttributionError(f"{name} is a {type(value).__name__}, which cannot be called.")


def _takes(function: Callable[..., object], count: int) -> bool:
    """Whether `count` positional arguments may be passed."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True


@contextmanager
def _seeded(seed: int | None, xs: Tensors) -> Iterator[None]:
    """Torch, numpy and random start from `seed`, and are restored."""
    if seed is None:
        yield
        return
    kept = np.random.get_state(), random.getstate()
    try:
        with seeded(seed, xs):
            np.random.seed(seed % (1 << 32))
            random.seed(seed)
            yield
    finally:
        np.random.set_state(kept[0])
        random.setstate(kept[1])
