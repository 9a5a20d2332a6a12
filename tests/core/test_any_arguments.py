"""Any arguments, right and wrong, in any combination: a right answer or an AttributionError, and nothing left behind.

With `ATTRIBUTION_ARGUMENT_SETS=20000` in the environment so many sets are drawn at random; else a few hundred, always
the same.
"""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import attribution_core
from attribution_core import AttributionError
from attribution_core.errors import ModelError

from .any_arguments import ALONE, OMITTED, VALUES, Here, MineError, Value
from .nets import Means, Pair, Passes, Total
from .registry import NAMES, recipe
from .test_left_alone import equal, state

SETS = os.environ.get("ATTRIBUTION_ARGUMENT_SETS")
EACH = -(-int(SETS) // len(NAMES)) if SETS else 4


@dataclass(frozen=True)
class Setting:
    """A kind of model and data: the net, a batch of so many rows, and the layer that methods look at."""

    name: str
    net: Callable[[], nn.Module]
    batch: Callable[[int], Any]
    layer: Callable[[Any], nn.Module]


class Checkpointed(nn.Sequential):
    """Computes its values a second time in the backward pass."""

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = checkpoint(super().forward, x, use_reentrant=False)
        return found


def rows() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3))


def pictures() -> nn.Module:
    maps = [nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
    return nn.Sequential(*maps, nn.Flatten(), nn.Linear(12, 3))


def series() -> nn.Module:
    return nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 3))


def tokens() -> nn.Module:
    return nn.Sequential(nn.TransformerEncoderLayer(4, 2, 8, 0.0, batch_first=True), Means(), nn.Linear(4, 3))


def words() -> nn.Module:
    return nn.Sequential(nn.Embedding(9, 4), Means(), nn.Linear(4, 3))


def numbers(count: int) -> Tensor:
    return torch.randn(count, 5)


def both(count: int) -> tuple[Tensor, Tensor]:
    return torch.randn(count, 2, 6, 6), numbers(count)


SETTINGS = [
    Setting("rows", rows, numbers, lambda net: net[0]),
    Setting("pictures", pictures, lambda n: torch.randn(n, 2, 6, 6), lambda net: net[0]),
    Setting("series", series, lambda n: torch.randn(n, 2, 8), lambda net: net[0]),
    Setting("tokens", tokens, lambda n: torch.randn(n, 3, 4), lambda net: net[2]),
    Setting("words", words, lambda n: torch.randint(9, (n, 4)), lambda net: net[2]),
    Setting("pair", Pair, both, lambda net: net.conv),
    Setting("bfloat", lambda: rows().bfloat16(), lambda n: numbers(n).bfloat16(), lambda net: net[0]),
    Setting("sum", lambda: nn.Sequential(nn.Linear(5, 3), nn.Tanh(), Total()), numbers, lambda net: net[0]),
    Setting("checkpointed", lambda: Checkpointed(*rows()), numbers, lambda net: net[0]),
]
ANSWERED = {"pictures", "series"}
"""Settings in which all classes answer right arguments, but for these."""
FEWER = {"AttentionRollout": {"tokens"}, "LimeBase": {"rows"}}


@dataclass
class Call:
    """A class, a setting, and a value for each argument of the constructor and of `attribute`."""

    name: str
    setting: Setting
    rows: int
    built: dict[str, Value]
    asked: dict[str, Value]

    @property
    def values(self) -> dict[str, Value]:
        return {**self.built, **self.asked}

    @property
    def kinds(self) -> set[str]:
        return {value.kind for value in self.values.values()}

    @property
    def answerable(self) -> bool:
        return self.kinds == {"right"} and self.setting.name in FEWER.get(self.name, ANSWERED)

    def __repr__(self) -> str:
        def written(values: dict[str, Value]) -> str:
            return ", ".join(f"{name}={value}" for name, value in values.items() if value is not OMITTED)

        return f"{self.rows} {self.setting.name}: {self.name}({written(self.built)}).attribute({written(self.asked)})"


def parameters(name: str) -> tuple[list[str], list[str]]:
    """The arguments of the constructor and of `attribute`."""
    cls = getattr(attribution_core, name)
    built, asked = ([p for p in inspect.signature(f).parameters if p != "self"] for f in (cls.__init__, cls.attribute))
    return built, asked


@st.composite
def calls(draw: st.DrawFn, name: str) -> Call:
    """Right values for most arguments, any for up to two."""
    built, asked = parameters(name)
    odd = set(draw(st.lists(st.sampled_from([*built, *asked]), max_size=2)))

    def value(argument: str) -> Value:
        known = ALONE.get((name, argument)) or VALUES[argument]
        return draw(st.sampled_from(known if argument in odd else [v for v in known if v.kind == "right"]))

    chosen = {argument: value(argument) for argument in asked}
    if chosen.get("targets", OMITTED).label.startswith("["):
        chosen["target"] = OMITTED  # one of them may be given
    setting = draw(st.sampled_from(SETTINGS[:1] if name == "LimeBase" else SETTINGS))
    count = 1 if name == "LimeBase" else draw(st.sampled_from([2, 1, 0]))
    return Call(name, setting, count, {argument: value(argument) for argument in built}, chosen)


