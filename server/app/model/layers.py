"""A model's layers: what each passes on for an example, where that lies, and what a pass costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import get_ident

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from app.model.copies import Tensors, copied, copies
from app.model.outputs import columns
from app.schema import LayerInfo, SuggestedLayer
from attribution_core.errors import AttributionError
from attribution_core.evaluation.isolation import submodules, undisturbed
from attribution_core.methods.cam import as_maps
from attribution_core.question.attention import Attentions
from attribution_core.question.embeddings import embedded

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
WATCHED = 64  # layers, the last that ran, of which it is seen whether their positions matter: a gradient of each


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What a look through a model tells, by running it once and back on one example.

    no_gradient: why there is none, or nothing. attends: it has attention that can be rolled out.
    """

    layers: list[LayerInfo]
    suggested: list[SuggestedLayer]
    forward: float
    backward: float
    no_gradient: str
    attends: bool

    def layer(self, name: str) -> LayerInfo | None:
        """A layer by its name."""
        return next((layer for layer in self.layers if layer.name == name), None)

    def channels(self, name: str) -> int:
        """How many channels a layer has; its name may be that of a call."""
        layer = self.layer(name) or self.layer(name.rpartition(":")[0])
        if layer is None or not layer.shape:
            return 0
        return layer.shape[0] if layer.shape[1:] == layer.grid or layer.layout == "units" else layer.shape[-1]

    @property
    def best(self) -> str | None:
        """Where people look first."""
        return self.suggested[0].name if self.suggested else None


def positions(value: Tensor, inputs: Tensors) -> Tensor:
    """A layer's values (B, …) as (B, C, positions…), in the engine's reading; themselves where they lie nowhere."""
    try:
        return as_maps(value, inputs)
    except AttributionError:
        return value


def grid_of(value: Tensor, inputs: Tensors) -> list[int] | None:
    """The grid (height, width) on which a layer's values lie over the image among the inputs."""
    if not any(x.dim() == 4 for x in inputs):
        return None
    maps = positions(value, inputs)
    lies = maps.dim() == 4 and maps.shape[2] * maps.shape[3] > 1
    return list(maps.shape[2:]) if lies else None


def has_tokens(value: Tensor, inputs: Tensors) -> bool:
    """Whether a layer passes on (B, tokens, …) for inputs (B, tokens) of ids."""
    return value.dim() == 3 and any(not x.is_floating_point() and x.shape == value.shape[:2] for x in inputs)


@dataclass(eq=False)
class _Seen:
    """What a module passed on."""

    calls: int = 0
    shape: list[int] | None = None
    grid: list[int] | None = None
    tokens: bool = False
    last: int = -1  # when it ended for the last time, among all
    matters: bool = False  # more than one of its positions has a gradient
    value: Tensor | None = field(default=None, repr=False)


def look(model: nn.Module, inputs: Tensors, extra: tuple[object, ...]) -> Anatomy:
    """Run a model on inputs (1, …) and back; raises what it raises."""
    seen = {name: _Seen() for name, _ in model.named_modules() if name}
    with undisturbed(submodules(model), inputs):
        attends = _attends(model, inputs, extra)
        backward, no_gradient = _through(model, seen, inputs, extra)
        started = time.perf_counter()
        with torch.no_grad():
            model(*copies(inputs), *copied(extra))
        forward = time.perf_counter() - started
    layers = [_info(name, module, seen[name]) for name, module in model.named_modules() if name]
    return Anatomy(layers, _suggested(model, seen), forward, backward, no_gradient, attends)


def _through(model: nn.Module, seen: dict[str, _Seen], inputs: Tensors, extra: tuple[object, ...]) -> tuple[float, str]:
    """Note what every module passes on, and what of it matters; seconds of the way back, and why there is none."""
    try:
        module, xs = _differentiable(model, inputs, extra)
        with torch.enable_grad(), _watched(model, seen, inputs):
            score = columns(module(*xs, *copied(extra)))[0].amax()
    except Exception:
        with torch.no_grad(), _watched(model, seen, inputs):
            model(*copies(inputs), *copied(extra))
        return 0.0, "it cannot be run with gradients"
    if not score.requires_grad:
        return 0.0, "its outputs have no gradient"
    started = time.perf_counter()
    try:
        _differentiated(seen, score, [x for x in xs if x.is_floating_point()], inputs)
    except Exception as error:
        return 0.0, f"its outputs cannot be differentiated: {error}".splitlines()[0]
    return time.perf_counter() - started, ""


