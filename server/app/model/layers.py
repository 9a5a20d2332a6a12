"""A model's layers: what each passes on for an example, where that lies, and what a pass costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import get_ident

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from app.model.copies import Tensors, copied, copies
from app.model.outputs import columns
from app.schema import LayerInfo, SuggestedLayer
from attribution_core import AttentionRollout, Layer
from attribution_core.errors import AttributionError
from attribution_core.evaluation.isolation import submodules, undisturbed
from attribution_core.methods.layout import Context, as_maps
from attribution_core.question.embeddings import embedded
from attribution_core.question.joins import Joins, Patches

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
WATCHED = 64  # layers, the last that ran, of which it is seen whether their positions matter: a gradient of each


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What a look through a model tells, by running it once and back on one example.

    no_gradient, no_attention: why there is none, or nothing. patches: which tokens are those of an image's patches.
    """

    layers: list[LayerInfo]
    suggested: list[SuggestedLayer]
    forward: float
    backward: float
    no_gradient: str
    no_attention: str
    patches: dict[int, Patches]

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


def positions(value: Tensor, context: Context) -> Tensor | None:
    """A layer's values (B, …) as (B, C, positions…), as the engine reads them; None where it cannot tell."""
    try:
        return as_maps(value, context)
    except AttributionError:
        return None


def grid_of(maps: Tensor | None, context: Context) -> list[int] | None:
    """The grid (height, width) on which such positions lie over the image among the inputs."""
    lies = maps is not None and maps.dim() == 4 and context.image is not None
    return list(maps.shape[2:]) if maps is not None and lies and maps.shape[2:].numel() > 1 else None


def is_text(maps: Tensor | None, context: Context) -> bool:
    """Whether such positions are those of token ids."""
    return maps is not None and maps.dim() == 3 and context.image is None and maps.shape[2] in context.lengths


@dataclass(eq=False)
class _Seen:
    """What a module passed on."""

    calls: int = 0
    shape: list[int] | None = None
    grid: list[int] | None = None
    tokens: bool = False
    last: int = -1  # when it ended for the last time, among all
    matters: bool = False  # more than one of its positions has a gradient
    value: Tensor | None = None
    context: Context | None = None


def look(model: nn.Module, inputs: Tensors, extra: tuple[object, ...]) -> Anatomy:
    """Run a model on inputs (1, …) and back; raises what it raises."""
    seen = {name: _Seen() for name, _ in model.named_modules() if name}
    with undisturbed(submodules(model), inputs):
        no_attention = _no_attention(model, inputs, extra)
        joins = Joins()
        backward, no_gradient = _through(model, seen, inputs, extra, joins)
        started = _now(inputs)
        with torch.no_grad():
            model(*copies(inputs), *copied(extra))
        forward = _now(inputs) - started
    layers = [_info(name, module, seen[name]) for name, module in model.named_modules() if name]
    return Anatomy(layers, _suggested(model, seen), forward, backward, no_gradient, no_attention, joins.patches)


def _through(
    model: nn.Module, seen: dict[str, _Seen], inputs: Tensors, extra: tuple[object, ...], joins: Joins
) -> tuple[float, str]:
    """Note what every module passes on, and what of it matters; seconds of the way back, and why there is none."""
    try:
        module, xs = _differentiable(model, inputs, extra)
        with torch.enable_grad(), joins.recorded(inputs), _watched(model, seen, inputs, joins.patches):
            score = columns(module(*xs, *copied(extra)))[0].amax()
    except Exception:
        with torch.no_grad(), _watched(model, seen, inputs, joins.patches):
            model(*copies(inputs), *copied(extra))
        return 0.0, "it cannot be run with gradients"
    if not score.requires_grad:
        return 0.0, "its outputs have no gradient"
    started = _now(inputs)
    try:
        _differentiated(seen, score, [x for x in xs if x.is_floating_point()])
    except Exception as error:
        return 0.0, f"its outputs cannot be differentiated: {error}".splitlines()[0]
    return _now(inputs) - started, ""


def _now(inputs: Tensors) -> float:
    """The time when the device of the inputs has done what it was asked."""
    device = inputs[0].device
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter()


def _differentiable(model: nn.Module, inputs: Tensors, extra: tuple[object, ...]) -> tuple[nn.Module, Tensors]:
    """The model with inputs that have gradients: embeddings in place of ids."""
    if all(x.is_floating_point() for x in inputs):
        return model, tuple(x.detach().clone().requires_grad_() for x in inputs)
    with torch.no_grad():
        lifted = embedded(model, inputs, extra)
    return lifted.module, tuple(x.detach().requires_grad_() if x.is_floating_point() else x for x in lifted.inputs)


def _differentiated(seen: dict[str, _Seen], score: Tensor, xs: Sequence[Tensor]) -> None:
    """Note which layers' positions matter."""
    with_value = [each for each in seen.values() if each.value is not None and each.value.requires_grad]
    watched = sorted(with_value, key=lambda each: each.last)[-WATCHED:]
    values = [each.value for each in watched if each.value is not None]
    slopes = torch.autograd.grad(score, [*xs, *values], allow_unused=True)[len(xs) :]
    for each, slope in zip(watched, slopes, strict=True):
        maps = None if slope is None or each.context is None else positions(slope, each.context)
        each.matters = maps is not None and int((maps.abs().sum(1) > 0).sum()) > 1
    for each in seen.values():
        each.value = None


@contextmanager
def _watched(model: nn.Module, seen: dict[str, _Seen], inputs: Tensors, patches: dict[int, Patches]) -> Iterator[None]:
    """While the model runs in this thread, note what each module passes on."""
    for name in seen:
        seen[name] = _Seen()
    thread, ended = get_ident(), iter(range(10**9))

    def noting(name: str) -> Callable[[nn.Module, object, object], None]:
        def note(module: nn.Module, _: object, result: object) -> None:
            if get_ident() == thread:
                _note(seen[name], result, next(ended), Context(inputs, Layer(module), None, patches))

        return note

    handles = [module.register_forward_hook(noting(name)) for name, module in model.named_modules() if name]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _note(each: _Seen, result: object, ended: int, context: Context) -> None:
    each.calls, each.last = each.calls + 1, ended
    value = next((leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)), None)
    if value is None or value.dim() < 1 or value.is_nested:
        return
    each.shape = list(value.shape[1:])
    maps = positions(value.detach(), context)
    each.grid, each.tokens = grid_of(maps, context), is_text(maps, context)
    lies = value.requires_grad and (each.grid is not None or each.tokens)
    each.value, each.context = (value, context) if lies else (None, None)


def _no_attention(model: nn.Module, inputs: Tensors, extra: tuple[object, ...]) -> str:
    """Why attention cannot be rolled out, or nothing."""
    if not any("attention" in type(module).__name__.lower() for module in submodules(model)):
        return "no attention from every token to every other was found"
    try:
        AttentionRollout(model).attribute(copies(inputs), additional_forward_args=copied(extra) or None)
    except AttributionError as error:
        return f"{error.message} {error.hint or ''}".strip()
    except Exception:
        return "its attention cannot be followed"
    return ""


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
