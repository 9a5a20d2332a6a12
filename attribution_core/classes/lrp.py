"""Layer-wise relevance propagation, to the inputs and to layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, final, overload

from torch import Tensor, nn

from attribution_core.classes.base import GradientAttribution
from attribution_core.classes.internal import LayerAttribution, LayerLike
from attribution_core.methods.delta import total
from attribution_core.methods.lrp import lrp
from attribution_core.question.question import Gradients
from attribution_core.question.site import Site
from attribution_core.question.target import TargetLike
from attribution_core.reading.arguments import TensorOrTuple, packed
from attribution_core.rules.composites import Composite, as_composite
from attribution_core.rules.intercept import refuse_compiled


class _Relevance(GradientAttribution):
    """What LRP is to inputs and to layers alike."""

    citation = "bach2015"
    complete = True
    shares_targets = False

    @property
    def multiplies_by_inputs(self) -> bool:
        """Always."""
        return True

    def compute_convergence_delta(  # type: ignore[override]
        self, attributions: Tensor | tuple[Tensor, ...], output: Tensor
    ) -> Tensor:
        """Score − sum of an example's relevance, shape (B,): what biases and epsilon absorbed."""
        parts = (attributions,) if isinstance(attributions, Tensor) else attributions
        return output - total(parts).to(output)

    def _relevance(
        self, site: Site | None, inputs: Any, target: TargetLike, extra: Any, composite: Any, verbose: bool
    ) -> Gradients:
        refuse_compiled(self.forward_func)
        chosen = as_composite(composite)
        with self._asking(inputs, target, extra, site=site) as (question, xs, _):
            return lrp(question, xs, chosen, verbose)


@final
class LRP(_Relevance):
    """Distributes the score over the inputs, layer by layer, in proportion to what each value contributed."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.model = model

    @overload
    def attribute(
        self,
        inputs: TensorOrTuple,
        target: TargetLike = ...,
        additional_forward_args: Any = ...,
        return_convergence_delta: Literal[False] = ...,
        verbose: bool = ...,
        *,
        composite: str | Composite | None = ...,
    ) -> TensorOrTuple: ...

    @overload
    def attribute(
        self,
        inputs: TensorOrTuple,
        target: TargetLike = ...,
        additional_forward_args: Any = ...,
        *,
        return_convergence_delta: Literal[True],
        verbose: bool = ...,
        composite: str | Composite | None = ...,
    ) -> tuple[TensorOrTuple, Tensor]: ...

    def attribute(
        self,
        inputs: TensorOrTuple,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        return_convergence_delta: bool = False,
        verbose: bool = False,
        *,
        composite: str | Composite | None = None,
    ) -> TensorOrTuple | tuple[TensorOrTuple, Tensor]:
        """Relevance shaped like the inputs, and with `return_convergence_delta` what is missing to the score, (B,)."""
        found = self._relevance(None, inputs, target, additional_forward_args, composite, verbose)
        relevance = packed(found.slopes, inputs)
        if not return_convergence_delta:
            return relevance
        return relevance, self.compute_convergence_delta(found.slopes, found.scores)


@final
class LayerLRP(_Relevance, LayerAttribution):
    """The relevance of a layer's values: how much of the score each of them carries."""

    differentiates = False

    def __init__(self, model: nn.Module, layer: LayerLike | Sequence[LayerLike]) -> None:
        LayerAttribution.__init__(self, model, layer)
        self.model = model

    def attribute(
        self,
        inputs: Tensor | tuple[Tensor, ...],
        target: TargetLike = None,
        additional_forward_args: Any = None,
        return_convergence_delta: bool = False,
        attribute_to_layer_input: bool = False,
        verbose: bool = False,
        *,
        composite: str | Composite | None = None,
    ) -> Any:
        """Shapes of the layer's values, and with `return_convergence_delta` what is missing to the score, (B,).

        For a list of layers both are lists.
        """
        site = self._site(attribute_to_layer_input)
        found = self._relevance(site, inputs, target, additional_forward_args, composite, verbose)
        relevance = self._packed(found.slopes, site)
        if not return_convergence_delta:
            return relevance
        deltas = [self.compute_convergence_delta(own, found.scores) for own in site.divided(found.slopes)]
        return relevance, deltas if self._many else deltas[0]