def _differentiable(model: nn.Module, inputs: Tensors, extra: tuple[object, ...]) -> tuple[nn.Module, Tensors]:
    """The model with inputs that have gradients: embeddings in place of ids."""
    if all(x.is_floating_point() for x in inputs):
        return model, tuple(x.detach().clone().requires_grad_() for x in inputs)
    with torch.no_grad():
        lifted = embedded(model, inputs, extra)
    return lifted.module, tuple(x.detach().requires_grad_() if x.is_floating_point() else x for x in lifted.inputs)


def _differentiated(seen: dict[str, _Seen], score: Tensor, xs: Sequence[Tensor], inputs: Tensors) -> None:
    """Note which layers' positions matter."""
    with_value = [each for each in seen.values() if each.value is not None and each.value.requires_grad]
    watched = sorted(with_value, key=lambda each: each.last)[-WATCHED:]
    values = [each.value for each in watched if each.value is not None]
    slopes = torch.autograd.grad(score, [*xs, *values], allow_unused=True)[len(xs) :]
    for each, slope in zip(watched, slopes, strict=True):
        if slope is not None:
            flat = positions(slope, inputs).abs().sum(1).flatten() if each.grid else slope.abs().sum(-1).flatten()
            each.matters = int((flat > 0).sum()) > 1
    for each in seen.values():
        each.value = None


@contextmanager
def _watched(model: nn.Module, seen: dict[str, _Seen], inputs: Tensors) -> Iterator[None]:
    """While the model runs in this thread, note what each module passes on."""
    for name in seen:
        seen[name] = _Seen()
    thread, ended = get_ident(), iter(range(10**9))

    def noting(name: str) -> Callable[[nn.Module, object, object], None]:
        def note(_: nn.Module, __: object, result: object) -> None:
            if get_ident() == thread:
                _note(seen[name], result, next(ended), inputs)

        return note

    handles = [module.register_forward_hook(noting(name)) for name, module in model.named_modules() if name]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _note(each: _Seen, result: object, ended: int, inputs: Tensors) -> None:
    each.calls, each.last = each.calls + 1, ended
    value = next((leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)), None)
    if value is None or value.dim() < 1 or value.is_nested:
        return
    each.shape = list(value.shape[1:])
    if len(value) == len(inputs[0]):
        each.grid, each.tokens = grid_of(value, inputs), has_tokens(value, inputs)
        each.value = value if value.is_floating_point() and (each.grid or each.tokens) else None


def _attends(model: nn.Module, inputs: Tensors, extra: tuple[object, ...]) -> bool:
    """Whether the model has attention from every token to every other."""
    if not any("attention" in type(module).__name__.lower() for module in submodules(model)):
        return False
    site = Attentions()
    try:
        with torch.no_grad(), site.recorded(inputs) as read:
            model(*copies(inputs), *copied(extra))
        weights = read()
    except Exception:
        return False
    whole = len({(w.shape[0], w.shape[2]) for w in weights}) == 1 and len(weights[0]) == len(inputs[0])
    image = any(x.dim() == 4 for x in inputs)
    return whole and (not image or grid_of(weights[0].mean(1)[:, 0, :, None], inputs) is not None)


def _info(name: str, module: nn.Module, seen: _Seen) -> LayerInfo:
    return LayerInfo(
        name=name,
        type=type(module).__name__,
        parameters=sum(p.numel() for p in module.parameters() if not nn.parameter.is_lazy(p)),
        calls=seen.calls,
        shape=seen.shape,
        layout=None if seen.shape is None else "grid" if seen.grid else "tokens" if seen.tokens else "units",
        grid=seen.grid,
    )


def _suggested(model: nn.Module, seen: dict[str, _Seen]) -> list[SuggestedLayer]:
    """The last block whose positions matter, the last convolution, else the last layer; the embedding; each once."""
    modules = dict(model.named_modules())
    ran = sorted((name for name in seen if seen[name].calls == 1), key=lambda name: seen[name].last)
    matters = [name for name in ran if seen[name].matters]
    tables = [name for name in ran if isinstance(modules[name], nn.Embedding)]
    layers = [name for name in ran if modules[name]._parameters]
    candidates = [
        ("last block", [name for name in matters if any(True for _ in modules[name].children())][-1:]),
        ("last convolution", [name for name in matters if isinstance(modules[name], CONVOLUTIONS)][-1:]),
        ("last layer", matters[-1:] or layers[-2:-1]),  # of those without positions, the last is the output
        ("embedding", tables[:1]),  # what comes after that of the words is of positions and the like
    ]
    found: dict[str, str] = {}
    for reason, names in candidates:
        found |= {name: reason for name in names if name not in found and not (reason == "last layer" and found)}
    return [SuggestedLayer(name=name, reason=reason) for name, reason in found.items()]
