"""Training of the demos' small nets: reproducible from a seed, or bounded in time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from app.demos.extra import extra

Prepare = Callable[[Tensor, Generator], Tensor]
BAR = "{desc} {percentage:3.0f}%|{bar}| {remaining} left{postfix}"


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a net whose random weights come from `seed`; the global random state is left alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def fit(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    seconds: float = math.inf,
    batch_size: int = 128,
    rate: float = 2e-3,
    prepare: Prepare = lambda images, _: images,
    seed: int = 0,
) -> nn.Module:
    """Train on images (N, C, H, W) and labels (N) with a progress bar; gives the net back in eval mode.

    `prepare` turns a batch of images into what the net takes, with random changes drawn from the generator.
    Ends after `epochs` or `seconds`, whichever is first. AdamW; the learning rate rises to `rate` and falls to
    zero along the part of the budget that is used up, so an end by the clock is as good as one by the count.
    """
    tqdm = extra("tqdm").tqdm
    generator = Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=1e-2)
    steps, start, step = epochs * math.ceil(len(images) / batch_size), time.monotonic(), 0
    net.train()
    with tqdm(total=100, desc="training the net", bar_format=BAR) as bar:
        while step < steps:
            for chosen in torch.split(torch.randperm(len(images), generator=generator), batch_size):
                used = max(step / steps, (time.monotonic() - start) / seconds)
                if used >= 1:
                    steps = step
                    break
                some = prepare(images[chosen], generator)
                loss = _step(net, optimiser, some, labels[chosen], rate * _schedule(used))
                step += 1
                bar.update(100 * used - bar.n)
                bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
        bar.update(100 - bar.n)
    return net.eval()


def _step(net: nn.Module, optimiser: torch.optim.Optimizer, images: Tensor, labels: Tensor, rate: float) -> float:
    for group in optimiser.param_groups:
        group["lr"] = rate
    device = next(net.parameters()).device
    loss = F.cross_entropy(net(images.to(device)), labels.to(device))
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    optimiser.step()
    return loss.item()


def _schedule(used: float, warm: float = 0.1) -> float:
    return used / warm if used < warm else (1 + math.cos(math.pi * (used - warm) / (1 - warm))) / 2


def jitter(
    images: Tensor, generator: Generator, *, degrees: float = 0, shift: float = 0, zoom: float = 0, flip: bool = False
) -> Tensor:
    """Turn, move (as a part of the side), scale and mirror each image of (N, C, H, W) by its own random amount."""

    def uniform(size: float) -> Tensor:
        return (torch.rand(len(images), generator=generator) * 2 - 1) * size

    angle, scale = uniform(math.radians(degrees)), 1 + uniform(zoom)
    mirror = torch.where(uniform(1) < 0, -1.0, 1.0) if flip else torch.ones(len(images))
    across = torch.stack([scale * mirror * angle.cos(), -scale * angle.sin(), uniform(2 * shift)], dim=1)
    down = torch.stack([scale * mirror * angle.sin(), scale * angle.cos(), uniform(2 * shift)], dim=1)
    grid = F.affine_grid(torch.stack([across, down], dim=1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)
