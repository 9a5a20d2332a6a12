"""Slow and obvious versions of the methods, from their papers, one example and one step at a time, over one grid.

The grid: three nets × kinds of targets × sites × float32 and float64 × batches of one and of three. Methods that draw
are in test_noise.py, test_shapley.py, test_surrogate.py and test_permutation.py, maps in test_cam.py.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import attribution_core

STEPS = 7
PATH: dict[str, Any] = {"n_steps": STEPS, "method": "riemann_middle"}
ACTIVATIONS = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU)
Score = Callable[[Tensor], Tensor]
"""From one example (1, …) to one number."""


def nets() -> dict[str, tuple[nn.Sequential, tuple[int, ...]]]:
    """Nets and the shapes of their examples."""
    torch.manual_seed(5)
    return {
        "mlp": (nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)), (4,)),
        "image": (
            nn.Sequential(nn.Conv2d(2, 3, 2), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(3, 3, 2), nn.ReLU(), nn.Flatten(),
                          nn.Linear(3, 3)),
            (2, 5, 5),
        ),
        "series": (
            nn.Sequential(nn.Conv1d(1, 3, 3), nn.GELU(), nn.Conv1d(3, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)),
            (1, 7),
        ),
    }  # fmt: skip


def targets(batch: int) -> dict[str, Any]:
    own = [2, 0, 1][:batch]
    return {
        "int": 1, "list": own, "tensor": torch.tensor(own), "tuples": [(i,) for i in own],
        "function": lambda outputs: outputs[:, 0] - 2 * outputs[:, 2],
    }  # fmt: skip


def chosen(target: Any, row: int) -> Score:
    """The target's number of an output (1, 3) of that example."""
    if callable(target):
        return lambda out: target(out)[0]
    index = target if isinstance(target, int) else target[row]
    place = index[0] if isinstance(index, tuple) else int(index)
    return lambda out: out[0, place]


# The methods, for one example x and one baseline b.


def slope(f: Score, x: Tensor) -> Tensor:
    leaf = x.detach().clone().requires_grad_()
    (found,) = torch.autograd.grad(f(leaf), leaf)
    return found


def steps(x: Tensor, b: Tensor, count: int = STEPS) -> Iterator[Tensor]:
    for k in range(count):
        yield b + (k + 0.5) / count * (x - b)


def integrated(f: Score, x: Tensor, b: Tensor) -> Tensor:
    return torch.stack([slope(f, point) for point in steps(x, b)]).mean(0) * (x - b)


def ablated(f: Score, x: Tensor, b: Tensor) -> Tensor:
    found = torch.zeros_like(x)
    for place in itertools.product(*map(range, x.shape)):
        without = x.clone()
        without[place] = b[place]
        found[place] = f(x) - f(without)
    return found.detach()


def conductance(head: nn.Module, f: Score, x: Tensor, b: Tensor) -> Tensor:
    values = [head(point) for point in steps(x, b, STEPS + 1)]
    return torch.stack([slope(f, y) * (z - y) for y, z in itertools.pairwise(values)]).sum(0).detach()


def influence(head: nn.Module, f: Score, x: Tensor, b: Tensor) -> Tensor:
    return torch.stack([slope(f, head(point)) for point in steps(x, b)]).mean(0)


Rule = Callable[[nn.Module, Tensor, Tensor, Tensor, Tensor], Tensor]
"""(module, its input, its input on the baseline, its output, what arrives from above) → what goes on below."""


def back(modules: nn.Sequential, f: Score, x: Tensor, b: Tensor, rule: Rule) -> Tensor:
    """From the score down to the input, one module after the other."""
    values, references = [x.detach()], [b.detach()]
    for module in modules:
        values.append(module(values[-1]).detach())
        references.append(module(references[-1]).detach())
    signal = slope(f, values[-1]) * (values[-1] if rule is relevance else 1)
    for place in range(len(modules) - 1, -1, -1):
        signal = rule(modules[place], values[place], references[place], values[place + 1], signal)
    return signal.detach()


def transposed(module: nn.Module, x: Tensor, signal: Tensor) -> Tensor:
    found: Tensor = torch.autograd.functional.vjp(module, x, signal)[1]
    return found


def multiplier(module: nn.Module, x: Tensor, b: Tensor, out: Tensor, signal: Tensor) -> Tensor:
    """DeepLIFT: Δout / Δin of a nonlinearity [shrikumar2017]."""
    if not isinstance(module, ACTIVATIONS):
        return transposed(module, x, signal)
    return signal * (out - module(b)) / (x - b)


