"""Attributions that are coefficients of a simple model fitted near the input."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from attribution_core.classes.base import alone
from attribution_core.classes.perturbation import PerturbationAttribution
from attribution_core.classes.shapley import OfCoalitions
from attribution_core.classes.signatures import Attributions, Targets, input_attribute
from attribution_core.errors import AttributionError
from attribution_core.evaluation.chunks import in_chunks
from attribution_core.evaluation.draws import Draws
from attribution_core.evaluation.isolation import seeded
from attribution_core.evaluation.observe import nested, portion, warn
from attribution_core.methods.delta import plain_scores
from attribution_core.methods.game import Game
from attribution_core.methods.linear import Lasso, LinearModel
from attribution_core.methods.surrogate import (
    Fitted,
    InterpretableModel,
    Likeness,
    Perturbation,
    Sample,
    Sampler,
    Transform,
    exponential_likeness,
    lime,
    surrogate,
)
from attribution_core.question.question import Question
from attribution_core.reading.arguments import as_copies, at_least
from attribution_core.types import Baselines, Inputs, Mask, Model, TargetLike, Tensors

ALPHA = 0.01
"""The penalty of Lime's default model."""


@final
class LimeBase(PerturbationAttribution):
    """A simple model of one's own choice, fitted to what the model says of samples near the input."""

    citation = "ribeiro2016"
    of_inputs = False
    shares_targets = False

    def __init__(
        self,
        forward_func: Model,
        interpretable_model: InterpretableModel,
        similarity_func: Likeness,
        perturb_func: Perturbation,
        perturb_interpretable_space: bool,
        from_interp_rep_transform: Transform | None,
        to_interp_rep_transform: Transform | None,
    ) -> None:
        super().__init__(forward_func)
        name, needed = "to_interp_rep_transform", to_interp_rep_transform
        if perturb_interpretable_space:
            name, needed = "from_interp_rep_transform", from_interp_rep_transform
        if needed is None:
            raise AttributionError(
                f"LimeBase(perturb_interpretable_space={perturb_interpretable_space}) needs {name}.",
                "Say how samples turn into inputs, or inputs into interpretable features.",
            )
        self.interpretable_model = _fittable(interpretable_model)
        self._sampler = Sampler(perturb_func, similarity_func, perturb_interpretable_space, needed)

    @input_attribute  # type: ignore[arg-type]  # **kwargs, as in Captum
    def attribute(
        self,
        inputs: Inputs,
        target: TargetLike = None,
        additional_forward_args: object = None,
        n_samples: int = 50,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
        *,
        seed: int | None = None,
        targets: Targets | None = None,
        **kwargs: object,
    ) -> Attributions:
        """What the interpretable model says of itself, for one example or a batch with one score; further keywords go
        to all functions given to the constructor."""
        count = at_least("n_samples", n_samples, 1)
        request = self._read(inputs, target, targets, additional_forward_args)
        rows = as_copies(perturbations_per_eval, request.batch)

        def explain(question: Question, xs: Tensors, _: Tensors) -> Tensors:
            original = xs[0] if request.single else xs
            with seeded(seed, xs):
                said = surrogate(question, original, count, self.interpretable_model, self._sampler, kwargs, rows)
            return (_described(said)[None],)

        return self._answer(request, explain, pack=alone, show_progress=show_progress)


