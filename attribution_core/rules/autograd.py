"""Operations with a backward pass of ours, and what torch has no public name for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from attribution_core.types import Tensors

__all__ = [
    "TORCH_NN",
    "Pull",
    "TreeSpec",
    "checkpointing",
    "followed_inside",
    "kept",
    "replaced",
    "saving_hooks",
    "tensors_in",
    "transforms",
    "tree_flatten",
    "tree_unflatten",
    "version",
]

Pull = Callable[[Tensor], Tensor | Tensors]
"""From the gradient of an operation's result to the gradient of its input, or of each of its inputs."""

TORCH_NN = torch._C._nn
"""Where torch keeps the operations of nn.functional that it computes in C++."""

saving_hooks: Callable[[bool], tuple[Callable[..., object], ...] | None]
saving_hooks = torch._C._autograd._top_saved_tensors_default_hooks
"""Who is asked to save a tensor for the backward pass now; None: nobody but autograd."""

transforms: Callable[[], object] = torch._C._functorch.peek_interpreter_stack
"""What of torch.func (vmap, grad, …) stands between a model and its tensors now; None: nothing."""


class Replaced(torch.autograd.Function):
    """An operation whose result and gradient come from `rule(*xs) -> (result, pull)`."""

    @staticmethod
    def forward(ctx: _Context, rule: Callable[..., tuple[Tensor, Pull]], *xs: Tensor) -> Tensor:
        """The result."""
        result, ctx.pull = rule(*xs)
        return result

    @staticmethod
    def backward(ctx: _Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The rule's gradient."""
        pulled = ctx.pull(gradients[0])
        return None, *(pulled if isinstance(pulled, tuple) else (pulled,))


class _Context(torch.autograd.function.FunctionCtx):
    pull: Pull


def replaced(rule: Callable[..., tuple[Tensor, Pull]], *xs: Tensor) -> Tensor:
    """Apply a rule to tensors within autograd."""
    return Replaced.apply(rule, *xs)  # type: ignore[no-any-return]


def tensors_in(value: object) -> list[Tensor]:
    """All tensors inside tuples, lists, dicts and what else torch can flatten."""
    if isinstance(value, Tensor):
        return [value]
    return [leaf for leaf in tree_flatten(value)[0] if isinstance(leaf, Tensor)]


def version(value: Tensor) -> int:
    """How often a tensor was changed in place."""
    return value._version


def checkpointing() -> bool:
    """Whether torch.utils.checkpoint would compute again, in the backward pass, what is computed now."""
    hooks = saving_hooks(False)
    return hooks is not None and getattr(hooks[0], "__module__", "") == "torch.utils.checkpoint"


def kept() -> AbstractContextManager[None]:
    """What is computed inside is kept for the backward pass, also in a checkpointed function."""
    return saved_tensors_hooks(Tensor.detach, _same)  # a result that a node keeps must not keep the node


def followed_inside(value: Tensor) -> bool:
    """Whether the tensor that torch.func hands on as `value` depends on the inputs."""
    while torch._C._functorch.is_functorch_wrapped_tensor(value):
        value = torch._C._functorch.get_unwrapped(value)
    return value.requires_grad


def _same(value: Tensor) -> Tensor:
    return value
