"""The demos of `python -m app.example`, by name; the first is the default."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from app.demos.demo import Demo, Workspace
from app.demos.torchvision_data import add_data_root

__all__ = ["DEMOS", "Demo", "Workspace"]


def _add_folder(parser: ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="PATH", help="the folder: images, or a folder of images per class")
    parser.add_argument("--model", required=True, metavar="NAME", help="a torchvision classifier, as resnet50")
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="its weights: a state dict as .pth, .pt or .safetensors; the number of classes is taken from it "
        "(default: torchvision's, downloaded)",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="may be given twice: names of the outputs (.json as imagenet_class_index.json, or text with a name a "
        "line), and the true classes of the images (.csv with a column 'file' and one of 'index', 'wnid', 'name')",
    )


_ALL = (
    Demo(
        name="digits",
        summary="handwritten digits; needs no network and no files",
        details="899 handwritten digits a small convolutional net has never seen, its mistakes first. Its weights "
        "ship with the package; examples/train_digits.py made them.",
        module="app.demos.digits",
    ),
    Demo(
        name="fashion-mnist",
        summary="clothes in greyscale; downloads 31 MB once",
        details="The 10,000 test images of Fashion-MNIST, the mistakes of a small convolutional net first. The net's "
        "weights ship with the package; examples/train_fashion_mnist.py made them.",
        module="app.demos.fashion_mnist",
        add_arguments=add_data_root,
    ),
    Demo(
        name="cifar10",
        summary="small colour photos; downloads 170 MB and trains for a minute once",
        details="The 10,000 test images of CIFAR-10, the mistakes of a small convolutional net first. The net is "
        "trained on the first start, in under a minute, and kept beside the data.",
        module="app.demos.cifar10",
        add_arguments=add_data_root,
    ),
    Demo(
        name="folder",
        summary="your own images and a model of torchvision's",
        details="Any folder of images, flat or with a folder for each class, and any of torchvision's classification "
        "models, fine-tuned or not, with the preprocessing torchvision defines for it.",
        module="app.demos.folder",
        add_arguments=_add_folder,
    ),
)
DEMOS = {demo.name: demo for demo in _ALL}
