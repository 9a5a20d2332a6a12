"""Our engine and Captum on the same work, alternating in one process: medians of ratios, and the limit.

    python benchmarks/engine.py [--quick] [--only MLP] [--device cuda] [--seconds 2]

The limit is the time of the bare passes that the call makes (as `attribution_core.cost` counts them), hand-written:
the model on as many rows, in as many calls, forward, and backward where gradients are needed. Writes RESULTS.md.
"""

from __future__ import annotations

import argparse
import gc
import logging
import math
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import captum
import captum.attr
import torch
import torchvision
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

import attribution_core
from attribution_core.evaluation.observe import Passes

GOALS = {
    "ShapleyValueSampling": 8, "ShapleyValues": 50, "KernelShap": 8, "Lime": 8, "FeaturePermutation MLP": 5,
    "FeatureAblation MLP": 5, "FeatureAblation transformer": 1.8, "Occlusion": 1.3, "DeepLift": 1.4,
    "GuidedGradCam": 1.4, "IG with delta MLP": 3,
}  # fmt: skip
"""Least ratio Captum / ours; 1 for all others, and never under 0.95."""


REMARKS = (
    "- DeepLift on the transformer is not the same work: Captum passes plain gradients through attention and norms, "
    "and its convergence delta is as large as the whole change of the output. Ours takes both apart and adds up.",
    "- FeaturePermutation of one row has nothing to shuffle: neither does any work.",
    "- Perturbation methods hold several perturbed batches at once, a few megabytes, where Captum holds one; gradient "
    "methods hold a copy of the input, which the model may change in place.",
    "- A ratio can rise no further where ours is at the limit: on resnet18, 50 evaluations are 50 evaluations.",
)
"""What one must know to read the table."""


class Digits(nn.Module):
    """Two convolutions over 28×28."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu1, self.pool1 = nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2)
        self.last, self.relu2, self.pool2 = nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2)
        self.out = nn.Linear(800, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.pool2(self.relu2(self.last(self.pool1(self.relu1(self.first(x)))))).flatten(1))


class Sentences(nn.Module):
    """Two transformer layers over 64 tokens; takes ids, or embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(1000, 64)
        layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
        self.first = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.last = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.out = nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        hidden = x if x.is_floating_point() else self.embed(x)
        return self.out(self.last(self.first(hidden)).mean(1))


def columns() -> nn.Module:
    """An MLP over 30 columns."""
    return nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))


@dataclass
class Case:
    """A method on a model: `build` makes it from captum.attr or attribution_core."""

    name: str
    where: str
    model: nn.Module
    inputs: Tensor
    build: Callable[[Any], Any]
    arguments: dict[str, Any] = field(default_factory=dict)

    def run(self, home: Any) -> Callable[[], Any]:
        method = self.build(home)
        return lambda: method.attribute(self.inputs, **self.arguments)

    def passes(self) -> Passes:
        return attribution_core.cost(self.build(attribution_core), self.inputs, **self.arguments)

    @property
    def goal(self) -> float:
        return next((g for key, g in GOALS.items() if f"{self.name} {self.where}".startswith(key)), 1.0)


def plain(name: str, model: nn.Module) -> Callable[[Any], Any]:
    return lambda home: getattr(home, name)(model)


def gradient_cases(where: str, model: nn.Module, x: Tensor, layer: nn.Module, rows: int) -> Iterator[Case]:
    target = {"target": 1}
    bases = torch.zeros(rows, *x.shape[1:], device=x.device)
    yield Case("Saliency", where, model, x, plain("Saliency", model), target)
    yield Case("IG", where, model, x, plain("IntegratedGradients", model), target)
    delta = {**target, "return_convergence_delta": True}
    yield Case("IG with delta", where, model, x, plain("IntegratedGradients", model), delta)
    yield Case("GradientShap", where, model, x, plain("GradientShap", model), {**target, "baselines": bases})
    yield Case("DeepLift", where, model, x, plain("DeepLift", model), target)
    yield Case("DeepLiftShap", where, model, x, plain("DeepLiftShap", model), {**target, "baselines": bases})
    yield Case("GuidedBackprop", where, model, x, plain("GuidedBackprop", model), target)
    yield Case("NoiseTunnel", where, model, x, lambda home: home.NoiseTunnel(home.Saliency(model)), target)
    if any(isinstance(module, (nn.Conv2d, nn.Linear)) for module in model.children()) and "transformer" not in where:
        yield Case("LRP", where, model, x, plain("LRP", model), target)
    for name in ("LayerConductance", "InternalInfluence"):
        yield Case(name, where, model, x, lambda home, n=name: getattr(home, n)(model, layer), target)
    neuron = {"neuron_selector": (0,) * (torch_rank(model, layer, x) - 1)}
    for name, short in (("NeuronGradient", "NeuronGradient"), ("NeuronIntegratedGradients", "NeuronIG")):
        yield Case(short, where, model, x, lambda home, n=name: getattr(home, n)(model, layer), neuron)
    if x.dim() == 4:
        for name in ("LayerGradCam", "GuidedGradCam"):
            yield Case(name, where, model, x, lambda home, n=name: getattr(home, n)(model, layer), target)


