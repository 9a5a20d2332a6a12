"""Train the net of the `fashion-mnist` demo: `python examples/train_fashion_mnist.py`, about five minutes on one core.

It learns the 60,000 training images; the 10,000 test images are only counted at the end. The seed fixes the initial
weights, the order of the images and their random mirroring: on the same machine and version of torch the weights are
the same to the bit; elsewhere sums are rounded differently, and the accuracy may differ by some tenths of a percent.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch

from app.demos.fashion_mnist import WEIGHTS_FILE, images_and_labels, untrained
from app.demos.nets import accuracy, save
from app.demos.torchvision_data import add_data_root
from app.demos.training import fit, jitter, seeded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_root(parser)
    parser.add_argument("--seed", type=int, default=0, help="another seed makes another net (default: 0)")
    parser.add_argument("--epochs", type=int, default=20, help="passes over the training images (default: 20)")
    parser.add_argument("--out", type=Path, default=WEIGHTS_FILE, help="where to write (default: the shipped file)")
    options = parser.parse_args()
    torch.set_num_threads(1)  # the number of threads changes the order of sums
    net = fit(
        seeded(untrained, options.seed),
        *images_and_labels(options.data_root, train=True),
        epochs=options.epochs,
        rate=3e-3,
        prepare=partial(jitter, flip=True),
        seed=options.seed,
    )
    tested = accuracy(net, *images_and_labels(options.data_root, train=False))
    made_by = (
        f"examples/train_fashion_mnist.py --seed {options.seed} --epochs {options.epochs}, "
        f"torch {torch.__version__}, test {tested:.4f}"
    )
    save(net, options.out, made_by)
    print(f"{made_by}\nwritten to {options.out}")


if __name__ == "__main__":
    main()
