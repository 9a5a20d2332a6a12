"""Train the net of the `digits` demo: `python examples/train_digits.py`, about a quarter of a minute on one core.

It learns the first 898 of scikit-learn's 1,797 digits; the other 899, mostly by other writers, are held out and only
counted at the end. The seed fixes the initial weights, the order of the digits and their random changes: on the same
machine and version of torch the weights are the same to the bit; elsewhere sums are rounded differently, and the
accuracy may differ by a few of the 899 digits.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch

from app.demos.digits import WEIGHTS_FILE, held_out_part, training_part, untrained
from app.demos.nets import accuracy, save
from app.demos.training import fit, jitter, seeded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="another seed makes another net (default: 0)")
    parser.add_argument("--out", type=Path, default=WEIGHTS_FILE, help="where to write (default: the shipped file)")
    options = parser.parse_args()
    torch.set_num_threads(1)  # the number of threads changes the order of sums
    change = partial(jitter, degrees=12, shift=0.08, zoom=0.1)
    net = fit(
        seeded(untrained, options.seed),
        *training_part(),
        epochs=100,
        batch_size=32,
        prepare=change,
        seed=options.seed,
    )
    held_out = accuracy(net, *held_out_part())
    made_by = f"examples/train_digits.py --seed {options.seed}, torch {torch.__version__}, held-out {held_out:.4f}"
    save(net, options.out, made_by)
    print(f"{made_by}\nwritten to {options.out}")


if __name__ == "__main__":
    main()
