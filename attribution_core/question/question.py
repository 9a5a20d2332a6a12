"""The question that every method answers: why this score, in terms of the values at this site?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from attribution_core.errors import AttributionError, NotPerExample
from attribution_core.evaluation.failure import run as run_model
from attribution_core.evaluation.failure import without_gradient
from attribution_core.evaluation.observe import (
    checkpoint,
    counting_backward,
    is_counting,
    max_batch,
    starting_forward,
)
from attribution_core.question.site import Inputs, Layer, Layers, Site
from attribution_core.question.target import Output, Target
from attribution_core.reading.values import ragged
from attribution_core.types import Model, Tensors


class Gradients(NamedTuple):
    """Values at the site; d score / d value for each target, (targets, *value.shape); the scores of each, (rows,).

    Slopes have their targets first because the values at a layer need not have the rows of the scores.
    """

    values: Tensors
    slopes: Tensors
    columns: Tensors

    @property
    def scores(self) -> Tensor:
        """The scores (rows, targets)."""
        return _side_by_side(self.columns, 1)


class Reading(NamedTuple):
    """Values at the site, and the scores (rows, targets)."""

    values: Tensors
    scores: Tensor


class Reached:
    """Which of the values at a site no score has depended on, in all passes of one explanation: `missed`."""

    missed: frozenset[int] | None = None

    def note(self, slopes: Sequence[Tensor | None]) -> None:
        """The slopes of one score: None where it does not depend on the value."""
        missed = frozenset([place for place, slope in enumerate(slopes) if slope is None])
        self.missed = missed if self.missed is None else self.missed & missed


Ends = tuple[Tensors, Tensors]


def as_they_are(start: Tensors, end: Tensors) -> Ends:
    """The change of a score is measured between the points that are explained."""
    return start, end


class Question(NamedTuple):
    """A model, what to explain of it (`targets`) and what to attribute that to (`site`).

    `copies` batches may be stacked along dimension 0, copy after copy: row r is example r % B. Additional arguments
    that have one row per example are repeated in the same order. `whole` is false of a slice of a larger batch, `draws`
    where the model cannot draw random numbers.
    The model gets copies, which it may change in place, unless the inputs are `disposable`: made for one pass only.
    `grad_kwargs` are further options of `torch.autograd.grad`. `reached` is told what the scores depend on. `measured`
    gives the two points between which the change of the score is measured: of embeddings the ids.
    """

    forward: Model
    targets: tuple[Target, ...] = (Output(),)
    site: Site = Inputs()
    extra: tuple[object, ...] = ()
    copies: int = 1
    disposable: bool = False
    whole: bool = True
    draws: bool = True
    grad_kwargs: Mapping[str, Any] = MappingProxyType({})
    reached: Reached | None = None
    measured: Callable[[Tensors, Tensors], Ends] = as_they_are

    def repeated(self, copies: int, disposable: bool = False) -> Question:
        """The same question of `copies` stacked batches (path steps, perturbations)."""
        return self._replace(copies=self.copies * copies, disposable=disposable)

    def scores(self, inputs: Tensors) -> Tensor:
        """Scores (rows, targets), or (1, targets) where the model returns one number for the batch."""
        parts = self._parts(inputs)
        if parts:
            return torch.cat([question.scores(part) for question, part in parts])
        return _side_by_side(self._columns(inputs), 1)

    def _columns(self, inputs: Tensors) -> list[Tensor]:
        """The scores of each target, (rows,), from one run of the model."""
        rows = inputs[0].shape[0]
        if is_counting() and isinstance(self.site, Inputs):
            starting_forward(rows)
            return [_stand_in(inputs)] * len(self.targets)
        columns = self._asked(inputs)
        sizes = {scores.shape[0] for scores in columns}
        if sizes == {rows}:
            return columns
        others = sizes - {rows}
        if others and (self.copies > 1 or not self.whole or others != {1}):
            raise NotPerExample(
                f"The model gave {max(others)} scores for {rows} rows.",
                "It must return one row for each example, or one number for the whole batch.",
            )
        if len(sizes) > 1:
            raise NotPerExample("Some targets give a score for each example, others one for the whole batch.")
        return columns

    def _asked(self, inputs: Tensors) -> list[Tensor]:
        model = self._prepared(inputs)
        if len(self.targets) == 1:
            return [self.targets[0].scores(model, self.copies)]
        columns: dict[int, Tensor] = {}
        outputs: list[object] = []

        def run(place: int) -> object:
            """Any target may look into the model while it runs: the last runs it, inside of all others."""
            if place == len(self.targets):
                outputs.append(model())
            else:
                columns[place] = self.targets[place].scores(lambda: run(place + 1), self.copies)
            return outputs[0]

        run(0)
        return [columns[place] for place in range(len(self.targets))]

    def _prepared(self, inputs: Tensors) -> Callable[[], object]:
        """A run of the model, on copies that are made before any rule or layer is looked at."""
        rows = inputs[0].shape[0]
        kept = self.disposable and not any(x.requires_grad for x in inputs)  # a leaf cannot be changed in place
        arguments = inputs if kept else tuple(map(Tensor.clone, inputs))
        if self.extra:
            arguments += copied(self.extra, rows // self.copies, self.copies)

        def run() -> object:
            starting_forward(rows)
            return run_model(self.forward, arguments)

        return run

    def values(self, inputs: Tensors) -> Tensors:
        """The tensors at the site, whatever the target."""
        if isinstance(self.site, Inputs):
            return inputs
        parts = self._parts(inputs)
        if parts:
            return _rows([question.values(part) for question, part in parts])
        with torch.no_grad(), self.site.recorded(inputs) as values:
            self._prepared(inputs)()
        return tuple(value.detach() for value in values())

    def read(self, inputs: Tensors) -> Reading:
        """Values at the site and scores, without gradients."""
        parts = self._parts(inputs)
        if parts:
            read = [question.read(part) for question, part in parts]
            return Reading(_rows([r.values for r in read]), torch.cat([r.scores for r in read]))
        with torch.no_grad(), self.site.recorded(inputs) as values:
            scores = _side_by_side(self._columns(inputs), 1)
        return Reading(tuple(value.detach() for value in values()), scores)

    def gradients(self, inputs: Tensors) -> Gradients:
        """Values at the site and the gradient of each example's score with respect to them."""
        parts = self._parts(inputs)
        if parts:
            return _joined([question.gradients(part) for question, part in parts])
        leaves = self._leaves(inputs)
        with torch.enable_grad(), self.site.recorded(leaves) as values:
            columns = self._columns(leaves)
        return self._differentiated(columns, values(), last=True)

    def gradients_also_at(
        self, site: Site, inputs: Tensors, there: Callable[[], AbstractContextManager[object]]
    ) -> tuple[Gradients, Gradients]:
        """What `gradients` gives at another site, whose backward pass is made inside `there`, and at this one.

        Both come from one forward pass.
        """
        parts = self._parts(inputs)
        if parts:
            each = [question.gradients_also_at(site, part, there) for question, part in parts]
            return _joined([first for first, _ in each]), _joined([second for _, second in each])
        leaves, other = self._leaves(inputs), self._replace(site=site, reached=None)
        with torch.enable_grad(), self.site.recorded(leaves) as values, site.recorded(leaves) as values_there:
            columns = other._columns(leaves)
        with there():
            elsewhere = other._differentiated(columns, values_there(), last=False)
        return elsewhere, self._differentiated(columns, values(), last=True)

    def _differentiated(self, columns: list[Tensor], values: Tensors, last: bool) -> Gradients:
        """The gradient of each target's scores; `last`: no other backward pass of these scores follows."""
        for scores in columns:
            if not scores.requires_grad:
                raise AttributionError(
                    "The score does not depend differentiably on the inputs.",
                    "Remove torch.no_grad() or detach() from the model, or use a perturbation method.",
                )
        if not all(map(Tensor.is_floating_point, values)):
            raise AttributionError(
                f"The layer passes on {[str(v.dtype) for v in values]}; gradients need floating point.",
                "Choose the output of an embedding, or another layer.",
            )
        checkpoint()
        each = [self._slopes(c, values, last and n == len(columns)) for n, c in enumerate(columns, 1)]
        slopes = tuple([_side_by_side(column, 0) for column in zip(*each, strict=True)])
        kept = values if self.grad_kwargs.get("create_graph") else tuple(map(Tensor.detach, values))
        return Gradients(kept, slopes, tuple(map(Tensor.detach, columns)))

    def _leaves(self, inputs: Tensors) -> Tensors:
        """Tensors of which gradients can be asked; with create_graph those that have a graph keep it."""
        keeps, leaves = self.grad_kwargs.get("create_graph"), []
        for x in inputs:
            kept = keeps and x.requires_grad
            leaves.append(x if kept else x.detach().requires_grad_(x.is_floating_point()))
        return tuple(leaves)

    def _slopes(self, scores: Tensor, values: Tensors, last: bool) -> Tensors:
        counting_backward(scores.shape[0])
        single = scores.numel() == 1  # then torch's own default is quicker
        options = {
            "grad_outputs": None if single else torch.ones_like(scores),
            "allow_unused": True,
            "retain_graph": not last or None,
            **self.grad_kwargs,
        }
        try:
            slopes = torch.autograd.grad(scores, values, **options)
        except RuntimeError as error:
            raise without_gradient(error) from error
        if self.reached is not None:
            self.reached.note(slopes)
        return tuple([torch.zeros_like(v) if s is None else s for v, s in zip(values, slopes, strict=True)])

    def _parts(self, inputs: Tensors) -> list[tuple[Question, Tensors]]:
        """Slices of a single batch that is larger than the caller's bound; empty where it fits."""
        rows, bound = inputs[0].shape[0], max_batch()
        if self.copies > 1 or bound is None or rows <= bound:
            return []
        if ragged(inputs):
            raise AttributionError(
                f"inputs have {[len(x) for x in inputs]} rows; at most {bound} fit into one pass.",
                "Pass as many rows of each input, or a larger max_batch.",
            )
        return [
            (self.examples(start, min(start + bound, rows), rows), tuple(x[start : start + bound] for x in inputs))
            for start in range(0, rows, bound)
        ]

    def examples(self, start: int, stop: int, batch: int) -> Question:
        """The same question of examples start…stop of a batch."""

        def part(value: object) -> object:
            return value[start:stop] if isinstance(value, Tensor) and value.dim() and len(value) == batch else value

        return self._replace(
            extra=tree_map(part, self.extra),
            targets=tuple(t.examples(start, stop) for t in self.targets),
            whole=False,
        )

    def lifted(self, inputs: Tensors) -> Question:
        """The same score as a function of the site's values, everything before them fixed by `inputs`."""
        if not isinstance(self.site, (Layer, Layers)):
            return self
        site, fixed = self.site, (*inputs, *self.extra)

        def from_values(*arguments: Any) -> Any:
            count = len(arguments) - len(fixed)
            with site.replaced(arguments[:count]):
                return self.forward(*arguments[count:])

        return self._replace(forward=from_values, site=Inputs(), extra=fixed, reached=None, measured=as_they_are)


