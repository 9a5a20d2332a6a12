"""Names of a model's outputs, and the true classes of images: from files and from the names of folders."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.errors import InsightsError
from app.words import quoted

CHECK = "check the path given with --labels"
LARGEST = 1_000_000_000
DIGITS = 19
FILE_COLUMNS = ("file", "filename", "file_name", "path", "filepath", "image", "image_id")
INDEX_COLUMNS = ("index", "imagenet_index", "class_index", "label_index", "class_id", "label_id")
NAME_COLUMNS = ("label", "target", "wnid", "synset", "class", "class_name", "name", "category")


class ClassNames:
    """The names of a model's outputs in order, and the WordNet ids that stand for them where they are known."""

    def __init__(self, names: Sequence[str], wnids: Sequence[str] = ()) -> None:
        self.names = list(names)
        count = Counter(map(_plain, names))
        self._index = {_plain(name): i for i, name in enumerate(names) if count[_plain(name)] == 1}
        self._index |= {wnid: i for i, wnid in enumerate(wnids)}

    def find(self, word: str) -> int | None:
        """The index of a class by its name, its WordNet id (alone or before a name) or its number; None if unknown.

        A name that two classes bear is unknown.
        """
        wnid = re.match(r"n\d{8}(?=_|$)", word)
        for key in (_plain(word), wnid[0] if wnid else ""):
            if key in self._index:
                return self._index[key]
        return self.number(word)

    def number(self, word: str) -> int | None:
        """The index of a class by its number; None if it is none or out of range."""
        return int(word) if word.isdecimal() and len(word) < DIGITS and int(word) < len(self.names) else None


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().lower()


def class_names(files: Sequence[Path], classes: int, categories: Sequence[str], folders: Sequence[str]) -> ClassNames:
    """The names in the last of `files`, else torchvision's, else the folders', else numbers: as fits their number."""
    for path in reversed(files):
        found = _names_in(path)
        if len(found.names) != classes:
            raise InsightsError(
                f"{path.name} names {len(found.names):,} classes, but the model has {classes:,}",
                hint="give one name for each class, in the order of the outputs",
            )
        return found
    if len(categories) == classes:
        return ClassNames(categories)
    return ClassNames(folders if len(folders) == classes else [f"class {i}" for i in range(classes)])


def _names_in(path: Path) -> ClassNames:
    text = _read(path)
    if path.suffix.lower() != ".json":
        return ClassNames([line.strip() for line in text.splitlines() if line.strip()])
    try:
        return _names_of(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InsightsError(
            f"{path.name} does not list the names of classes",
            hint='expected JSON like ["tench", ...], {"0": "tench", ...} or {"0": ["n01440764", "tench"], ...}',
        ) from None


def _names_of(data: Any) -> ClassNames:
    if isinstance(data, Mapping):
        numbered = {v: k for k, v in data.items()} if all(isinstance(v, int) for v in data.values()) else data
        by_number = {int(k): v for k, v in numbered.items()}
        data = [by_number[i] for i in range(len(by_number))]
    if all(isinstance(entry, str) for entry in data):
        return ClassNames(data)
    wnids, names = zip(*data, strict=True)
    return ClassNames([name.replace("_", " ") for name in names], wnids)  # imagenet_class_index.json has no spaces


def labels_from_folders(images: Sequence[Path], folder: Path, names: ClassNames) -> list[int | None]:
    """The class after which each image's folder is called.

    Where none is, and there is a folder for each class, the classes are the folders in alphabetical order, as
    torchvision's ImageFolder has them.
    """
    parents = [path.relative_to(folder).parts[0] if path.parent != folder else None for path in images]
    folders = sorted({parent for parent in parents if parent is not None})
    index = {name: names.find(name) for name in folders}
    if len(folders) == len(names.names) and all(found is None for found in index.values()):
        index = {name: i for i, name in enumerate(folders)}
    return [None if parent is None else index[parent] for parent in parents]


def labels_from_table(path: Path, images: Sequence[Path], folder: Path, names: ClassNames) -> list[int | None]:
    """The true class of each image by a CSV table with a column of files and one of classes."""
    table = csv.DictReader(_read(path).splitlines(), skipinitialspace=True)
    try:
        truth = _truth(table, path, names)
    except csv.Error as error:
        raise InsightsError(
            f"{path.name}, after line {table.line_num}, cannot be read as a table: {error}",
            hint="expected a text file with a column 'file' and one of 'index', 'label', 'wnid' or 'name'",
        ) from None
    found = [truth.get(image.relative_to(folder).as_posix(), truth.get(image.name)) for image in images]
    if all(index is None for index in found):
        raise InsightsError(
            f"{path.name} says nothing of the {len(images):,} images in {folder}",
            hint="give the names of the files, or their paths from that folder",
        )
    return found


def _truth(table: csv.DictReader[str], path: Path, names: ClassNames) -> dict[str, int | None]:
    """The class of each file that a table names."""
    columns = {(column or "").strip().lower(): column for column in table.fieldnames or []}
    file = next((columns[c] for c in FILE_COLUMNS if c in columns), None)
    label = next((c for c in (*INDEX_COLUMNS, *NAME_COLUMNS) if c in columns), None)
    if file is None or label is None:
        raise InsightsError(
            f"{path.name} does not say which image is of which class: its columns are {', '.join(columns) or 'none'}",
            hint="expected a column 'file' and one of 'index', 'label', 'wnid' or 'name'",
        )
    find = names.number if label in INDEX_COLUMNS else names.find
    truth: dict[str, int | None] = {}
    for row in table:
        word = (row[columns[label]] or "").strip()
        truth[(row[file] or "").strip().removeprefix("./")] = index = find(word) if word else None
        if word and index is None:
            raise InsightsError(
                f"{path.name}, line {table.line_num}: {quoted(word)} is none of the model's "
                f"{len(names.names):,} classes",
                hint="name the classes as --labels names the outputs, or leave the field empty",
            )
    return truth


def _read(path: Path) -> str:
    try:
        if path.exists() and (not path.is_file() or path.stat().st_size > LARGEST):
            what = f"holds more than {LARGEST:,} bytes" if path.is_file() else "is no file"
            raise InsightsError(f"{path} cannot be read: it {what}", hint=CHECK)
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InsightsError(f"{path} cannot be read: {reason}", hint=CHECK) from None
