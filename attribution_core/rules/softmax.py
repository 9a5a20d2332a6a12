"""DeepLIFT's multipliers of softmax, log-softmax and logsumexp, which an offset common to all x leaves as they are.

With shares p = softmax(x), before p⁰, Δlog p_i = Δx_i − Δlogsumexp(x), and Δp_i = m_i Δlog p_i by the Rescale rule for
exp, where m_i = Δp_i / Δlog p_i is the logarithmic mean of p_i and p_i⁰. Since Σ m_i Δlog p_i = ΣΔp_i = 0,

    Δlogsumexp(x) = Σ w_i Δx_i,  w_i = m_i / Σm  [sato1976].

The weights are positive and sum to 1. The multipliers of softmax, m_i (δ_ij − w_j), are at most 1 and sum to 0 over i
and over j, as derivatives do: what is common to all logits contributes nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.precision import accumulator
from attribution_core.rules.autograd import Pull, replaced
from attribution_core.rules.intercept import Call
from attribution_core.rules.products import Places
from attribution_core.types import Tensors

Dims = tuple[int, ...]


def normalised(call: Call, places: Places, references: Tensors, eps: float) -> Tensor:  # noqa: ARG001 - no quotients
    """The result, each example by itself; its contributions sum to its change."""
    name, (x, *arguments) = call.name, call.args
    dims, keeps = _dimensions(call), (*arguments[1:], call.kwargs.get("keepdim", False))[0]
    dtypes = (value for value in (*arguments, *call.kwargs.values()) if isinstance(value, torch.dtype))
    x, sign = x.to(next(dtypes, x.dtype)), -1 if name == "softmin" else 1

    def rule(x: Tensor) -> tuple[Tensor, Pull]:
        at, reference = (value.to(accumulator(x.dtype)) for value in (x, sign * references[0]))
        log_shares = _log_shares(at, dims)
        means = _Means.of(log_shares, _log_shares(reference, dims), dims)
        if name == "logsumexp":
            result = at.logsumexp(dims, keeps)
        else:
            result = log_shares if name == "log_softmax" else log_shares.exp()

        def pull(gradient: Tensor) -> Tensor:
            g = gradient.to(at.dtype)
            if name == "logsumexp":
                return means.of_logsumexp(g if keeps else _with_dimensions(g, dims, x.dim())).to(gradient.dtype)
            return (means.of_log_softmax(g) if name == "log_softmax" else means.of_softmax(g)).to(gradient.dtype)

        return result.to(x.dtype), pull

    return replaced(rule, sign * x)


def _dimensions(call: Call) -> Dims:
    dim = call.args[1] if len(call.args) > 1 else call.kwargs.get("dim")
    if isinstance(dim, int):
        return (dim,)
    if not isinstance(dim, (tuple, list)):
        raise AttributionError(f"{call.name} without dim= cannot be explained.", "Give the dimension it runs over.")
    return tuple(dim)


def _with_dimensions(value: Tensor, dims: Dims, size: int) -> Tensor:
    """A value that was summed over some dimensions, with those of size 1."""
    for dim in sorted(d % size for d in dims):
        value = value.unsqueeze(dim)
    return value


def _log_shares(x: Tensor, dims: Dims) -> Tensor:
    """log softmax(x); an offset of all x changes nothing but their own rounding."""
    below = x - x.amax(dims, keepdim=True)
    return below - below.exp().sum(dims, keepdim=True).log()


class _Means(NamedTuple):
    """m and w of above. It keeps no result: whose node would then hold itself, for good."""

    means: Tensor
    weights: Tensor
    dims: Dims

    @classmethod
    def of(cls, log_shares: Tensor, before: Tensor, dims: Dims) -> _Means:
        """(p − p⁰) / (log p − log p⁰) without a difference of p; 0 of what is masked, p = p⁰ = 0."""
        larger, change = torch.maximum(log_shares, before).exp(), (log_shares - before).abs()
        means = torch.where(change > 0, larger * -(-change).expm1() / change, larger)
        means = torch.where(larger > 0, means, 0)
        total = means.sum(dims, keepdim=True)
        return cls(means, means / total.clamp(min=torch.finfo(total.dtype).tiny), dims)

    def of_softmax(self, gradient: Tensor) -> Tensor:
        return self.means * (gradient - (gradient * self.weights).sum(self.dims, keepdim=True))

    def of_log_softmax(self, gradient: Tensor) -> Tensor:
        return gradient - self.of_logsumexp(gradient.sum(self.dims, keepdim=True))

    def of_logsumexp(self, gradient: Tensor) -> Tensor:
        return gradient * self.weights