def guided(module: nn.Module, x: Tensor, b: Tensor, out: Tensor, signal: Tensor) -> Tensor:
    """Only what is positive on both ways passes a ReLU [springenberg2015]."""
    return signal.clamp(min=0) * (x > 0) if isinstance(module, nn.ReLU) else transposed(module, x, signal)


def deconvolved(module: nn.Module, x: Tensor, b: Tensor, out: Tensor, signal: Tensor) -> Tensor:
    """Only what is positive on the way back passes a ReLU [zeiler2014]."""
    return signal.clamp(min=0) if isinstance(module, nn.ReLU) else transposed(module, x, signal)


def relevance(module: nn.Module, x: Tensor, b: Tensor, out: Tensor, signal: Tensor) -> Tensor:
    """LRP-epsilon: in proportion to what each input contributes to z [bach2015]."""
    if isinstance(module, (*ACTIVATIONS, nn.Flatten)):
        return signal.reshape(x.shape)
    return x * transposed(module, x, signal / (out + torch.where(out >= 0, 1e-9, -1e-9)))


OF_INPUTS: dict[str, tuple[dict[str, Any], Callable[[nn.Sequential, Score, Score, Tensor, Tensor], Tensor]]] = {
    "Saliency": ({}, lambda net, out, f, x, b: slope(f, x).abs()),
    "InputXGradient": ({}, lambda net, out, f, x, b: x * slope(f, x)),
    "IntegratedGradients": (PATH, lambda net, out, f, x, b: integrated(f, x, b)),
    "FeatureAblation": ({}, lambda net, out, f, x, b: ablated(f, x, b)),
    "DeepLift": ({}, lambda net, out, f, x, b: back(net, out, x, b, multiplier) * (x - b)),
    "GuidedBackprop": ({}, lambda net, out, f, x, b: back(net, out, x, b, guided)),
    "Deconvolution": ({}, lambda net, out, f, x, b: back(net, out, x, b, deconvolved)),
    "LRP": ({}, lambda net, out, f, x, b: back(net, out, x, b, relevance)),
}
"""Options, and the replica from net, number of the output, the same of the input, input and baseline."""

OfLayer = Callable[[nn.Sequential, nn.Sequential, Score, Tensor, Tensor], Tensor]
LAYERS: dict[str, tuple[dict[str, Any], OfLayer]] = {
    "LayerActivation": ({}, lambda head, tail, out, x, b: head(x).detach()),
    "LayerGradientXActivation": ({}, lambda head, tail, out, x, b: head(x).detach() * slope(after(tail, out), head(x))),
    "LayerIntegratedGradients": (
        PATH, lambda head, tail, out, x, b: integrated(after(tail, out), head(x), head(b)).detach()
    ),
    "LayerFeatureAblation": ({}, lambda head, tail, out, x, b: ablated(after(tail, out), head(x), head(x) * 0)),
    "LayerConductance": (PATH, lambda head, tail, out, x, b: conductance(head, after(tail, out), x, b)),
    "InternalInfluence": (PATH, lambda head, tail, out, x, b: influence(head, after(tail, out), x, b)),
    "LayerDeepLift": ({}, lambda head, tail, out, x, b: (
        back(tail, out, head(x), head(b), multiplier) * (head(x) - head(b)).detach()
    )),
    "LayerLRP": ({}, lambda head, tail, out, x, b: back(tail, out, head(x), head(x), relevance)),
}  # fmt: skip
"""The same from the modules up to the layer and those after it."""

OfNeuron = Callable[[nn.Sequential, nn.Sequential, Score, Score, Tensor, Tensor], Tensor]
NEURONS: dict[str, tuple[dict[str, Any], OfNeuron]] = {
    "NeuronGradient": ({}, lambda head, tail, pick, out, x, b: slope(after(head, pick), x)),
    "NeuronIntegratedGradients": (PATH, lambda head, tail, pick, out, x, b: integrated(after(head, pick), x, b)),
    "NeuronFeatureAblation": ({}, lambda head, tail, pick, out, x, b: ablated(after(head, pick), x, b)),
    "NeuronDeepLift": ({}, lambda head, tail, pick, out, x, b: back(head, pick, x, b, multiplier) * (x - b)),
    "NeuronGuidedBackprop": ({}, lambda head, tail, pick, out, x, b: back(head, pick, x, b, guided)),
    "NeuronDeconvolution": ({}, lambda head, tail, pick, out, x, b: back(head, pick, x, b, deconvolved)),
    "NeuronConductance": (PATH, lambda head, tail, pick, out, x, b: torch.stack([
        pick(slope(after(tail, out), head(point))) * slope(after(head, pick), point) for point in steps(x, b)
    ]).mean(0).detach() * (x - b)),
}  # fmt: skip
"""The same with the neuron picked from the layer's values."""


