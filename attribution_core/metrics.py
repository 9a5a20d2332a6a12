"""How far an explanation can be trusted: infidelity and sensitivity [yeh2019].

Both disturb the inputs n times. All disturbed copies are drawn first, in blocks of a fixed size, and then evaluated in
chunks that fit: neither the chunk nor the memory that is left changes a result.
"""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.chunks import in_chunks, rows_that_fit
from attribution_core.evaluation.isolation import seeded, submodules, undisturbed
from attribution_core.evaluation.observe import checkpoint, report
from attribution_core.question.question import Question
from attribution_core.question.target import TargetLike, as_target
from attribution_core.reading.arguments import (
    Baselines,
    TensorOrTuple,
    Tensors,
    as_baselines,
    as_extra,
    as_inputs,
    at_least,
    owned,
)

DRAWN = 1 << 24
"""Most input elements that are disturbed in one call of a perturbation function (unless one batch has more)."""


def infidelity(
    forward_func: Callable[..., Any],
    perturb_func: Callable[..., Any],
    inputs: Tensor | Tensors,
    attributions: Tensor | Tensors,
    baselines: Baselines = None,
    additional_forward_args: Any = None,
    target: TargetLike = None,
    n_perturb_samples: int = 10,
    max_examples_per_batch: int | None = None,
    normalize: bool = False,
    *,
    seed: int | None = None,
) -> Tensor:
    """Mean over disturbances I of (I · attribution − (f(x) − f(x − I)))², shape (B,) [yeh2019].

    `perturb_func(inputs)`, or `perturb_func(inputs, baselines)` where baselines are given, gets each example repeated
    n times, one after the other (B·n, …), and returns (disturbances, disturbed inputs) of that shape: tensors for a
    tensor, tuples for a tuple. `normalize` scales each example's attributions by the factor that fits best.
    `max_examples_per_batch` bounds the rows of a forward pass (never less than one batch). With `seed`, torch, numpy
    and random start from it inside the call; the global random state is left as it was. Half precision gives float32.
    """
    samples, rows = _counts(n_perturb_samples, max_examples_per_batch)
    given = as_inputs(inputs, differentiable=False)
    parts = _as_attributions(attributions, given)
    single = isinstance(inputs, Tensor)
    as_baselines(baselines, given)  # refuses what does not fit
    asked = as_target(target, len(given[0]))
    _check_callable("perturb_func", perturb_func)
    _check_callable("forward_func", forward_func)
    with undisturbed(submodules(forward_func), given), _seeded(seed, given), torch.no_grad():
        xs = tuple(owned(x).detach() for x in given)
        question = Question(forward_func, asked, extra=tuple(map(owned, as_extra(additional_forward_args))))
        draws = _Draws(xs, single, samples, lambda *x: _pair(perturb_func(*x)), baselines)
        whole: list[Tensor] = []

        def part(pair: tuple[Tensors, Tensors], start: int, stop: int) -> Tensor:
            whole[:] = whole or [_scores(question, xs)]
            dots = [_dot(_copies(i, start, stop), a) for i, a in zip(pair[0], parts, strict=True)]
            disturbed = tuple(_copies(x, start, stop).flatten(0, 1) for x in pair[1])
            scores = _scores(question.repeated(stop - start), disturbed).reshape(stop - start, -1)
            expected, observed = functools.reduce(torch.add, dots), whole[0] - scores
            wide = torch.promote_types(expected.dtype, observed.dtype)
            return torch.stack([expected.to(wide), observed.to(wide)])

        expected, observed = torch.cat(list(draws.evaluated(part, rows)), 1)
        return _distance(expected, observed, normalize)


def _distance(expected: Tensor, observed: Tensor, normalize: bool) -> Tensor:
    """Mean squared distance of (n, B) numbers, (B,)."""
    if normalize:
        power = expected.square().mean(0)
        fit = (expected * observed).mean(0) / torch.where(power == 0, 1, power)
        expected = expected * torch.where(power == 0, 1, fit)
    return (expected - observed).square().mean(0)


def infidelity_perturb_func_decorator(
    multiply_by_inputs: bool = True,
) -> Callable[[Callable[..., Any]], Callable[..., tuple[Tensors, Tensors]]]:
    """Let `perturb_func` return only the disturbed inputs x′; the disturbances are derived from them.

    They are x − x′, and with `multiply_by_inputs` (x − x′) / (x − baseline), the share that was taken away, where x
    differs from its baseline. Baselines reach the function only if it takes a second argument.
    """

    def decorate(perturb_func: Callable[..., Any]) -> Callable[..., tuple[Tensors, Tensors]]:
        _check_callable("perturb_func", perturb_func)
        two = _takes(perturb_func, 2)

        @functools.wraps(perturb_func)
        def wrapped(inputs: Tensor | Tensors, baselines: Baselines = None) -> tuple[Tensors, Tensors]:
            xs = as_inputs(inputs, differentiable=False)
            found = perturb_func(inputs, baselines) if two and baselines is not None else perturb_func(inputs)
            disturbed = _tensors(found)
            _check_alike("perturb_func returned", disturbed, xs)
            gone = tuple(x - d for x, d in zip(xs, disturbed, strict=True))
            if not multiply_by_inputs:
                return gone, disturbed
            reach = zip(xs, as_baselines(baselines, xs), strict=True)
            shares = tuple(g / torch.where(x == b, 1, x - b) for g, (x, b) in zip(gone, reach, strict=True))
            return shares, disturbed

        return wrapped

    return decorate


