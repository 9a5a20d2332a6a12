"""For which models, inputs and features incremental passes pay, and the passes themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attribution_core.evaluation.chunks import rows_that_fit
from attribution_core.evaluation.isolation import submodules
from attribution_core.evaluation.observe import is_counting
from attribution_core.incremental import operations  # noqa: F401 - which registers the answers
from attribution_core.incremental.boxes import hidden_boxes
from attribution_core.incremental.covered import Covered, Function, inside
from attribution_core.question.question import Question
from attribution_core.question.target import Output
from attribution_core.reading.masks import Features
from attribution_core.rules.intercept import hides_operations
from attribution_core.types import Tensors

FEWEST_VALUES = 1 << 20
"""Features times positions from which it is asked whether incremental passes pay: to ask takes some milliseconds."""

LEAST_SAVED = 1.6
"""How many times the multiplications of incremental passes those of full ones must be; smaller kernels are slower."""

PACKED = 4
"""Times as many rows as in a full pass, as each holds less; a pass of fewer than `FEWEST_WINDOWS` computes the base
too often."""

FEWEST_WINDOWS = 8

LOOKED_AT = 5
"""Features that the question is asked of."""

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def windows_of_a_pass(question: Question, inputs: Tensors, features: Features, rows: int | None) -> int:
    """How many features one incremental pass takes, 0 where full passes are better; `rows`: what a caller asked for.

    Models are taken as they are: in evaluation mode, without hooks of the user's, on a CPU.
    """
    if not _is_open_to_it(question, inputs, features):
        return 0
    windows = rows_that_fit(inputs, rows or PACKED * rows_that_fit(inputs))
    return windows if windows >= FEWEST_WINDOWS and _saved(question, inputs[0], features) >= LEAST_SAVED else 0


def incremental_passes(
    question: Question, x: Tensor, instead: Tensor, hidden: Tensor
) -> Iterator[tuple[Question, Tensors]]:
    """For each example of x a question and what to ask it of, which give the scores of its k changes.

    `hidden`, (k, 1 or B, channels, …), is true where a change has other values, those of `instead`, (B, channels, …).
    """
    count, batch = len(hidden), len(x)
    for row in range(batch):
        where = hidden[:, row if hidden.shape[1] > 1 else 0]
        own = question.examples(row, row + 1, batch) if batch > 1 else question
        yield own.repeated(count, disposable=True), (_covered(x[row], instead[row], where),)


def _covered(x: Tensor, instead: Tensor, hidden: Tensor) -> Covered:
    boxes = hidden_boxes(hidden)
    places = [inside(start, boxes.size) for start in boxes.starts]
    patches = [torch.where(mask[at], instead[at], x[at]) for mask, at in zip(hidden, places, strict=True)]
    return Covered(x[None].clone(), torch.stack(patches), boxes)


def _is_open_to_it(question: Question, inputs: Tensors, features: Features) -> bool:
    x, model = inputs[0], question.forward
    if is_counting() or len(inputs) > 1 or question.extra or question.copies > 1:
        return False
    if x.dim() < 3 or not len(x) or not x.is_floating_point() or x.device.type != "cpu":
        return False
    if features.count * x.shape[2:].numel() < FEWEST_VALUES or not isinstance(model, nn.Module):
        return False
    if len(x) > 1 and not all(isinstance(target, Output) for target in question.targets):
        return False  # a function of the outputs of the whole batch
    modules = submodules(model)
    return any(isinstance(m, CONVOLUTIONS) for m in modules) and not any(map(_is_watched, modules))


def _is_watched(module: nn.Module) -> bool:
    """Whether a module draws, is looked at by hooks, or hides its operations."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    everywhere = (nn.modules.module._global_forward_hooks, nn.modules.module._global_forward_pre_hooks)
    return module.training or any(hooks) or any(everywhere) or hides_operations(type(module))


def _saved(question: Question, x: Tensor, features: Features) -> float:
    """How many times the multiplications of incremental passes full ones take, told by a pass without any rows."""
    step = max(1, features.count // LOOKED_AT)
    hidden = [features.hidden(place, place + 1)[0][:, 0] for place in range(step // 2, features.count, step)]
    boxes = hidden_boxes(torch.cat(hidden))
    work = Work()
    try:
        with torch.no_grad(), work:
            question.forward(Covered(x[:0], x.new_empty(0, x.shape[1], *boxes.size), boxes))
    except Exception:  # of a model that does not take a batch without rows
        return 0.0
    return work.whole / max(1.0, work.done)


class Work(TorchFunctionMode):
    """Counts the multiplications for a row, in `whole` passes, and where only boxes are computed: `done`.

    Rows are missing, so that this takes no time; torch then wants sizes that it could otherwise tell.
    """

    def __init__(self) -> None:
        super().__init__()
        self.whole = self.done = 0.0

    def __torch_function__(
        self, func: Function, types: object, args: Sequence[Any] = (), kwargs: dict[str, object] | None = None
    ) -> object:
        """What torch returns."""
        if func in RESHAPING and len(args) > 1:
            args = (args[0], _without_rows(args[0], args[1] if isinstance(args[1], Sequence) else args[1:]))
        result = func(*args, **(kwargs or {}))
        if func in WEIGHTED and len(args) > 1:
            places = result.shape[1:-1] if func is F.linear else result.shape[2:]
            products = args[1].numel() * places.numel()
            self.whole += products
            self.done += products * (result.boxes.share(places) if isinstance(result, Covered) else 1)
        return result


WEIGHTED = frozenset({F.conv1d, F.conv2d, F.conv3d, F.linear})
RESHAPING = frozenset({Tensor.view, Tensor.reshape, torch.reshape})


def _without_rows(x: Tensor, sizes: Sequence[Any]) -> Sequence[Any]:
    """The sizes of a view, -1 among them told by the rows' size, which torch cannot do where there are none."""
    if -1 not in sizes or sizes[0] != 0:
        return sizes
    known = math.prod(n for n in sizes[1:] if n != -1)
    return [x.shape[1:].numel() // known if n == -1 else n for n in sizes]
