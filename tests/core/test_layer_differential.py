"""Layer and neuron methods: the same call on Captum 0.9, as a black box, gives the same numbers.

Known differences, each with its own test in test_layer.py or test_neuron.py:
- A layer that runs twice: Captum takes the last call without a word; here one chooses.
- riemann_trapezoid: Captum's weights sum to (n − 1)/n.
- NeuronConductance of a slice: Captum multiplies the sum of gradients by the gradient of the sum.
- Neurons with negative indices: Captum takes them; refused here.
- LayerIntegratedGradients of layers of which one feeds the other, or before an in-place activation: Captum fails.
- LayerDeepLift to the input of an activation: Captum passes over that activation; incomplete.
- LayerFeatureAblation with a target per example and several perturbations at once: Captum fails.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import captum.attr
import pytest
import torch
from torch import Tensor, nn

import attribution_core

CLOSE = 1e-5


class Fork(nn.Module):
    """A module that passes on a tuple and takes two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.sigmoid = nn.Linear(4, 5), nn.Linear(3, 5), nn.Sigmoid()

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return self.one(a), self.sigmoid(self.two(b))


class Pair(nn.Module):
    """Two inputs, a further argument, and layers that pass on one tensor or two."""

    def __init__(self) -> None:
        super().__init__()
        self.fork, self.tanh, self.out = Fork(), nn.Tanh(), nn.Linear(5, 3)

    def forward(self, a: Tensor, b: Tensor, scale: Tensor | None = None) -> Tensor:
        one, two = self.fork(a, b)
        hidden = self.tanh(one + 2 * two)
        return self.out(hidden if scale is None else hidden * scale[:, None])