def default_perturb_func(inputs: Tensor | Tensors, perturb_radius: float = 0.02) -> Tensors:
    """The inputs, each value moved by an independent uniform amount within ± `perturb_radius`."""
    return tuple(x + _noise(x, perturb_radius) for x in _tensors(inputs))


def _noise(x: Tensor, radius: float) -> Tensor:
    noise = torch.empty(x.shape, dtype=torch.float32, device=x.device).uniform_(-radius, radius)
    return noise.to(x.dtype) if x.is_floating_point() else noise


def sensitivity_max(
    explanation_func: Callable[..., TensorOrTuple],
    inputs: Tensor | Tensors,
    perturb_func: Callable[..., Any] = default_perturb_func,
    perturb_radius: float = 0.02,
    n_perturb_samples: int = 10,
    norm_ord: str | float = "fro",
    max_examples_per_batch: int | None = None,
    *,
    seed: int | None = None,
    **kwargs: Any,
) -> Tensor:
    """Largest ‖explanation(x′) − explanation(x)‖ / ‖explanation(x)‖ over disturbed inputs x′, shape (B,) [yeh2019].

    `perturb_func(inputs)`, or `perturb_func(inputs, perturb_radius)` if it takes two arguments, gets each example
    repeated n times, one after the other, and returns the disturbed inputs. `explanation_func(inputs, **kwargs)` is
    called with these rows; `target`, `baselines`, `additional_forward_args` and `feature_mask` with a row for each
    example are repeated along. An example's explanation is one vector over all inputs; `norm_ord` is "fro", "nuc" (both
    the Euclidean norm of a vector) or any order of torch.linalg.vector_norm. Where the explanation of x is zero the
    norm of the change is returned as it is. `seed` and `max_examples_per_batch` are as in `infidelity`.
    """
    samples, rows = _counts(n_perturb_samples, max_examples_per_batch)
    order = _norm_order(norm_ord)
    given = as_inputs(inputs, differentiable=False)
    single = isinstance(inputs, Tensor)
    _check_callable("perturb_func", perturb_func)
    _check_callable("explanation_func", explanation_func)
    if kwargs.get("return_convergence_delta"):
        raise AttributionError(
            "sensitivity_max: return_convergence_delta=True is no part of an explanation.", "Omit it."
        )
    if not perturb_radius >= 0:
        raise AttributionError(f"perturb_radius={perturb_radius!r}: expected a number ≥ 0.")
    radius = (perturb_radius,) if _takes(perturb_func, 2) else ()
    with undisturbed(submodules(explanation_func), given), _seeded(seed, given):
        xs = tuple(owned(x).detach() for x in given)
        draws = _Draws(xs, single, samples, lambda x: (_tensors(perturb_func(x, *radius)),))
        batch = len(xs[0])
        whole: list[Tensor] = []

        def explained(values: Tensors, copies: int) -> Tensor:
            checkpoint()
            found = explanation_func(values[0] if single else values, **_repeated_kwargs(kwargs, batch, copies))
            return _as_vectors(found, batch * copies)

        def part(drawn: tuple[Tensors], start: int, stop: int) -> Tensor:
            whole[:] = whole or [explained(xs, 1)]
            copies = stop - start
            disturbed = tuple(x[:, start:stop].flatten(0, 1) for x in drawn[0])
            moved = explained(disturbed, copies).reshape(batch, copies, -1) - whole[0][:, None]
            norms: Tensor = torch.linalg.vector_norm(moved, order, dim=2)
            return norms.T

        largest = functools.reduce(torch.maximum, (found.amax(0) for found in draws.evaluated(part, rows)))
        size = torch.linalg.vector_norm(whole[0], order, dim=1)
        return largest / torch.where(size == 0, 1.0, size)


