"""Any folder of images and any of torchvision's classification models."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from app.demos.baselines import black_before, blurred
from app.demos.classifiers import Classifier, load_classifier
from app.demos.demo import Demo, Workspace
from app.demos.images import Photos, find_images
from app.demos.labels import ClassNames, class_names, labels_from_folders, labels_from_table
from app.features import ImageFeature


def add_arguments(parser: ArgumentParser) -> None:
    """Which images, which model, which weights, which names."""
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


def build(options: Namespace) -> Workspace:
    """The images as the model sees them, mistakes first where the true classes are known."""
    paths = find_images(options.path)
    classifier = load_classifier(options.model, options.weights)
    names, labels = _names_and_labels(options.labels, paths, options.path, classifier)
    return {
        "models": [classifier.net.to(options.device)],
        "model_names": [options.model],
        "classes": names.names,
        "features": [
            ImageFeature(
                "Photo",
                baseline_transforms=[black_before(classifier.normalise), blurred],
                input_transforms=[classifier.normalise],
            )
        ],
        "dataset": Photos(paths, labels, classifier.show),
        "score_func": _probabilities,
        "use_label_for_attr": True,
        "title": options.path.resolve().name,
        "default_method": "IntegratedGradients",
        "default_order": "index" if all(label is None for label in labels) else "mistakes",
    }


def _probabilities(outputs: Tensor) -> Tensor:
    return outputs.softmax(dim=1) if outputs.shape[1] > 1 else outputs.sigmoid()


def _names_and_labels(
    files: Sequence[Path], paths: Sequence[Path], folder: Path, classifier: Classifier
) -> tuple[ClassNames, list[int | None]]:
    tables = [path for path in files if path.suffix.lower() == ".csv"]
    folders = sorted({path.relative_to(folder).parts[0] for path in paths if path.parent != folder})
    lists = [path for path in files if path not in tables]
    names = class_names(lists, classifier.classes, classifier.categories, folders)
    labels = labels_from_folders(paths, folder, names)
    for table in tables:
        found = labels_from_table(table, paths, folder, names)
        labels = [label if new is None else new for label, new in zip(labels, found, strict=True)]
    return names, labels


DEMO = Demo(
    name="folder",
    summary="your own images and a model of torchvision's",
    details="Any folder of images, flat or with a folder for each class, and any of torchvision's classification "
    "models, fine-tuned or not, with the preprocessing torchvision defines for it.",
    build=build,
    add_arguments=add_arguments,
)
