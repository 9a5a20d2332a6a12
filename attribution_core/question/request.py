"""What a caller asks of a method, read once: behind this file there is one form of everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from attribution_core.evaluation.isolation import submodules
from attribution_core.question.target import Target
from attribution_core.question.target_forms import as_targets
from attribution_core.reading.arguments import as_each_baseline, as_inputs, baseline_of_each, baselines_for, in_order
from attribution_core.reading.forward import as_forward, device_of
from attribution_core.reading.masks import Groups, as_groups
from attribution_core.types import Baselines, Distribution, Inputs, Mask, Model, Single, TargetLike, Tensors


class NoBaselines:
    """The baselines of a method that has none."""


class Request(NamedTuple):
    """A model, checked inputs on its device, targets and baselines.

    `ids`: some inputs are integers, such as token ids, in place of which their embeddings are explained.
    `names` are those of inputs given as a dict; `single` is true of one bare tensor, `several` of a list of targets.
    `baselines` are those of which the mean is taken, each a tuple with an entry for each input; empty where a method
    has none. For floating point inputs the entries are tensors of the inputs' shapes.
    """

    forward: Model
    modules: list[nn.Module]
    inputs: Tensors
    ids: bool
    names: tuple[str, ...]
    single: bool
    targets: tuple[Target, ...]
    several: bool
    baselines: tuple[tuple[Single, ...], ...]
    extra: tuple[object, ...]

    @property
    def batch(self) -> int:
        """The number of examples."""
        return len(self.inputs[0])

    def in_order(self, name: str, value: object) -> Any:
        """An argument with an entry for each input; if it is a dict by name, in the order of the inputs."""
        return in_order(name, value, self.names)

    def rows_of(self, distribution: Distribution) -> tuple[Any, ...]:
        """The rows from which baselines are drawn, for each input, as `as_distribution` takes them."""
        made = baselines_for(distribution, self.packed(self.inputs))
        return baseline_of_each(self.in_order("baselines", made), self.inputs)

    def groups(self, feature_mask: Mask, inputs: Tensors) -> Groups:
        """The features that `feature_mask` numbers in the inputs."""
        return as_groups(self.in_order("feature_mask", feature_mask), inputs)

    def packed(self, attributions: Tensors) -> Inputs:
        """Attributions in the form in which the inputs came."""
        if self.single:
            return attributions[0]
        return dict(zip(self.names, attributions, strict=True)) if self.names else tuple(attributions)


def read(
    model: Model,
    inputs: Inputs,
    target: TargetLike | Target,
    targets: Sequence[TargetLike | Target] | None,
    extra: object,
    baselines: Baselines | NoBaselines,
    differentiable: bool,
) -> Request:
    """Check what was given and move it to the model's device; `differentiable`: gradients will be asked of inputs.

    Raises AttributionError before the model runs.
    """
    modules = submodules(model)
    device = device_of(modules)
    single = isinstance(inputs, Tensor)
    names, ordered = (tuple(inputs), tuple(inputs.values())) if isinstance(inputs, Mapping) else ((), inputs)
    forward, further = as_forward(model, names, extra, device) if names or extra is not None else (model, ())
    tensors = as_inputs(ordered, differentiable, device)
    ids = differentiable and not all(map(Tensor.is_floating_point, tensors))
    bases = () if isinstance(baselines, NoBaselines) else as_each_baseline(baselines, inputs, names, tensors, ids)
    asked = as_targets(target, targets, tensors[0].shape[0], model)
    return Request(forward, modules, tensors, ids, names, single, asked, targets is not None, bases, further)
