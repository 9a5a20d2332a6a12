"""What all shells share: reading arguments, the undisturbed run, convergence deltas."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from attribution_core.classes.calls import flexible
from attribution_core.errors import AttributionError
from attribution_core.evaluation.isolation import submodules, undisturbed
from attribution_core.evaluation.observe import is_stacked, warn
from attribution_core.methods.delta import change, total
from attribution_core.question.embeddings import embedded
from attribution_core.question.question import Question, stacked
from attribution_core.question.shared import Shared, Together
from attribution_core.question.site import Inputs, Site
from attribution_core.question.target import Output, Predicted, Target, TargetLike, as_target
from attribution_core.reading.arguments import (
    UNUSED,
    Baselines,
    Tensors,
    as_baseline,
    as_baselines,
    as_grad_kwargs,
    as_inputs,
    baseline_of_each,
    is_ids,
    owned,
)
from attribution_core.reading.forward import as_forward, device_of, moved


class Attribution(ABC):
    """A method bound to a model (or any function of tensors)."""

    citation: ClassVar[str]
    """Key of the method's paper in references.bib."""

    differentiates: ClassVar[bool] = True
    complete: ClassVar[bool] = False
    of_inputs: ClassVar[bool] = True
    """Whether attributions are shaped like the inputs."""

    shares_targets: ClassVar[bool] = True
    """Whether several targets can be answered from one forward pass."""

    _names: tuple[str, ...] = ()
    _targets: tuple[TargetLike, ...] = ()

    def __init_subclass__(cls) -> None:
        if "attribute" in vars(cls):
            cls.attribute = flexible(vars(cls)["attribute"])  # type: ignore[attr-defined]

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
        self,
        inputs: Any,
        target: TargetLike | Target,
        extra: Any,
        baselines: Baselines = UNUSED,
        site: Site | None = None,
        grad_kwargs: Mapping[str, Any] | None = None,
    ) -> Iterator[tuple[Question, Tensors, Tensors]]:
        """Check the arguments, then lend question, inputs and baselines inside an undisturbed run.

        All are on the model's device; token ids that a gradient is asked of have become their embeddings.
        """
        modules, options = submodules(self.forward_func), as_grad_kwargs(grad_kwargs)
        device = device_of(modules)
        given = moved(as_inputs(inputs, self.differentiates), device)
        bases = () if baselines is UNUSED else baseline_of_each(baselines, len(given))
        ids = self.differentiates and any(map(is_ids, given))
        if bases and not ids:
            bases = as_baselines(bases, given)
        target = self._target_of(target, given[0].shape[0])
        forward, rest = as_forward(self.forward_func, self._names, extra)
        with undisturbed(modules, given):
            rest = tree_map(owned, moved(rest, device)) if rest else ()
            xs = tuple(owned(x) if options.get("create_graph") else owned(x).detach() for x in given)
            if ids:
                forward, xs, bases = _with_embeddings(forward, xs, bases, rest, max(1, len(self._targets)))
            kind = Shared if isinstance(target, Together) else Question
            if isinstance(target, (Predicted, Together)):
                target = _without_prediction(target, Question(forward, Predicted(), extra=rest), xs)
            question = kind(forward, target, site or Inputs(), rest, whole=not is_stacked(), grad_kwargs=options)
            yield question, xs, tuple(owned(b) for b in bases)
            self._warn_of_unused(question)

    def target_of(self, inputs: Any, target: TargetLike | Target, extra: Any = None) -> Target:
        """Read a target; "pred" is what the model predicts for these inputs."""
        found = self._target_of(target, len(as_inputs(inputs, differentiable=False)[0]))
        if not isinstance(found, Predicted):
            return found
        with self._asking(inputs, target, extra) as (question, _, _):
            return question.target

    def _target_of(self, target: TargetLike | Target, rows: int) -> Target:
        if not self._targets:
            return as_target(target, rows, self.forward_func)
        rows //= len(self._targets)
        return Together(tuple(as_target(each, rows, self.forward_func) for each in self._targets))

    def _warn_of_unused(self, question: Question) -> None:
        unused = [
            f"inputs[{self._names[place] if self._names else place!r}]"
            for place, used in sorted(question.used.items())
            if not used and isinstance(question.site, Inputs)
        ]
        if unused:
            warn(f"The score does not depend on {', '.join(unused)}: attributions are zero.")


def _with_embeddings(
    forward: Callable[..., Any], inputs: Tensors, baselines: tuple[Any, ...], extra: tuple[Any, ...], copies: int
) -> tuple[Callable[..., Any], Tensors, Tensors]:
    """Model, inputs and baselines in terms of embeddings; baselines of whole numbers are ids as well.

    The inputs are `copies` times the same examples.
    """
    batch = len(inputs[0]) // copies
    found = embedded(forward, tuple(x[:batch] for x in inputs), extra)
    vectors = stacked(found.inputs, batch, copies)

    def baseline(place: int, given: Any) -> Tensor:
        if given is None or not is_ids(inputs[place]) or not is_ids(torch.as_tensor(given)):
            return as_baseline(given, vectors[place], place)
        return found.embed(place, as_baseline(given, inputs[place], place))

    return found.module, vectors, tuple(baseline(place, b) for place, b in enumerate(baselines))


def _without_prediction(target: Target, asked: Question, inputs: Tensors) -> Target:
    """The target with "pred" replaced by the class that is predicted for each of the inputs."""
    if isinstance(target, Together):
        once = tuple(x[: len(x) // len(target.targets)] for x in inputs)
        return Together(tuple(_without_prediction(each, asked, once) for each in target.targets))
    if not isinstance(target, Predicted):
        return target
    with torch.no_grad():
        return Output(tuple((int(place),) for place in asked.scores(tuple(x.clone() for x in inputs))))


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
            if self.of_inputs and [p.shape for p in parts] != [x.shape for x in end]:
                raise AttributionError(
                    f"attributions have shapes {[tuple(p.shape) for p in parts]}, "
                    f"end_point {[tuple(x.shape) for x in end]}.",
                    "They must match.",
                )
            return total(parts) - change(question, start, end)


class PerturbationAttribution(Attribution):
    """A method that changes inputs and needs no gradients."""

    differentiates = False