@final
class Lime(OfCoalitions):
    """How a sparse linear model, fitted to what the model says of changed copies of the input, weighs each feature."""

    citation = "ribeiro2016"
    shares_targets = False

    def __init__(
        self,
        forward_func: Model,
        interpretable_model: InterpretableModel | None = None,
        similarity_func: Likeness | None = None,
        perturb_func: Perturbation | None = None,
    ) -> None:
        super().__init__(forward_func)
        self.interpretable_model = Lasso(ALPHA) if interpretable_model is None else _fittable(interpretable_model)
        self.similarity_func = similarity_func
        self.perturb_func = perturb_func
        self._own_model = interpretable_model is not None

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
        seed: int | None = None,
        targets: Targets | None = None,
    ) -> Attributions:
        """Coefficients, shaped as in FeatureAblation, or (B, features) where `return_input_shape` is false."""
        count = at_least("n_samples", n_samples, 1)
        request = self._read(inputs, target, targets, additional_forward_args, baselines)
        model = self.interpretable_model

        def values(game: Game) -> list[Tensor]:
            if self.similarity_func is None and self.perturb_func is None and isinstance(model, LinearModel):
                draws = Draws(seed, torch.device("cpu"))
                return self._nonzero([lime(part, count, model, draws) for part in game.each()])
            draws = Draws(seed, torch.device("cpu"))
            with seeded(seed, game.inputs):
                return self._own_way(game, count, draws, request.single)

        return self._play(request, values, feature_mask, perturbations_per_eval, show_progress, return_input_shape)

    def _nonzero(self, fits: list[Fitted]) -> list[Tensor]:
        """The coefficients; where the default penalty left none though the scores differ, it is taken relative to
        their deviation."""
        empty = 0 if self._own_model else sum(int(_emptied(each).sum()) for each in fits)
        if not empty:
            return [each.coefficients for each in fits]
        warn(
            f"Lime's penalty of {ALPHA} left no feature of {empty} examples, whose scores differ by little: it was "
            "taken relative to their deviation. Pass interpretable_model=Lasso(…) to choose it."
        )
        return [torch.where(_emptied(each), _relative(each), each.coefficients) for each in fits]

    def _own_way(self, game: Game, count: int, draws: Draws, single: bool) -> list[Tensor]:
        games = _single_scores(game)

        def part(start: int, stop: int) -> list[Tensor]:
            with nested(stacked=False):
                return [self._one(games[place], count, draws.at(place), single).T for place in range(start, stop)]

        coefficients = [value for part in in_chunks(len(games), part, 1, 1) for value in part]
        return coefficients if game.features.per_example else [torch.cat(coefficients, 1)]

    def _one(self, game: Game, count: int, random: torch.Generator, single: bool) -> Tensor:
        def to_input(sample: Tensor, *_: object, **__: object) -> Sample:
            points = game.points(sample.reshape(1, -1).bool())
            return points[0] if single else points

        def perturbed(*_: object, **__: object) -> Tensor:
            return torch.bernoulli(torch.full((1, game.players), 0.5), generator=random).long()

        inputs, bases, masks = game.inputs, game.baselines, game.features.places
        options = {
            "baselines": bases[0] if single else bases,
            "feature_mask": masks[0] if single else masks,
            "num_interp_features": game.players,
        }
        sampler = Sampler(
            self.perturb_func or perturbed, self.similarity_func or exponential_likeness(), True, to_input
        )
        original = inputs[0] if single else inputs
        model = self.interpretable_model
        said = surrogate(game.question, original, count, model, sampler, options, game.rows)
        return _described(said).reshape(1, -1)


def _emptied(fitted: Fitted) -> Tensor:
    return ~fitted.coefficients.any(0) & (fitted.scores != fitted.scores[:1]).any(0)


def _relative(fitted: Fitted) -> Tensor:
    deviation = fitted.scores.std(0, correction=0).clamp(min=torch.finfo(fitted.scores.dtype).tiny)
    with portion(0, 0, 0):
        coefficients = Lasso(ALPHA).coefficients(fitted.features, fitted.scores / deviation, fitted.weights)
    return coefficients.to(deviation) * deviation


def _single_scores(game: Game) -> list[Game]:
    """A game for each example, or one where the whole batch has one score."""
    batch = len(game.inputs[0])
    if batch == 1 or len(plain_scores(game.question, game.inputs)) != batch:
        return [game]
    return [game.of(row) for row in range(batch)]


def _described(said: object) -> Tensor:
    """What an interpretable model says of itself."""
    try:
        return torch.as_tensor(said)
    except (TypeError, ValueError, RuntimeError) as error:
        raise AttributionError(
            f"interpretable_model.representation() returned a {type(said).__name__}.",
            "Return a tensor or an array, such as its coefficients.",
        ) from error


def _fittable(model: InterpretableModel) -> InterpretableModel:
    if not (callable(getattr(model, "fit", None)) and callable(getattr(model, "representation", None))):
        raise AttributionError(
            f"interpretable_model is a {type(model).__name__} without fit and representation.",
            "Pass Lasso(alpha), Ridge(alpha), LinearRegression() of attribution_core.methods.linear, or an own class.",
        )
    return model
