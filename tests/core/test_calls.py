"""What every method takes besides Captum's arguments: names, dicts, several targets and baselines, other devices."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import attribution_core
from attribution_core import (
    AttributionError,
    DeepLift,
    FeatureAblation,
    InputXGradient,
    IntegratedGradients,
    LayerConductance,
    LayerGradCam,
    Neuron,
    NoiseTunnel,
    Saliency,
    labelled,
    observe,
)
from attribution_core.evaluation.isolation import submodules
from attribution_core.reading.forward import Named, device_of, moved

from .registry import FLAT, PRIMARY, takes

torch.manual_seed(0)
NET = nn.Sequential(nn.Linear(4, 6), nn.Softplus(), nn.Linear(6, 3)).double()
X = torch.randn(5, 4).double()
METHODS: dict[str, dict[str, Any]] = {
    "Saliency": {}, "InputXGradient": {}, "IntegratedGradients": {"n_steps": 7, "return_convergence_delta": True},
    "DeepLift": {"return_convergence_delta": True}, "GuidedBackprop": {}, "Deconvolution": {},
    "FeatureAblation": {"feature_mask": torch.tensor([[0, 1, 1, 2]]).expand(5, 4)},
    "Occlusion": {"sliding_window_shapes": (2,)},
}  # fmt: skip
APART = {"DeepLiftShap", "LRP", "LayerDeepLiftShap", "LayerLRP", "LayerScoreCam", "NeuronConductance", "ShapleyValues"}
"""Ask the model for each target by itself."""
SHARING = [name for name in FLAT if takes(name, "target") and not takes(name, "seed") and name not in APART]
TARGETS = [0, torch.tensor([2, 1, 0, 1, 2]), "pred", lambda outputs: outputs.square().sum(1)]


def rows(net: nn.Module, ask: Callable[[], Any]) -> tuple[list[int], Any]:
    """The rows of each forward pass, and the result."""
    seen: list[int] = []
    handle = net.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    try:
        return seen, ask()
    finally:
        handle.remove()


@pytest.mark.parametrize("bound", [None, 2])
@pytest.mark.parametrize("name", [name for name in SHARING if name in PRIMARY])
def test_targets_share_the_forward_and_equal_separate_calls(name: str, bound: int | None) -> None:
    method, own = getattr(attribution_core, name)(NET), METHODS.get(name, {})
    with observe(max_batch=bound):
        together, shared = rows(NET, lambda: method.attribute(X, targets=TARGETS, **own))
        apart, separate = rows(NET, lambda: [method.attribute(X, target=t, **own) for t in TARGETS])
    torch.testing.assert_close(shared, separate)
    assert sum(together) < sum(apart) / 2


@pytest.mark.parametrize("name", [name for name in SHARING if name not in PRIMARY])
def test_targets_of_layer_methods(name: str) -> None:
    method = getattr(attribution_core, name)(NET, [NET[0], NET[1]])
    shared = method.attribute(X, targets=TARGETS)
    assert isinstance(shared, list)
    torch.testing.assert_close(shared, [method.attribute(X, target=target) for target in TARGETS])


def test_targets_where_nothing_can_be_shared() -> None:
    conductance = attribution_core.NeuronConductance(NET, NET[0])
    shared = conductance.attribute(X, 1, targets=[0, 2])
    torch.testing.assert_close(shared, [conductance.attribute(X, 1, target=t) for t in (0, 2)])
    whole = FeatureAblation(lambda x: x.square().sum())
    first, second = whole.attribute(X, targets=[None, lambda total: total * 2])
    torch.testing.assert_close(first * 2, second)


@pytest.mark.parametrize("batch", [2, 4])
@pytest.mark.parametrize("name", ["IntegratedGradients", "DeepLift", "FeatureAblation", "KernelShap"])
def test_a_baseline_as_long_as_the_batch_belongs_to_every_example(name: str, batch: int) -> None:
    """A row of 4 values has no examples, whether there are 4 of them or not."""
    x, row = X[:batch], torch.randn(4).double()
    options = {"seed": 1} if name == "KernelShap" else {}
    method = getattr(attribution_core, name)(NET)
    whole = row.expand(batch, 4)
    several = method.attribute(x, row, targets=[0, 1], **options)
    torch.testing.assert_close(several, [method.attribute(x, whole, target=t, **options) for t in (0, 1)])
    noisy = NoiseTunnel(method)
    options |= {"nt_samples": 3, "stdevs": 0.0, "target": 1}
    torch.testing.assert_close(
        noisy.attribute(x, baselines=row, **options), noisy.attribute(x, baselines=whole, **options)
    )


@pytest.mark.parametrize("name", ["KernelShap", "ShapleyValueSampling", "ShapleyValues", "GradientShap", "RISE",
                                  "LayerScoreCam", "FeaturePermutation", "GuidedGradCam", "LRP"])  # fmt: skip
def test_targets_of_every_other_method_equal_separate_calls(name: str) -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv1d(2, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(9, 3)).double()
    cls = getattr(attribution_core, name)
    method = cls(net, net[0]) if name in ("LayerScoreCam", "GuidedGradCam") else cls(net)
    takes = inspect.signature(cls.attribute).parameters
    given: dict[str, Any] = {"baselines": 0.0, "seed": 3, "n_masks": 9, "return_convergence_delta": True}
    options = {key: value for key, value in given.items() if key in takes}
    x = torch.randn(4, 2, 4).double()
    several = method.attribute(x, targets=TARGETS[:1] + TARGETS[2:], **options)
    apart = [method.attribute(x, target=target, **options) for target in TARGETS[:1] + TARGETS[2:]]
    torch.testing.assert_close(several, apart)


def test_neurons_and_outputs_are_targets_of_one_forward_pass() -> None:
    several = [Neuron(NET[0], 1), 2, Neuron(NET[2], 0)]
    seen, found = rows(NET, lambda: Saliency(NET).attribute(X, targets=several))
    assert seen == [5]
    torch.testing.assert_close(found, [Saliency(NET).attribute(X, target=target) for target in several])


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: Saliency(NET).attribute(X, targets=3), "expected a list of targets"),
        (lambda: Saliency(NET).attribute(X, targets=[]), "expected a list of targets"),
        (lambda: Saliency(NET).attribute(X, target=1, targets=[0]), "in place of `target`"),
        (lambda: Saliency(NET).attribute(X, targets=[0, 9]), r"shape \(5, 3\); target=9"),
        (lambda: Saliency(NET).attribute(X, targets=[0, -4]), "target=-4"),
        (lambda: Saliency(NET).attribute(X, target="cat"), "is no known label"),
        (lambda: Saliency(lambda x: x).attribute(torch.ones(2, 3, 4), target="pred"), "one score per class"),
        (lambda: IntegratedGradients(NET).attribute(X, []), "empty list"),
        (lambda: IntegratedGradients(NET).attribute({"x": X}, {"y": X}, target=0), "The inputs are"),
    ],
)
def test_refused(ask: Callable[[], Any], words: str) -> None:
    with pytest.raises(AttributionError, match=words):
        ask()


def test_labels_inside_a_block() -> None:
    method = Saliency(NET)
    with labelled(["cat", "dog", "fox"]):
        torch.testing.assert_close(method.attribute(X, target="dog"), method.attribute(X, target=1))
        several = ["cat", "fox", "fox", "dog", "cat"]
        torch.testing.assert_close(method.attribute(X, target=several), method.attribute(X, target=[0, 2, 2, 1, 0]))
        with pytest.raises(AttributionError, match='Known here: cat, dog, fox; or "pred"'):
            method.attribute(X, target="cow")
    with pytest.raises(AttributionError, match="labelled"):
        method.attribute(X, target="dog")
    with labelled(["pred", "other", "more"]):
        torch.testing.assert_close(method.attribute(X, target="pred"), method.attribute(X, target=0))
    for wrong in ("cat", ["a", "a"], [1, 2]):
        with pytest.raises(AttributionError, match="different names"), labelled(wrong):  # type: ignore[arg-type]
            pass


def test_the_prediction_is_that_of_the_input_all_along_the_path() -> None:
    top = NET(X).argmax(1).tolist()
    assert len(set(top)) > 1
    for name in ("IntegratedGradients", "DeepLift", "FeatureAblation"):
        method = getattr(attribution_core, name)(NET)
        torch.testing.assert_close(method.attribute(X, target="pred"), method.attribute(X, target=top))
    found = LayerConductance(NET, NET[0]).attribute(X, target="pred")
    torch.testing.assert_close(found, LayerConductance(NET, NET[0]).attribute(X, target=top))


class Mixed(nn.Module):
    """Keywords in, a dict out."""

    def forward(self, *, left: Tensor, right: Tensor, scale: Tensor | float = 1.0) -> dict[str, Tensor]:
        return {"logits": torch.stack([(left * scale).sum(1), (left * right).sum(1)], 1), "hidden": left}


def test_inputs_arguments_and_outputs_with_names() -> None:
    named = {"left": X, "right": X.flip(0)}
    found = InputXGradient(Mixed()).attribute(named, target=1)
    assert list(found) == ["left", "right"]
    torch.testing.assert_close(found["right"], X * X.flip(0))
    scale = torch.arange(5.0).double()[:, None]
    scaled = IntegratedGradients(Mixed()).attribute(named, target=0, additional_forward_args={"scale": scale})
    torch.testing.assert_close(scaled["left"], X * scale)
    masks = {"left": torch.zeros(1, 4).long(), "right": torch.ones(1, 4).long()}
    for bound in (None, 2):
        with observe(max_batch=bound):
            ablated = FeatureAblation(Mixed()).attribute(named, target=1, feature_mask=masks)
        torch.testing.assert_close(ablated["left"], (X * X.flip(0)).sum(1, keepdim=True).expand(5, 4))


def test_a_model_that_takes_one_dict_and_further_ones() -> None:
    def forward(batch: dict[str, Tensor], options: dict[str, Any]) -> Tensor:
        return (batch["a"] * options["weight"]).sum(1) * options["factor"]

    weight = torch.arange(20.0).reshape(5, 4).double()
    for bound in (None, 2):
        with observe(max_batch=bound):
            found = IntegratedGradients(forward).attribute(
                {"a": X}, additional_forward_args={"weight": weight, "factor": 2}, n_steps=3
            )
        torch.testing.assert_close(found["a"], X * weight * 2)
    plain = IntegratedGradients(lambda x, options: (x * options["weight"]).sum(1))
    torch.testing.assert_close(plain.attribute(X, additional_forward_args={"weight": weight}), X * weight)


def test_functions_of_dict_outputs_see_one_batch() -> None:
    weights = torch.arange(5.0).double()

    class Out(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Any]:
            return {"a": NET(x), "b": [x], "note": "kept"}

    def score(outputs: Any) -> Tensor:
        assert outputs["note"] == "kept"
        found: Tensor = outputs["a"][:, 1] * outputs["b"][0].sum(1) * weights
        return found

    _, delta = IntegratedGradients(Out()).attribute(X, target=score, n_steps=40, return_convergence_delta=True)
    assert delta.abs().max() < 1e-6


@pytest.mark.parametrize("name", ["IntegratedGradients", "DeepLift", "FeatureAblation", "Occlusion"])
def test_several_baselines_are_averaged_and_functions_asked(name: str) -> None:
    method, options = getattr(attribution_core, name)(NET), METHODS[name]
    given = [0.0, torch.randn(5, 4).double(), torch.randn(1, 4).double()]
    found = method.attribute(X, baselines=given, target=1, **options)
    each = [method.attribute(X, baselines=b, target=1, **options) for b in given]
    for place in (0, 1) if isinstance(found, tuple) else (None,):
        mine, others = (found, each) if place is None else (found[place], [e[place] for e in each])
        torch.testing.assert_close(mine, torch.stack(others).mean(0))
    made = method.attribute(X, baselines=lambda x: x.mean(0, keepdim=True), target=1, **options)
    torch.testing.assert_close(made, method.attribute(X, baselines=X.mean(0, keepdim=True), target=1, **options))
    torch.testing.assert_close(
        method.attribute(X, baselines=lambda: given, targets=[0, 1], **options)[1],
        method.attribute(X, baselines=given, target=1, **options),
    )


def test_several_baselines_of_layers_and_neurons() -> None:
    given = [0.0, torch.randn(5, 4).double()]
    conductance = LayerConductance(NET, NET[0])
    each = [conductance.attribute(X, b, target=0) for b in given]
    torch.testing.assert_close(conductance.attribute(X, given, target=0), (each[0] + each[1]) / 2)
    lift = attribution_core.NeuronDeepLift(NET, NET[1])
    torch.testing.assert_close(lift.attribute(X, 2, given), sum(lift.attribute(X, 2, b) for b in given) / 2)


@pytest.mark.parametrize("name", ["Saliency", "IntegratedGradients", "DeepLift", "InputXGradient"])
def test_unused_inputs_get_zeros_and_one_warning_that_names_them(name: str) -> None:
    method = getattr(attribution_core, name)(lambda a, b, c: NET(b))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = method.attribute((X, X + 1, X + 2), target=0)
    assert [str(w.message) for w in warned] == [
        "The score does not depend on inputs[0], inputs[2]: attributions are zero."
    ]
    assert warned[0].filename == __file__
    assert found[0].abs().max() == found[2].abs().max() == 0 < found[1].abs().max()


def test_unused_inputs_are_warned_of_by_name() -> None:
    with pytest.warns(UserWarning, match=r"inputs\['right'\]: attributions are zero"):
        Saliency(Mixed()).attribute({"left": X, "right": X}, target=lambda outputs: outputs["hidden"].sum(1))


def test_everything_goes_to_the_models_device() -> None:
    """On the device "meta" nothing is computed, but every tensor tells where it was."""
    seen: list[str] = []

    class Away(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4, device="meta"))

        def forward(self, x: Tensor, more: list[Tensor], flag: bool) -> Tensor:
            seen.extend(str(value.device) for value in (x, *more))
            return (x * self.weight).sum(1) * more[0]

    found = Saliency(Away()).attribute(torch.ones(3, 4), additional_forward_args=([torch.ones(3)], True))
    assert seen == ["meta", "meta"]
    assert found.device.type == "meta"
    assert device_of(submodules(NET)) == torch.device("cpu")
    assert device_of(submodules(lambda x: x)) is None
    assert moved(([torch.ones(1)], "word"), None)[1] == "word"


def test_a_named_model_keeps_its_mode() -> None:
    assert not Named(NET.eval(), ("x",), ()).training
    NET.train()
    assert Named(NET, ("x",), ()).training
    NET.eval()


def test_maps_of_a_dict_input_keep_the_layers_shape() -> None:
    class Pictures(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)

        def forward(self, image: Tensor) -> Tensor:
            return self.conv(image).mean((2, 3))

    net = Pictures()
    assert LayerGradCam(net, net.conv).attribute({"image": torch.randn(2, 1, 5, 5)}, target=0).shape == (2, 1, 3, 3)


def test_deeplift_in_half_precision_of_a_shared_batch() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).to(torch.bfloat16)
    x = torch.randn(2, 4).to(torch.bfloat16)
    shared = DeepLift(net).attribute(x, targets=[0, 1])
    assert all(part.dtype == torch.bfloat16 and part.shape == (2, 4) for part in shared)