def torch_rank(model: nn.Module, layer: nn.Module, x: Tensor) -> int:
    seen: list[int] = []
    handle = layer.register_forward_hook(lambda *passed: seen.append(passed[2].dim()))
    with torch.no_grad():
        model(x)
    handle.remove()
    return seen[0]


def ablation_cases(where: str, model: nn.Module, x: Tensor, mask: Tensor | None, names: list[str]) -> Iterator[Case]:
    for name in names:
        yield Case(name, where, model, x, plain(name, model), {"target": 1, "feature_mask": mask})


def segments(size: int, cells: int, device: torch.device) -> Tensor:
    """A mask of cells × cells squares over an image."""
    place = torch.arange(size, device=device) * cells // size
    return (place[:, None] * cells + place)[None, None]


def cases(quick: bool, device: torch.device) -> Iterator[Case]:
    torch.manual_seed(0)
    sampled = ["ShapleyValueSampling", "KernelShap", "Lime"]
    mlp = columns().eval().to(device)
    for rows in (1, 32):
        x, where = torch.randn(rows, 30, device=device), f"MLP 30 × {rows}"
        yield from gradient_cases(where, mlp, x, mlp[2], 5)
        yield from ablation_cases(where, mlp, x, None, ["FeatureAblation", "FeaturePermutation", *sampled])
        six = torch.arange(30, device=device)[None] % 6
        yield from ablation_cases(f"{where}, 6 groups", mlp, x, six, ["ShapleyValues"])
        yield Case("Occlusion", where, mlp, x, plain("Occlusion", mlp), {"target": 1, "sliding_window_shapes": (3,)})
    text = Sentences().eval().to(device)
    ids, where = torch.randint(1000, (4, 64), device=device), "transformer 64 × 4"
    embedded = text.embed(ids).detach()
    yield from gradient_cases(f"{where}, embedded", text, embedded, text.last, 5)
    build = plain_layer("LayerIntegratedGradients", text, text.embed)
    yield Case("LayerIG (embedding)", where, text, ids, build, {"target": 1})
    yield from ablation_cases(where, text, ids, None, ["FeatureAblation", "FeaturePermutation", "KernelShap", "Lime"])
    digits, image = Digits().eval().to(device), torch.rand(16, 1, 28, 28, device=device)
    where, squares = "digits 28×28 × 16", segments(28, 7, device)
    yield from gradient_cases(where, digits, image, digits.last, 5)
    yield from ablation_cases(f"{where}, 49 squares", digits, image, squares, ["FeatureAblation", "FeaturePermutation"])
    yield from ablation_cases(f"{where}, 49 squares", digits, image, squares, ["KernelShap", "Lime"])
    window = {"target": 1, "sliding_window_shapes": (1, 7, 7), "strides": (1, 3, 3)}
    yield Case("Occlusion", where, digits, image, plain("Occlusion", digits), window)
    net = torchvision.models.resnet18(weights=None).eval().to(device)
    for rows in () if quick else (1, 4):
        photo, where = torch.rand(rows, 3, 224, 224, device=device), f"resnet18 224×224 × {rows}"
        slow = (
            {"LayerConductance", "InternalInfluence", "NeuronIG", "IG"} if rows > 1 and device.type == "cpu" else set()
        )
        found = gradient_cases(where, net, photo, net.layer4, 2)
        yield from (case for case in found if case.name not in slow and works_in_captum(case))
        window = {"target": 1, "sliding_window_shapes": (3, 64, 64), "strides": (3, 40, 40)}
        yield Case("Occlusion", where, net, photo, plain("Occlusion", net), window)
        sixteen = segments(224, 4, device)
        yield from ablation_cases(
            f"{where}, 16 squares", net, photo, sixteen, ["FeatureAblation", "KernelShap", "Lime"]
        )


def plain_layer(name: str, model: nn.Module, layer: nn.Module) -> Callable[[Any], Any]:
    return lambda home: getattr(home, name)(model, layer)


