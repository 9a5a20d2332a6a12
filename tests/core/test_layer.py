"""Layer methods: against their papers, and what Captum does not do."""

from __future__ import annotations

import warnings
from typing import Any

import captum.attr
import pytest
import torch
from torch import Tensor, nn

import attribution_core
from attribution_core import (
    AttributionError,
    InternalInfluence,
    Layer,
    LayerActivation,
    LayerAttribution,
    LayerConductance,
    LayerDeepLift,
    LayerFeatureAblation,
    LayerGradCam,
    LayerGradientXActivation,
    LayerIntegratedGradients,
    observe,
)

pytestmark = pytest.mark.filterwarnings("ignore:The model is in training mode")

torch.manual_seed(0)
NET = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 5), nn.Softplus(), nn.Linear(5, 2)).double()
X, B = torch.randn(4, 3).double(), torch.randn(4, 3).double()
COMPLETE = ["LayerConductance", "LayerIntegratedGradients", "LayerDeepLift"]
METHODS = [*COMPLETE, "InternalInfluence", "LayerGradientXActivation", "LayerGradCam", "LayerFeatureAblation",
           "LayerActivation", "LayerGradCamPlusPlus", "LayerCam"]  # fmt: skip


def ask(name: str, model: Any, layer: Any, x: Any, **more: Any) -> Any:
    target = {} if name == "LayerActivation" else {"target": 1}
    return getattr(attribution_core, name)(model, layer).attribute(x, **{**target, **more})


