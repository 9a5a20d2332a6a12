"""Which methods work on a model, what they cost, and which of them is shown first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.data.example import Example
from app.data.features import BaseFeature
from app.errors import InsightsError
from app.explain.asked import Asked, prepared
from app.explain.methods import Method, offered
from app.explain.question import Meant, Question
from app.model.copies import Tensors
from app.model.layers import Anatomy
from app.model.subject import Subject
from app.schema import Argument, MethodOffer, Price
from attribution_core import AttributionError, GradientAttribution

PHOTOGRAPH = 96  # pixels of a side from which single ones can no longer be told apart in a card
NARROW = 10  # columns of a table, of which all 2^10 sets are scored at once
MAPS = {"LayerScoreCam", "GuidedGradCam"}
MAPS_OR_TOKENS = {"LayerGradCam", "LayerGradCamPlusPlus", "LayerCam"}


@dataclass(frozen=True)
class Choice:
    """The method that is shown first, and why; nothing where the user chose it."""

    method: str
    reason: str = ""


def unavailable(method: Method, anatomy: Anatomy, inputs: Tensors) -> str | None:
    """Why a method cannot work on a model of inputs (1, …), as far as a look at it tells."""
    layouts = {layer.layout for layer in anatomy.layers if layer.calls}
    if anatomy.no_gradient and issubclass(method.engine, GradientAttribution):
        return f"It follows gradients of the model, and {anatomy.no_gradient}."
    if method.uses_layer and not layouts - {None}:
        return "It looks at a layer, and no module inside this model passes anything on."
    if method.name in MAPS and "grid" not in layouts:
        return "It needs maps over a picture: no convolution or grid of patches was found."
    if method.name in MAPS_OR_TOKENS and not layouts & {"grid", "tokens"}:
        return "It needs a layer with positions: no convolution, grid of patches or sequence of tokens was found."
    if method.name == "AttentionRollout" and anatomy.no_attention:
        return _sentence(anatomy.no_attention)
    if method.name == "RISE" and not all(x.is_floating_point() and 3 <= x.dim() <= 5 for x in inputs):
        return "It masks pictures or series: (channels, …) with one to three dimensions."
    return None


def price(asked: Asked, anatomy: Anatomy) -> Price:
    """What a question costs: counted by the engine, of a layer by its method's formula."""
    question = asked.question
    method, arguments = question.method, question.arguments
    if method.of_inputs and not method.uses_layer:
        passes = asked.priced()
        forward, backward = passes.forward_rows, passes.backward_rows
    else:
        forward, backward = _at_a_layer(method, arguments, anatomy, question.layer)
    rounds = max(1, len(asked.case.baselines))
    besides = 1 + len(asked.case.baselines) if method.uses_target else 0  # the outputs that are told beside the maps
    forward, backward = forward * rounds + besides, backward * rounds
    return Price(
        forward=forward,
        backward=backward,
        seconds=forward * anatomy.forward + backward * anatomy.backward,
        at_least=arguments.get("tolerance") is not None,
    )


def _at_a_layer(method: Method, arguments: dict[str, Argument], anatomy: Anatomy, name: str | None) -> tuple[int, int]:
    forward, backward = method.entry.passes
    steps = method.entry.steps
    if steps == "maps":
        forward += anatomy.channels(name or "")
    elif steps:
        count = int(str(arguments[steps]))
        forward, backward = forward + count, backward + count
    copies = int(str(arguments.get("smooth_samples"))) if arguments.get("smooth") else 1
    return forward * copies, backward * copies


def choose(features: Sequence[BaseFeature], inputs: Tensors, anatomies: Sequence[Anatomy]) -> Choice:
    """The method that can be read best, for what the models take; anatomies: of all of them where it is photographs."""
    kinds = {feature.kind for feature in features}
    if anatomies and all(_readable_maps(anatomy) for anatomy in anatomies):
        where = anatomies[0].best if len(anatomies) == 1 else "each model's last block"
        return Choice("LayerGradCam", f"Photographs: a coarse map of {where} shows at once where the model looked.")
    if kinds == {"general"} and (columns := sum(x.numel() for x in inputs)) <= NARROW:
        return Choice("ShapleyValues", f"A table of {columns} columns: its fair shares can be computed exactly.")
    return Choice("IntegratedGradients", "Adds up to the change of the output, and works on any input.")


def of_photographs(features: Sequence[BaseFeature], inputs: Tensors) -> bool:
    """Whether an input (1, C, H, W) is an image too large for its single pixels to be read."""
    pairs = zip(features, inputs, strict=True)
    return any(f.kind == "image" and x.dim() == 4 and min(x.shape[2:]) >= PHOTOGRAPH for f, x in pairs)


def _readable_maps(anatomy: Anatomy) -> bool:
    best = anatomy.layer(anatomy.best or "")
    return best is not None and best.layout == "grid" and not anatomy.no_gradient


def offers(subject: Subject, example: Example, anatomy: Anatomy) -> list[MethodOffer]:
    """Every method with its usual arguments: why it cannot work, or what it costs."""
    inputs = tuple(x[None] for x in subject.prepare(example).inputs)
    return [_offer(method, subject, example, anatomy, inputs) for method in offered().values()]


def _offer(method: Method, subject: Subject, example: Example, anatomy: Anatomy, inputs: Tensors) -> MethodOffer:
    layer = anatomy.best if method.uses_layer else None
    reason = unavailable(method, anatomy, inputs)
    cost = None
    if reason is None and (layer is not None or not method.uses_layer):
        try:
            question = Question(
                subject=subject,
                method=method,
                arguments=method.check({}),
                meant=Meant(index=0 if method.uses_target else None),
                layer=layer,
                site=None if layer is None else subject.layer(layer),
                baseline=0,
                functions={},
            )
            cost = price(prepared(question, example), anatomy)
        except (AttributionError, InsightsError) as error:
            reason = _sentence(error.message)
    return MethodOffer(method=method.name, unavailable=reason, layer=None if reason else layer, price=cost)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
