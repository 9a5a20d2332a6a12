"""What all shells share: reading arguments, the undisturbed run, convergence deltas."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from torch import Tensor

from attribution_core.arguments import Baselines, Tensors, as_baselines, as_extra, as_inputs, owned
from attribution_core.delta import change, total
from attribution_core.errors import AttributionError
from attribution_core.evaluate import undisturbed
from attribution_core.question import Question
from attribution_core.target import Target, TargetLike, as_target


class Attribution(ABC):
    """A method bound to a model (or any function of tensors)."""

    citation: ClassVar[str]
    """Key of the method's paper in references.bib."""

    differentiates: ClassVar[bool] = True
    complete: ClassVar[bool] = False

    def __init__(self, forward_func: Callable[..., Any]) -> None:
        if not callable(forward_func):
            raise AttributionError(f"{type(self).__name__}: {type(forward_func).__name__} is not callable.")
        self.forward_func = forward_func

    @classmethod
    def get_name(cls) -> str:
        """The method's name in words."""
        return re.sub(r"(?<=[a-zX])(?=[A-Z])", " ", cls.__name__)

    @property
    def multiplies_by_inputs(self) -> bool:
        """Whether slopes are multiplied by the difference between input and baseline."""
        return False

    def has_convergence_delta(self) -> bool:
        """Whether `attribute` can return a convergence delta."""
        return self.complete

    @contextmanager
    def _asking(
        self, inputs: Any, target: TargetLike | Target, extra: Any, baselines: Baselines = None
    ) -> Iterator[tuple[Question, Tensors, Tensors]]:
        """Check the arguments, then lend question, inputs and baselines inside an undisturbed run."""
        given = as_inputs(inputs, self.differentiates)
        bases = as_baselines(baselines, given, isinstance(inputs, Tensor))
        aim = as_target(target, len(given[0]))
        rest = as_extra(extra)
        with undisturbed(self.forward_func, given):
            question = Question(self.forward_func, aim, extra=tuple(map(owned, rest)))
            yield question, tuple(owned(x).detach() for x in given), tuple(owned(b) for b in bases)


class GradientAttribution(Attribution):
    """A method that needs gradients."""

    def compute_convergence_delta(
        self,
        attributions: Tensor | tuple[Tensor, ...],
        start_point: Baselines,
        end_point: Tensor | tuple[Tensor, ...],
        target: TargetLike = None,
        additional_forward_args: Any = None,
    ) -> Tensor:
        """Sum of an example's attributions − (score at end_point − score at start_point), shape (B,)."""
        with self._asking(end_point, target, additional_forward_args, start_point) as (question, end, start):
            parts = attributions if isinstance(attributions, tuple) else (attributions,)
            if [p.shape for p in parts] != [x.shape for x in end]:
                raise AttributionError(
                    f"attributions have shapes {[tuple(p.shape) for p in parts]}, "
                    f"end_point {[tuple(x.shape) for x in end]}.",
                    "They must match.",
                )
            return total(parts) - change(question, start, end)


class PerturbationAttribution(Attribution):
    """A method that changes inputs and needs no gradients."""

    differentiates = False
