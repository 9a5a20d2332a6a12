"""Incremental passes: the same numbers as full passes, and where full passes are taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attribution_core import FeatureAblation, FeaturePermutation, NeuronFeatureAblation, Occlusion, cost, observe
from attribution_core.evaluation.observe import Cancelled
from attribution_core.incremental import saving
from attribution_core.incremental.boxes import Slide

WINDOW: dict[str, Any] = {"sliding_window_shapes": (2, 3, 4), "strides": (2, 2, 3)}


class Net(nn.Module):
    """Layers by name, and what is computed with them."""

    def __init__(self, compute: Callable[[Any, Tensor], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(layers)
        self.compute = compute

    def forward(self, x: Tensor) -> Tensor:
        return self.compute(self.layers, x)


def chain(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(3))


def conv(*sizes: Any, **options: Any) -> nn.Module:
    return nn.Conv2d(*sizes, **options)


def residual(layers: Any, x: Tensor) -> Tensor:
    x = F.relu(layers.first(x), inplace=True)
    out = layers.norm(layers.second(x))
    out += layers.narrow(x)
    return layers.last(F.relu_(out).mean((2, 3)))


def concatenation(layers: Any, x: Tensor) -> Tensor:
    return layers.last(torch.cat([layers.first(x), x, layers.second(x)], dim=1).amax((2, 3)))


def input_in_place(layers: Any, x: Tensor) -> Tensor:
    x -= torch.tensor([0.1, -0.2], dtype=x.dtype).reshape(2, 1, 1)
    return layers.last(layers.first(x.div_(0.5)).tanh().flatten(1))


def views_in_place(layers: Any, x: Tensor) -> Tensor:
    x = layers.first(x)
    seen = x.relu()
    x[:, 1].mul_(2)
    x.view(len(x), -1)[:, ::7] = 0
    return layers.last((x + seen).flatten(1))


def what_is_asked(layers: Any, x: Tensor) -> Tensor:
    x = layers.first(x)
    if len(x) and bool(x.max() > 100):
        return layers.last(x.flatten(1) * 0)
    return layers.last((2 - x * x / x.size(1)).clamp(min=-1).flatten(1))


NETS: dict[str, Callable[[], nn.Module]] = {
    "no padding": lambda: chain(conv(2, 4, 3), nn.ReLU(), conv(4, 4, 2), nn.ReLU()),
    "padding": lambda: chain(conv(2, 4, 3, padding=1), nn.ReLU(), conv(4, 4, (5, 3), padding=(2, 1)), nn.GELU()),
    "padding by name": lambda: chain(conv(2, 4, 3, padding="same"), nn.ReLU(), conv(4, 2, 3, padding="valid")),
    "padding by reflection": lambda: chain(conv(2, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU()),
    "stride": lambda: chain(conv(2, 4, 5, stride=2, padding=2), nn.ReLU(), conv(4, 4, 1, stride=(2, 3))),
    "dilation": lambda: chain(conv(2, 4, 3, dilation=(2, 3), padding=2), nn.SiLU()),
    "groups": lambda: chain(conv(2, 4, 3, groups=2, padding=1, bias=False), nn.PReLU(4), conv(4, 4, 3, groups=4)),
    "max pools": lambda: chain(nn.MaxPool2d(3, 2, 1), conv(2, 4, 3), nn.MaxPool2d(2), nn.ReLU6()),
    "pools beyond the end": lambda: chain(conv(2, 4, 3, padding=1), nn.MaxPool2d(3, 2, ceil_mode=True), nn.ELU()),
    "average pools": lambda: chain(conv(2, 4, 3), nn.AvgPool2d(2), nn.Hardswish(), nn.AvgPool2d(3, 1, padding=1)),
    "in place": lambda: chain(conv(2, 4, 3), nn.ReLU(inplace=True), nn.BatchNorm2d(4), nn.LeakyReLU(inplace=True)),
    "dropout": lambda: chain(nn.Dropout2d(0.5), conv(2, 4, 3), nn.Dropout(0.5, inplace=True), nn.Sigmoid()),
    "transposed": lambda: chain(conv(2, 4, 3), nn.ConvTranspose2d(4, 3, 2, stride=2), nn.ReLU()),
    "group norm": lambda: chain(conv(2, 4, 3), nn.GroupNorm(2, 4), nn.ReLU()),
    "no answer for any": lambda: chain(nn.Unfold(3), nn.Softmax(1), nn.Unflatten(1, (2, 9)), conv(2, 2, 3)),
    "residual": lambda: Net(
        residual,
        first=conv(2, 4, 3, padding=1),
        second=nn.Sequential(conv(4, 4, 3, stride=2, padding=1), nn.ReLU(inplace=True), conv(4, 6, 3, padding=1)),
        norm=nn.BatchNorm2d(6),
        narrow=conv(4, 6, 1, stride=2),
        last=nn.Linear(6, 3),
    ),
    "concatenation": lambda: Net(
        concatenation,
        first=conv(2, 3, 3, padding=1),
        second=conv(2, 2, 5, padding=2),
        last=nn.Linear(7, 3),
    ),
    "input in place": lambda: Net(input_in_place, first=conv(2, 4, 3), last=nn.LazyLinear(3)),
    "views in place": lambda: Net(views_in_place, first=conv(2, 4, 3), last=nn.LazyLinear(3)),
    "what is asked": lambda: Net(what_is_asked, first=conv(2, 4, 3), last=nn.LazyLinear(3)),
}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Incremental passes wherever they are possible; of how many windows each was."""
    windows: list[int] = []
    covered = saving._covered

    def noted(x: Tensor, instead: Tensor, hidden: Tensor) -> Tensor:
        windows.append(len(hidden))
        return covered(x, instead, hidden)

    for name, least in (("FEWEST_VALUES", 0), ("FEWEST_WINDOWS", 1), ("LEAST_SAVED", 0.1)):
        monkeypatch.setattr(saving, name, least)
    monkeypatch.setattr(saving, "_covered", noted)
    return windows