def after(modules: nn.Sequential, f: Score) -> Score:
    return lambda x: f(modules(x))


def grid(name: str, dtype: torch.dtype, batch: int) -> tuple[nn.Sequential, Tensor, Tensor]:
    net, shape = nets()[name]
    torch.manual_seed(batch)
    return net.to(dtype), torch.randn(batch, *shape).to(dtype), torch.randn(batch, *shape).to(dtype)


def each_row(target: Any, x: Tensor, b: Tensor, replica: Callable[[Score, Tensor, Tensor], Tensor]) -> list[Tensor]:
    """What a replica says of each example by itself."""
    return [replica(chosen(target, row), x[row : row + 1], b[row : row + 1]) for row in range(len(x))]


def compare(found: Tensor, rows: list[Tensor], dtype: torch.dtype) -> None:
    expected = torch.cat(rows)
    close = 1e-9 if dtype == torch.float64 else 1e-3
    torch.testing.assert_close(found, expected, rtol=close, atol=close * float(expected.abs().max()) + 1e-12)


def options(name: str, own: dict[str, Any], b: Tensor, target: Any) -> dict[str, Any]:
    fixed = {"LayerActivation", "NeuronGradient", "NeuronGuidedBackprop", "NeuronDeconvolution"}
    no_baselines = fixed | {"Saliency", "InputXGradient", "GuidedBackprop", "Deconvolution", "LRP", "LayerLRP",
                            "LayerGradientXActivation", "LayerFeatureAblation"}  # fmt: skip
    no_target = fixed | {name for name in NEURONS if name != "NeuronConductance"}
    given = {"baselines": b} if name not in no_baselines else {}
    return {**own, **given, **({"target": target} if name not in no_target else {})}


BATCHES = [1, 3]
DTYPES = [torch.float32, torch.float64]


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("net", nets())
@pytest.mark.parametrize("name", OF_INPUTS)
def test_of_inputs(name: str, net: str, dtype: torch.dtype, batch: int) -> None:
    model, x, b = grid(net, dtype, batch)
    own, replica = OF_INPUTS[name]
    for kind, target in targets(batch).items():
        if name == "LRP" and kind == "function":
            continue  # relevance starts at one output
        found = getattr(attribution_core, name)(model).attribute(x, **options(name, own, b, target))
        compare(found, each_row(target, x, b, lambda pick, x, b: replica(model, pick, after(model, pick), x, b)), dtype)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("net", nets())
@pytest.mark.parametrize("name", LAYERS)
def test_at_every_layer(name: str, net: str, dtype: torch.dtype, batch: int) -> None:
    model, x, b = grid(net, dtype, batch)
    own, replica = LAYERS[name]
    target = targets(batch)["list"]
    for place, of_input in itertools.product(range(1, len(model) - 1), (False, True)):
        cut = place if of_input else place + 1
        where = {"attribute_to_layer_input": of_input}
        found = getattr(attribution_core, name)(model, model[place]).attribute(
            x, **options(name, own, b, target), **where
        )
        compare(found, each_row(target, x, b, functools.partial(replica, model[:cut], model[cut:])), dtype)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("net", nets())
@pytest.mark.parametrize("name", NEURONS)
def test_of_neurons(name: str, net: str, dtype: torch.dtype, batch: int) -> None:
    model, x, b = grid(net, dtype, batch)
    own, replica = NEURONS[name]
    target = targets(batch)["list"]
    for place, of_input in itertools.product((1, 2), (False, True)):
        cut = place if of_input else place + 1
        shape = model[:cut](x).shape[1:]
        for selector in ((0,) * len(shape), tuple(n - 1 for n in shape)):

            def pick(y: Tensor, selector: tuple[int, ...] = selector) -> Tensor:
                return y[(0, *selector)]

            found = getattr(attribution_core, name)(model, model[place]).attribute(
                x, neuron_selector=selector, attribute_to_neuron_input=of_input, **options(name, own, b, target)
            )
            compare(found, each_row(target, x, b, functools.partial(replica, model[:cut], model[cut:], pick)), dtype)