class _Draws:
    """The disturbed copies of a batch: blocks of tuples of tensors (B, copies, …)."""

    def __init__(
        self, xs: Tensors, single: bool, samples: int, draw: Callable[..., tuple[Tensors, ...]], bases: Any = None
    ) -> None:
        self.xs, self.single, self.samples, self.draw, self.bases = xs, single, samples, draw, bases
        self.block = max(1, min(samples, DRAWN // max(1, sum(x.numel() for x in xs))))

    def evaluated(self, part: Callable[[Any, int, int], Tensor], rows: int | None) -> Iterator[Tensor]:
        """`part(block, start, stop)` over all copies, in chunks that fit."""
        batch = len(self.xs[0])
        if batch == 0:
            raise AttributionError("The inputs have no rows.", "Pass at least one example.")
        report(0, self.samples)
        for first in range(0, self.samples, self.block):
            count = min(self.block, self.samples - first)
            drawn = self._drawn(count)
            chunks = in_chunks(
                count, functools.partial(part, drawn), batch, rows_that_fit(self.xs, rows), reported=False
            )
            for done, found in _counted(chunks, first):
                yield found
                report(done, self.samples)

    def _drawn(self, count: int) -> tuple[Tensors, ...]:
        repeated = tuple(x.repeat_interleave(count, 0) for x in self.xs)
        arguments = () if self.bases is None else (_rows(self.bases, len(self.xs[0]), count),)
        found = self.draw(repeated[0].clone() if self.single else tuple(x.clone() for x in repeated), *arguments)
        for tensors in found:
            _check_alike("perturb_func returned", tensors, repeated)
        return tuple(tuple(x.detach().reshape(-1, count, *x.shape[1:]) for x in tensors) for tensors in found)


def _counted(chunks: Iterator[Tensor], done: int) -> Iterator[tuple[int, Tensor]]:
    for chunk in chunks:
        done += chunk.shape[-2]
        yield done, chunk


def _copies(x: Tensor, start: int, stop: int) -> Tensor:
    """Copies start…stop of (B, copies, …), copy after copy: (stop − start, B, …)."""
    return x[:, start:stop].transpose(0, 1)


def _dot(disturbances: Tensor, attribution: Tensor) -> Tensor:
    """Sum over an example's values of (copies, B, …) · (B, …), in float32 or better: (copies, B)."""
    wide = torch.promote_types(torch.promote_types(disturbances.dtype, attribution.dtype), torch.float32)
    return (
        (disturbances.to(wide) * attribution.to(wide)).flatten(2).sum(2)
        if attribution.dim() > 1
        else (disturbances.to(wide) * attribution.to(wide))
    )


def _scores(question: Question, xs: Tensors) -> Tensor:
    scores = question.scores(tuple(x.clone() for x in xs))
    if scores.numel() != len(xs[0]):
        raise AttributionError(
            f"infidelity: the model gave {scores.numel()} scores for {len(xs[0])} examples.",
            "It must return one for each; otherwise pass examples one by one.",
        )
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _as_vectors(explanation: Any, rows: int) -> Tensor:
    parts = _tensors(explanation)
    if not parts or any(p.dim() == 0 or len(p) != rows for p in parts):
        raise AttributionError(
            f"explanation_func returned shapes {[tuple(p.shape) for p in parts]} for {rows} rows.",
            "An explanation has one row for each example.",
        )
    wide = functools.reduce(torch.promote_types, [p.dtype for p in parts], torch.float32)
    return torch.cat([p.detach().to(wide).reshape(rows, -1) for p in parts], 1)


def _repeated_kwargs(kwargs: dict[str, Any], batch: int, copies: int) -> dict[str, Any]:
    if copies == 1:
        return kwargs
    along = {"target", "baselines", "additional_forward_args", "feature_mask"}
    return {name: _rows(value, batch, copies) if name in along else value for name, value in kwargs.items()}


def _rows(value: Any, batch: int, copies: int) -> Any:
    """Each example's row repeated, in a tensor or list, or in each entry of a tuple; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(_rows(entry, batch, copies) if isinstance(entry, Tensor) else entry for entry in value)
    if isinstance(value, list) and len(value) == batch:
        return [entry for entry in value for _ in range(copies)]
    if isinstance(value, Tensor) and value.dim() and len(value) == batch:
        return value.repeat_interleave(copies, 0)
    return value


def _pair(found: Any) -> tuple[Tensors, Tensors]:
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        what = f"{len(found)} values" if isinstance(found, (tuple, list)) else f"a {type(found).__name__}"
        raise AttributionError(
            f"perturb_func returned {what}, not (disturbances, disturbed inputs).",
            "Return both, or decorate it with @infidelity_perturb_func_decorator().",
        )
    return _tensors(found[0]), _tensors(found[1])


def _tensors(value: Any) -> Tensors:
    found = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    for entry in found:
        if not isinstance(entry, Tensor):
            raise AttributionError(f"Expected a tensor or a tuple of tensors, not a {type(entry).__name__}.")
    return found


def _check_alike(what: str, found: Tensors, expected: Tensors) -> None:
    if [x.shape for x in found] != [x.shape for x in expected]:
        raise AttributionError(
            f"{what} shapes {[tuple(x.shape) for x in found]}, not {[tuple(x.shape) for x in expected]}.",
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


def _norm_order(order: Any) -> float:
    if order in ("fro", "nuc"):
        return 2.0
    if isinstance(order, bool) or not isinstance(order, (int, float)) or order != order:
        raise AttributionError(f'norm_ord={order!r}: expected "fro", "nuc", or a number (inf and -inf included).')
    return float(order)


def _check_callable(name: str, value: Any) -> None:
    if not callable(value):
        raise AttributionError(f"{name} is a {type(value).__name__}, which cannot be called.")


def _takes(function: Callable[..., Any], count: int) -> bool:
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
