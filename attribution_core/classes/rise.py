"""Random soft masks of the input."""

from __future__ import annotations

from typing import final

from attribution_core.classes.perturbation import PerturbationAttribution
from attribution_core.classes.signatures import Attributions, Targets, input_attribute
from attribution_core.errors import AttributionError
from attribution_core.evaluation.draws import Draws
from attribution_core.methods.rise import STRETCHES, rise
from attribution_core.question.question import Question
from attribution_core.reading.arguments import at_least
from attribution_core.types import Baselines, Inputs, TargetLike, Tensors


@final
class RISE(PerturbationAttribution):
    """The mean score of the random soft masks that show a position: where seeing more of the input helps."""

    citation = "petsiuk2018"

    @input_attribute
    def attribute(
        self,
        inputs: Inputs,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: object = None,
        n_masks: int = 1000,
        grid_size: int = 7,
        probability: float = 0.5,
        show_progress: bool = False,
        *,
        seed: int | None = None,
        targets: Targets | None = None,
    ) -> Attributions:
        """Mean scores, the same for all channels; shapes of the inputs, (B, C, …) of one to three dimensions."""
        count, grid = at_least("n_masks", n_masks, 1), at_least("grid_size", grid_size, 1)
        request = self._read(inputs, target, targets, additional_forward_args, baselines)
        for place, x in enumerate(request.inputs):
            if x.dim() - 2 not in STRETCHES or not x.is_floating_point():
                raise AttributionError(
                    f"inputs[{place}] has shape {tuple(x.shape)} and dtype {x.dtype}; masks need (B, C, …) of one to "
                    "three dimensions, floating point.",
                    "Use ShapleyValueSampling or FeatureAblation.",
                )

        def explain(question: Question, xs: Tensors, bases: Tensors) -> Tensors:
            return rise(question, xs, bases, count, grid, probability, Draws(seed, xs[0].device))

        return self._answer(request, explain, show_progress=show_progress)
