"""What all shells share: read the request, embed ids, predict, run the method, hand back in the caller's form."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.futures import Future
from torch.utils._pytree import tree_map

from attribution_core.classes.signatures import Attributions
from attribution_core.errors import AttributionError, NotPerExample
from attribution_core.evaluation.isolation import Tidy, undisturbed
from attribution_core.evaluation.modes import one_way
from attribution_core.evaluation.observe import is_stacked, once, progress_bar, warn
from attribution_core.methods.completeness import check_values
from attribution_core.methods.delta import change, total
from attribution_core.question.embeddings import Embedded, embedded
from attribution_core.question.question import Question, Reached, as_they_are
from attribution_core.question.request import NoBaselines, Request, read
from attribution_core.question.site import Inputs, Site
from attribution_core.question.target import Output, Predicted, Target
from attribution_core.reading.arguments import all_owned, as_baseline, as_grad_kwargs, is_ids, owned
from attribution_core.reading.checked import check_arguments
from attribution_core.reading.help import documented
from attribution_core.rules.intercept import refuse_compiled
from attribution_core.types import Baselines, GradKwargs, Model, Single, TargetLike, Tensors
from attribution_core.types import Inputs as InputsLike

INPUTS = Inputs()
NONE = NoBaselines()
UNSEEN = nullcontext()
NOTHING: Mapping[str, object] = {}


Deltas = Tensor | list[Tensor]
"""Convergence deltas (B or more, targets), of several layers a list."""


class Explained(NamedTuple):
    """Attributions (targets, B, …), and convergence deltas if they were asked for."""

    attributions: Tensors
    deltas: Deltas | None = None


Method = Callable[[Question, Tensors, Tensors], Explained | Tensors]
"""From a question, inputs and baselines to attributions, with or without deltas."""

Pack = Callable[[Tensors], object]
"""From one target's attributions to the form in which the caller gets them."""


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

    follows_operations: ClassVar[bool] = False
    """Whether it looks at the operations inside the model, which compiled modules hide."""

    attribute: Callable[..., Any]
    _multiplies: bool = False

    def __init_subclass__(cls) -> None:
        documented(cls)
        check_arguments(cls)

    def __init__(self, forward_func: Model) -> None:
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
        return self._multiplies

    def has_convergence_delta(self) -> bool:
        """Whether `attribute` can return a convergence delta."""
        return self.complete

    def attribute_future(self, *_: object, **__: object) -> Future[Any]:
        """The Future of what `attribute` gives, of a model that returns one; for methods that can wait for it.

        Raises NotImplementedError for all others.
        """
        raise NotImplementedError(f"{type(self).__name__} needs its model's outputs at once: call attribute.")

    def _read(
        self,
        inputs: InputsLike,
        target: TargetLike | Target = None,
        targets: Sequence[TargetLike | Target] | None = None,
        extra: object = None,
        baselines: Baselines | NoBaselines = NONE,
    ) -> Request:
        request = read(self.forward_func, inputs, target, targets, extra, baselines, self.differentiates)
        if self.follows_operations:
            refuse_compiled(self.forward_func, request.modules)
        return request

    def _answer(
        self,
        request: Request,
        method: Method,
        *,
        site: Site = INPUTS,
        pack: Pack | None = None,
        grad_kwargs: GradKwargs = None,
        show_progress: bool = False,
    ) -> Attributions:
        """What the method says of each target, in the caller's form."""
        options = as_grad_kwargs(grad_kwargs) if grad_kwargs else NOTHING
        with progress_bar(True, self.get_name()) if show_progress else UNSEEN:
            answers = self._of_each_target(request, method, site, options)
        results = [_returned(explained, place, pack or request.packed) for explained, place in answers]
        return results if request.several else results[0]

    def _of_each_target(
        self, request: Request, method: Method, site: Site, options: Mapping[str, object]
    ) -> list[tuple[Explained, int]]:
        """What is explained, and which of its targets is meant, for each target; from one run where they can share."""
        targets = request.targets
        if self.shares_targets or len(targets) == 1:
            try:
                explained = self._run(request, targets, method, site, options)
                return [(explained, place) for place in range(len(targets))]
            except NotPerExample:  # some have a score for each example, others one for the whole batch
                if len(targets) == 1:
                    raise
        with Tidy(request.modules), once():
            return [(self._run(request, (target,), method, site, options), 0) for target in targets]

    def _run(
        self, request: Request, targets: tuple[Target, ...], method: Method, site: Site, options: Mapping[str, object]
    ) -> Explained:
        """Ask the method in an undisturbed run, of each of the baselines, if there are some."""
        reached = Reached()
        way = one_way(request.modules) if isinstance(self, GradientAttribution) else UNSEEN
        with Tidy(request.modules) as tidy, undisturbed(request.modules, request.inputs, tidy) as draws, way:
            question, xs, baselines = asked(request, targets, site, options, draws, reached)
            each = [_explained(method(question, xs, bases)) for bases in baselines]
        if reached.missed and isinstance(site, Inputs):
            _warn_of_unused(reached.missed, request.names)
        explained = each[0] if len(each) == 1 else _mean(each)
        check_values(explained.attributions)
        return explained


documented(Attribution)
check_arguments(Attribution)


def alone(attributions: Tensors) -> Tensor:
    """The one tensor of attributions that are not shaped like the inputs."""
    return attributions[0]


