"""LRP and LayerLRP give Captum 0.9's numbers for the nets it takes; where it fails or errs, the test says how.

Known differences:
- Captum knows eleven modules and refuses Flatten, Identity, GELU, LayerNorm, … and every functional call goes unseen;
  a net that is a single module gets its gradient.
- It deletes the user's `rule` attributes, and returns relevance that requires gradients.
- LayerLRP of an activation, of an addition or with IdentityRule: an error.
- Dropout before ReLU: with changed weights Captum loses the relevance of values whose sign the change turns.
- Its name in words is "L R P".
- A module used twice: an error. Additions written as `+` are split by the gradient.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import captum.attr
import captum.attr._utils.lrp_rules as theirs
import pytest
import torch
from captum.attr._utils.custom_modules import Addition_Module
from torch import Tensor, nn

import attribution_core.rules as ours
from attribution_core import LRP, LayerLRP


class Net(nn.Module):
    """Modules in a row, then everything flat, then a linear layer."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.modules_ = nn.ModuleList(modules)
        self.out = nn.LazyLinear(3)

    def forward(self, x: Tensor) -> Tensor:
        for module in self.modules_:
            x = module(x)
        return self.out(x.reshape(len(x), -1))


class Pair(nn.Module):
    """Two inputs, added, and an additional argument."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.out = nn.Linear(4, 5), nn.Linear(3, 5), nn.Linear(5, 3)
        self.add, self.relu = Addition_Module(), nn.ReLU()

    def forward(self, a: Tensor, b: Tensor, which: int = 0) -> Tensor:
        return self.out(self.relu(self.add(self.a(a), self.b(b))))[:, which:]


def nets() -> dict[str, tuple[nn.Module, Any]]:
    torch.manual_seed(11)
    norm = nn.BatchNorm2d(3)
    norm.running_mean.normal_(), norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
    vector, picture = torch.randn(3, 5), torch.randn(2, 2, 8, 8)
    found: dict[str, tuple[nn.Module, Any]] = {
        "mlp": (Net(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 6), nn.Tanh()), vector),
        "dropout": (Net(nn.Linear(5, 6), nn.ReLU(), nn.Dropout()), vector),
        "conv": (Net(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, 2, stride=2), nn.Tanh()), picture),
        "max pool": (Net(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2)), picture),
        "average": (Net(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)), picture),
        "adaptive": (Net(nn.Conv2d(2, 3, 3, groups=1), nn.Tanh(), nn.AdaptiveAvgPool2d(2)), picture),
        "batch norm": (Net(nn.Conv2d(2, 3, 3, dilation=2), norm, nn.ReLU(), nn.MaxPool2d(2)), picture),
        "pair": (Pair(), (torch.randn(3, 4), torch.randn(3, 3))),
    }
    for model, x in found.values():
        model.double().eval()
        model(*(double(x) if isinstance(x, tuple) else (double(x),)))
    return {name: (model, double(x)) for name, (model, x) in found.items()}


def double(x: Any) -> Any:
    return tuple(map(double, x)) if isinstance(x, tuple) else x.double()


RULES: dict[str, Callable[[Any], Any]] = {
    "default": lambda rules: None,
    "epsilon": lambda rules: rules.EpsilonRule(0.25),
    "gamma": lambda rules: rules.GammaRule(0.5),
    "gamma without bias": lambda rules: rules.GammaRule(0.5, set_bias_to_zero=True),
    "positive": lambda rules: rules.Alpha1_Beta0_Rule(),
    "positive without bias": lambda rules: rules.Alpha1_Beta0_Rule(set_bias_to_zero=True),
}
TARGETS: list[Any] = [1, [0, 2, 1], torch.tensor([2, 0, 0]), (2,)]
WEIGHTED = (nn.Linear, nn.Conv2d, nn.BatchNorm2d)


def choose(model: nn.Module, rule: str, rules: Any) -> None:
    for module in model.modules():
        vars(module).pop("rule", None)
        if isinstance(module, WEIGHTED) and rule != "default":
            module.rule = RULES[rule](rules)  # type: ignore[assignment]


def asked(model: nn.Module, rule: str, ask: Callable[[Any], Any]) -> tuple[Any, Any]:
    choose(model, rule, theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = ask(captum.attr)
    choose(model, rule, ours)
    return ask(__import__("attribution_core")), other


def same(mine: Any, other: Any) -> None:
    if isinstance(other, (tuple, list)):
        assert type(mine) is type(other) and len(mine) == len(other)
        for one, two in zip(mine, other, strict=True):
            same(one, two)
        return
    torch.testing.assert_close(mine, other.detach(), rtol=1e-5, atol=1e-6 * max(1, other.abs().max().item()))
    assert not mine.requires_grad


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", nets())
def test_numbers_of_captum(name: str, rule: str) -> None:
    model, x = nets()[name]
    rows = len(x[0]) if isinstance(x, tuple) else len(x)
    for target in TARGETS:
        of_batch = target if not isinstance(target, (list, Tensor)) else target[:rows]
        same(*asked(model, rule, lambda m, t=of_batch: m.LRP(model).attribute(x, t, return_convergence_delta=True)))


LAYERS = [(name, place) for name in nets() if name != "pair" for place in (0, 2, -1)]


@pytest.mark.parametrize("rule", ["default", "epsilon", "gamma", "positive"])
@pytest.mark.parametrize(("name", "place"), LAYERS)
def test_layer_numbers_of_captum(name: str, place: int, rule: str) -> None:
    model, x = nets()[name]
    layer = [*model.modules_, model.out][place]  # type: ignore[misc]
    if not isinstance(layer, (*WEIGHTED, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)):
        layer = model.out
    for of_input, target in itertools.product((False, True), (0, 2)):
        arguments = {"target": target, "return_convergence_delta": True, "attribute_to_layer_input": of_input}
        same(*asked(model, rule, lambda m, a=arguments: m.LayerLRP(model, layer).attribute(x, **a)))


def test_additional_arguments_and_lists_of_layers() -> None:
    model, x = nets()["pair"]
    same(*asked(model, "default", lambda m: m.LRP(model).attribute(x, 0, 1, True)))
    layers = [model.a, model.out]
    same(*asked(model, "gamma", lambda m: m.LayerLRP(model, layers).attribute(x, 0, return_convergence_delta=True)))


def test_names_and_deltas() -> None:
    model, x = nets()["mlp"]
    for mine, other in (
        (LRP(model), captum.attr.LRP(model)),
        (LayerLRP(model, model.out), captum.attr.LayerLRP(model, model.out)),
    ):
        assert mine.get_name() == other.get_name().replace("L R P", "LRP")
        assert mine.has_convergence_delta() and other.has_convergence_delta()
        assert mine.multiplies_by_inputs == other.multiplies_by_inputs
        score = torch.tensor([1.0, 2.0, 3.0]).double()
        same(mine.compute_convergence_delta((x, x), score), other.compute_convergence_delta((x, x), score))


def test_dropout_before_an_activation_where_captum_loses_relevance() -> None:
    torch.manual_seed(0)
    first, x = nn.Linear(5, 6), torch.randn(8, 5)
    apart, together = (nn.Sequential(first, *more, nn.ReLU(), nn.Linear(6, 3)).eval() for more in ([nn.Dropout()], []))
    together[2].load_state_dict(apart[3].state_dict())
    found = [asked(net, "positive", lambda m, n=net: m.LRP(n).attribute(x, 0)) for net in (apart, together)]
    torch.testing.assert_close(found[0][0], found[1][0])
    same(*found[1])
    assert (found[0][1] - found[1][1]).abs().max() > 1e-3


def test_rules_stay_where_captum_deletes_them() -> None:
    model, x = nets()["mlp"]
    choose(model, "gamma", ours)
    LRP(model).attribute(x, 0)
    assert isinstance(model.out.rule, ours.GammaRule)
    choose(model, "gamma", theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        captum.attr.LRP(model).attribute(x, 0)
    assert not hasattr(model.out, "rule")
