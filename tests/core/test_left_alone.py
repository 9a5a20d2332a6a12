"""Model, data and arguments are left alone by every public class, whatever happens, also where models work in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from attribution_core import Cancelled, observe

from .registry import NAMES, ask, recipe, takes

pytestmark = [
    pytest.mark.filterwarnings("ignore:Lime's penalty"),  # of nets whose scores differ by little
    pytest.mark.filterwarnings("ignore:The model is in training mode"),
]


class Tidy(nn.Module):
    """Prepares its inputs and further arguments, in place or not; counts its passes, and can break in one of them."""

    steps: Tensor

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inplace = inplace
        self.register_buffer("steps", torch.zeros(()))
        self.passes = 0
        self.breaks_at: int | None = None

    def prepared(self, x: Tensor, scale: Tensor | None) -> tuple[Tensor, Tensor | None]:
        self.passes += 1
        if not self.inplace:
            return x * 0.5, None if scale is None else scale * 2
        self.steps += 1
        x *= 0.5
        if scale is not None:
            scale *= 2
        return x, scale

    def finished(self, scores: Tensor, scale: Tensor | None) -> Tensor:
        if self.passes == self.breaks_at:
            raise ZeroDivisionError
        return scores if scale is None else scores * scale[:, None]


class Images(Tidy):
    """Convolution, batch norm, dropout, pooling; a connection skips them, so that the input is read again."""

    def __init__(self, inplace: bool) -> None:
        super().__init__(inplace)
        self.conv, self.norm, self.relu = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace)
        self.drop, self.out = nn.Dropout(0.5), nn.Linear(16, 3)

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        x, scale = self.prepared(x, scale)
        hidden = self.drop(self.relu(self.norm(self.conv(x))))
        return self.finished(self.out(torch.max_pool2d(hidden, 2).flatten(1)) + x.sum((1, 2, 3))[:, None], scale)


class Words(Tidy):
    """Attention over five tokens."""

    def __init__(self, inplace: bool) -> None:
        super().__init__(inplace)
        self.attend = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        x, scale = self.prepared(x, scale)
        return self.finished(self.attend(x).sum(1), scale)


def case(name: str, inplace: bool) -> tuple[Tidy, Tensor]:
    """A net and a batch for a class; all but these explain batches of images."""
    rows = 1 if name == "LimeBase" else 2
    if name == "AttentionRollout":
        return Words(inplace), torch.rand(rows, 5, 4)
    return Images(inplace), torch.rand(rows, 3, 6, 6)


def asked(name: str, model: Tidy, x: Tensor, scale: Tensor) -> Any:
    more: dict[str, Any] = {"additional_forward_args": scale} if takes(name, "additional_forward_args") else {}
    return ask(name, model, x, **more)


def state(model: nn.Module) -> list[Any]:
    """Everything about a model that a method could leave changed, and what belongs to the process."""
    found: list[Any] = [torch.get_rng_state(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()]
    for module in model.modules():
        hooks = [len(v) for k, v in vars(module).items() if k.endswith("_hooks")]
        found += [sorted(vars(module)), module.training, hooks]
    found += [(p.detach().clone(), p.requires_grad, p.grad) for p in model.parameters()]
    return found + [(id(b), b.clone(), b.requires_grad) for b in model.buffers()]


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def goes_on(model: Tidy) -> bool:
    return False


def stops_later(model: Tidy) -> bool:
    return model.passes >= 1


ENDS: dict[str, tuple[int | None, Callable[[Tidy], bool]]] = {
    "well": (None, goes_on),
    "in the first pass": (1, goes_on),
    "in the second pass": (2, goes_on),
    "by being cancelled": (None, stops_later),
}


@pytest.mark.filterwarnings("ignore:Grad-CAM")  # of maps of both signs
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("name", NAMES)
def test_all_is_as_it_was_however_it_ends(name: str, ends: str, training: bool) -> None:
    (model, x), scale = case(name, inplace=True), torch.ones(2)
    model.train(training)
    x.requires_grad_(not takes(name, "dataloader"))
    scale, data = scale[: len(x)], x.detach().clone()
    before = state(model)
    model.breaks_at, cancelled = ENDS[ends]
    try:
        with observe(cancelled=lambda: cancelled(model)):
            asked(name, model, x, scale)
    except (ZeroDivisionError, Cancelled):
        assert ends != "well"
    assert model.passes
    assert equal(state(model), before)
    assert torch.equal(x.detach(), data)
    assert x.grad is None
    assert x.requires_grad == (not takes(name, "dataloader"))
    assert torch.equal(scale, torch.ones(len(x)))


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_works_in_place_has_the_same_explanation(name: str) -> None:
    found = []
    for inplace in (False, True):
        torch.manual_seed(1)
        model, x = case(name, inplace)
        found.append(asked(name, model.eval(), x, torch.ones(len(x))))
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["IntegratedGradients", "LayerIntegratedGradients", "NeuronIntegratedGradients"])
def test_a_single_step_changes_no_input(name: str) -> None:
    """The one point of a path used to be the caller's own tensor."""
    found = []
    for inplace in (False, True):
        model, x = case(name, inplace)
        data = x.clone()
        found.append(ask(name, model.eval(), x, n_steps=1))
        assert torch.equal(x, data)
    torch.testing.assert_close(found[1], found[0])


def test_every_public_class_has_a_recipe() -> None:
    for name in NAMES:
        recipe(name)
