"""What the arguments of public classes may be: right values, wrong ones, and those that depend on the rest.

Each value is made anew for a call, from the net and the batch of that call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from attribution_core import LRP, FeatureAblation, IntegratedGradients, KernelShap, Layer, LayerActivation, Saliency
from attribution_core.methods.linear import LinearRegression

from .nets import Passes
from .registry import groups


class MineError(Exception):
    """Raised by the caller's own functions: to be passed on as it is."""


@dataclass(frozen=True)
class Here:
    """What a call is about: the net, the layer that methods look at, and the batch, a tensor or a tuple of them."""

    net: Passes
    layer: nn.Module
    given: Any

    @property
    def x(self) -> Tensor:
        """The first input."""
        first: Tensor = self.given[0] if isinstance(self.given, tuple) else self.given
        return first


Make = Callable[[Here], Any]
Kind = Literal["right", "wrong", "late", "open", "raises"]


@dataclass(frozen=True)
class Value:
    """A value of an argument.

    `right`: to be answered; `wrong`: refused before the model runs; `late`: refused when it has run; `open`: either is
    right; `raises`: a function that raises `MineError`.
    """

    label: str
    made: Make
    kind: Kind = "right"

    def __repr__(self) -> str:
        return self.label


OMITTED = Value("(omitted)", lambda h: None)


def fixed(*values: Any, kind: Kind = "right") -> list[Value]:
    """Values that are the same everywhere."""
    return [Value(repr(value)[:40], lambda h, value=value: value, kind) for value in values]


def made(kind: Kind = "right", /, **values: Make) -> list[Value]:
    """Values that are made from what the call is about."""
    return [Value(label, make, kind) for label, make in values.items()]


def own(kind: Kind = "right", /, **functions: Callable[..., Any]) -> list[Value]:
    """Functions of the caller's."""
    return [Value(label, lambda h, function=function: function, kind) for label, function in functions.items()]


def raising(*arguments: Any, **named: Any) -> Any:
    raise MineError


OTHERS: dict[str, Any] = {
    "None": None, "'x'": "x", "b'x'": b"x", "object": object(), "1j": 1j, "set": {1}, "range": range(3),
    "[]": [], "()": (), "{}": {}, "[None]": [None], "{'x': 1}": {"x": 1},
    "True": True, "0": 0, "1": 1, "-1": -1, "0.5": 0.5, "-0.5": -0.5, "1e300": 1e300, "2**70": 2**70,
    "-2**70": -(2**70),
    "nan": float("nan"), "inf": float("inf"), "-inf": -float("inf"),
    "array": np.zeros(3), "words": np.array(["a", "b"]), "objects": np.array([None, "x"], dtype=object),
    "0-d": torch.tensor(1.0), "empty": torch.empty(0), "nan tensor": torch.tensor([float("nan")]),
    "complex": torch.ones(2, dtype=torch.complex64), "sparse": torch.eye(2).to_sparse(),
    "meta": torch.empty(2, 5, device="meta"), "type": Tensor, "class": MineError, "module": nn.ReLU(),
}  # fmt: skip
"""Values of all kinds, each wrong for most arguments."""
CALLABLE = ("type", "class", "module")
"""Functions of the caller's as well, of a kind that nobody means."""
RAISES = own("raises", raising=raising)


def others(*right: str, unsure: str = "") -> list[Value]:
    """All other values as wrong ones, but for those that are right or not certain; `unsure` names the latter."""
    kinds: dict[str, Kind] = dict.fromkeys(unsure.split(", "), "open")
    return [
        Value(label, lambda h, value=value: value, kinds.get(label, "wrong"))
        for label, value in OTHERS.items()
        if label not in right
    ]


def each(given: Any, change: Callable[[Tensor], Any]) -> Any:
    """Every input changed, in the form of the inputs."""
    return tuple(map(change, given)) if isinstance(given, tuple) else change(given)


def all_of(change: Callable[[Tensor], Any]) -> Make:
    """What becomes of every input."""
    return lambda h: each(h.given, change)


def first(change: Callable[[Tensor], Any]) -> Make:
    """What becomes of the first input."""
    return lambda h: change(h.x)


def zeros_of_numpy(x: Tensor) -> Any:
    return np.zeros(x.shape, np.float32 if x.is_floating_point() else np.int64)


def neuron(x: Tensor) -> Any:
    """A neuron of a linear layer, or some of the maps of a convolution."""
    return 1 if x.dim() == 2 else (slice(0, 3), *[slice(0, 2)] * (x.dim() - 2))


def window(x: Tensor) -> tuple[int, ...]:
    """Two neighbours, of pictures and series in all channels."""
    return (2,) if x.dim() == 2 else (x.shape[1], *[2] * (x.dim() - 2))


