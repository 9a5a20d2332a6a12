"""Shapley values: exact, estimated from orders or sets of features, or from the Shapley kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, final

import torch
from torch import Tensor

from attribution_core.classes.base import alone
from attribution_core.classes.perturbation import PerturbationAttribution, WaitingAttribution
from attribution_core.classes.signatures import Attributions, Targets, input_attribute
from attribution_core.errors import AttributionError
from attribution_core.evaluation.draws import Draws
from attribution_core.methods.ablation import for_each_target
from attribution_core.methods.delta import plain_scores
from attribution_core.methods.game import Game
from attribution_core.methods.shapley import MOST_REGRESSED, estimated_values, permutation_values, shapley_values
from attribution_core.question.question import Question
from attribution_core.question.request import Request
from attribution_core.reading.arguments import as_copies, at_least
from attribution_core.types import Baselines, Inputs, Mask, TargetLike, Tensors


class OfCoalitions(PerturbationAttribution):
    """A method that looks at the scores of coalitions of features."""

    def _play(
        self,
        request: Request,
        values: Callable[[Game], list[Tensor]],
        feature_mask: Mask,
        perturbations_per_eval: int,
        show_progress: bool,
        whole: bool = True,
    ) -> Attributions:
        """Values (players, columns) of the games, as attributions shaped like the inputs, or else (B, features)."""
        rows = as_copies(perturbations_per_eval, request.batch)

        def explain(question: Question, xs: Tensors, bases: Tensors) -> Tensors:
            game = Game(question, xs, bases, request.groups(feature_mask, xs), rows)
            estimates = values(game) if game.players and len(xs[0]) else [_nothing(part) for part in game.each()]
            return spread(game, estimates) if whole else (by_feature(game, estimates),)

        return self._answer(request, explain, pack=None if whole else alone, show_progress=show_progress)


@final
class ShapleyValues(OfCoalitions, WaitingAttribution):
    """Each feature's fair share of the score's change: its mean effect over all orders in which features appear."""

    citation = "shapley1953"
    _multiplies = True
    of_outputs = "outputs first"

    @input_attribute
    def attribute(
        self,
        inputs: Inputs,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: object = None,
        feature_mask: Mask = None,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
        *,
        targets: Targets | None = None,
    ) -> Attributions:
        """Exact values, adding up to the score's change; shapes as in FeatureAblation. 2^features evaluations."""
        request = self._read(inputs, target, targets, additional_forward_args, baselines)

        def values(game: Game) -> list[Tensor]:
            return [shapley_values(part) for part in game.each()]

        return self._play(request, values, feature_mask, perturbations_per_eval, show_progress)


@final
class ShapleyValueSampling(OfCoalitions, WaitingAttribution):
    """Shapley values estimated from some of the orders, or sets, in which features appear."""

    citation = "castro2009"
    _multiplies = True
    of_outputs = "outputs first"

    @input_attribute
    def attribute(
        self,
        inputs: Inputs,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: object = None,
        feature_mask: Mask = None,
        n_samples: int = 25,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
        *,
        estimator: Literal["sets", "orders"] = "sets",
        tolerance: float | None = None,
        seed: int | None = None,
        targets: Targets | None = None,
    ) -> Attributions:
        """Values that add up to the score's change, from at most n_samples · features evaluations; shapes as in
        FeatureAblation. `estimator="orders"` is Captum's: the mean over independent random orders."""
        orders = at_least("n_samples", n_samples, 1)
        if estimator not in ("sets", "orders") or (estimator == "orders" and tolerance is not None):
            raise AttributionError(
                f"estimator={estimator!r}, tolerance={tolerance!r}.",
                "Choose 'sets' or 'orders'; tolerance needs 'sets'.",
            )
        request = self._read(inputs, target, targets, additional_forward_args, baselines)

        def estimated(game: Game, draws: Draws) -> Tensor:
            if estimator == "orders" or game.players > MOST_REGRESSED:
                return permutation_values(game, orders, draws, antithetic=estimator == "sets")
            return estimated_values(game, orders * game.players, draws, tolerance)

        def values(game: Game) -> list[Tensor]:
            draws = Draws(seed, torch.device("cpu"))
            return [estimated(part, draws) for part in game.each()]

        return self._play(request, values, feature_mask, perturbations_per_eval, show_progress)


@final
class KernelShap(OfCoalitions):
    """Shapley values, estimated from a number of evaluations that does not grow with the number of features."""

    citation = "lundberg2017"

    @input_attribute
    def attribute(
        self,
        inputs: Inputs,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: object = None,
        feature_mask: Mask = None,
        n_samples: int = 25,
        perturbations_per_eval: int = 1,
        return_input_shape: bool = True,
        show_progress: bool = False,
        *,
        tolerance: float | None = None,
        seed: int | None = None,
        targets: Targets | None = None,
    ) -> Attributions:
        """Values that add up to the score's change, shaped as in FeatureAblation, or (B, features) where
        `return_input_shape` is false; exact where `n_samples` reaches 2^features."""
        count = at_least("n_samples", n_samples, 1)
        request = self._read(inputs, target, targets, additional_forward_args, baselines)

        def values(game: Game) -> list[Tensor]:
            draws = Draws(seed, torch.device("cpu"))
            return [estimated_values(part, count, draws, tolerance) for part in game.each()]

        return self._play(request, values, feature_mask, perturbations_per_eval, show_progress, return_input_shape)


def spread(game: Game, values: list[Tensor]) -> Tensors:
    """Attributions (targets, B, …) from values (players, columns), of all examples or of one after the other."""
    parts = [_of_inputs(part, value) for part, value in zip(game.each(), values, strict=True)]
    return tuple(torch.cat(column, 1) for column in zip(*parts, strict=True))


def _nothing(game: Game) -> Tensor:
    """The values of a game without players, or of no examples."""
    plain_scores(game.question, game.inputs)  # which refuses targets and inputs that are wrong
    return game.inputs[0].new_zeros(game.players, len(game.inputs[0]) * len(game.question.targets), dtype=torch.float32)


def _of_inputs(game: Game, values: Tensor) -> Tensors:
    return for_each_target(game.features.spread, _by_target(game, values))


def _by_target(game: Game, values: Tensor) -> Tensor:
    """From (players, B · targets) to (players, B, targets)."""
    targets = len(game.question.targets)
    return values.reshape(len(values), values.shape[1] // targets, targets)


def by_feature(game: Game, values: list[Tensor]) -> Tensor:
    """Attributions (targets, B, features) from the same; zero for features that an example does not have."""
    if not game.features.per_example:
        return torch.cat([_by_target(game, v) for v in values], 1).permute(2, 1, 0)
    targets = len(game.question.targets)
    attributions = values[0].new_zeros(targets, len(values), game.players)
    for row, value in enumerate(values):
        attributions[:, row, game.features.of(row)] = _by_target(game, value)[:, 0].T
    return attributions
