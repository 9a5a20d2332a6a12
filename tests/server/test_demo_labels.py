"""Names of classes and true classes, from files and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.demos.labels import ClassNames, class_names, labels_from_folders, labels_from_table
from app.errors import InsightsError

ANIMALS = ClassNames(["red fox", "crane", "crane", "ox"], ["n00000010", "n00000020", "n00000030", "n00000040"])
NONE: list[str] = []


@pytest.mark.parametrize(
    ("word", "index"),
    [
        ("red fox", 0),
        ("Red_Fox", 0),
        ("red-fox", 0),
        ("n00000030", 2),
        ("n00000030_crane", 2),
        ("3", 3),
        ("crane", None),  # two classes bear this name
        ("4", None),
        ("-1", None),
        ("n00000099", None),
        ("owl", None),
    ],
)
def test_a_class_is_found_by_name_by_wordnet_id_and_by_number(word: str, index: int | None) -> None:
    assert ANIMALS.find(word) == index


def test_a_name_that_looks_like_a_number_is_a_name() -> None:
    assert ClassNames(["1", "2", "0"]).find("0") == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("names.txt", "tench\ngold fish\n\n"),
        ("names.json", '["tench", "gold fish"]'),
        ("names.json", '{"0": "tench", "1": "gold fish"}'),
        ("names.json", '{"1": ["n01443537", "gold_fish"], "0": ["n01440764", "tench"]}'),
        ("names.json", '{"gold fish": 1, "tench": 0}'),
    ],
)
def test_names_are_read_from_files(name: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(text)
    found = class_names([file], 2, NONE, NONE)
    assert found.names == ["tench", "gold fish"]
    assert found.find("n01443537") == (1 if "n01443537" in text else None)


def test_names_come_from_torchvision_or_the_folders_or_are_numbers() -> None:
    assert class_names([], 2, ["tench", "goldfish"], ["a", "b"]).names == ["tench", "goldfish"]
    assert class_names([], 2, ["x"] * 1000, ["a", "b"]).names == ["a", "b"]
    assert class_names([], 3, ["x"] * 1000, ["a", "b"]).names == ["class 0", "class 1", "class 2"]


def test_too_few_names_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("one\ntwo\n")
    with pytest.raises(InsightsError, match=r"names\.txt names 2 classes, but the model has 3"):
        class_names([file], 3, NONE, NONE)


@pytest.mark.parametrize("text", ["{", "5", '{"a": [1]}', '{"0": "x", "2": "y"}', "[[1, 2, 3]]", "[1, 2]", "null"])
def test_json_of_another_kind_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "names.json"
    file.write_text(text)
    with pytest.raises(InsightsError, match=r"names\.json does not list"):
        class_names([file], 2, NONE, NONE)


def test_labels_come_from_the_folders_names(tmp_path: Path) -> None:
    images = [tmp_path / part for part in ("ox/1.png", "n00000010/deep/2.png", "owl/3.png", "4.png")]
    assert labels_from_folders(images, tmp_path, ANIMALS) == [3, 0, None, None]


def test_a_folder_for_each_class_is_in_the_order_of_the_classes(tmp_path: Path) -> None:
    images = [tmp_path / part for part in ("b/1.png", "a/1.png", "c/1.png")]
    assert labels_from_folders(images, tmp_path, ClassNames(["class 0", "class 1", "class 2"])) == [1, 0, 2]
    assert labels_from_folders(images[:2], tmp_path, ClassNames(["class 0", "class 1", "class 2"])) == [None, None]


@pytest.mark.parametrize(
    "table",
    [
        "file,index\na.png,3\nsub/b.png,0\n",
        "File, imagenet_index, name\na.png, 3, owl\nb.png, 0, owl\n",
        "name,filename\nox,a.png\nred_fox,sub/b.png\n",
        "path,wnid\n./a.png,n00000040\n./sub/b.png,n00000010\n",
        "\ufefffile,label\na.png,ox\nb.png,red fox\nnot_here.png,ox\nc.png,\n",
    ],
)
def test_labels_come_from_a_table(table: str, tmp_path: Path) -> None:
    file = tmp_path / "truth.csv"
    file.write_text(table, encoding="utf-8")
    images = [tmp_path / "a.png", tmp_path / "sub" / "b.png", tmp_path / "c.png"]
    assert labels_from_table(file, images, tmp_path, ANIMALS) == [3, 0, None]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("x,y\n1,2\n", r"does not say .* its columns are x, y"),
        ("", r"its columns are none"),
        ("file,name\na.png,owl\n", r"truth\.csv, line 2: 'owl' is none of the model's 4 classes"),
        ("file,index\na.png,ox\n", r"'ox' is none of"),
        ("file,index\nz.png,1\n", r"says nothing of the 1 images"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(table: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "truth.csv"
    file.write_text(table)
    with pytest.raises(InsightsError, match=message):
        labels_from_table(file, [tmp_path / "a.png"], tmp_path, ANIMALS)


def test_labels_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InsightsError, match=r"none\.csv cannot be read: No such file"):
        labels_from_table(tmp_path / "none.csv", [], tmp_path, ANIMALS)
    binary = tmp_path / "names.txt"
    binary.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(InsightsError, match="not UTF-8"):
        class_names([binary], 2, NONE, NONE)
