"""What holds for every class: half precision, several targets, seeds, unused inputs, wrong targets."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import attribution_core
from attribution_core import AttributionError, GradientAttribution, observe

from .registry import LAYERS, NEURONS, PRIMARY, USUAL, build, groups, recipe, takes

pytestmark = pytest.mark.filterwarnings("ignore:Lime's penalty")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.conv, self.relu, self.pool = nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2)
        self.fc = nn.Linear(12, 4)

    def forward(self, x: Tensor, unused: Tensor | None = None, scale: Tensor | None = None) -> Tensor:
        found: Tensor = self.fc(self.pool(self.relu(self.conv(x))).flatten(1))
        return found if scale is None else found * scale[:, None]


def method_of(name: str, net: Net, forward: Callable[..., Tensor] | None = None) -> Any:
    """Around `net`, or around a function that calls it."""
    rectified = name in ("GuidedGradCam", "LayerGradCamPlusPlus")
    return build(name, forward or net, net.relu if rectified else net.conv)


def inputs() -> Tensor:
    return torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(1))


def call(name: str, **more: Any) -> dict[str, Any]:
    """The arguments of a call with those inputs."""
    return {**recipe(name).options(inputs()), **more}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", USUAL)
def test_half_precision_is_near_to_single(name: str, dtype: torch.dtype) -> None:
    x = inputs().to(dtype)
    expected = method_of(name, Net().to(dtype).float()).attribute(x.float(), **call(name))
    found = method_of(name, Net().to(dtype)).attribute(x, **call(name))
    assert found.isfinite().all()
    assert found.dtype in (dtype, torch.float32)
    assert (found.float() - expected).abs().mean() < 0.02 * expected.abs().mean()


@pytest.mark.parametrize("name", USUAL)
@pytest.mark.parametrize("bound", [1, 2, 4])
def test_a_bound_holds_for_every_forward_pass_and_changes_nothing(name: str, bound: int) -> None:
    net, x, rows = Net().double(), inputs().double(), list[int]()
    expected = method_of(name, net).attribute(x, **call(name))
    net.conv.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    with observe(max_batch=bound):
        found = method_of(name, net).attribute(x, **call(name))
    assert 0 < max(rows) <= bound
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in USUAL if takes(name, "target")])
def test_several_targets_equal_separate_calls(name: str) -> None:
    method, x = method_of(name, Net()), inputs()
    options = {key: value for key, value in call(name).items() if key != "target"}
    targets = [0, "pred", [3, 1, 2], lambda outputs: outputs[:, 1] - outputs[:, 2]]
    together = method.attribute(x, targets=targets, **options)
    assert isinstance(together, list)
    for target, found in zip(targets, together, strict=True):
        torch.testing.assert_close(found, method.attribute(x, target=target, **options), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in USUAL if takes(name, "target")])
def test_wrong_targets_show_the_outputs_shape_and_three_that_would_work(name: str) -> None:
    method = method_of(name, Net())
    of_outputs = getattr(getattr(attribution_core, name), "of_outputs", None)
    for wrong in (4, -5, [0, 1, 9], (0, 1), *([None] if of_outputs is None else [])):
        with pytest.raises(AttributionError, match=r"shape \(3, 4\).*Valid here: .*; .*; .*") as caught:
            method.attribute(inputs(), **call(name, target=wrong))
        assert str(caught.value).count("target=") == 4  # what arrived, and three examples
    for wrong in (1.5, True, [0, 1]):
        with pytest.raises(AttributionError, match="target="):
            method.attribute(inputs(), **call(name, target=wrong))


@pytest.mark.parametrize("name", [name for name in USUAL if takes(name, "target")])
def test_every_form_of_a_target(name: str) -> None:
    method, x = method_of(name, Net()), inputs()
    options = call(name)
    expected = method.attribute(x, **options)
    forms = [-3, (-3,), [1, -3, 1], [1, 1, 1], torch.tensor([1, 1, 1]), torch.tensor(1), torch.tensor([1]), (1,),
             [(1,), (1,), (1,)], lambda outputs: outputs[:, 1]]  # fmt: skip
    for target in forms:
        torch.testing.assert_close(method.attribute(x, **{**options, "target": target}), expected)


@pytest.mark.parametrize("name", USUAL)
def test_a_function_in_the_place_of_the_module(name: str) -> None:
    net, x = Net(), inputs()
    expected = method_of(name, net).attribute(x, **call(name))
    found = method_of(name, net, lambda *given: net(*given)).attribute(x, **call(name))  # noqa: PLW0108
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", [*PRIMARY, *LAYERS])
def test_one_number_for_the_whole_batch(name: str) -> None:
    net, x = Net(), inputs()
    options = {key: value for key, value in call(name).items() if key != "target"}
    found = method_of(name, net, lambda x: net(x)[:, 1].sum()).attribute(x, **options)
    per_example = method_of(name, net).attribute(x, **call(name))
    if len(found) == 3 and name != "LayerScoreCam":  # whose maps are weighed for all examples alike
        torch.testing.assert_close(found, per_example, rtol=1e-4, atol=1e-5)
    if name in ("FeatureAblation", "Occlusion", "ShapleyValues", "LayerFeatureAblation"):
        torch.testing.assert_close(found, per_example.sum(0, keepdim=True), rtol=1e-4, atol=1e-5)
    assert found.isfinite().all()


@pytest.mark.parametrize("name", [name for name in USUAL if takes(name, "additional_forward_args")])
def test_further_arguments_have_a_row_for_each_example(name: str) -> None:
    net, x, scale = Net(), inputs(), torch.tensor([1.0, 2.0, -1.0])
    if name in ("FeaturePermutation", "LayerFeaturePermutation"):  # compare with the rest of the batch
        return
    whole = method_of(name, net).attribute(x, **call(name), additional_forward_args=(None, scale))
    for row in range(3):
        one = slice(row, row + 1)
        alone = method_of(name, net).attribute(x[one], **call(name), additional_forward_args=(None, scale[one]))
        torch.testing.assert_close(alone, whole[one], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in USUAL if takes(name, "seed")])
def test_the_same_seed_gives_the_same_bits_and_the_global_state_stays(name: str) -> None:
    method, x, before = method_of(name, Net()), inputs(), torch.get_rng_state()
    first, again, other = (method.attribute(x, **call(name, seed=seed)) for seed in (5, 5, 7))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", [name for name in USUAL if takes(name, "seed")])
def test_without_a_seed_each_call_takes_one_draw_from_the_global_state(name: str, training: bool) -> None:
    """Also where the state is restored, because a module in training mode may draw from it."""
    method, x = method_of(name, Net().train(training)), inputs()
    torch.manual_seed(11)
    first, second = (method.attribute(x, **call(name, seed=None)) for _ in range(2))
    state = torch.get_rng_state()
    assert not torch.equal(first, second)
    torch.manual_seed(11)
    again = [method.attribute(x, **call(name, seed=None)) for _ in range(2)]
    assert torch.equal(again[0], first)
    assert torch.equal(again[1], second)
    torch.manual_seed(11)
    for _ in range(2):
        torch.randint(1 << 48, ())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", [name for name in USUAL if not takes(name, "seed")])
def test_what_takes_no_seed_does_not_draw(name: str) -> None:
    method, x = method_of(name, Net()), inputs()
    torch.manual_seed(1)
    one = method.attribute(x, **call(name))
    torch.manual_seed(2)
    assert torch.equal(method.attribute(x, **call(name)), one)


@pytest.mark.parametrize("name", [*PRIMARY, *NEURONS])
def test_an_unused_input_gets_zeros_and_gradients_warn_of_it_by_name(name: str) -> None:
    method, x = method_of(name, Net()), inputs()
    mask = groups(x) // 2
    own = {
        "feature_mask": (mask, mask + 3), "baselines": (0.5, 0.5),
        "sliding_window_shapes": ((2, 3, 3), (2, 3, 3)),
        "strides": ((2, 3, 3), (2, 3, 3)),
    }  # fmt: skip
    enough = {"n_samples": 64} if name in ("ShapleyValueSampling", "KernelShap") else {}
    if name in ("Lime", "RISE"):  # whose values depend on all inputs
        return
    options = {key: own.get(key, value) for key, value in {**call(name), **enough}.items()}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        used, unused = method.attribute((x, x + 1), **options)
    assert unused.abs().max() < 1e-6 < used.abs().max()
    differentiates = name == "NoiseTunnel" or issubclass(getattr(attribution_core, name), GradientAttribution)
    said = "The score does not depend on inputs[1]: attributions are zero."
    told = [str(warning.message) for warning in warned if "met no ReLU" not in str(warning.message)]
    assert told == [said] * differentiates