def made(name: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Tensor]:
    model, x = NETS[name]().eval(), torch.randn(2, 2, 11, 13)
    with torch.no_grad():
        model(x.clone())
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-1, 1)  # type: ignore[union-attr]
    return model.to(dtype), x.to(dtype)


def in_full(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """A function, which always gets full passes."""

    def function(x: Tensor) -> Tensor:
        outputs: Tensor = model(x)
        return outputs

    return function


@pytest.mark.parametrize("name", NETS)
def test_the_numbers_are_those_of_full_passes(taken: list[int], name: str) -> None:
    model, x = made(name)
    before, weights = x.clone(), [p.clone() for p in (*model.parameters(), *model.buffers())]
    found = Occlusion(model).attribute(x, target=[0, 2], baselines=0.3, **WINDOW)
    assert len(taken) == 2  # one pass for each example
    full = Occlusion(in_full(model)).attribute(x, target=[0, 2], baselines=0.3, **WINDOW)
    torch.testing.assert_close(found, full, rtol=1e-11, atol=1e-13)
    assert torch.equal(x, before)
    for now, was in zip((*model.parameters(), *model.buffers()), weights, strict=True):
        assert torch.equal(now, was)


def test_in_single_precision_too(taken: list[int]) -> None:
    model, x = made("residual", torch.float32)
    found = Occlusion(model).attribute(x, target=1, **WINDOW)
    full = Occlusion(in_full(model)).attribute(x, target=1, **WINDOW)
    torch.testing.assert_close(found, full, rtol=1e-4, atol=1e-6)
    assert taken


@pytest.mark.parametrize("dims", [1, 3])
def test_signals_and_volumes(taken: list[int], dims: int) -> None:
    layers = {1: (nn.Conv1d, nn.MaxPool1d, nn.AvgPool1d), 3: (nn.Conv3d, nn.MaxPool3d, nn.AvgPool3d)}[dims]
    model = chain(layers[0](1, 2, 3, padding=1), nn.ReLU(), layers[1](2), layers[0](2, 2, 2), layers[2](2, 1)).eval()
    x = torch.randn(1, 1, *[30, 9, 8][:dims])
    model(x)
    found = Occlusion(model).attribute(x, target=0, sliding_window_shapes=(1, *[2] * dims))
    full = Occlusion(in_full(model)).attribute(x, target=0, sliding_window_shapes=(1, *[2] * dims))
    torch.testing.assert_close(found, full, rtol=1e-4, atol=1e-6)
    assert taken


def test_groups_of_positions_of_each_example(taken: list[int]) -> None:
    model, x = made("padding")
    squares = (torch.arange(11)[:, None] // 4 * 4 + torch.arange(13) // 4)[None, None]
    mask = torch.cat([squares, squares.flip(3)])
    found = FeatureAblation(model).attribute(x, target=1, feature_mask=mask)
    full = FeatureAblation(in_full(model)).attribute(x, target=1, feature_mask=mask)
    torch.testing.assert_close(found, full, rtol=1e-11, atol=1e-13)
    assert taken


def test_several_targets_neurons_and_maps_of_outputs(taken: list[int]) -> None:
    model, x = made("in place")
    found = Occlusion(model).attribute(x, targets=[0, 1], **WINDOW)
    full = Occlusion(in_full(model)).attribute(x, targets=[0, 1], **WINDOW)
    torch.testing.assert_close(found, full, rtol=1e-11, atol=1e-13)
    layer = model[0]  # type: ignore[index]
    neuron = NeuronFeatureAblation(model, layer).attribute(x[:1], (1, 2, 3))
    fall = NeuronFeatureAblation(in_full(model), layer).attribute(x[:1], (1, 2, 3))
    torch.testing.assert_close(neuron, fall, rtol=1e-11, atol=1e-13)
    maps = Occlusion(layer).attribute(x[:1], target=lambda out: out[:, 0].amax((1, 2)), **WINDOW)
    torch.testing.assert_close(
        maps, Occlusion(in_full(layer)).attribute(x[:1], target=lambda out: out[:, 0].amax((1, 2)), **WINDOW)
    )
    assert len(taken) == 4


def explained(model: Any, x: Any, **options: Any) -> Any:
    return Occlusion(model).attribute(x, **{"target": 0, **WINDOW, **options})


def test_training_mode_takes_full_passes(taken: list[int]) -> None:
    model, x = made("padding")
    explained(model.train(), x)
    assert not taken


def test_hooks_take_full_passes(taken: list[int]) -> None:
    model, x = made("padding")
    handle = model[0].register_forward_hook(lambda *_: None)  # type: ignore[index]
    explained(model, x)
    handle.remove()
    with nn.modules.module.register_module_forward_hook(lambda *_: None):
        explained(model, x)
    assert not taken
    explained(model, x)
    assert taken


def test_functions_take_full_passes(taken: list[int]) -> None:
    model, x = made("padding")
    explained(in_full(model), x)
    explained(model.forward, x)
    assert not taken


def test_values_of_other_examples_take_full_passes(taken: list[int]) -> None:
    model, x = made("padding")
    FeaturePermutation(model).attribute(x, target=1, seed=3, feature_mask=torch.arange(13) // 4)
    assert not taken


def test_nets_without_convolutions_take_full_passes(taken: list[int]) -> None:
    explained(nn.Sequential(nn.Flatten(), nn.Linear(286, 3)).eval(), torch.randn(2, 2, 11, 13))
    assert not taken


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_scripted_nets_take_full_passes(taken: list[int]) -> None:
    model, x = made("padding")
    explained(torch.jit.trace(model, x), x)
    assert not taken


def test_further_arguments_and_inputs_take_full_passes(taken: list[int]) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = conv(2, 3, 3)

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return (self.layer(x) * self.layer(y)).mean((2, 3))

    model, x = Two().eval(), torch.randn(2, 2, 11, 13)
    explained(model, x, additional_forward_args=x)
    shapes = WINDOW["sliding_window_shapes"]
    Occlusion(model).attribute((x, x), sliding_window_shapes=(shapes, shapes), target=0)
    assert not taken


def test_a_function_of_the_outputs_of_a_batch_takes_full_passes(taken: list[int]) -> None:
    model, x = made("padding")
    explained(model, x, target=lambda out: out[:, 0] - out[:, 0].mean())
    assert not taken
    explained(model, x[:1], target=lambda out: out[:, 0])
    assert taken


def test_one_score_for_a_batch_takes_full_passes(taken: list[int]) -> None:
    model = Net(lambda layers, x: layers.first(x).mean(), first=conv(2, 3, 3)).eval()
    explained(model, torch.randn(2, 2, 11, 13), target=None)
    assert not taken


def test_a_net_that_takes_no_empty_batch_takes_full_passes(taken: list[int]) -> None:
    model = Net(lambda layers, x: layers.first(x - x.min()).mean((2, 3)), first=conv(2, 3, 3)).eval()
    explained(model, torch.randn(2, 2, 11, 13))
    assert not taken


def test_full_passes_where_little_is_saved(monkeypatch: pytest.MonkeyPatch, taken: list[int]) -> None:
    monkeypatch.setattr(saving, "LEAST_SAVED", 1.6)
    model, x = made("padding")
    explained(model, x, sliding_window_shapes=(2, 7, 9))
    assert not taken
    wide, x = chain(conv(2, 4, 3, padding=1), nn.ReLU(), conv(4, 4, 3)).eval(), torch.randn(1, 2, 40, 40)
    wide(x)
    explained(wide, x)
    assert taken


def test_bounds_progress_and_cancellation(taken: list[int]) -> None:
    model, x = made("padding")
    steps: list[tuple[int, int]] = []
    with observe(max_batch=7, progress=lambda done, total: steps.append((done, total))):
        explained(model, x)
    assert max(taken) <= 7
    assert steps[0] == (0, 20)
    assert steps[-1] == (20, 20)
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked == 4

    taken.clear()
    with observe(max_batch=7, cancelled=cancelled), pytest.raises(Cancelled):
        explained(model, x)
    assert len(taken) == 3


def test_passes_are_counted_as_full_ones(taken: list[int]) -> None:
    model, x = made("padding")
    assert cost(Occlusion(model), x, target=0, **WINDOW).forward_rows == 2 * 21
    assert not taken


def test_small_inputs_are_not_asked_about() -> None:
    calls: list[int] = []

    def counted(layers: Any, x: Tensor) -> Tensor:
        calls.append(len(x))
        return layers.first(x).mean((2, 3))

    explained(Net(counted, first=conv(2, 3, 3)).eval(), torch.randn(1, 2, 11, 13))
    assert calls == [1, 20]


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("size", range(5, 12))
def test_outputs_are_counted_as_torch_does(size: int, ceil: bool) -> None:
    for kernel, stride, padding in ((2, 2, 0), (3, 2, 1), (3, 3, 0), (2, 3, 1)):
        slide = Slide((kernel,), (stride,), (padding,), (1,), ceil)
        pooled = F.max_pool1d(torch.zeros(1, 1, size), kernel, stride, padding, ceil_mode=ceil)
        assert slide.outputs((size,)) == (pooled.shape[2],)
