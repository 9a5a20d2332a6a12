"""Sensitivity: how far an explanation moves when its inputs hardly do."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.isolation import submodules, undisturbed
from attribution_core.evaluation.observe import checkpoint
from attribution_core.metrics.perturbed import (
    Block,
    Perturb,
    PerturbedCopies,
    as_counts,
    as_tensors,
    check_callable,
    repeated_rows,
    seeded_functions,
    takes,
)
from attribution_core.reading.arguments import as_inputs, owned
from attribution_core.reading.help import with_arguments
from attribution_core.types import Tensors


def default_perturb_func(inputs: Tensor | Tensors, perturb_radius: float = 0.02) -> Tensors:
    """The inputs, each value moved by an independent uniform amount within ± `perturb_radius`."""
    return tuple(x + _noise(x, perturb_radius) for x in as_tensors(inputs))


def _noise(x: Tensor, radius: float) -> Tensor:
    noise = torch.empty(x.shape, dtype=torch.float32, device=x.device).uniform_(-radius, radius)
    return noise.to(x.dtype) if x.is_floating_point() else noise


@with_arguments
def sensitivity_max(
    explanation_func: Callable[..., object],
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
    samples, rows = as_counts(n_perturb_samples, max_examples_per_batch)
    order = _norm_order(norm_ord)
    originals = as_inputs(inputs, differentiable=False)
    single = isinstance(inputs, Tensor)
    check_callable("perturb_func", perturb_func)
    check_callable("explanation_func", explanation_func)
    if kwargs.get("return_convergence_delta"):
        raise AttributionError(
            "sensitivity_max: return_convergence_delta=True is not part of an explanation.", "Omit it."
        )
    if not perturb_radius >= 0:
        raise AttributionError(f"perturb_radius={perturb_radius!r}: expected a number ≥ 0.")
    radius = (perturb_radius,) if takes(perturb_func, 2) else ()
    with undisturbed(submodules(explanation_func), originals), seeded_functions(seed, originals):
        xs = tuple(owned(x).detach() for x in originals)
        draws = PerturbedCopies(xs, single, samples, lambda x: (as_tensors(perturb_func(x, *radius)),))
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


def _as_vectors(explanation: object, rows: int) -> Tensor:
    parts = as_tensors(explanation)
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
    return {
        name: repeated_rows(value, batch, copies) if name in of_examples else value for name, value in kwargs.items()
    }


def _norm_order(order: str | float) -> float:
    if order in ("fro", "nuc"):
        return 2.0
    if isinstance(order, bool) or not isinstance(order, (int, float)) or order != order:
        raise AttributionError(f'norm_ord={order!r}: expected "fro", "nuc", or a number (inf and -inf included).')
    return float(order)