def asked(
    request: Request,
    targets: tuple[Target, ...],
    site: Site = INPUTS,
    options: Mapping[str, object] = NOTHING,
    draws: bool = True,
    reached: Reached | None = None,
) -> tuple[Question, Tensors, Sequence[Tensors]]:
    """The question, inputs and baselines; token ids that a gradient is asked of are now their embeddings."""
    forward, xs = request.forward, all_owned(request.inputs, detached=not options.get("create_graph"))
    extra = tree_map(owned, request.extra) if request.extra else ()
    baselines: Sequence[Tensors] = tuple(map(all_owned, request.baselines)) or ((),)
    measured = as_they_are
    if request.ids:
        embedding = embedded(forward, xs, extra)
        forward, xs, extra, measured = embedding.of_rows, embedding.inputs, (*embedding.ids, *extra), embedding.ends
        baselines = [_of_embeddings(embedding, each) if each else each for each in baselines]
    if Predicted in map(type, targets):
        targets = _without_prediction(targets, Question(forward, (Predicted(),), extra=extra), xs)
    whole = not is_stacked()
    question = Question(forward, targets, site, extra, 1, False, whole, draws, options, reached, measured)
    return question, xs, baselines


def _explained(result: Explained | Tensors) -> Explained:
    return result if isinstance(result, Explained) else Explained(result)


def _warn_of_unused(places: frozenset[int], names: tuple[str, ...]) -> None:
    unused = ", ".join(f"inputs[{names[place] if names else place!r}]" for place in sorted(places))
    warn(f"The score does not depend on {unused}: attributions are zero.")


def _mean(each: list[Explained]) -> Explained:
    means = tuple(torch.stack(column).mean(0) for column in zip(*(e.attributions for e in each), strict=True))
    return Explained(means, _mean_deltas([e.deltas for e in each]))


def _mean_deltas(each: list[Deltas | None]) -> Deltas | None:
    if each[0] is None:
        return None
    if isinstance(each[0], list):
        return [torch.stack(column).mean(0) for column in zip(*each, strict=True)]
    return torch.stack(each).mean(0)  # type: ignore[arg-type]


def _returned(explained: Explained, place: int, pack: Pack) -> Any:
    """One target's attributions, and its deltas if there are any, as the caller gets them."""
    attributions = pack(tuple([values[place] for values in explained.attributions]))
    if explained.deltas is None:
        return attributions
    if isinstance(explained.deltas, list):
        return attributions, [delta[:, place] for delta in explained.deltas]
    return attributions, explained.deltas[:, place]


def _of_embeddings(embedding: Embedded, baselines: tuple[Single, ...]) -> Tensors:
    """Baselines in terms of embeddings; those of whole numbers are ids as well."""
    each = [
        as_baseline(b, x if b is not None and is_ids(x) and is_ids(torch.as_tensor(b)) else vectors, place)
        for place, (b, x, vectors) in enumerate(zip(baselines, embedding.given, embedding.inputs, strict=True))
    ]
    names = ", ".join(embedding.read_otherwise(tuple(each)))
    if names:
        warn(
            f"The model computes {names} of the ids, for a mask, lengths or positions, and gets something else for the "
            "ids of the baseline. Attributions keep that of the inputs; the convergence delta is measured on the ids."
        )
    return embedding.embed_all(tuple(each))


def _without_prediction(targets: tuple[Target, ...], predicting: Question, inputs: Tensors) -> tuple[Target, ...]:
    """The targets, with "pred" replaced by the class that is predicted for each of the inputs."""
    with torch.no_grad():
        classes = predicting.scores(inputs)[:, 0].tolist()
    top = Output(tuple((int(place),) for place in classes))
    return tuple(top if isinstance(target, Predicted) else target for target in targets)


class GradientAttribution(Attribution):
    """A method that needs gradients."""

    def compute_convergence_delta(
        self,
        attributions: Tensor | Tensors,
        start_point: Baselines,
        end_point: Tensor | Tensors,
        target: TargetLike = None,
        additional_forward_args: object = None,
    ) -> Tensor:
        """Sum of an example's attributions − (score at end_point − score at start_point), shape (B,)."""
        request = self._read(end_point, target, None, additional_forward_args, start_point)
        parts = attributions if isinstance(attributions, tuple) else (attributions,)

        def missed(question: Question, end: Tensors, start: Tensors) -> Explained:
            if self.of_inputs and [p.shape for p in parts] != [x.shape for x in end]:
                raise AttributionError(
                    f"attributions have shapes {[tuple(p.shape) for p in parts]}, "
                    f"end_point {[tuple(x.shape) for x in end]}.",
                    "They must match.",
                )
            return Explained((), total(tuple(p[None] for p in parts)) - change(question, start, end))

        _, deltas = _returned(self._run(request, request.targets, missed, INPUTS, NOTHING), 0, tuple)
        errors: Tensor = deltas
        return errors


class MultiplyingGradient(GradientAttribution):
    """A method whose slopes may be multiplied by the difference between input and baseline."""

    def __init__(self, forward_func: Model, multiply_by_inputs: bool = True) -> None:
        super().__init__(forward_func)
        self._multiplies = multiply_by_inputs


class OperationAttribution(GradientAttribution):
    """A method that follows the operations inside a model."""

    follows_operations = True

    def __init__(self, model: Model) -> None:
        super().__init__(model)

    @property
    def model(self) -> Model:
        """The model."""
        return self.forward_func
