"""What every method promises: independence of batch and mode, precision, early and helpful errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import attribution_core
from attribution_core import AttributionError

pytestmark = pytest.mark.filterwarnings("ignore:Lime's penalty")  # of nets whose scores differ by little
CALLS: dict[str, dict[str, Any]] = {
    "Saliency": {},
    "InputXGradient": {},
    "IntegratedGradients": {"n_steps": 5},
    "DeepLift": {},
    "LRP": {},
    "GuidedBackprop": {},
    "Deconvolution": {},
    "FeatureAblation": {"feature_mask": torch.tensor([[[[0, 0, 1, 1, 2, 2]]]])},
    "Occlusion": {"sliding_window_shapes": (1, 3, 3), "strides": (1, 3, 3)},
    "ShapleyValues": {"feature_mask": torch.tensor([[[[0, 0, 1, 1, 2, 2]]]])},
    "ShapleyValueSampling": {"n_samples": 2, "seed": 3, "feature_mask": torch.tensor([[[[0, 1, 2, 3, 4, 5]]]])},
    "KernelShap": {"n_samples": 12, "seed": 3, "feature_mask": torch.tensor([[[[0, 1, 2, 3, 4, 5]]]])},
    "Lime": {"n_samples": 12, "seed": 3, "feature_mask": torch.tensor([[[[0, 0, 1, 1, 2, 2]]]])},
    "FeaturePermutation": {"seed": 3, "feature_mask": torch.tensor([[[[0, 0, 1, 1, 2, 2]]]])},
    "GradientShap": {"seed": 3, "stdevs": 0.1, "baselines": 0.5},
    "DeepLiftShap": {"baselines": 0.5},
}
GRADIENT = [n for n in CALLS if issubclass(getattr(attribution_core, n), attribution_core.GradientAttribution)]


class Net(nn.Module):
    """Convolution, batch norm, dropout, pooling."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.relu = nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.drop, self.out = nn.Dropout(0.5), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.drop(self.relu(self.norm(self.conv(x))))
        return self.out(torch.max_pool2d(hidden, 2).flatten(1))


def ask(name: str, model: Any, x: Any, **more: Any) -> Any:
    return getattr(attribution_core, name)(model).attribute(x, **{"target": 1, **CALLS[name], **more})


def modes() -> Iterator[tuple[str, AbstractContextManager[Any]]]:
    yield "no_grad", torch.no_grad()
    yield "inference_mode", torch.inference_mode()
    yield "enable_grad", torch.enable_grad()
    yield "nothing", nullcontext()


@pytest.mark.parametrize("mode", [name for name, _ in modes()])
@pytest.mark.parametrize("name", CALLS)
def test_the_callers_grad_mode_does_not_matter(name: str, mode: str) -> None:
    model = Net().eval()
    torch.manual_seed(4)
    expected = ask(name, model, torch.randn(2, 3, 6, 6), target=torch.tensor([0, 2]))
    with dict(modes())[mode]:
        torch.manual_seed(4)
        found = ask(name, model, torch.randn(2, 3, 6, 6), target=torch.tensor([0, 2]))
    assert torch.equal(found, expected)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 13])
@pytest.mark.parametrize("name", sorted(set(CALLS) - {"FeaturePermutation"}))  # compares with the rest of the batch
def test_any_number_of_channels_and_batch_independence(name: str, channels: int) -> None:
    model, x = Net(channels).eval().double(), torch.randn(3, channels, 6, 6).double()
    found = ask(name, model, x)
    assert found.shape == x.shape
    for row in range(3):
        torch.testing.assert_close(found[row : row + 1], ask(name, model, x[row : row + 1]))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("flat", [True, False])
def test_one_logit(name: str, flat: bool) -> None:
    model = Net().eval()

    def logit(x: Tensor) -> Tensor:
        return model(x)[:, 0] if flat else model(x)[:, :1]

    x = torch.randn(2, 3, 6, 6)
    expected = ask(name, model, x, target=0)
    for target in (None, 0):
        torch.testing.assert_close(ask(name, logit, x, target=target), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", CALLS)
def test_precisions(name: str, dtype: torch.dtype) -> None:
    model, x = Net().eval(), torch.randn(2, 3, 6, 6).to(dtype)
    expected = ask(name, model, x.float())
    found = ask(name, model.to(dtype), x)
    assert found.isfinite().all()
    size = expected.abs().mean()
    assert (found.float() - expected).abs().mean() < (0.2 if dtype == torch.bfloat16 else 0.05) * size


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"Lime", "FeaturePermutation"}))  # those depend on all features
def test_several_inputs(name: str) -> None:
    def net(a: Tensor, b: Tensor) -> Tensor:
        return torch.stack([a.relu().sum(1), b.tanh().sum(1) * 2], 1)

    a, b = torch.randn(3, 4), torch.randn(3, 2)
    more: dict[str, Any] = {
        "FeatureAblation": {"feature_mask": None},
        "Occlusion": {"sliding_window_shapes": ((1,), (1,)), "strides": None},
        "ShapleyValues": {"feature_mask": None},
        "ShapleyValueSampling": {"feature_mask": None, "n_samples": 25},
        "KernelShap": {"feature_mask": None, "n_samples": 64},
        "GradientShap": {"baselines": (0.5, 0.5), "stdevs": 0.0},
        "DeepLiftShap": {"baselines": (0.5, 0.5)},
    }.get(name, {})
    found = ask(name, net, (a, b), **more)
    assert [f.shape for f in found] == [a.shape, b.shape]
    assert found[0].abs().max() == 0
    torch.testing.assert_close(
        found[1],
        ask(
            name,
            lambda b: b.tanh().sum(1) * 2,
            b,
            target=None,
            **{k: v[1:] if isinstance(v, tuple) else v for k, v in more.items()},
        ),
    )


