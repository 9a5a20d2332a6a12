"""Attributions from attention weights."""

from __future__ import annotations

from typing import ClassVar, cast, final

from torch import Tensor

from attribution_core.classes.base import Attribution, alone
from attribution_core.errors import AttributionError
from attribution_core.methods.attention import attention_rollout, is_causal, of_one_stack
from attribution_core.methods.layout import on_grid
from attribution_core.question.attention import Attentions
from attribution_core.question.joins import Joins
from attribution_core.question.question import Question
from attribution_core.types import Inputs, Tensors


@final
class AttentionRollout(Attribution):
    """How much of a token in the last layer comes from each input token, if attention were all that mixes them."""

    citation = "abnar2020"
    differentiates: ClassVar[bool] = False
    of_inputs: ClassVar[bool] = False

    def attribute(self, inputs: Inputs, additional_forward_args: object = None, token: int | None = 0) -> Tensor:
        """(B, tokens), rows summing to 1; for images (B, 1, h, w) over the patches, without the class token."""
        request = self._read(inputs, extra=additional_forward_args)

        def explain(question: Question, xs: Tensors, _: Tensors) -> Tensors:
            weights = of_one_stack(question.values(xs), len(xs[0]))
            rollout = attention_rollout(weights)
            if token is not None and not -rollout.shape[1] <= token < rollout.shape[1]:
                raise AttributionError(
                    f"token={token}: the model has {rollout.shape[1]} tokens.",
                    "0 is the class token of most models, -1 the last token; None takes the mean over all.",
                )
            if token in (0, -rollout.shape[1]) and is_causal(weights[0]):
                raise AttributionError(
                    f"token={token}: the model's attention is causal, so that its first token sees itself only.",
                    "Choose token=-1, the last one, or None for the mean over all.",
                )
            shares = rollout.mean(1) if token is None else rollout[:, token]
            image = next((x for x in xs if x.dim() == 4), None)
            if image is not None:
                joins = Joins()
                question._replace(site=joins).values(xs)
                size, patches = (image.shape[2], image.shape[3]), joins.patches.get(shares.shape[1])
                shares = on_grid(shares[..., None], size, patches)
            return (shares[None],)

        return cast("Tensor", self._answer(request, explain, site=Attentions(), pack=alone))