def works_in_captum(case: Case) -> bool:
    """Captum's DeepLift, DeepLiftShap and LRP refuse resnets: their ReLU modules are used twice."""
    return case.name not in {"DeepLift", "DeepLiftShap", "LRP"}


def limit(case: Case, passes: Passes) -> Callable[[], None]:
    """The bare passes."""
    rows = max(1, passes.forward_rows // max(1, passes.forward))
    x = case.inputs[torch.arange(rows, device=case.inputs.device) % len(case.inputs)]
    leaf = x if x.is_floating_point() or not passes.backward else case.model.embed(x).detach()  # type: ignore[operator]

    def run() -> None:
        for _ in range(passes.backward):
            points = leaf.clone().requires_grad_()
            torch.autograd.grad(case.model(points)[:, 1].sum(), points)
        with torch.no_grad():
            for _ in range(passes.forward - passes.backward):
                case.model(x)

    return run


def timed(call: Callable[[], Any], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def peak(call: Callable[[], Any], device: torch.device) -> float:
    """Most memory in use at once above what was in use before, in MB."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as run:
        call()
    used = most = 0
    for event in sorted(run.profiler.kineto_results.events(), key=lambda e: e.start_ns()):
        if event.name() == "[memory]":
            used += event.nbytes()
            most = max(most, used)
    return most / 1e6


@dataclass
class Result:
    """Seconds and megabytes of one case."""

    case: Case
    ours: float
    ratio: float
    over_limit: float
    peak: float
    captums_peak: float


def measured(case: Case, seconds: float, device: torch.device) -> Result:
    ours, theirs, passes = case.run(attribution_core), case.run(captum.attr), case.passes()
    bare = limit(case, passes)
    first = [timed(call, device) for call in (ours, theirs, bare, ours)]
    rounds = max(3, min(200, int(seconds / (first[1] + first[2] + first[3]))))
    times = []
    for place in range(rounds):
        calls = {"ours": ours, "theirs": theirs, "bare": bare}
        order = list(calls) if place % 2 else list(calls)[::-1]
        times.append({name: timed(calls[name], device) for name in order})
    large = first[1] > 20  # one run is enough of a reason not to profile another
    return Result(
        case,
        statistics.median(t["ours"] for t in times),
        statistics.median(t["theirs"] / t["ours"] for t in times),
        statistics.median(t["ours"] / t["bare"] for t in times),
        math.nan if large else peak(ours, device),
        math.nan if large else peak(theirs, device),
    )


def table(results: list[Result], device: torch.device) -> str:
    mean = statistics.geometric_mean(result.ratio for result in results)
    missed = [r for r in results if r.ratio < (0.95 if r.case.goal == 1 else r.case.goal)]
    processor = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU ({platform.machine()})"
    lines = [
        "# Benchmark of the engine",
        "",
        "Written by `python benchmarks/engine.py`. Ratios are medians over alternating runs in one process; "
        "the limit is the bare passes, hand-written (whole passes, also where a layer is enough).",
        "",
        f"{processor}, {torch.get_num_threads()} threads, Python {platform.python_version()},",
        f"torch {torch.__version__}, captum {captum.__version__}, {time.strftime('%Y-%m-%d')}.",
        "",
        f"{len(results)} cases, geometric mean of Captum / ours: {mean:.2f}; below their goal: {len(missed)}.",
        "",
        "| method | model × batch | ours, ms | Captum / ours | goal | ours / limit | peak MB ours | Captum |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for r in results:
        mark = " ←" if r in missed else ""
        lines.append(
            f"| {r.case.name} | {r.case.where} | {r.ours * 1e3:.2f} | {r.ratio:.2f}{mark} | {r.case.goal:g} "
            f"| {r.over_limit:.2f} | {r.peak:.1f} | {r.captums_peak:.1f} |"
        )
    return "\n".join([*lines, "", *REMARKS]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small models only, half a second a case")
    parser.add_argument("--only", default="", help="cases whose method or model contains this")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each case")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable()  # Captum reports every feature that it cannot shuffle
    device, results = torch.device(options.device), []
    for case in cases(options.quick, device):
        if options.only not in f"{case.name} {case.where}":
            continue
        gc.collect()
        result = measured(case, 0.5 if options.quick else options.seconds, device)
        results.append(result)
        print(f"{case.name:24} {case.where:32} {result.ratio:8.2f} × {result.over_limit:6.2f} of the limit", flush=True)
    text = table(results, device)
    if options.only or options.quick:
        print(text)
    else:
        Path(__file__).with_name("RESULTS.md").write_text(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
