"""Any folder of images and any of torchvision's classification models."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from app.demos.baselines import black_before
from app.demos.blur import blurred
from app.demos.classifiers import Classifier, load_classifier
from app.demos.demo import Workspace
from app.demos.images import Photos, find_images
from app.demos.labels import ClassNames, class_names, labels_from_folders, labels_from_table
from app.features import ImageFeature


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
