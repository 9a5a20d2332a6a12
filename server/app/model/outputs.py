"""What a model's outputs mean: one column per class, a single logit for two classes, or a single number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from app.errors import InsightsError, arrived, note
from app.schema import Task

ScoreFunction = Callable[[Any], Tensor]


MODEL = "the model's output"


def columns(output: object, what: str = MODEL) -> Tensor:
    """The outputs as (B, C): of a tensor, of an object or mapping with `logits`, of the first of several outputs.

    Raises `InsightsError` for any other shape, and for numbers that have no order.
    """
    if isinstance(output, Mapping) and "logits" in output:
        output = output["logits"]
    elif hasattr(output, "logits"):
        output = output.logits
    elif isinstance(output, tuple | list) and output:
        output = output[0]
    found = _plain(output)
    if found is None or found.dim() not in (1, 2) or found.is_complex() or found.shape[1:] == (0,):
        raise InsightsError(
            f"{what} cannot be read as scores of classes: {arrived([output])}",
            hint="expected a tensor of real numbers, (batch, classes) or (batch,); wrap the model in a function or "
            "module that returns that",
        )
    return found[:, None] if found.dim() == 1 else found


def _plain(output: object) -> Tensor | None:
    """A tensor with its numbers in memory, one for each place; None where that cannot be had."""
    if not isinstance(output, Tensor) or output.is_meta or output.is_nested:
        return None
    if output.is_quantized:
        return output.dequantize()
    return output if output.layout == torch.strided else output.to_dense()


@dataclass(frozen=True)
class Outputs:
    """How to read the outputs of every model: names of columns by number, and the function that makes scores."""

    names: Mapping[int, str]
    score_func: ScoreFunction | None

    def task(self, width: int) -> Task:
        """What a model with `width` output columns does."""
        if width > 1:
            return "classification"
        return "binary" if set(self.names) == {0, 1} else "regression"

    def read(self, output: object) -> tuple[Task, Tensor]:
        """The task, and scores (B, C) in float32: `score_func` of the output, or the output itself.

        One column for two classes becomes two: s is the second class's score, 1 − s (a probability, where a
        `score_func` is given) or −s (a logit, where none is) the first's.
        """
        raw = columns(output).detach().float()
        scores = columns(self._scored(output), "what score_func gave").detach().float() if self.score_func else raw
        task = self.task(raw.shape[1])
        if raw.shape[1] > 1 and scores.shape[1] != raw.shape[1]:
            raise InsightsError(
                f"score_func makes scores of shape {tuple(scores.shape)} of outputs of shape {tuple(raw.shape)}",
                hint="expected a score for each output, in the same order, as softmax gives",
            )
        if raw.shape[1] == 1 and self._always_one(scores, output):
            raise InsightsError(
                "score_func makes 1.0 of every output: a softmax over a single logit says nothing",
                hint="give torch.sigmoid for two classes, or no score_func for a model that gives a number",
            )
        if task == "binary" and scores.shape[1] == 1:
            scores = torch.cat([1 - scores if self.score_func else -scores, scores], dim=1)
        return task, scores

    def _scored(self, output: object) -> object:
        try:
            return self.score_func(output) if self.score_func else output
        except Exception as error:
            note(error, f"score_func was given {arrived([output])}.")
            raise

    def _always_one(self, scores: Tensor, output: object) -> bool:
        """Whether the scores of single outputs are 1 whatever these are."""
        if self.score_func is None or not isinstance(output, Tensor) or not bool((scores == 1).all()):
            return False
        other = self._scored(torch.full_like(output, -5.0))
        return isinstance(other, Tensor) and bool((other == 1).all())

    def target(self, index: int) -> Callable[[object], Tensor]:
        """What is explained for a class: its raw output (B,); for the first of two classes with one logit, minus it."""

        def chosen(output: object) -> Tensor:
            raw = columns(output)
            binary = self.task(raw.shape[1]) == "binary"
            if index >= (2 if binary else raw.shape[1]):
                raise InsightsError(
                    f"class {index} cannot be explained: the model has {raw.shape[1]} outputs",
                    hint=f"valid classes are 0 to {(2 if binary else raw.shape[1]) - 1}",
                )
            if binary:
                return raw[:, 0] if index == 1 else -raw[:, 0]
            return raw[:, index]

        return chosen

    def name(self, index: int) -> str:
        """The name of a class, also of one beyond the names given."""
        return self.names.get(index, f"class {index}")

    @property
    def classes(self) -> int:
        """How many classes there are by their names alone."""
        return max(self.names, default=-1) + 1
