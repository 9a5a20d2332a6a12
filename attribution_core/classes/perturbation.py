"""Attributions to a model's inputs from random or complete sets of changes to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, final

import torch
from torch import Tensor

from attribution_core.classes.base import PerturbationAttribution
from attribution_core.errors import AttributionError
from attribution_core.evaluation.draws import Draws
from attribution_core.evaluation.observe import progress_bar
from attribution_core.methods.game import Game
from attribution_core.methods.permutation import Permute, permutation
from attribution_core.methods.rise import STRETCHES, rise
from attribution_core.methods.shapley import MOST_REGRESSED, estimated_values, permutation_values, shapley_values
from attribution_core.question.question import Question
from attribution_core.question.target import TargetLike
from attribution_core.reading.arguments import Baselines, TensorOrTuple, Tensors, as_tolerance, at_least, packed
from attribution_core.reading.masks import as_groups

Mask = Tensor | tuple[Tensor, ...] | None


class Removing(PerturbationAttribution):
    """A method that removes sets of features."""

    @property
    def multiplies_by_inputs(self) -> bool:
        """Always."""
        return True

    def _game(self, asked: tuple[Question, Tensors, Tensors], mask: Any, perturbations_per_eval: int) -> Game:
        question, xs, bases = asked
        rows = None if perturbations_per_eval == 1 else perturbations_per_eval * len(xs[0])
        return Game(question, xs, bases, as_groups(mask, xs), rows)


def spread(game: Game, values: list[Tensor]) -> Tensors:
    """Attributions shaped like the inputs from values (players, B), of all examples or of one after the other."""
    if len(values) == 1:
        return game.features.spread(values[0])
    parts = [part.features.spread(value) for part, value in zip(game.each(), values, strict=True)]
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))


@final
class FeaturePermutation(PerturbationAttribution):
    """How much the score falls when a feature's values are shuffled among the examples of the batch."""

    citation = "fisher2019"

    def __init__(self, forward_func: Callable[..., Any], perm_func: Permute | None = None) -> None:
        super().__init__(forward_func)
        self.perm_func = perm_func

    @property
    def multiplies_by_inputs(self) -> bool:
        """Always."""
        return True

    def attribute(
        self,
        inputs: TensorOrTuple,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        feature_mask: Mask = None,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
        *,
        seed: int | None = None,
        **kwargs: Any,
    ) -> TensorOrTuple:
        """The fall of the score; shapes of the inputs, or one row where the model returns one number per batch."""
        if kwargs:
            raise AttributionError(f"FeaturePermutation.attribute does not know {', '.join(sorted(kwargs))}.")
        copies = at_least("perturbations_per_eval", perturbations_per_eval, 1)
        with (
            self._asking(inputs, target, additional_forward_args) as (question, xs, _),
            progress_bar(show_progress, self.get_name()),
        ):
            features = as_groups(feature_mask, xs)
            rows = None if copies == 1 else copies * len(xs[0])
            draws = Draws(seed, xs[0].device)
            return packed(permutation(question, xs, features, draws, self.perm_func, rows), inputs)


@final
class ShapleyValues(Removing):
    """Each feature's fair share of the score's change: its mean effect over all orders in which features appear."""

    citation = "shapley1953"

    def attribute(
        self,
        inputs: TensorOrTuple,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        feature_mask: Mask = None,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
    ) -> TensorOrTuple:
        """Exact values, adding up to the score's change; shapes as in FeatureAblation. 2^features evaluations."""
        copies = at_least("perturbations_per_eval", perturbations_per_eval, 1)
        with (
            self._asking(inputs, target, additional_forward_args, baselines) as asked,
            progress_bar(show_progress, self.get_name()),
        ):
            game = self._game(asked, feature_mask, copies)
            return packed(spread(game, [shapley_values(part) for part in game.each()]), inputs)


@final
class ShapleyValueSampling(Removing):
    """Shapley values estimated from some of the orders, or sets, in which features appear."""

    citation = "castro2009"

    def attribute(
        self,
        inputs: TensorOrTuple,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        feature_mask: Mask = None,
        n_samples: int = 25,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
        *,
        estimator: Literal["sets", "orders"] = "sets",
        tolerance: float | None = None,
        seed: int | None = None,
    ) -> TensorOrTuple:
        """Values that add up to the score's change, from at most n_samples · features evaluations; shapes as in
        FeatureAblation. `estimator="orders"` is Captum's: the mean over independent random orders."""
        copies, orders = (
            at_least("perturbations_per_eval", perturbations_per_eval, 1),
            at_least("n_samples", n_samples, 1),
        )
        if estimator not in ("sets", "orders") or (estimator == "orders" and tolerance is not None):
            raise AttributionError(
                f"estimator={estimator!r}, tolerance={tolerance!r}.",
                "Choose 'sets' or 'orders'; tolerance needs 'sets'.",
            )
        share = as_tolerance(tolerance)

        def values(game: Game, draws: Draws) -> Tensor:
            if estimator == "orders" or game.players > MOST_REGRESSED:
                return permutation_values(game, orders, draws, antithetic=estimator == "sets")
            return estimated_values(game, orders * game.players, draws, share)

        with (
            self._asking(inputs, target, additional_forward_args, baselines) as (question, xs, bases),
            progress_bar(show_progress, self.get_name()),
        ):
            game = self._game((question, xs, bases), feature_mask, copies)
            draws = Draws(seed, xs[0].device)
            return packed(spread(game, [values(part, draws) for part in game.each()]), inputs)


@final
class RISE(PerturbationAttribution):
    """The mean score of the random soft masks that show a position: where seeing more of the input helps."""

    citation = "petsiuk2018"

    def attribute(
        self,
        inputs: TensorOrTuple,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        n_masks: int = 1000,
        grid_size: int = 7,
        probability: float = 0.5,
        show_progress: bool = False,
        *,
        seed: int | None = None,
    ) -> TensorOrTuple:
        """Mean scores, the same for all channels; shapes of the inputs, (B, C, …) of one to three dimensions."""
        count, grid = at_least("n_masks", n_masks, 1), at_least("grid_size", grid_size, 1)
        if not 0 < probability < 1:
            raise AttributionError(f"probability={probability!r}: expected a number between 0 and 1.")
        with (
            self._asking(inputs, target, additional_forward_args, baselines) as (question, xs, bases),
            progress_bar(show_progress, self.get_name()),
        ):
            for place, x in enumerate(xs):
                if x.dim() - 2 not in STRETCHES or not x.is_floating_point():
                    raise AttributionError(
                        f"inputs[{place}] has shape {tuple(x.shape)} and dtype {x.dtype}; masks need (B, C, …) of one "
                        "to three dimensions, floating point.",
                        "Use ShapleyValueSampling or FeatureAblation.",
                    )
            draws = Draws(seed, xs[0].device)
            return packed(rise(question, xs, bases, count, grid, probability, draws), inputs)
