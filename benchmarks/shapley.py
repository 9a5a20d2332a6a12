"""Errors of Shapley estimators for the same model evaluations: ours, Captum's, and those of shapiq where installed.

    python benchmarks/shapley.py [--seeds 5]

Games: nets of 8, 10 and 12 players and random forests; errors are root mean squares against exact values, relative to
their size, as geometric means over games. Writes SHAPLEY.md.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import captum
import captum.attr
import numpy as np
import torch
from sklearn.ensemble import RandomForestRegressor
from torch import Tensor, nn

import attribution_core

Estimator = Callable[[int, int], Tensor]
"""From evaluations and a seed to values."""


def every(players: int) -> Tensor:
    return torch.tensor(list(itertools.product([False, True], repeat=players)))


def games(players: int, seed: int) -> Iterator[tuple[str, Tensor]]:
    """The values of all coalitions, in binary order."""
    torch.manual_seed(seed)
    x, b = torch.randn(2, players) * 1.5
    seen = torch.where(every(players), x, b)
    for name, bend in (("ReLU net", nn.ReLU()), ("tanh net", nn.Tanh())):
        net = nn.Sequential(nn.Linear(players, 32), bend, nn.Linear(32, 32), bend, nn.Linear(32, 1), nn.Flatten(0))
        for parameter in net.parameters():
            parameter.data *= 2.5
        with torch.no_grad():
            yield name, net(seen).double()
    random = np.random.RandomState(seed)
    data = random.randn(500, players)
    y = data[:, 0] * data[:, 1] + np.sin(2 * data[:, 2]) + (data[:, 3] > 0) * data[:, 4] + data[:, 5]
    forest = RandomForestRegressor(20, random_state=seed).fit(data, y)
    yield "forest", torch.from_numpy(forest.predict(seen.numpy()))


def estimators(worth: Tensor, players: int) -> dict[str, Estimator]:
    powers = 2 ** torch.arange(players - 1, -1, -1)

    def score(x: Tensor) -> Tensor:
        return worth[(x.long() * powers).sum(1)]

    ones = torch.ones(1, players).double()

    def captums(method: str, per: int) -> Estimator:
        def run(evaluations: int, seed: int) -> Tensor:
            torch.manual_seed(seed)
            ask = getattr(captum.attr, method)(score)
            return ask.attribute(ones, n_samples=max(1, evaluations // per), perturbations_per_eval=99)[0]

        return run

    found: dict[str, Estimator] = {
        "ours": lambda m, s: attribution_core.KernelShap(score).attribute(ones, n_samples=m, seed=s)[0],
        "Captum KernelShap": captums("KernelShap", 1),
        "Captum ShapleyValueSampling": captums("ShapleyValueSampling", players),
    }
    return found | shapiqs(score, players)


def shapiqs(score: Callable[[Tensor], Tensor], players: int) -> dict[str, Estimator]:
    try:
        approximator = importlib.import_module("shapiq.approximator")
        regression = importlib.import_module("shapiq.approximator.regression")
    except ImportError:
        return {}
    empty = score(torch.zeros(1, players)).item()

    def game(coalitions: np.ndarray) -> np.ndarray:
        return score(torch.from_numpy(np.atleast_2d(coalitions))).numpy() - empty

    def run(make: Callable[[int], object]) -> Estimator:
        def estimate(evaluations: int, seed: int) -> Tensor:
            found = make(seed).approximate(evaluations, game)  # type: ignore[attr-defined]
            return torch.tensor([found[(player,)] for player in range(players)])

        return estimate

    return {
        "shapiq KernelSHAP": run(lambda s: approximator.KernelSHAP(players, random_state=s, pairing_trick=True)),
        "shapiq kADDSHAP 2": run(lambda s: regression.kADDSHAP(players, 2, random_state=s, pairing_trick=True)),
        "shapiq kADDSHAP 3": run(lambda s: regression.kADDSHAP(players, 3, random_state=s, pairing_trick=True)),
        "shapiq SVARM": run(lambda s: approximator.SVARM(players, random_state=s)),
        "shapiq UnbiasedKernelSHAP": run(lambda s: approximator.UnbiasedKernelSHAP(players, random_state=s)),
        "shapiq PermutationSamplingSV": run(lambda s: approximator.PermutationSamplingSV(players, random_state=s)),
    }


def errors(seeds: int) -> dict[tuple[str, int, int], dict[str, float]]:
    """For each kind of game, number of players and evaluations per player."""
    logs: dict[tuple[str, int, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for players, seed in itertools.product((8, 10, 12), range(3)):
        for name, worth in games(players, seed):
            cube = torch.arange(2**players, dtype=torch.double) * 0 + worth
            found = estimators(cube, players)
            exact = found["ours"](2**players, 0)
            for per in (4, 8, 16, 25):
                if per * players >= 2**players:
                    continue
                for estimator, run in found.items():
                    squares = [float((run(per * players, s) - exact).square().mean()) for s in range(seeds)]
                    share = math.sqrt(statistics.mean(squares) / float(exact.square().mean()))
                    logs[name, players, per][estimator].append(math.log(share))
    return {key: {e: math.exp(statistics.mean(v)) for e, v in each.items()} for key, each in logs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    found = errors(parser.parse_args().seeds)
    names = list(next(iter(found.values())))
    lines = [
        "# Errors of Shapley estimators",
        "",
        "Written by `python benchmarks/shapley.py`: root mean square errors relative to the values' own size, for the",
        f"same number of evaluations, captum {captum.__version__}, {time.strftime('%Y-%m-%d')}. Smaller is better.",
        "",
        f"| game | players | evaluations | {' | '.join(names)} |",
        "|---|---:|---:|" + "---:|" * len(names),
    ]
    for (name, players, per), each in sorted(found.items()):
        best = min(each.values())
        cells = [f"**{each[n]:.4f}**" if each[n] == best else f"{each[n]:.4f}" for n in names]
        lines.append(f"| {name} | {players} | {per * players} | {' | '.join(cells)} |")
    for name in names[1:]:
        ratio = statistics.geometric_mean(each[name] / each["ours"] for each in found.values())
        lines += ["", f"{name}: {ratio:.2f} × our error (geometric mean)."]
    Path(__file__).with_name("SHAPLEY.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