@pytest.mark.parametrize("name", ["IntegratedGradients", "DeepLift"])
def test_complete(name: str) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Softplus(), nn.Linear(8, 3)).double()
    x, b = torch.randn(3, 4).double(), torch.randn(3, 4).double()
    method = getattr(attribution_core, name)(model)
    found, delta = method.attribute(x, b, target=2, return_convergence_delta=True)
    change = (model(x) - model(b))[:, 2].detach()
    torch.testing.assert_close(found.sum(1), change, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(delta, found.sum(1) - change)
    torch.testing.assert_close(method.compute_convergence_delta(found, b, x, target=2), delta)


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ([[1.0]], "list"),
        ((), "rows"),
        (torch.tensor(1.0), "no batch dimension"),
        (("a",), "str"),
    ],
)
@pytest.mark.parametrize("name", CALLS)
def test_wrong_inputs_are_refused_before_the_model_runs(name: str, inputs: Any, says: str) -> None:
    with pytest.raises(AttributionError, match=says):
        ask(name, _never, inputs)


@pytest.mark.parametrize("name", GRADIENT)
def test_integers_that_are_no_ids_are_refused_by_gradient_methods(name: str) -> None:
    with pytest.raises(AttributionError, match="no embedding looks it up"):
        ask(name, lambda x: x.float().sum(1), torch.tensor([[1, 2]]), target=None)
    with pytest.raises(AttributionError, match="gradients need floating point"):
        ask(name, _never, torch.tensor([[True, False]]))


@pytest.mark.parametrize(
    "arguments",
    [
        {"n_steps": 0},
        {"n_steps": 2.5},
        {"n_steps": True},
        {"method": "simpson"},
        {"internal_batch_size": 0},
        {"baselines": torch.zeros(9)},
    ],
)
def test_wrong_arguments_of_paths_are_refused_before_the_model_runs(arguments: dict[str, Any]) -> None:
    with pytest.raises(AttributionError, match=next(iter(arguments))):
        attribution_core.IntegratedGradients(_never).attribute(torch.randn(1, 2), **arguments)


def test_what_cannot_be_called_or_differentiated_is_named() -> None:
    with pytest.raises(AttributionError, match="str is not callable"):
        attribution_core.Saliency("model")  # type: ignore[arg-type]
    with pytest.raises(AttributionError, match="does not depend differentiably"):
        attribution_core.Saliency(lambda x: x.detach().sum(1)).attribute(torch.randn(1, 2))
    with pytest.raises(AttributionError, match=r"returned a dict with a \(1, 2\), b \(1, 2\)"):
        attribution_core.Saliency(lambda x: {"a": x, "b": x}).attribute(torch.randn(1, 2), target=0)
    with pytest.raises(AttributionError, match="3 scores for 2 rows"):
        attribution_core.Saliency(lambda x: torch.cat([x, x[:1]]).sum(1)).attribute(torch.randn(2, 2))
    with pytest.raises(AttributionError, match="eps"):
        attribution_core.DeepLift(nn.ReLU(), eps=-1)


def test_an_unused_input_gets_zeros() -> None:
    with pytest.warns(UserWarning, match=r"inputs\[1\]") as warned:
        found = attribution_core.IntegratedGradients(lambda a, b: a.sum(1)).attribute((torch.ones(1, 2),) * 2)
    assert found[1].tolist() == [[0, 0]]
    assert len(warned) == 1


def test_an_error_says_what_and_what_to_try() -> None:
    error = AttributionError("It broke.", "Mend it.")
    assert (error.message, error.hint, str(error)) == ("It broke.", "Mend it.", "It broke. Mend it.")
    assert isinstance(error, ValueError)
    assert isinstance(error, AssertionError)


def _never(*inputs: Tensor) -> Tensor:
    raise RuntimeError("the model ran")
