"""Incremental passes of Occlusion beside full ones: python benchmarks/occlusion.py [rounds].

Prints a table of CPU times of one thread, the medians of alternating rounds in one process, and of their ratios. A
function in place of the module gets full passes.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable

import torch
import torchvision.models as nets
from torch import Tensor, nn

from attribution_core import Occlusion

CASES = [
    ("shufflenet_v2_x1_0", 32),
    ("mobilenet_v2", 32),
    ("squeezenet1_1", 32),
    ("efficientnet_b0", 32),
    ("resnet18", 32),
    ("resnet18", 24),
    ("resnet18", 16),
    ("resnet50", 32),
    ("densenet121", 32),
    ("vgg11", 32),
    ("vgg16", 32),
]
"""Net, and window, as wide as its stride, of one image of 224×224."""


def in_full(model: nn.Module) -> Callable[[Tensor], Tensor]:
    def function(x: Tensor) -> Tensor:
        outputs: Tensor = model(x)
        return outputs

    return function


def measured(name: str, window: int, rounds: int) -> str:
    """A line of the table."""
    torch.manual_seed(0)
    model, x = nets.get_model(name, weights=None).eval(), torch.randn(1, 3, 224, 224)
    options = {"sliding_window_shapes": (3, window, window), "strides": (3, window, window)}
    methods = [Occlusion(in_full(model)), Occlusion(model)]
    model(x)
    times: list[list[float]] = [[], []]
    results: list[Tensor] = [x, x]
    for turn in range(rounds):
        for place in (0, 1) if turn % 2 == 0 else (1, 0):
            start = time.process_time()
            results[place] = methods[place].attribute(x, target=1, **options)
            times[place].append(time.process_time() - start)
    full, incremental = map(statistics.median, times)
    ratio = statistics.median(a / b for a, b in zip(*times, strict=True))
    apart = float((results[0] - results[1]).abs().max() / model(x).abs().max())
    return f"| {name} | {window} | {full:.2f} | {incremental:.2f} | {ratio:.2f} | {apart:.0e} |"


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"CPU ({platform.machine()}), 1 thread, Python {platform.python_version()}, torch {torch.__version__}.\n")
    print("| net | window | full, s | incremental, s | full / incremental | difference, of the largest score |")
    print("|---|---:|---:|---:|---:|---:|")
    with torch.no_grad():
        for name, window in CASES:
            print(measured(name, window, rounds), flush=True)


if __name__ == "__main__":
    main()