def made(call: Call, here: Here) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of a call; those that must be given and were not drawn are as the registry has them."""
    built, asked = (
        {name: value.made(here) for name, value in values.items() if value is not OMITTED}
        for values in (call.built, call.asked)
    )
    asked |= asked.pop("kwargs", {})
    if call.name == "LimeBase":
        usual = recipe(call.name).build(here.net, here.layer)
        functions = {"similarity_func": usual._sampler.likeness, "perturb_func": usual._sampler.perturb}
        built = {**functions, "interpretable_model": usual.interpretable_model, **built}
    needed = inspect.signature(getattr(attribution_core, call.name).attribute).parameters
    if "baselines" in needed and needed["baselines"].default is inspect.Parameter.empty:
        asked = {"baselines": 0.5, **asked}
    return built, asked


def ends(call: Call) -> str:
    """Make a call, and say how it ends, if it ends as it may."""
    torch.manual_seed(0)
    net = call.setting.net()
    here = Here(Passes(net).eval(), call.setting.layer(net), call.setting.batch(call.rows))
    built, asked = made(call, here)
    data = [(x, x.detach().clone(), x.requires_grad) for x in leaves([here.given, built, asked])]
    random = "seed" not in call.asked or asked.get("seed") is None
    before = state(here.net)[random:]  # without a seed one number is drawn
    answer, problem = None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            answer = getattr(attribution_core, call.name)(**built).attribute(**asked)
        except Exception as error:  # judged below
            problem = error
    assert equal(state(here.net)[random:], before), "something was left on the model or in the process"
    for x, copy, required in data:
        assert x.requires_grad == required
        assert x.grad is None
        torch.testing.assert_close(x.detach(), copy, rtol=0, atol=0, equal_nan=True)
    if problem is not None:
        return refused(call, here, asked, problem)
    assert not call.kinds & {"wrong", "late"}, f"answered: {answer}"
    if call.kinds == {"right"}:
        check(call, here, answer)
    return "answered"


def refused(call: Call, here: Here, asked: Mapping[str, Any], problem: Exception) -> str:
    """Whether an error is one of the caller's own function, of the model itself, or a refusal of what is wrong."""
    if isinstance(problem, MineError):
        assert "raises" in call.kinds
        return "passed on"
    wrong = call.kinds & {"wrong", "late"}
    if not isinstance(problem, AttributionError) or (isinstance(problem, ModelError) and not wrong):
        if not fails(here, asked, problem):
            raise AssertionError("the model can be run, or has another error") from problem
        return "blamed"
    if call.answerable:
        raise AssertionError("right arguments were refused") from problem
    if "wrong" in call.kinds and here.net.passes:
        raise AssertionError("refused only when the model had run") from problem
    return "refused"


def fails(here: Here, asked: Mapping[str, Any], problem: Exception) -> bool:
    """Whether the model alone fails in the same way on the inputs, or on what else was given in their place."""
    extra = asked.get("additional_forward_args")
    further = extra if isinstance(extra, tuple) else () if extra is None else (extra,)
    for inputs in (asked.get("inputs", here.given), asked.get("baselines"), asked.get("dataloader")):
        try:
            here.net(*(inputs if isinstance(inputs, (tuple, list)) else (inputs,)), *further)
        except Exception as error:  # that of the model
            return isinstance(problem, (ModelError, AttributeError, type(error)))
    return False


def check(call: Call, here: Here, answer: Any) -> None:
    """Answers to right arguments are finite, and those about inputs have their shapes."""
    assert all(bool(x.isfinite().all()) for x in leaves(answer))
    if not getattr(attribution_core, call.name).of_inputs or call.name in ("DataLoaderAttribution", "GuidedGradCam"):
        return
    whole, delta = (call.values.get(name, OMITTED).label for name in ("return_input_shape", "return_convergence_delta"))
    found = leaves(answer[0] if delta == "True" else answer)
    if whole != "False":
        assert [x.shape[1:] for x in found] == [x.shape[1:] for x in leaves(asked_of(call, here))]
        assert {len(x) for x in found} <= {call.rows, 1}


def asked_of(call: Call, here: Here) -> Any:
    """What attributions are shaped like: the inputs, or the embeddings of ids that gradients are asked of."""
    by_gradient = issubclass(getattr(attribution_core, call.name), attribution_core.GradientAttribution)
    embedded = call.setting.name == "words" and (by_gradient or call.name == "NoiseTunnel")
    return here.given[..., None].expand(*here.given.shape, 4) if embedded else here.given


def leaves(value: Any) -> list[Tensor]:
    """The dense tensors in a value."""
    if isinstance(value, Tensor):
        return [] if value.is_meta or value.is_sparse else [value]
    if isinstance(value, Mapping):
        return leaves(list(value.values()))
    return [leaf for part in value for leaf in leaves(part)] if isinstance(value, (tuple, list)) else []


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_has_values(name: str) -> None:
    built, asked = parameters(name)
    assert set(built + asked) <= set(VALUES), "say in any_arguments.py what these may be"


@pytest.mark.parametrize("name", NAMES)
def test_a_right_answer_or_an_attribution_error(name: str) -> None:
    @settings(
        max_examples=EACH,
        derandomize=SETS is None,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(calls(name))
    def attempt(call: Call) -> None:
        ends(call)

    attempt()
