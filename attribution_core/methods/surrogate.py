"""Simple models that stand in for the score near an example: LIME [ribeiro2016]."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, cast

import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.chunks import in_chunks, rows_that_fit
from attribution_core.evaluation.draws import Draws
from attribution_core.evaluation.observe import portion, report
from attribution_core.evaluation.precision import accumulator
from attribution_core.methods.coalitions import blocks, every, halves, refuse_too_many
from attribution_core.methods.delta import plain_scores
from attribution_core.methods.game import Game
from attribution_core.methods.linear import LinearModel
from attribution_core.methods.regression import refuse_too_large
from attribution_core.question.question import Question, copied
from attribution_core.reading.values import is_number, shown
from attribution_core.types import Tensors

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

SMALL = 1 << 18
"""Samples times features up to which a fit takes no time to speak of."""

Sample = Tensor | Tensors
"""A changed input, or interpretable features: one tensor, or one for each input."""


class InterpretableModel(Protocol):
    """Anything that is fitted to batches of (features, scores, weights) and then describes itself."""

    def fit(self, train_data: DataLoader[Tensors]) -> object:
        """Forget earlier data and fit to these."""

    def representation(self) -> object:
        """What describes it, for example its coefficients."""


class Fitted(NamedTuple):
    """Coefficients (players, B), and the scores (k, B) and weights (k, B) they were fitted to, as are `features`."""

    coefficients: Tensor
    features: Tensor
    scores: Tensor
    weights: Tensor


def lime(game: Game, samples: int, model: LinearModel, draws: Draws) -> Fitted:
    """Coefficients of a linear model of coalitions, weighted by likeness to the input [ribeiro2016].

    All coalitions where `samples` are enough for them, else random ones, each followed by its complement.
    """
    players = game.players
    all_of_them = players < 63 and 1 << players <= samples
    count = 1 << players if all_of_them else samples
    refuse_too_many(count, players)
    refuse_too_large(count, players)
    coalitions = every(players) if all_of_them else halves(players, count, draws.at(0))
    fit = _steps_of_a_fit(count, players)
    with portion(0, count, count + fit):
        scores = game.values(count, lambda start, stop: coalitions[start:stop])
    weights = _likeness(game, coalitions, scores.shape[1])
    with portion(count, fit, count + fit):
        coefficients = model.coefficients(coalitions, scores, weights)
        report(1, 1)
    return Fitted(coefficients.to(scores), coalitions, scores, weights)


def _steps_of_a_fit(samples: int, features: int) -> int:
    """As how many samples a fit counts in what is reported; small ones take no time."""
    return samples // 10 if samples * features > SMALL else 0


def _likeness(game: Game, coalitions: Tensor, width: int) -> Tensor:
    """exp(−(1 − cosine)² / 2) of input and perturbed input, (k, width), what is not finite not counting [ribeiro2016].

    This is π_x(z) = exp(−D(x, z)² / σ²) of section 3.3 with the cosine distance and σ² = 2. As z is x at shown features
    and b at hidden ones, products of x and z are sums over features: no perturbed input is looked at.
    """
    pairs = [
        (x.nan_to_num(0, 0, 0).double(), b.nan_to_num(0, 0, 0).double())
        for x, b in zip(game.inputs, game.baselines, strict=True)
    ]
    same = game.features.gathered(tuple(x * x for x, _ in pairs)).cpu()
    mixed = game.features.gathered(tuple(x * b for x, b in pairs)).cpu()
    other = game.features.gathered(tuple(b * b for _, b in pairs)).cpu()
    if width < same.shape[1]:
        same, mixed, other = (part.sum(1, keepdim=True) for part in (same, mixed, other))
    cosines = []
    for some in blocks(len(coalitions), game.players):
        shown, hidden = coalitions[some].double(), (~coalitions[some]).double()
        size = (same.sum(0) * (shown @ same + hidden @ other)).sqrt()
        cosines.append((shown @ same + hidden @ mixed) / size.clamp(min=1e-30))
    return (-((1 - torch.cat(cosines)) ** 2) / 2).exp().expand(-1, width)


Likeness = Callable[..., float | Tensor]
Transform = Callable[..., Sample]
Perturbation = Callable[..., Sample | Iterator[Sample]]


class Sampler(NamedTuple):
    """How samples are drawn near an input, and seen by the model and by the interpretable model.

    The caller's functions get copies of the input, which they may change in place.
    """

    perturb: Perturbation
    likeness: Likeness
    interpretable: bool
    transform: Transform
    """To an input where samples are `interpretable` features, else to features."""

    def drawn(self, original: Sample, options: Mapping[str, object]) -> Iterator[tuple[Sample, Tensor, Tensor]]:
        """Without end: (perturbed input, features (1, n), weight)."""
        for sample in self._samples(original, options):
            transformed = self.transform(sample, _copy(original), **options)
            point, features = (transformed, sample) if self.interpretable else (sample, transformed)
            weight = _as_weight(self.likeness(_copy(original), point, features, **options))
            yield point, torch.as_tensor(features).reshape(1, -1), weight

    def _samples(self, original: Sample, options: Mapping[str, object]) -> Iterator[Sample]:
        while True:
            made = self.perturb(_copy(original), **options)
            if isinstance(made, Iterator):
                yield from map(_as_sample, made)
                return
            yield _as_sample(made)


def _as_sample(made: object) -> Sample:
    parts = made if isinstance(made, tuple) else (made,)
    if not parts or not all(isinstance(part, Tensor) for part in parts):
        raise AttributionError(f"perturb_func returned {shown(made)}.", "Return a tensor, or a tuple of tensors.")
    return cast("Sample", made)


def _as_weight(likeness: object) -> Tensor:
    """How much a sample counts, (1,)."""
    single = is_number(likeness) or (
        isinstance(likeness, Tensor) and likeness.numel() == 1 and likeness.is_floating_point()
    )
    weight = torch.as_tensor(likeness).detach().reshape(1) if single else torch.full((1,), math.nan)
    if not 0 <= float(weight) < math.inf:
        raise AttributionError(
            f"similarity_func returned {likeness if single else shown(likeness)}.", "Return a finite number ≥ 0."
        )
    return weight


def _copy(sample: Sample) -> Sample:
    return sample.clone() if isinstance(sample, Tensor) else copied(sample)


def surrogate(
    question: Question,
    original: Sample,
    samples: int,
    model: InterpretableModel,
    sampler: Sampler,
    options: Mapping[str, object],
    rows: int | None,
) -> object:
    """Fit any model to any samples of one example, or of a batch that has one score [ribeiro2016]."""
    inputs = (original,) if isinstance(original, Tensor) else original
    source = islice(sampler.drawn(original, options), samples)
    waiting: dict[int, tuple[Sample, Tensor, Tensor]] = {}

    def part(start: int, stop: int) -> tuple[Tensor, Tensor, Tensor]:
        for place in [place for place in waiting if place < start]:
            del waiting[place]
        waiting.update(zip(range(start + len(waiting), stop), source, strict=False))
        chosen = [waiting[place] for place in range(start, stop) if place in waiting]
        if len(chosen) < stop - start:
            raise AttributionError(f"perturb_func ended after {start + len(chosen)} of {samples} samples.")
        each, features, weights = zip(*chosen, strict=True)
        columns = zip(*((p,) if isinstance(p, Tensor) else p for p in each), strict=True)
        points = tuple(torch.cat(column) for column in columns)
        scores = plain_scores(question.repeated(len(chosen), disposable=True), points)[:, 0]
        return torch.cat(features), scores.to(accumulator(scores.dtype)), torch.cat(weights)

    parts = list(in_chunks(samples, part, len(inputs[0]), rows_that_fit(inputs, rows)))
    features, scores, weights = (torch.cat(column) for column in zip(*parts, strict=True))
    if len(scores) != samples:
        raise AttributionError(
            f"The model gave {len(scores)} scores for {samples} samples of a batch of {len(inputs[0])}.",
            "Explain one example at a time, or return one number for the batch.",
        )
    if not weights.any():
        raise AttributionError("similarity_func gave none of the samples any weight.", "Return a number above 0.")
    with portion(0, 0, 0):
        model.fit(_batches(features, scores, weights))
    return model.representation()


def _batches(features: Tensor, scores: Tensor, weights: Tensor) -> DataLoader[Tensors]:
    from torch.utils.data import DataLoader, TensorDataset  # noqa: PLC0415 - slow to import, and seldom needed

    data = TensorDataset(features.detach().to(scores.dtype), scores, weights.to(scores.dtype))
    return DataLoader(data, batch_size=len(scores))


def exponential_likeness(
    distance_mode: Literal["cosine", "euclidean"] = "cosine", kernel_width: float = 1.0
) -> Likeness:
    """A `similarity_func`: exp(−distance² / (2 · width²)) of flattened inputs [ribeiro2016]."""
    if distance_mode not in ("cosine", "euclidean") or not kernel_width > 0:
        raise AttributionError(
            f"distance_mode={distance_mode!r}, kernel_width={kernel_width!r}.",
            "Choose 'cosine' or 'euclidean', and a width > 0.",
        )

    def likeness(original: Sample, perturbed: Sample, features: Sample, **options: object) -> float:  # noqa: ARG001
        a, b = _flat(original), _flat(perturbed)
        euclidean = distance_mode == "euclidean"
        distance = (a - b).norm() if euclidean else 1 - torch.cosine_similarity(a, b, dim=0)
        return math.exp(-(float(distance) ** 2) / (2 * kernel_width**2))

    return likeness


def _flat(value: Sample) -> Tensor:
    parts = (value,) if isinstance(value, Tensor) else value
    return torch.cat([part.reshape(-1).double() for part in parts]).nan_to_num(0, 0, 0)