def check_rows(values: Tensors, rows: int) -> None:
    """Refuse values at a layer that do not have a row for each row of the batch."""
    for value in values:
        if value.dim() == 0 or len(value) != rows:
            raise NotPerExample(
                f"The layer's values have shape {tuple(value.shape)} for {rows} examples.",
                "Choose a layer with one row per example in dimension 0.",
            )


def stacked(value: Any, batch: int, copies: int) -> Any:
    """`copies` stacked batches of a tensor that has one row per example, also inside tuples, lists and dicts."""

    def several(leaf: Any) -> object:
        if not isinstance(leaf, Tensor) or leaf.dim() == 0 or leaf.shape[0] != batch:
            return leaf
        return _repeated(leaf, copies)

    return value if copies == 1 else tree_map(several, value)


def _repeated(rows: Tensor, copies: int) -> Tensor:
    dense = rows.layout == torch.strided
    return rows.repeat(copies, *[1] * (rows.dim() - 1)) if dense else torch.cat([rows] * copies)


def copied(values: tuple[object, ...], batch: int = 0, copies: int = 1) -> tuple[Any, ...]:
    """The same values as `stacked` gives, in memory of their own: a model may change what it gets in place."""

    def one(leaf: Any) -> object:
        if not isinstance(leaf, Tensor):
            return leaf
        several = copies > 1 and leaf.dim() > 0 and leaf.shape[0] == batch
        return _repeated(leaf, copies) if several else leaf.clone()

    if not values:
        return ()
    flat = all(isinstance(value, Tensor) for value in values)  # tree_map takes longer than a small model
    return tuple([one(value) for value in values]) if flat else tree_map(one, values)


def _joined(parts: list[Gradients]) -> Gradients:
    slopes = tuple(torch.cat(column, 1) for column in zip(*(p.slopes for p in parts), strict=True))
    return Gradients(_rows([p.values for p in parts]), slopes, _rows([p.columns for p in parts]))


def _side_by_side(columns: Sequence[Tensor], dim: int) -> Tensor:
    return columns[0].unsqueeze(dim) if len(columns) == 1 else torch.stack([*columns], dim)


def _stand_in(inputs: Tensors) -> Tensor:
    """Scores that are zero and depend on all inputs, for counting passes."""
    return inputs[0].flatten(1).sum(1) * 0.0 + sum([x.sum() * 0.0 for x in inputs[1:]])


def _rows(parts: list[Tensors]) -> Tensors:
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))