@pytest.mark.parametrize("name", METHODS)
def test_a_list_of_layers_equals_separate_calls(name: str) -> None:
    layers = [NET[0], Layer(NET[3], of_input=True), NET[3]]
    more = {"baselines": B} if name in COMPLETE else {}
    if name in COMPLETE:
        more["return_convergence_delta"] = True
    found = ask(name, NET, layers, X, **more)
    alone = [ask(name, NET, layer, X, **more) for layer in layers]
    for mine, other in zip(zip(*found, strict=True) if name in COMPLETE else found, alone, strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize(
    "name", [name for name in METHODS if name not in {"LayerIntegratedGradients", "LayerFeatureAblation"}]
)
def test_a_list_of_layers_shares_the_forward_pass(name: str) -> None:
    passes: list[int] = []
    handle = NET.register_forward_pre_hook(lambda module, inputs: passes.append(len(inputs[0])))
    try:
        ask(name, NET, NET[1], X)
        alone = list(passes)
        passes.clear()
        ask(name, NET, [NET[0], NET[1], NET[2]], X)
    finally:
        handle.remove()
    assert passes == alone


def test_embeddings_side_by_side_move_together_as_in_captum() -> None:
    left, right, out = nn.Embedding(7, 4), nn.Embedding(7, 4), nn.Linear(4, 3)

    class Side(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right, self.out = left, right, out

        def forward(self, ids: Tensor) -> Tensor:
            return self.out((self.left(ids) * self.right(ids).tanh()).sum(1))

    side, ids, pad = Side().double(), torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.zeros(2, 3).long()
    call: dict[str, Any] = {"inputs": ids, "baselines": pad, "target": 1, "return_convergence_delta": True}
    ours, delta = LayerIntegratedGradients(side, [left, right]).attribute(**call)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, _ = captum.attr.LayerIntegratedGradients(side, [left, right]).attribute(**call)
    torch.testing.assert_close(ours, theirs)
    assert delta.abs().max() < 1e-6
    for multiply in (True, False):
        kwargs = {"multiply_by_inputs": multiply}
        torch.testing.assert_close(
            LayerIntegratedGradients(side, left, **kwargs).attribute(ids, target=0),
            captum.attr.LayerIntegratedGradients(side, left, **kwargs).attribute(ids, target=0),
        )


def test_conductance_by_its_definition() -> None:
    """∫ dF/dy · dy/dα dα by a fine sum of gradients and difference quotients."""
    total = torch.zeros(4, 4).double()
    steps = 400
    for k in range(steps):
        point = B + (k + 0.5) / steps * (X - B)
        rate = (NET[:2](point + 1e-6 * (X - B)) - NET[:2](point - 1e-6 * (X - B))) / 2e-6
        leaf = NET[:2](point).detach().requires_grad_()
        (slope,) = torch.autograd.grad(NET[2:](leaf)[:, 1].sum(), leaf)
        total += slope * rate / steps
    found = LayerConductance(NET, NET[1]).attribute(X, B, target=1, n_steps=800, method="riemann_trapezoid")
    torch.testing.assert_close(found, total.detach(), rtol=0.02, atol=2e-3)


def test_internal_influence_by_its_definition() -> None:
    total = torch.zeros(4, 5).double()
    for k in range(20):
        hidden = NET[:3](B + (k + 0.5) / 20 * (X - B)).detach().requires_grad_()
        (slope,) = torch.autograd.grad(NET[3:](hidden)[:, 0].sum(), hidden)
        total += slope / 20
    found = InternalInfluence(NET, NET[2]).attribute(X, B, target=0, n_steps=20, method="riemann_middle")
    torch.testing.assert_close(found, total)


@pytest.mark.parametrize("name", COMPLETE)
@pytest.mark.parametrize("layer", range(4))
def test_completeness_at_every_layer(name: str, layer: int) -> None:
    more = {} if name == "LayerDeepLift" else {"n_steps": 300}
    if name == "LayerConductance":
        more["method"] = "riemann_trapezoid"
    found, delta = ask(name, NET, NET[layer], X, baselines=B, return_convergence_delta=True, **more)
    change = (NET(X) - NET(B))[:, 1].detach()
    torch.testing.assert_close(found.sum(1) - delta, change)
    assert delta.abs().max() < (1e-2 if name == "LayerConductance" else 1e-6)


def test_deeplift_counts_the_activation_whose_input_is_explained_where_captum_passes_over_it() -> None:
    _, delta = LayerDeepLift(NET, NET[1]).attribute(
        X, B, target=0, attribute_to_layer_input=True, return_convergence_delta=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, theirs = captum.attr.LayerDeepLift(NET, NET[1]).attribute(
            X, B, target=0, attribute_to_layer_input=True, return_convergence_delta=True
        )
    assert delta.abs().max() < 1e-12 < 1e-4 < theirs.abs().max()


def test_ablation_of_a_layer_by_hand() -> None:
    found = LayerFeatureAblation(NET, NET[1]).attribute(X, layer_baselines=0.5, target=1)
    hidden = NET[:2](X)
    for place in range(4):
        without = hidden.clone()
        without[:, place] = 0.5
        torch.testing.assert_close(found[:, place], (NET(X) - NET[2:](without))[:, 1].detach())
    mask = torch.tensor([[0, 1, 0, 1]])
    grouped = LayerFeatureAblation(NET, [NET[1], NET[3]]).attribute(X, target=1, layer_mask=[mask, None])
    torch.testing.assert_close(grouped[0], LayerFeatureAblation(NET, NET[1]).attribute(X, target=1, layer_mask=mask))
    with pytest.raises(AttributionError, match="layer_mask must be a list"):
        LayerFeatureAblation(NET, [NET[1], NET[3]]).attribute(X, target=1, layer_mask=mask)


@pytest.mark.parametrize("name", METHODS)
def test_results_do_not_depend_on_chunks_and_examples_not_on_each_other(name: str) -> None:
    more = {"baselines": B} if name in COMPLETE else {}
    whole = ask(name, NET, NET[1], X, **more)
    for bound in (1, 3):
        with observe(max_batch=bound):
            torch.testing.assert_close(ask(name, NET, NET[1], X, **more), whole)
    one = {"baselines": B[2:3]} if name in COMPLETE else {}
    torch.testing.assert_close(ask(name, NET, NET[1], X[2:3], **one), whole[2:3])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_left_behind(name: str, fails: bool) -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(4, 2))
    before = {k: v.clone() for k, v in net.state_dict().items()}
    state, variables = torch.get_rng_state(), [sorted(vars(module)) for module in net]
    x = torch.randn(4, 3)
    if fails:
        with pytest.raises(RuntimeError):
            ask(name, net, net[1], torch.randn(4, 7))
    else:
        torch.set_rng_state(state)
        assert ask(name, net, net[0], x).shape[0] == 4
        assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert variables == [sorted(vars(module)) for module in net]
    assert all(not m._forward_hooks and not m._forward_pre_hooks and m.training for m in net.modules())
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_in_place_activations_after_the_layer(name: str) -> None:
    other = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    inplace = nn.Sequential(other[0], nn.ReLU(inplace=True), other[2])
    torch.testing.assert_close(ask(name, inplace, inplace[0], X), ask(name, other, other[0], X))


def test_grad_kwargs_are_honoured() -> None:
    method = LayerGradientXActivation(NET, NET[1])
    found = method.attribute(X, target=0, grad_kwargs={"create_graph": True})
    assert found.requires_grad
    torch.testing.assert_close(found.detach(), method.attribute(X, target=0))
    weights = torch.tensor([1.0, 2.0, 0.0, -1.0]).double()
    weighted = method.attribute(X, target=0, grad_kwargs={"grad_outputs": weights})
    torch.testing.assert_close(weighted, method.attribute(X, target=0) * weights[:, None])
    unused = nn.Linear(3, 1).double()
    net = Both(unused)
    assert LayerGradientXActivation(net, unused).attribute(X, target=0).abs().max() == 0
    with pytest.raises(RuntimeError, match="not have been used"):
        LayerGradientXActivation(net, unused).attribute(X, target=0, grad_kwargs={"allow_unused": False})
    for name in ("LayerGradCam", "LayerConductance", "InternalInfluence", "LayerIntegratedGradients", "LayerDeepLift"):
        with pytest.raises(AttributionError, match=r"grad_kwargs has \['retain'\]"):
            ask(name, NET, NET[1], X, grad_kwargs={"retain": True})
        torch.testing.assert_close(
            ask(name, NET, NET[1], X, grad_kwargs={"retain_graph": True}), ask(name, NET, NET[1], X)
        )
    halved = ask(
        "LayerConductance", NET, NET[1], X, n_steps=3, grad_kwargs={"grad_outputs": torch.full((16,), 0.5).double()}
    )
    torch.testing.assert_close(halved * 2, ask("LayerConductance", NET, NET[1], X, n_steps=3))


class Both(nn.Module):
    """A layer that runs and does not matter."""

    def __init__(self, unused: nn.Module) -> None:
        super().__init__()
        self.unused = unused

    def forward(self, x: Tensor) -> Tensor:
        self.unused(x)
        return NET(x)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: LayerActivation(NET, "1"), "layer is a str"),
        (lambda: LayerActivation(NET, []), "empty list"),
        (lambda: LayerActivation(NET, NET[0], device_ids=[0, 1]), "DataParallel"),
        (lambda: Layer(NET[0], call=-1), "call=-1"),
        (lambda: LayerGradCam(NET, nn.Linear(1, 1)).attribute(X, target=0), "not called"),
        (lambda: LayerConductance(NET, NET[0]).attribute(X, target=0, n_steps=0), "n_steps"),
        (lambda: LayerIntegratedGradients(NET, NET[0]).attribute(X, target=0, internal_batch_size=0), "internal_batch"),
        (lambda: LayerFeatureAblation(NET, NET[0]).attribute(X, target=0, layer_baselines=torch.zeros(9)), "baselines"),
    ],
)
def test_refused(build: Any, words: str) -> None:
    with pytest.raises(AttributionError, match=words):
        build()


