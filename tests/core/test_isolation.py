"""What belongs to the whole process or to the user's model is left alone: random numbers, buffers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attribution_core import DeepLift, FeatureAblation, IntegratedGradients, KernelShap, Saliency, cost
from attribution_core.evaluation.isolation import may_draw, submodules, undisturbed

pytestmark = pytest.mark.filterwarnings("ignore:The model is in training mode")

X = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))


class Held(nn.Module):
    """Stops in the middle of its pass until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)
        self.inside, self.go_on = threading.Event(), threading.Event()

    def forward(self, x: Tensor) -> Tensor:
        self.inside.set()
        self.go_on.wait(5)
        return self.fc(x)


@pytest.mark.parametrize("method", [IntegratedGradients, FeatureAblation, KernelShap])
def test_random_numbers_drawn_during_an_explanation_do_not_come_again(method: Any) -> None:
    """An explanation used to set the global random state back at its end, from whatever thread."""
    model = Held().eval()
    thread = threading.Thread(target=lambda: method(model).attribute(X, target=0))
    thread.start()
    assert model.inside.wait(5)
    meanwhile = torch.rand(4)
    model.go_on.set()
    thread.join()
    assert not torch.equal(meanwhile, torch.rand(4))


class Dropping(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, training=self.training)


DRAWS: dict[str, tuple[nn.Module, bool]] = {
    "dropout": (nn.Sequential(nn.Linear(4, 4), nn.Dropout()), True),
    "functional": (Dropping(), True),
    "attention": (nn.MultiheadAttention(4, 2, dropout=0.1), True),
    "recurrent": (nn.LSTM(4, 4, 2, dropout=0.1), True),
    "random slopes": (nn.RReLU(), True),
    "batch norm": (nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), False),
    "attention without": (nn.MultiheadAttention(4, 2), False),
    "transformer": (nn.TransformerEncoderLayer(4, 2, 8), True),
}


@pytest.mark.parametrize("case", DRAWS)
def test_random_state_is_kept_only_where_a_module_in_training_mode_may_draw(case: str) -> None:
    model, draws = DRAWS[case]
    for training in (True, False):
        model.train(training)
        before = torch.get_rng_state()
        with undisturbed(submodules(model), (X,)):
            torch.rand(1)
        assert torch.equal(torch.get_rng_state(), before) == may_draw(submodules(model)) == (draws and training)


def test_both_runs_of_deeplift_drop_out_the_same() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 50), nn.ReLU(), nn.Dropout(), nn.Linear(50, 2)).train()
    for forward in (model, lambda x: 2 * model(x)):
        _, delta = DeepLift(forward).attribute(X, target=0, return_convergence_delta=True)
        assert delta.abs().max() < 1e-5


def test_counting_passes_draws_nothing() -> None:
    method, before = KernelShap(nn.Linear(4, 2)), torch.get_rng_state()
    cost(method, X, target=0)
    assert torch.equal(torch.get_rng_state(), before)


class Remembering(nn.Module):
    """Changes its buffers in evaluation mode, too: in place, and by putting others in their place."""

    steps: Tensor
    last: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)
        self.register_buffer("steps", torch.zeros(()))
        self.register_buffer("last", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        self.last = x.detach().sum(1)
        found: Tensor = self.fc(x)
        return found


class Serving:
    """An object with a model, whose method is explained."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def scores(self, x: Tensor) -> Tensor:
        found: Tensor = self.model(x)
        return found


def closing_over(model: nn.Module) -> Callable[[Tensor], Tensor]:
    return lambda x: 2 * model(x)


MODEL = Remembering()


def named(x: Tensor, scale: float = 1.0) -> Tensor:
    found: Tensor = MODEL(x) * scale
    return found


FORMS: dict[str, Callable[..., Tensor]] = {
    "the model": MODEL,
    "its method": MODEL.forward,
    "a function of it": named,
    "a function of that": lambda x: 2 * named(x),
    "a closure": closing_over(MODEL),
    "part of a function": partial(named, scale=2.0),
    "an object's method": Serving(MODEL).scores,
    "a default": lambda x, model=MODEL: model(x),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_buffers_are_the_same_objects_with_the_same_values(form: str, training: bool) -> None:
    MODEL.train(training)
    before = dict(MODEL.named_buffers())
    Saliency(FORMS[form]).attribute(X, target=0)
    FeatureAblation(FORMS[form]).attribute(X, target=0)
    assert all(buffer is before[name] for name, buffer in MODEL.named_buffers())
    assert not MODEL.steps
    assert not MODEL.last.any()