class Side(nn.Module):
    """Two embeddings side by side, looked up by the same ids."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.out = nn.Embedding(7, 4), nn.Embedding(7, 4), nn.Linear(4, 3)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out((self.left(ids) * self.right(ids).tanh()).sum(1))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 4), nn.Softplus(), nn.Linear(4, 3))


def image() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Conv2d(4, 3, 2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 4)
    )


def series() -> nn.Module:
    return nn.Sequential(nn.Conv1d(2, 3, 3), nn.ELU(), nn.Flatten(), nn.Linear(18, 2))


Case = tuple[nn.Module, Any, list[nn.Module], list[Any], Any]


def cases() -> dict[str, Case]:
    """Model, inputs, layers, targets, further arguments."""
    torch.manual_seed(11)
    m, i, s, p, q = mlp(), image(), series(), Pair(), Pair()
    pair = (torch.randn(3, 4).double(), torch.randn(3, 3).double())
    found: dict[str, Case] = {
        "mlp": (m, torch.randn(3, 5).double(), [m[0], m[1], m[2], m[3]], [1, [0, 2, 1]], None),
        "image": (i, torch.randn(2, 2, 8, 8).double(), [i[0], i[1], i[3]], [torch.tensor([3, 0])], None),
        "series": (s, torch.randn(2, 2, 8).double(), [s[0], s[1]], [(1,)], None),
        "pair": (p, pair, [p.fork, p.tanh, p.fork.one], [2], None),
        "extra": (q, pair, [q.fork, q.tanh], [[0, 1, 2]], torch.tensor([0.5, 2.0, -1.0]).double()),
    }
    for model, *_ in found.values():
        model.double().eval()
    return found


def both(method: str, model: Any, layer: Any, constructor: dict[str, Any], call: dict[str, Any]) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = getattr(captum.attr, method)(model, layer, **constructor).attribute(**call)
    return getattr(attribution_core, method)(model, layer, **constructor).attribute(**call), theirs


def same(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    if isinstance(ours, (tuple, list)):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            same(mine, other)
        return
    assert ours.shape == theirs.shape
    assert not ours.requires_grad
    theirs = theirs.detach()
    error = (ours - theirs).abs().max()
    assert error <= CLOSE * theirs.abs().max() + 1e-7, f"off by {error:.2e} of {theirs.abs().max():.2e}"


def baselines(inputs: Any) -> list[Any]:
    torch.manual_seed(3)
    if isinstance(inputs, Tensor):
        return [None, 0.3, torch.randn_like(inputs)]
    return [None, tuple(torch.randn_like(x) for x in inputs)]


def rows(inputs: Any) -> Any:
    torch.manual_seed(4)
    if isinstance(inputs, Tensor):
        return torch.randn(4, *inputs.shape[1:]).double()
    return tuple(torch.randn(4, *x.shape[1:]).double() for x in inputs)


RULES = ["gausslegendre", "riemann_left", "riemann_right", "riemann_middle"]
Variants = list[tuple[dict[str, Any], dict[str, Any]]]


def paths(x: Any) -> Variants:
    return [
        *(({}, {"baselines": b, "n_steps": 12}) for b in baselines(x)),
        *(({}, {"method": rule, "n_steps": 7}) for rule in RULES[1:]),
        ({}, {"internal_batch_size": 7, "n_steps": 6}),
    ]


def with_delta(variants: Variants) -> Variants:
    return [(c, {**call, "return_convergence_delta": True}) for c, call in variants]


PLAIN: Variants = [({}, {}), ({"multiply_by_inputs": False}, {})]
LAYER: dict[str, Callable[[Any], Variants]] = {
    "LayerActivation": lambda x: [({}, {})],
    "LayerGradientXActivation": lambda x: [
        *PLAIN,
        ({"memory_efficient": True}, {"grad_kwargs": {"retain_graph": True}}),
    ],
    "LayerGradCam": lambda x: [({}, {}), ({}, {"relu_attributions": True}), ({}, {"attr_dim_summation": False})],
    "LayerConductance": lambda x: with_delta(paths(x)),
    "InternalInfluence": paths,
    "LayerIntegratedGradients": lambda x: [*with_delta(paths(x)), PLAIN[1]],
    "LayerDeepLift": lambda x: [*with_delta([({}, {"baselines": b}) for b in baselines(x)]), PLAIN[1]],
    "LayerDeepLiftShap": lambda x: [
        ({}, {"baselines": rows(x), "return_convergence_delta": True}),
        ({"multiply_by_inputs": False}, {"baselines": rows(x)}),
    ],
    "LayerFeatureAblation": lambda x: [({}, {}), ({}, {"layer_baselines": 0.5}), ({}, {"perturbations_per_eval": 3})],
}
NEURON: dict[str, Callable[[Any], Variants]] = {
    "NeuronGradient": lambda x: [({}, {})],
    "NeuronGuidedBackprop": lambda x: [({}, {})],
    "NeuronDeconvolution": lambda x: [({}, {})],
    "NeuronIntegratedGradients": lambda x: [*paths(x), PLAIN[1]],
    "NeuronConductance": lambda x: [(c, {"method": "riemann_middle", **call}) for c, call in [*paths(x), PLAIN[1]]],
    "NeuronDeepLift": lambda x: [*(({}, {"baselines": b}) for b in baselines(x)), PLAIN[1]],
    "NeuronDeepLiftShap": lambda x: [
        ({}, {"baselines": rows(x)}),
        ({"multiply_by_inputs": False}, {"baselines": rows(x)}),
    ],
    "NeuronFeatureAblation": lambda x: [({}, {"baselines": b, "perturbations_per_eval": 2}) for b in baselines(x)],
}


def captum_is_wrong(method: str, layer: nn.Module, call: dict[str, Any], target: Any) -> bool:
    if method in {"LayerDeepLift", "LayerDeepLiftShap"}:
        return call["attribute_to_layer_input"] and isinstance(
            layer, (nn.ReLU, nn.Tanh, nn.ELU, nn.Softplus, nn.MaxPool2d)
        )
    several = isinstance(target, list) or (isinstance(target, Tensor) and target.numel() > 1)
    if "layer_baselines" in call:
        return isinstance(layer, Fork)
    return several and "perturbations_per_eval" in call


def layer_calls(method: str, name: str) -> list[tuple[Any, Any, dict[str, Any], dict[str, Any]]]:
    model, inputs, layers, targets, extra = cases()[name]
    found = []
    for layer, target, of_input, (constructor, call) in itertools.product(
        layers, targets, (False, True), LAYER[method](inputs)
    ):
        full = {"inputs": inputs, "attribute_to_layer_input": of_input, **call}
        if captum_is_wrong(method, layer, full, target):
            continue
        if method != "LayerActivation":
            full["target"] = target
        if extra is not None:
            full["additional_forward_args"] = (extra,)
        found.append((model, layer, constructor, full))
    return found


def selectors(model: nn.Module, inputs: Any, layer: nn.Module, of_input: bool) -> list[Any]:
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    value = attribution_core.LayerActivation(model, layer).attribute(given, attribute_to_layer_input=of_input)
    if isinstance(value, tuple):
        return [lambda values: values[0][:, 1] + values[1][:, 0]]
    last = tuple(n - 1 for n in value.shape[1:])
    return [last[0] if len(last) == 1 else last, lambda v: v.flatten(1)[:, 2]]


def neuron_calls(method: str, name: str) -> list[tuple[Any, Any, dict[str, Any], dict[str, Any]]]:
    model, inputs, layers, targets, extra = cases()[name]
    found = []
    for layer, of_input in itertools.product(layers, (False, True)):
        if isinstance(model, Pair) and layer is model.fork.one:
            continue  # does not depend on both inputs: Captum fails
        picks = selectors(model, inputs, layer, of_input)
        for selector, (constructor, call) in itertools.product(picks, NEURON[method](inputs)):
            full = {"inputs": inputs, "neuron_selector": selector, "attribute_to_neuron_input": of_input, **call}
            if method == "NeuronConductance":
                full["target"] = targets[0]
            if extra is not None:
                full["additional_forward_args"] = (extra,)
            found.append((model, layer, constructor, full))
    return found


@pytest.mark.parametrize("method", LAYER)
@pytest.mark.parametrize("name", cases())
def test_layer_numbers_of_captum(method: str, name: str) -> None:
    for model, layer, constructor, call in layer_calls(method, name):
        same(*both(method, model, layer, constructor, call))


@pytest.mark.parametrize("method", NEURON)
@pytest.mark.parametrize("name", cases())
def test_neuron_numbers_of_captum(method: str, name: str) -> None:
    for model, layer, constructor, call in neuron_calls(method, name):
        same(*both(method, model, layer, constructor, call))


def test_grid_is_large() -> None:
    layers = sum(len(layer_calls(method, name)) for method in LAYER for name in cases())
    neurons = sum(len(neuron_calls(method, name)) for method in NEURON for name in cases())
    assert layers + neurons >= 2400


@pytest.mark.parametrize("method", [*LAYER, *NEURON, "GuidedGradCam", "LayerGradientShap", "NeuronGradientShap",
                                    "LayerFeaturePermutation"])  # fmt: skip
def test_names_and_deltas(method: str) -> None:
    net = nn.Sequential(nn.Linear(3, 2))
    ours, theirs = (getattr(home, method)(net, net[0]) for home in (attribution_core, captum.attr))
    assert ours.get_name() == theirs.get_name()
    assert ours.has_convergence_delta() == theirs.has_convergence_delta()
    assert ours.multiplies_by_inputs == getattr(theirs, "multiplies_by_inputs", False)
    bases = {base.__name__ for base in type(ours).__mro__}
    for base in ("LayerAttribution", "NeuronAttribution", "GradientAttribution", "PerturbationAttribution"):
        assert (base in bases) == any(other.__name__ == base for other in type(theirs).__mro__)