@pytest.mark.parametrize("name", ["LayerConductance", "LayerIntegratedGradients", "InternalInfluence"])
def test_values_without_a_row_per_example_are_refused_along_paths(name: str) -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Tanh()

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x.T).T.sum(1, keepdim=True).expand(-1, 2)

    net = Turned()
    with pytest.raises(AttributionError, match=r"\(3, 4\) for 4 examples"):
        ask(name, net, net.layer, X)


def test_layers_that_pass_on_dicts_and_take_keywords() -> None:
    class Named(nn.Module):
        def forward(self, *, x: Tensor, scale: float) -> dict[str, Any]:
            return {"a": x * scale, "words": "kept", "b": [x.tanh()]}

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.named = Named()

        def forward(self, x: Tensor) -> Tensor:
            found = self.named(x=x, scale=2.0)
            assert found["words"] == "kept"
            return found["a"].sum(1) * found["b"][0].sum(1)

    net = Net()
    values = LayerActivation(net, net.named).attribute(X)
    torch.testing.assert_close(values, (X * 2, X.tanh()))
    torch.testing.assert_close(LayerActivation(net, net.named).attribute(X, attribute_to_layer_input=True), X)
    a, b = LayerGradientXActivation(net, net.named).attribute(X)
    torch.testing.assert_close(a, X * 2 * X.tanh().sum(1, keepdim=True))
    torch.testing.assert_close(b, X.tanh() * X.sum(1, keepdim=True) * 2)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_interpolate(mode: str) -> None:
    maps = torch.randn(2, 3, 4, 5)
    ours = LayerAttribution.interpolate(maps, (8, 9), mode)
    torch.testing.assert_close(ours, captum.attr.LayerAttribution.interpolate(maps, (8, 9), mode))
    tokens = torch.cat([torch.full((2, 1, 3), 9.0), torch.arange(24.0).reshape(2, 4, 3)], 1)
    grid = LayerAttribution.interpolate(tokens, (4, 4))
    assert grid.shape == (2, 3, 4, 4)
    assert grid[0, 0].tolist() == [[0, 0, 3, 3], [0, 0, 3, 3], [6, 6, 9, 9], [6, 6, 9, 9]]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_close(name: str, dtype: torch.dtype) -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).to(dtype)
    x = torch.randn(4, 3).to(dtype)
    half = ask(name, net, net[1], x)
    exact = ask(name, net.double(), net[1], x.double())
    assert half.isfinite().all()
    torch.testing.assert_close(half.double(), exact, rtol=0.1, atol=0.03)


@pytest.mark.parametrize("name", COMPLETE)
def test_deltas_of_given_attributions(name: str) -> None:
    method = getattr(attribution_core, name)(NET, NET[1])
    found, delta = method.attribute(X, B, target=0, return_convergence_delta=True)
    torch.testing.assert_close(method.compute_convergence_delta(found, B, X, target=0), delta)
