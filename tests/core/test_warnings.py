"""What is warned of, and that it costs no pass."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import attribution_core
from attribution_core import DeepLift, FeatureAblation, IntegratedGradients, NoiseTunnel, Saliency, cost, observe
from attribution_core.evaluation.isolation import submodules
from attribution_core.evaluation.modes import in_their_modes
from attribution_core.metrics import completeness

X = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
BASE = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))


def said_by(call: Callable[[], object]) -> list[str]:
    said: list[str] = []
    with observe(warned=said.append):
        call()
    return said


def net(*more: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), *more, nn.Tanh(), nn.Linear(8, 3))


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = net()

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(self.inner(x), 0.0, self.training)


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (net(), None),
        (net(nn.Dropout()).eval(), None),
        (net(nn.Dropout(0.0)), None),
        (net(nn.BatchNorm1d(8)).eval(), None),
        (net(nn.Dropout()), "Dropout"),
        (net(nn.BatchNorm1d(8)), "BatchNorm1d"),
        (Functional(), "Functional"),
        (Functional().eval(), None),
        (nn.Sequential(nn.Linear(6, 8), nn.TransformerEncoderLayer(8, 2, 8, 0.0), nn.Linear(8, 3)), None),
        (nn.Sequential(nn.Linear(6, 8), nn.TransformerEncoderLayer(8, 2, 8), nn.Linear(8, 3)), "Dropout"),
    ],
)
def test_training_mode_is_said_once_where_it_matters(model: nn.Module, names: str | None) -> None:
    for method in (Saliency(model), NoiseTunnel(Saliency(model)), FeatureAblation(model.forward)):
        said = said_by(lambda method=method: method.attribute(X, target=1))  # type: ignore[misc]
        assert len(said) == (names is not None)
        assert names is None or f"training mode, in which {names}" in said[0]
    assert not said_by(lambda: cost(Saliency(model), X, target=1))


class Wrapper(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


def batch_norm_alone(model: nn.Sequential) -> nn.Module:
    model[1].train()
    return model


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
@pytest.mark.parametrize(
    ("made", "names"),
    [
        (lambda model: model, None),
        (nn.DataParallel, None),
        (Wrapper, None),
        (lambda model: model.train(), "BatchNorm1d, Dropout"),
        (batch_norm_alone, "BatchNorm1d"),
        (lambda model: torch.jit.script(model.train()), "RecursiveScriptModule"),
        (lambda model: torch.export.export(model, (torch.rand(2, 6),)).module(), None),
        (lambda _: nn.LSTM(3, 2), None),
        (lambda _: nn.LSTM(3, 2, 2, dropout=0.1), "LSTM"),
    ],
)
def test_what_wraps_others_has_no_mode_to_speak_of(made: Callable[[Any], nn.Module], names: str | None) -> None:
    def run() -> None:
        with in_their_modes(submodules(made(net(nn.BatchNorm1d(8), nn.Dropout()).eval()))):
            pass

    said = said_by(run)
    assert len(said) == (names is not None)
    assert names is None or f"training mode, in which {names} gives" in said[0]


class OneByOne(nn.Module):
    """Notes the rows of each pass."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.rows = inner, list[int]()

    def forward(self, x: Tensor) -> Tensor:
        self.rows.append(len(x))
        return self.inner(x)


@pytest.mark.parametrize("track", [True, False])
def test_examples_that_depend_on_each_other_are_explained_in_their_own_batch(track: bool) -> None:
    model = OneByOne(net(nn.BatchNorm1d(8, track_running_stats=track)).double()).train(track)
    x, base = X.double(), BASE.double()
    said: list[str] = []
    with observe(warned=said.append):
        found = IntegratedGradients(model).attribute(x, base, target=1, n_steps=6, method="riemann_middle")
        falls = FeatureAblation(model).attribute(x, base, target=1)
        NoiseTunnel(IntegratedGradients(model)).attribute(x, nt_samples=2, target=1, n_steps=2)
    assert set(model.rows) == {4}
    assert all("depend on each other" in message for message in said)
    slopes = torch.zeros_like(x)
    for step in range(6):
        point = (base + (step + 0.5) / 6 * (x - base)).requires_grad_()
        slopes += torch.autograd.grad(model.inner(point)[:, 1].sum(), point)[0] / 6
    torch.testing.assert_close(found, slopes * (x - base))
    for feature in range(6):
        other = torch.where(torch.arange(6) == feature, base, x)
        torch.testing.assert_close(falls[:, feature], (model.inner(x) - model.inner(other))[:, 1].detach())


