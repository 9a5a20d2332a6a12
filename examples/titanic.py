"""What made a passenger of the Titanic survive, by a small net: `python examples/titanic.py CSV WEIGHTS`.

CSV: the table titanic3. WEIGHTS: a state dict of the net below.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from app import AttributionVisualizer
from app.features import GeneralFeature

MEASURED = ["age", "sibsp", "parch", "fare"]
CHOICES = {"sex": ["female", "male"], "embarked": ["C", "Q", "S"], "pclass": ["1", "2", "3"]}
COLUMNS = [*MEASURED, "female", "male", "embark_C", "embark_Q", "embark_S", "class_1", "class_2", "class_3"]


class SurvivalNet(nn.Module):
    """Passengers (B, 12) to the probabilities (B, 2) of death and survival."""

    def __init__(self) -> None:
        super().__init__()
        self.linear1 = nn.Linear(12, 12)
        self.sigmoid1 = nn.Sigmoid()
        self.linear2 = nn.Linear(12, 8)
        self.sigmoid2 = nn.Sigmoid()
        self.linear3 = nn.Linear(8, 2)
        self.softmax = nn.Softmax(dim=1)

    def forward(self, passengers: Tensor) -> Tensor:
        hidden = self.sigmoid2(self.linear2(self.sigmoid1(self.linear1(passengers))))
        return self.softmax(self.linear3(hidden))


def passengers(path: Path) -> tuple[Tensor, Tensor]:
    """All passengers (N, 12), unknown ages and fares as the mean, and whether they survived (N)."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["survived"]]
    measured = np.array([[float(row[name] or "nan") for name in MEASURED] for row in rows])
    measured = np.where(np.isnan(measured), np.nanmean(measured, axis=0), measured)
    chosen = [[row[name] == choice for name, choices in CHOICES.items() for choice in choices] for row in rows]
    table = torch.tensor(np.hstack([measured, np.array(chosen, dtype=float)]), dtype=torch.float32)
    return table, torch.tensor([int(row["survived"]) for row in rows])


def held_out(count: int) -> list[int]:
    """The rows the net was not trained on."""
    trained_on = np.random.RandomState(131254).choice(count, int(0.7 * count), replace=False)
    return sorted(set(range(count)) - set(trained_on.tolist()))


def all_zero(passenger: Tensor) -> Tensor:
    """Nobody in particular."""
    return torch.zeros_like(passenger)


def visualizer(table: Path, weights: Path) -> AttributionVisualizer:
    people, survived = passengers(table)
    rows = held_out(len(people))
    net = SurvivalNet()
    net.load_state_dict(torch.load(weights, weights_only=True))
    return AttributionVisualizer(
        models=[net.eval()],
        classes=["died", "survived"],
        features=[GeneralFeature("Passenger", COLUMNS, baseline_transforms=[all_zero])],
        dataset=TensorDataset(people[rows], survived[rows]),
        title="Passengers of the Titanic",
        default_order="mistakes",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, shown in (("table", "CSV"), ("weights", "WEIGHTS")):
        parser.add_argument(name, type=Path, metavar=shown)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    visualizer(options.table, options.weights).serve(blocking=True, port=options.port)


if __name__ == "__main__":
    main()
