"""Ctrl-C between any two lines of the engine leaves nothing behind: raised at each of them in turn."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import attribution_core
from attribution_core.evaluation.observe import _observer

pytestmark = pytest.mark.filterwarnings("ignore:The model is in training mode", "ignore:Lime's penalty")

ENGINE = str(Path(attribution_core.__file__).parent)
MOST = 250
"""Moments of one call that are tried, evenly spread: all of short ones."""


class Counting(nn.Module):
    """Keeps count in a buffer, in evaluation mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        return x


def net(training: bool) -> nn.Sequential:
    torch.manual_seed(0)
    body = [nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), Counting(), nn.Flatten(), nn.Linear(8, 3)]
    return nn.Sequential(*body).train(training)


METHODS: dict[str, dict[str, Any]] = {
    "Saliency": {},
    "IntegratedGradients": {"n_steps": 2},
    "GuidedBackprop": {},
    "DeepLift": {},
    "LRP": {},
    "FeatureAblation": {
        "feature_mask": torch.arange(4).reshape(1, 1, 2, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    },
    "LayerGradCam": {"layout": "channels_first"},
    "LayerIntegratedGradients": {"n_steps": 2},
    "Lime": {"n_samples": 4, "feature_mask": torch.zeros(1, 1, 4, 4).long()},
}


def call(name: str, model: nn.Sequential) -> Callable[[], object]:
    kind = getattr(attribution_core, name)
    method = kind(model, model[2]) if name.startswith("Layer") else kind(model)
    return lambda: method.attribute(torch.ones(2, 1, 4, 4), target=0, **METHODS[name])


def state(model: nn.Module) -> dict[str, object]:
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_forward_hooks_with_kwargs")
    return {
        "gradients": torch.is_grad_enabled(),
        "observer": _observer.get(),
        "inference": torch.is_inference_mode_enabled(),
        "modes": torch._C._len_torch_function_stack(),
        "hooks": [len(getattr(module, name)) for module in model.modules() for name in hooks],
        "attributes": [sorted(vars(module)) for module in model.modules()],
        "training": [module.training for module in model.modules()],
        "buffers": [buffer.tolist() for buffer in model.buffers()],
        "parameters": [(p.requires_grad, p.grad) for p in model.parameters()],
    }


def interrupted(run: Callable[[], object], at: int | None) -> int:
    """Raise KeyboardInterrupt at a line of the engine, or of contexts it opens; how many lines there were."""
    seen = 0

    def line(frame: FrameType, event: str, _: object) -> Any:
        nonlocal seen
        seen += event == "line"
        if event == "line" and seen == at:
            raise KeyboardInterrupt
        return line

    def entered(frame: FrameType, event: str, _: object) -> Any:
        of = frame.f_back if frame.f_code.co_filename.endswith("contextlib.py") else frame
        return line if of is not None and of.f_code.co_filename.startswith(ENGINE) else None

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        run()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return seen


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_ctrl_c_at_any_line_leaves_nothing(name: str, training: bool) -> None:
    call(name, net(training))()
    total = interrupted(call(name, net(training)), None)
    assert total > 100
    for at in range(1, total + 1, 1 + total // MOST):
        model = net(training)
        before, run = state(model), call(name, model)
        interrupted(run, at)
        gc.collect(0)
        assert state(model) == before, f"at line {at} of {total}"


def test_an_interception_that_torch_puts_back_is_over() -> None:
    """Ctrl-C may come while torch has put it aside: its context ends when it is collected, and puts it back."""
    from attribution_core.rules.intercept import Interception  # noqa: PLC0415

    def never(*_: object) -> object:
        raise AssertionError("it answered")

    left = Interception(never, None)  # type: ignore[arg-type]
    left.is_over = True
    torch._C._push_on_torch_function_stack(left)
    assert torch.equal(torch.relu(torch.ones(2)), torch.ones(2))
    attribution_core.GuidedBackprop(net(False)).attribute(torch.ones(1, 1, 4, 4), target=0)
    assert torch._C._len_torch_function_stack() == 0