class Encoder(nn.Module):
    """Of whose places that are padded torch makes zeros where no gradient is asked for."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(8, 2, 8, batch_first=True)
        self.encoder, self.out = nn.TransformerEncoder(layer, 1), nn.Linear(8, 3)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        return self.out(self.encoder(x, src_key_padding_mask=padding).mean(1))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_all_passes_of_a_gradient_go_one_way_through_a_transformer() -> None:
    model, x, padding = Encoder().eval(), torch.randn(2, 5, 8), torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    base = x + 0.1 * torch.randn_like(x)
    for method in (IntegratedGradients(model), attribution_core.LayerIntegratedGradients(model, model.encoder)):
        found, delta = method.attribute(x, base, 1, (padding,), n_steps=64, return_convergence_delta=True)
        change = (model(x, padding) - model(base, padding))[:, 1].detach()
        torch.testing.assert_close(found.sum((1, 2)), change, rtol=1e-3, atol=1e-4)
        assert delta.abs().max() < 1e-4
    with torch.no_grad():
        plain = model(x, padding) - model(x * 0, padding)
    falls = FeatureAblation(model).attribute(x, 0, 1, (padding,), feature_mask=torch.zeros(1, 1, 1, dtype=torch.int64))
    torch.testing.assert_close(falls[:, 0, 0], plain[:, 1])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([[1.0, 2.0], [3.0, 4.0]], None),
        ([[0.0, 0.0], [3.0, 4.0]], "The attributions of 1 of 2 examples are all zero"),
        ([[0.0, 0.0]], "The attributions are all zero"),
        ([[0.0, 1.0], [3.0, float("nan")]], "The attributions of 1 of 2 examples are not all finite"),
        ([[float("inf"), 1.0], [0.0, 0.0]], "The attributions of 1 of 2 examples are"),
    ],
)
def test_attributions_that_say_nothing(values: list[list[float]], said: str | None) -> None:
    weights = torch.tensor(values)
    found = said_by(
        lambda: Saliency(lambda x, w: (x * w).sum(1)).attribute(X[: len(values), :2], None, True, (weights,))
    )
    assert [message[: len(said or "")] for message in found][:1] == ([] if said is None else [said])


def jump(x: Tensor) -> Tensor:
    return x.sum(1) + 5 * (x[:, 0] > 0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: IntegratedGradients(jump).attribute(X.abs(), -1.0, return_convergence_delta=True), True),
        (lambda: IntegratedGradients(jump).attribute(X.abs(), -1.0), False),
        (lambda: IntegratedGradients(jump, False).attribute(X.abs(), -1.0), False),
        (lambda: IntegratedGradients(jump).attribute(X.abs(), 0.1, return_convergence_delta=True), False),
        (lambda: DeepLift(jump).attribute(X.abs(), -1.0), True),
        (lambda: DeepLift(jump, multiply_by_inputs=False).attribute(X.abs(), -1.0), False),
        (lambda: NoiseTunnel(DeepLift(jump)).attribute(X.abs(), baselines=-1.0), False),
    ],
)
def test_sums_that_miss_the_change_of_the_score(call: Callable[[], Any], said: bool) -> None:
    found = said_by(call)
    assert len(found) == said
    assert not said or found[0].startswith("The attributions of 4 of 4 examples miss the change of the score by up to ")


def test_a_warning_comes_once_though_several_targets_are_asked_one_by_one() -> None:
    model = net(nn.Dropout(1e-9))
    assert len(said_by(lambda: attribution_core.LRP(model).attribute(X, targets=[0, 1, 2]))) == 1


def test_without_a_callback_it_is_a_warning_of_python() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Saliency(net(nn.Dropout())).attribute(X, target=0)
    assert [w.category for w in caught] == [attribution_core.AttributionWarning]
    assert caught[0].filename == __file__


def test_how_much_cancels() -> None:
    values = torch.tensor([[-10.5, 6.5], [1.0, 1.0], [1.0, -1.0], [0.0, 0.0]])
    found = completeness((values,), torch.tensor([-4.0, 1.0, 0.0, 0.0]))
    assert found.total.tolist() == [-4, 2, 0, 0]
    assert found.delta.tolist() == [0, 1, 0, 0]
    assert found.cancellation.tolist() == [17 / 4, 1, torch.inf, 1]
    assert found.adds_up.tolist() == [True, False, True, True]
    assert found.cancels.tolist() == [False, False, True, False]
    assert completeness({"a": torch.ones(2, 3)}, 3.0).adds_up.all()