INPUTS = [
    *made(batch=lambda h: h.given, leaf=all_of(lambda x: x.clone().requires_grad_(x.is_floating_point())),
          strided=all_of(lambda x: x.repeat_interleave(2, -1)[..., ::2]),
          expanded=all_of(lambda x: x[:1].expand(len(x), *x.shape[1:])), zeros=all_of(torch.zeros_like)),
    *made("open", double=all_of(Tensor.double), half=all_of(Tensor.half), bfloat=all_of(Tensor.bfloat16),
          whole=all_of(Tensor.long), bytes=all_of(lambda x: x.abs().byte()), truth=all_of(Tensor.bool),
          nan=all_of(lambda x: x * float("nan")), inf=all_of(lambda x: x / 0), large=all_of(lambda x: x * 1e30),
          wider=all_of(lambda x: torch.cat([x, x], -1)), longer=all_of(lambda x: x[:, None]),
          no_batch=all_of(lambda x: x.sum(0)), no_values=first(lambda x: x[..., :0]), flat=first(Tensor.flatten),
          as_tuple=first(lambda x: (x,)), as_dict=first(lambda x: {"x": x}), as_list=first(lambda x: [x]),
          twice=first(lambda x: (x, x)), ragged=first(lambda x: (x, x[:1]))),
    *made("wrong", sparse=first(Tensor.to_sparse), meta=first(lambda x: x.to("meta")), array=first(zeros_of_numpy),
          complex=first(lambda x: x.to(torch.complex64))),
    *others(unsure="nan tensor, empty"),
]  # fmt: skip
BASELINES = [
    OMITTED, *fixed(None, 0, 1),
    *made(zeros=all_of(torch.zeros_like), half=all_of(lambda x: 0.5 if x.is_floating_point() else 1),
          arrays=all_of(zeros_of_numpy)),
    *own(made=lambda given: each(given, torch.zeros_like), made_of_nothing=lambda: 0,
         made_arrays=lambda given: each(given, zeros_of_numpy)),
    *fixed([0, 1], (0, 0), np.float32(0.5), kind="open"),
    *made("open", row=first(lambda x: x[:1].clone()), other=first(lambda x: x.flip(0)),
          rows=first(lambda x: torch.cat([x, x, x])), wider=first(lambda x: torch.cat([x, x], -1)),
          double=first(lambda x: x.double() * 0), truth=first(Tensor.bool),
          several=first(lambda x: [zeros_of_numpy(x)])),
    *made("wrong", sparse_ones=first(Tensor.to_sparse), meta_ones=first(lambda x: x.to("meta")),
          complex_ones=first(lambda x: x.to(torch.complex64))),
    *own("wrong", makes_words=lambda x: "x"), *RAISES,
    *others("None", "0", "1", "0.5", "-0.5", "-1", *CALLABLE,
            unsure="2**70, -2**70, 1e300, True, (), {}, {'x': 1}, [None], range, array, 0-d, nan tensor, empty"),
]  # fmt: skip
TARGETS = [
    *fixed(0, 1, 2, -1, (1,), np.int64(1), torch.tensor(1)),
    *made(each=first(lambda x: [0, 2, 1][: len(x)]), tensor=first(lambda x: torch.tensor([0, 2, 1])[: len(x)])),
    *own(sums=lambda out: out.float().flatten(1).sum(1) if out.dim() else out), *RAISES,
    *fixed("pred", None, [0], [0, 1], [0, 1, 2], (0, 0), 3, -4, (slice(None),), kind="open"),
    *own("open", everything=lambda out: out),
    *own("late", number=lambda out: 1.0, words=lambda out: "x", complex=lambda out: out.float().reshape(-1) * 1j),
    *others("None", "-1", "0", "1", *CALLABLE, unsure="2**70, -2**70, [], [None], array, 0-d, empty"),
]  # fmt: skip
SELECTORS = [
    *made(usual=first(neuron)), *own(sums=lambda values: values.flatten(1).sum(1)), *RAISES,
    *fixed(0, (0,), (0, 0), (0, 0, 0), (slice(None),), 99, 2**70, kind="open"),
    *own("late", words=lambda values: "x"), *others("0", "1", "2**70", *CALLABLE),
]  # fmt: skip
MASKS = [
    OMITTED, *fixed(None), *made(groups=all_of(groups)),
    *made("open", rows=first(lambda x: groups(x).expand(x.shape)), floats=first(lambda x: groups(x).double()),
          one=first(lambda x: torch.zeros(1, *x.shape[1:]).long()), gaps=first(lambda x: groups(x) * 7),
          ragged=first(lambda x: torch.arange(x.numel()).reshape(x.shape) // 5), below=first(lambda x: groups(x) - 3),
          alone=first(lambda x: (groups(x),)), wide=lambda h: torch.zeros(1, 99).long(), array=first(zeros_of_numpy)),
    *made("open", halves=first(lambda x: groups(x) * 0.5)),
    *others("None", unsure="{}, (), [], [None], {'x': 1}, array, 0-d, empty, objects"),
]  # fmt: skip
LAYER_MASKS = [
    OMITTED, *fixed(None), *made("open", one=lambda h: torch.zeros(1).long()),
    *others("None", unsure="{}, (), [], [None], array, 0-d, empty, complex, nan tensor, objects, words"),
]  # fmt: skip
LAYER_BASELINES = [
    OMITTED, *fixed(None, 0, 0.5), *made("open", one=lambda h: torch.zeros(1), several=lambda h: [0]),
    *others("None", "0", "1", "0.5", "-0.5", "-1", unsure="2**70, -2**70, 1e300, True, [], (), {}, {'x': 1}, [None], "
            "array, 0-d, nan tensor, empty, complex, meta"),
]  # fmt: skip
FORMULAS = [
    OMITTED, *fixed(None), *own(multipliers=lambda m: m),
    *own(product=lambda m, x, b: tuple(m * (x - b) for m, x, b in zip(m, x, b, strict=True))),
    *own("late", narrow=lambda m: tuple(m[:, :1, None] for m in m), number=lambda m: 1, none=lambda m: (),
         arrays=lambda m: tuple(m.float().numpy() for m in m)),
    *others("None", *CALLABLE),
]  # fmt: skip
LIKENESSES = [
    OMITTED, *own(one=lambda *_, **__: 1.0, tensor=lambda *_, **__: torch.ones(())), *RAISES,
    *own("late", nan=lambda *_, **__: float("nan"), zero=lambda *_, **__: 0.0, below=lambda *_, **__: -1.0,
         words=lambda *_, **__: "x"),
    *others("None", *CALLABLE),
]  # fmt: skip
PERTURBATIONS = [
    OMITTED, *RAISES, *own("late", words=lambda *_, **__: "x", ends=lambda *_, **__: iter(())),
    *own("open", ones=lambda x, **named: torch.ones(1, named.get("num_interp_features", 5))),
    *others("None", *CALLABLE),
]  # fmt: skip
SHUFFLES = [
    OMITTED, *fixed(None), *own(turned=lambda x, mask: torch.where(mask, x.roll(1, 0), x)), *RAISES,
    *own("late", number=lambda x, mask: 1), *own("open", narrow=lambda x, mask: x[:, :0]), *others("None", *CALLABLE),
]  # fmt: skip
LAYERS = [
    *made(layer=lambda h: h.layer, Layer=lambda h: Layer(h.layer)), *own("late", elsewhere=nn.ReLU()),
    *made("open", twice=lambda h: [h.layer, h.layer], all=lambda h: Layer(h.layer, call="sum"),
          fifth=lambda h: Layer(h.layer, call=5), net=lambda h: h.net),
    *others("module"),
]  # fmt: skip
METHODS = [
    *made(Saliency=lambda h: Saliency(h.net)),
    *made("open", path=lambda h: IntegratedGradients(h.net), relevance=lambda h: LRP(h.net),
          game=lambda h: KernelShap(h.net), layer=lambda h: LayerActivation(h.net, h.layer)),
    *others(),
]  # fmt: skip
LOADERS = [
    *made(list=lambda h: [h.given]),
    *made("open", two=lambda h: [h.given, h.given], iterator=lambda h: iter([h.given]), tensor=lambda h: h.x),
    *others(unsure="set, range, array, words, objects, complex, nan tensor, sparse, meta, empty, [None], {'x': 1}, "
            "'x', b'x'"),
]  # fmt: skip
OPTIONS = [
    OMITTED, *fixed(None, {}, {"create_graph": True}, {"retain_graph": True}, {"allow_unused": True}, kind="open"),
    *fixed({"x": 1}, {"create_graph": "x"}, {1: 2}, kind="wrong"), *others("None", "{}"),
]  # fmt: skip
FLAG = fixed(True, False) + others("True", "0", "1")
FUNCTION = RAISES + others("None", *CALLABLE)
NETS = [*made(net=lambda h: h.net), *others(*CALLABLE)]


def counts(*right: Any) -> list[Value]:
    """Numbers of steps, samples or rows."""
    return fixed(*right) + others("1", *(["None"] if None in right else []))


VALUES: dict[str, list[Value]] = {
    "inputs": INPUTS, "baselines": BASELINES, "target": TARGETS, "feature_mask": MASKS, "neuron_selector": SELECTORS,
    "targets": [OMITTED, *fixed(None), *fixed([0], [0, -1], kind="open"), *others("None", unsure="[None]")],
    "additional_forward_args": [OMITTED, *fixed(None), *others("None", unsure=", ".join(OTHERS))],
    **dict.fromkeys(("abs", "return_convergence_delta", "attribute_to_layer_input", "attribute_to_neuron_input",
                     "relu_attributions", "multiply_by_inputs", "attr_dim_summation", "return_input_shape",
                     "memory_efficient", "draw_baseline_from_distrib"), FLAG),
    **dict.fromkeys(("show_progress", "verbose"), FLAG[1:]),
    **dict.fromkeys(("n_steps", "n_samples", "n_masks", "nt_samples", "perturbations_per_pass"), counts(1, 3, 7)),
    "perturbations_per_eval": counts(1, 2, 50), "grid_size": counts(1, 3),
    "internal_batch_size": counts(1, 3, 64, None), "nt_samples_batch_size": counts(1, 2, None),
    "method": fixed("gausslegendre", "riemann_trapezoid", "riemann_left", "riemann_right", "riemann_middle") + others(),
    "nt_type": fixed("smoothgrad", "smoothgrad_sq", "vargrad") + others(),
    "estimator": fixed("sets") + fixed("orders", kind="open") + others(),
    "interpolate_mode": fixed("nearest") + fixed("bilinear", "linear", "bicubic", "area", kind="open") + others(),
    "layout": fixed(None, "channels_first") + fixed("channels_last", "tokens", "tokens_first", kind="open")
    + others("None"),
    "tolerance": fixed(0.5, None) + others("None", "0.5"), "probability": fixed(0.3, 0.7) + others("0.5"),
    "eps": fixed(1e-10, 0.0, 1e-3) + others("0", "1", "0.5", unsure="1e300, 2**70"),
    "seed": fixed(0, 3, 2**40, None) + others("None", "0", "1"),
    "stdevs": [*fixed(0.0, 0.1, 1), *fixed((0.1,), (0.1, 0.2), {"x": 0.1}, kind="open"),
               *others("0", "1", "0.5", unsure="2**70, 1e300, {'x': 1}, (), [], {}")],
    "token": fixed(0, -1, None) + others("None", "0", "1", "-1", "2**70", "-2**70"),
    "composite": fixed(None, "epsilon", "epsilon-plus", "alpha2-beta1", "epsilon-gamma-box") + others("None"),
    "sliding_window_shapes": [*made(usual=all_of(window)), *fixed((1,), (99, 99), kind="open"),
                              *made("open", whole=first(lambda x: tuple(x.shape[1:])),
                                    alone=first(lambda x: (window(x),))),
                              *others(unsure="()")],
    "strides": [*fixed(None, 1), *made(usual=all_of(window)), *fixed(2, (1,), (0,), kind="open"),
                *others("None", "1", unsure="(), []")],
    "layer_baselines": LAYER_BASELINES, "layer_mask": LAYER_MASKS, "grad_kwargs": OPTIONS,
    "custom_attribution_func": FORMULAS, "perm_func": SHUFFLES, "similarity_func": LIKENESSES,
    "perturb_func": PERTURBATIONS,
    "interpretable_model": [OMITTED, *made(line=lambda h: LinearRegression()), *others("None")],
    "forward_func": NETS, "model": NETS, "layer": LAYERS, "attribution_method": METHODS, "dataloader": LOADERS,
    "device_ids": [OMITTED, *fixed(None, [0]), *others("None", "[]", "()")],
    "attr_method": [*made(ablation=lambda h: FeatureAblation(h.net)), *others()],
    "input_roles": [OMITTED, *fixed(None), *fixed((0,), (1,), (0, 2), kind="open"), *others("None")],
    "reduce": [OMITTED, *FUNCTION], "to_metric": [OMITTED, *FUNCTION],
    "perturb_interpretable_space": fixed(False) + others("True", "0", "1"),
    "from_interp_rep_transform": [*fixed(None), *FUNCTION],
    "to_interp_rep_transform": [*own(two=lambda sample, original, **_: sample.flatten()[None, :2]), *FUNCTION],
    "kwargs": [OMITTED],
}  # fmt: skip
"""What each argument may be, by its name."""

ALONE: dict[tuple[str, str], list[Value]] = {
    ("DataLoaderAttribution", "baselines"): [OMITTED, *fixed(None, 0, 1)],
    ("DataLoaderAttribution", "feature_mask"): [OMITTED, *fixed(None)],
    ("ShapleyValues", "feature_mask"): [value for value in MASKS if value.label not in ("(omitted)", "None")],
    ("LimeBase", "to_interp_rep_transform"): VALUES["to_interp_rep_transform"] + fixed(None, kind="wrong"),
    ("NoiseTunnel", "kwargs"): [Value("target=1", lambda h: {"target": 1})],
}
"""Those that are something else for one class."""
