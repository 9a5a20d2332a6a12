"""Layer-wise relevance propagation, to the inputs and to layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

from torch import Tensor, nn

from attribution_core.classes.base import Deltas, Explained, Method, OperationAttribution
from attribution_core.classes.layer import LayerAttribution, LayerLike
from attribution_core.classes.signatures import (
    Attributions,
    Targets,
    input_attribute_with_delta,
    layer_attribute_with_delta,
)
from attribution_core.evaluation.observe import warn
from attribution_core.methods.delta import total
from attribution_core.methods.lrp import lrp
from attribution_core.question.question import Question
from attribution_core.rules.composites import Composite, as_composite
from attribution_core.rules.losses import Losses
from attribution_core.types import Inputs, TargetLike, Tensors


class Relevance(OperationAttribution):
    """What LRP is to inputs and to layers alike."""

    citation = "bach2015"
    complete = True
    shares_targets = False
    _multiplies = True

    def compute_convergence_delta(  # type: ignore[override]
        self, attributions: Tensor | Tensors, output: Tensor
    ) -> Tensor:
        """Score − sum of an example's relevance, shape (B,): what biases and epsilon absorbed."""
        parts = (attributions,) if isinstance(attributions, Tensor) else attributions
        return absorbed(tuple(part[None] for part in parts), output[:, None])[:, 0]


def absorbed(relevance: Tensors, scores: Tensor) -> Tensor:
    """Scores (B, targets) − sums of relevance (targets, B, …)."""
    return scores - total(relevance).to(scores)


def propagated(
    rules: Composite | None, verbose: bool, losses: Losses, deltas: Callable[[Tensors, Tensor], Deltas] | None
) -> Method:
    """The method that propagates relevance; `deltas` are made of relevance and scores."""

    def explain(question: Question, xs: Tensors, _: Tensors) -> Explained:
        relevance = lrp(question, xs, rules, verbose, losses)
        return Explained(relevance.slopes, deltas and deltas(relevance.slopes, relevance.scores))

    return explain


@final
class LRP(Relevance):
    """Distributes the score over the inputs, layer by layer, in proportion to what each value contributed."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)

    @input_attribute_with_delta
    def attribute(
        self,
        inputs: Inputs,
        target: TargetLike = None,
        additional_forward_args: object = None,
        return_convergence_delta: bool = False,
        verbose: bool = False,
        *,
        composite: str | Composite | None = None,
        targets: Targets | None = None,
    ) -> Attributions:
        """Relevance shaped like the inputs, and with `return_convergence_delta` what is missing to the score, (B,)."""
        rules = as_composite(composite)
        request = self._read(inputs, target, targets, additional_forward_args)
        losses = Losses()
        method = propagated(rules, verbose, losses, absorbed if return_convergence_delta else None)
        relevance = self._answer(request, method)
        _warn_of_losses(losses)
        return relevance


@final
class LayerLRP(Relevance, LayerAttribution):
    """The relevance of a layer's values: how much of the score each of them carries."""

    differentiates = False

    def __init__(self, model: nn.Module, layer: LayerLike | Sequence[LayerLike]) -> None:
        LayerAttribution.__init__(self, model, layer)

    @layer_attribute_with_delta
    def attribute(
        self,
        inputs: Inputs,
        target: TargetLike = None,
        additional_forward_args: object = None,
        return_convergence_delta: bool = False,
        attribute_to_layer_input: bool = False,
        verbose: bool = False,
        *,
        composite: str | Composite | None = None,
        targets: Targets | None = None,
    ) -> Attributions:
        """Shapes of the layer's values, and with `return_convergence_delta` what is missing to the score, (B,).

        For a list of layers both are lists.
        """
        rules, site = as_composite(composite), self._site(attribute_to_layer_input)
        request = self._read(inputs, target, targets, additional_forward_args)

        def missing(relevance: Tensors, scores: Tensor) -> Deltas:
            each: Deltas = self._one_or_all([absorbed(values, scores) for values in site.divided(relevance)])
            return each

        losses = Losses()
        method = propagated(rules, verbose, losses, missing if return_convergence_delta else None)
        relevance = self._answer_at(site, request, method)
        _warn_of_losses(losses)
        return relevance


def _warn_of_losses(losses: Losses) -> None:
    share = losses.share()
    if share > CONSIDERABLE:
        warn(
            f"LRP: relevance of {share:.3g} times the score was lost, or made up, where a layer has no positive or no "
            "negative contributions that AlphaBetaRule could divide it among. What the map shows does not add up to "
            "the score; composite='epsilon-gamma-box' conserves it."
        )


CONSIDERABLE = 0.2
"""The share of the score from which on lost relevance is worth a warning."""
