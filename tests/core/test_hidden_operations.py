"""Rules where operations are computed again, elsewhere, or in another way: seen, or said not to be."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import attribution_core
from attribution_core import AttributionError, AttributionWarning

from .nets import Rectifier

RULES = ["DeepLift", "LRP", "GuidedBackprop", "Deconvolution"]
COMPOSITES = ["epsilon", "alpha2-beta1-flat"]


class Net(nn.Module):
    """Two blocks, checkpointed or not, one inside the other."""

    def __init__(self, run: Callable[..., Tensor], relu: Callable[[Tensor], Tensor] = F.relu) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.c = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.norm, self.run, self.relu = nn.LayerNorm(8), run, relu

    def inner(self, x: Tensor) -> Tensor:
        return self.relu(self.b(x)) * torch.sigmoid(x)

    def outer(self, x: Tensor) -> Tensor:
        return self.norm(self.run(self.inner, self.relu(self.a(x))))

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.c(self.run(self.outer, x))
        return hidden


def directly(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return function(x)


def checkpointed(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return checkpoint(function, x, use_reentrant=False)  # type: ignore[no-any-return]


def elsewhere(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    results: list[Tensor] = []
    thread = threading.Thread(target=lambda: results.append(function(x)))
    thread.start()
    thread.join()
    return results[0]


checkpoint(nn.Identity(), torch.ones(1), use_reentrant=False)  # the first call of all imports half of torch, up to 2.8


def explained(name: str, net: nn.Module, **options: object) -> Tensor:
    torch.manual_seed(1)
    return getattr(attribution_core, name)(net).attribute(torch.randn(2, 4), target=1, **options)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", RULES)
def test_checkpointed_models_are_explained_as_they_are_without(name: str) -> None:
    torch.testing.assert_close(explained(name, Net(checkpointed)), explained(name, Net(directly)))


@pytest.mark.parametrize("composite", COMPOSITES)
def test_composites_on_checkpointed_models(composite: str) -> None:
    found = explained("LRP", Net(checkpointed), composite=composite)
    torch.testing.assert_close(found, explained("LRP", Net(directly), composite=composite))


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("name", RULES)
def test_checkpoints_that_hide_their_operations_are_refused_by_name(name: str) -> None:
    net = Net(lambda function, x: checkpoint(function, x, use_reentrant=True))
    with pytest.raises(AttributionError, match="CheckpointFunction"):
        explained(name, net)


@pytest.mark.parametrize("name", ["DeepLift", "LRP"])
def test_operations_of_another_thread_are_refused_by_name(name: str) -> None:
    with pytest.raises(AttributionError, match=r"has no rule for .*Relu.* out of sight"):
        explained(name, Net(elsewhere))


def past_everything(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    with torch._C.DisableTorchFunction():
        return function(x)


UNSEEN: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "product": (lambda x: x * x.flip(1), "Mul of several values"), "exp": (torch.exp, "Exp out of sight"),
    "matmul": (lambda x: x @ x.mT @ x, "Mm of several values"), "hardtanh": (F.hardtanh, "Hardtanh out of sight"),
    "quotient": (lambda x: 1 / (2 + x), "Reciprocal out of sight"), "layer norm": (nn.LayerNorm(4), "NativeLayerNorm"),
    "batch norm": (lambda x: F.batch_norm(x, None, None, training=True), "NativeBatchNorm of several values"),
    "max pool": (nn.MaxPool1d(2, 1, 1), "MaxPool2DWithIndices"), "softmax": (nn.Softmax(1), "Softmax out of sight"),
}  # fmt: skip


@pytest.mark.parametrize("run", [elsewhere, past_everything])
@pytest.mark.parametrize("name", UNSEEN)
def test_deeplift_takes_nothing_out_of_sight_for_linear(name: str, run: Callable[..., Tensor]) -> None:
    function, said = UNSEEN[name]
    with pytest.raises(AttributionError, match=f"DeepLIFT has no rule for .*{said}"):
        attribution_core.DeepLift(lambda x: run(function, x).sum(1)).attribute(torch.rand(3, 4))


def test_lrp_takes_nothing_out_of_sight_for_moved() -> None:
    with pytest.raises(AttributionError, match=r"LRP has no rule for Addmm out of sight"):
        attribution_core.LRP(lambda x: past_everything(nn.Linear(4, 3), x)).attribute(torch.rand(2, 4), target=0)


def test_linear_operations_out_of_sight_are_linear() -> None:
    net = nn.Sequential(
        nn.Conv1d(1, 4, 3, padding=1), nn.BatchNorm1d(4), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(8, 2)
    )
    net, x = net.eval(), torch.randn(2, 1, 4)
    found = attribution_core.DeepLift(lambda x: past_everything(net, x).relu()).attribute(x, target=1)
    torch.testing.assert_close(found, attribution_core.DeepLift(nn.Sequential(net, nn.ReLU())).attribute(x, target=1))


def test_sampling_at_places_that_depend_on_the_input_is_not_linear() -> None:
    def transformed(x: Tensor) -> Tensor:
        return F.grid_sample(x, x.mean(1)[..., None].expand(-1, -1, -1, 2), align_corners=False).sum((1, 2, 3))

    with pytest.raises(AttributionError, match="GridSampler2D of several values"):
        attribution_core.DeepLift(transformed).attribute(torch.rand(2, 1, 4, 4))


def _scripted() -> Callable[..., Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return torch.jit.script(_block)


def _block(x: Tensor, weight: Tensor) -> Tensor:
    return torch.relu(torch.nn.functional.linear(x, weight))


@pytest.mark.parametrize("name", ["DeepLift", "LRP"])
def test_scripted_functions_are_refused_by_name(name: str) -> None:
    block, net = _scripted(), nn.Linear(4, 5)
    method = getattr(attribution_core, name)(lambda x: block(x, net.weight))
    for _ in range(3):  # from the second call on, torch runs it as one node
        with pytest.raises(AttributionError, match=r"has no rule for .* out of sight: .* a scripted"):
            method.attribute(torch.rand(2, 4), target=0)


@pytest.mark.parametrize("name", ["GuidedBackprop", "Deconvolution"])
@pytest.mark.parametrize(
    ("run", "relu", "said"),
    [
        (elsewhere, F.relu, "saw 0 of 2 ReLUs behind the score"),
        (directly, F.gelu, r"passes gelu on by the usual gradient"),
        (directly, lambda x: (x + x.abs()) / 2, "met no ReLU, nor any other rectifier"),
    ],
)
def test_what_is_no_rectifier_to_them_is_told(
    name: str, run: Callable[..., Tensor], relu: Callable[[Tensor], Tensor], said: str
) -> None:
    with pytest.warns(AttributionWarning, match=f"{name} {said}"):
        explained(name, Net(run, relu))


def of_a_view(x: Tensor) -> Tensor:
    x[:, :8].relu_()
    return x


SAME: dict[str, Callable[[Tensor], Tensor]] = {
    "clamp": lambda x: x.clamp(min=0), "clamp_min": lambda x: torch.clamp_min(x, 0), "clip_": lambda x: x.clip_(0),
    "relu6": F.relu6, "hardtanh": lambda x: F.hardtanh(x, 0, 9), "threshold": nn.Threshold(0, 0),
    "threshold in place": nn.Threshold(0, 0, True), "two bounds": lambda x: x.clamp(0, 9),
    "maximum": lambda x: torch.maximum(torch.zeros_like(x), x), "max": lambda x: torch.max(x, torch.zeros(1)),
    "fmax": lambda x: x.fmax(torch.tensor(0.0)), "aten": torch.ops.aten.relu,
    "aten in place": torch.ops.aten.relu_, "a view in place": of_a_view,
}  # fmt: skip


@pytest.mark.parametrize("name", ["GuidedBackprop", "Deconvolution"])
@pytest.mark.parametrize("relu", SAME)
def test_rectifiers_by_other_names(name: str, relu: str) -> None:
    torch.testing.assert_close(explained(name, Net(directly, SAME[relu])), explained(name, Net(directly)))


@pytest.mark.parametrize(("name", "relu"), [("GuidedBackprop", F.relu6), ("Deconvolution", F.relu)])
def test_exported_models(name: str, relu: Callable[[Tensor], Tensor]) -> None:
    exported = torch.export.export(Net(directly, relu).eval(), (torch.randn(2, 4),)).module()
    torch.testing.assert_close(explained(name, exported), explained(name, Net(directly)))


@pytest.mark.parametrize("name", RULES)
def test_transforms_of_torch_func_are_refused(name: str) -> None:
    with pytest.raises(AttributionError, match=r"torch\.func \(vmap"):
        explained(name, Net(lambda function, x: torch.vmap(function)(x)))


@pytest.mark.filterwarnings("ignore:.*deprecated")
@pytest.mark.parametrize("name", RULES)
def test_quantized_modules_are_refused_by_name(name: str) -> None:
    net = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), {nn.Linear})
    with pytest.raises(AttributionError, match=r"Module '0' \(Linear\) hides its operations .* quantizing"):
        getattr(attribution_core, name)(net).attribute(torch.randn(2, 4), target=1)


@pytest.mark.parametrize("name", RULES)
def test_compiled_functions_are_refused_and_still_compile(name: str) -> None:
    net, x = Net(directly), torch.randn(2, 4)
    inside = torch.compile(net.outer, backend="eager")
    with pytest.raises(AttributionError, match=r"torch\.compile inside the model hides its operations"):
        getattr(attribution_core, name)(lambda x: net.c(inside(x))).attribute(x, target=1)
    torch.testing.assert_close(inside(x), net.outer(x))


@pytest.mark.parametrize("name", RULES)
def test_what_torch_cannot_compile_is_refused(name: str) -> None:
    import torch._dynamo.exc as failures  # noqa: PLC0415 - takes a second

    def model(x: Tensor) -> Tensor:
        raise failures.InternalTorchDynamoError("a mode is in the way")

    with pytest.raises(AttributionError, match=r"torch\.compile inside the model hides its operations"):
        getattr(attribution_core, name)(model).attribute(torch.randn(2, 4))


@pytest.mark.parametrize("name", ["GuidedBackprop", "Deconvolution"])
def test_autograd_functions_are_told(name: str) -> None:
    with pytest.warns(AttributionWarning, match=f"{name} passes Rectifier on by the usual gradient"):
        getattr(attribution_core, name)(lambda x: Rectifier.apply(x).sum(1)).attribute(torch.randn(2, 4))


def test_transforms_of_constants_are_not_refused() -> None:
    def masked(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        return function(x) + torch.vmap(torch.exp)(torch.zeros(8)).sum()

    _, delta = attribution_core.DeepLift(Net(masked)).attribute(
        torch.randn(2, 4), target=1, return_convergence_delta=True
    )
    assert delta.abs().max() < 1e-4


HOLES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "a parameter over a value": lambda weight, x: weight / (1 + x.square()),
    "a factor by name": lambda weight, x: torch.mul(x, other=x.sin()) * weight,
    "a matrix by name": lambda weight, x: torch.matmul(x, other=x.mT.sin()) @ weight,
    "the largest by name": lambda weight, x: torch.max(x, other=x.flip(0)) * weight,
    "lerp": lambda weight, x: torch.lerp(weight, x, x.sigmoid()),
    "lerp_": lambda weight, x: (x * weight).lerp_(x, x.sin()),
    "the least by name": lambda weight, x: torch.min(x, other=x.flip(0)) * weight,
}


@pytest.mark.parametrize("name", HOLES)
def test_deeplift_takes_no_such_call_for_linear(name: str) -> None:
    weight = nn.Parameter(torch.randn(3, 3).double())
    x, b = torch.randn(3, 3).double(), torch.randn(3, 3).double()

    def model(x: Tensor) -> Tensor:
        return torch.stack([HOLES[name](weight, one).sum() for one in x])

    found = attribution_core.DeepLift(model).attribute(x[None], b[None])
    change = HOLES[name](weight, x).sum() - HOLES[name](weight, b).sum()
    torch.testing.assert_close(found.sum(), change.detach())
