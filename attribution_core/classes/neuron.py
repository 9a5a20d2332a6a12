"""What methods of neurons share: which neuron is explained in terms of the inputs.

`neuron_selector` is an index, a tuple of indices and slices (one for each dimension of the layer's values; what slices
select is added up), or a function of the layer's values that returns one number per example.
"""

from __future__ import annotations

from typing import ClassVar

from attribution_core.classes.base import Attribution, GradientAttribution
from attribution_core.classes.layer import LayerLike, as_layer
from attribution_core.question.target import Neuron
from attribution_core.types import Model, Selector


class NeuronAttribution(Attribution):
    """A method that explains a neuron of a layer in terms of the inputs."""

    shares_targets: ClassVar[bool] = False

    def __init__(self, forward_func: Model, layer: LayerLike, device_ids: list[int] | None = None) -> None:
        super().__init__(forward_func)
        self.layer = layer
        self.device_ids = device_ids
        self._layer = as_layer(layer)

    def _neuron(self, selector: Selector, of_input: bool) -> Neuron:
        part = self._layer
        return Neuron(part.module, selector, of_input or part.of_input, part.call)


class MultiplyingNeuron(NeuronAttribution, GradientAttribution):
    """A neuron method whose slopes may be multiplied by the difference between input and baseline."""

    def __init__(
        self,
        forward_func: Model,
        layer: LayerLike,
        device_ids: list[int] | None = None,
        multiply_by_inputs: bool = True,
    ) -> None:
        super().__init__(forward_func, layer, device_ids)
        self._multiplies = multiply_by_inputs
