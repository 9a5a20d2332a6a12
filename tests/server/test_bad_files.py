"""Files that one would rather not meet: what a person reads, on the card or in the terminal."""

# ruff: noqa: E501  # a row is a line

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import models
from torchvision.transforms.functional import to_tensor

from app.demos.classifiers import load_classifier
from app.demos.images import Photos, find_images, open_image
from app.demos.labels import ClassNames, class_names, labels_from_table
from app.errors import InsightsError
from app.features import ImageFeature

from .cards import FINE, card, read
from .conftest import Make, get

NAMES = ClassNames(["red", "green", "blue"])
HINT = "the file may be cut off or of another kind; open it elsewhere, or take it out of the folder"


def saved(image: Image.Image, **how: Any) -> Callable[[Path], None]:
    return lambda path: image.save(path, **how)


def written(data: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(data) and None


def cut(path: Path) -> None:
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:900])


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4), "red").save(path, exif=exif)


def animated(path: Path) -> None:
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def floats(*values: float) -> Image.Image:
    return Image.fromarray(np.full((4, 6), 0.0, np.float32) + np.resize(np.array(values, np.float32), (4, 6)))


def whole(*values: int) -> Image.Image:
    return Image.fromarray(np.resize(np.array(values, np.int32), (4, 6)))


RED, GREY = Image.new("RGB", (6, 4), "red"), Image.new("RGB", (6, 4), (100, 100, 100))


@pytest.mark.parametrize(
    ("name", "write", "reads", "level"),
    [
        ("one.png", saved(Image.new("RGB", (1, 1), "red")), FINE, 1 / 3),
        ("cmyk.tif", saved(RED.convert("CMYK")), FINE, 1 / 3),
        ("palette.gif", saved(RED.convert("P")), FINE, 1 / 3),
        ("animated.gif", animated, FINE, 1 / 3),
        ("turned.png", turned, FINE, 1 / 3),
        ("16 bit.png", saved(Image.new("I;16", (6, 4), 32768)), FINE, 0.5),
        ("16 bit, dark.png", saved(Image.new("I;16", (6, 4), 257)), FINE, 1 / 255),
        ("32 bit.tif", saved(whole(32768)), FINE, 0.5),
        ("32 bit of 8.tif", saved(whole(0, 255)), FINE, 0.5),
        ("32 bit below zero.tif", saved(whole(-5, 5)), f"32 bit below zero.tif cannot be read as an image: its numbers go from -5 to 5; expected some from 0 to 255, 65535, 4.29497e+09 | {HINT}", None),
        ("float.tif", saved(floats(0.0, 1.0)), FINE, 0.5),
        ("float of 8 bit.tif", saved(floats(0.0, 255.0)), FINE, 0.5),
        ("float beyond.tif", saved(floats(-1.0, 1.0)), f"float beyond.tif cannot be read as an image: its numbers go from -1 to 1; expected some from 0 to 1, 255, 65535 | {HINT}", None),
        ("float of nothing.tif", saved(floats(float("nan"))), f"float of nothing.tif cannot be read as an image: its numbers go from nan to nan; expected some from 0 to 1, 255, 65535 | {HINT}", None),
        ("cut.png", cut, f"cut.png cannot be read as an image: image file is truncated (5 bytes not processed) | {HINT}", None),
        ("empty.jpg", written(b""), f"empty.jpg cannot be read as an image: it is empty | {HINT}", None),
        ("text.png", written(b"no image at all"), f"text.png cannot be read as an image: nobody knows its kind | {HINT}", None),
        (os.fsdecode(b"caf\xe9.png"), written(b"no"), f"caf�.png cannot be read as an image: nobody knows its kind | {HINT}", None),
        (os.fsdecode(b"gr\xfcn.png"), saved(GREY), FINE, 100 / 255),
    ],
    ids=lambda value: value.encode("ascii", "replace").decode() if isinstance(value, str) and "." in value[:30] else "",
)  # fmt: skip
def test_images_of_every_kind(
    make: Make, tmp_path: Path, name: str, write: Callable[[Path], None], reads: str, level: float | None
) -> None:
    write(tmp_path / name)
    RED.save(tmp_path / "z.png")
    dataset = Photos(find_images(tmp_path), [0, 1], to_tensor)
    visualizer = make(dataset=dataset, features=ImageFeature("Photo"), score_func=None, title=tmp_path.name + name)
    read(visualizer)
    if "truncated" in reads:
        assert card(visualizer).startswith("cut.png cannot be read as an image: ")
    else:
        assert card(visualizer) == reads
    assert card(visualizer, 1) == FINE
    assert get(visualizer, "/api/workspace")["title"]
    if level is not None:
        assert dataset[0][0].mean().item() == pytest.approx(level, abs=0.01)


def header(width: int, height: int) -> bytes:
    """A PNG that claims to be so large, and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b""))
    )


@pytest.mark.parametrize("side", [13_300, 20_000])
def test_an_image_that_would_fill_the_memory_is_not_opened(tmp_path: Path, side: int) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(header(side, side))
    with pytest.raises(InsightsError) as caught:
        open_image(path)
    assert caught.value.message == "large.png has hundreds of millions of pixels; at most 89,478,485 are opened"
    assert caught.value.hint == "make it smaller: the model sees a few hundred pixels a side"


def test_our_own_bound_holds_also_where_pillows_was_lifted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    path = tmp_path / "large.png"
    path.write_bytes(header(20_000, 20_000))
    with pytest.raises(InsightsError, match=r"large\.png has 20,000 × 20,000 pixels; at most 89,478,485 are opened"):
        open_image(path)


def test_links_that_leave_the_folder_and_what_is_no_file_are_left_out(tmp_path: Path) -> None:
    folder, beside = tmp_path / "photos", tmp_path / "secret"
    folder.mkdir()
    beside.mkdir()
    RED.save(beside / "secret.png")
    (folder / "out.png").symlink_to(beside / "secret.png")
    (folder / "below").symlink_to(beside)
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "itself.png").symlink_to(folder / "itself.png")
    (folder / "dead.png").symlink_to(folder / "nothing.png")
    os.mkfifo(folder / "pipe.png")
    with pytest.raises(InsightsError, match="1 links lead out of it, and are not followed"):
        find_images(folder)
    RED.save(folder / "mine.png")
    (folder / "again.png").symlink_to(folder / "mine.png")
    assert [path.name for path in find_images(folder)] == ["again.png", "mine.png"]


def test_a_folder_that_is_a_link_is_read(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    RED.save(tmp_path / "photos" / "a.png")
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    assert len(find_images(tmp_path / "link")) == 1


TABLE = "expected a text file with a column 'file' and one of 'index', 'label', 'wnid' or 'name'"
WRONG = "name the classes as --labels names the outputs, or leave the field empty"


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("t.csv", "file,index\na.png," + "1" * 6000, f"t.csv, line 2: '{'1' * 79}… is none of the model's 3 classes. {WRONG}"),
        ("t.csv", "file,name\na.png," + "x" * 140_000, f"t.csv, after line 1, cannot be read as a table: field larger than field limit (131072). {TABLE}"),
        ("t.csv", b"\xff\xfe\x00\xd8", "PATH cannot be read: it is not UTF-8 text. check the path given with --labels"),
        ("n.json", "[" * 100_000, 'n.json does not list the names of classes. expected JSON like ["tench", ...], {"0": "tench", ...} or {"0": ["n01440764", "tench"], ...}'),
        ("n.json", "9" * 6000, 'n.json does not list the names of classes. expected JSON like ["tench", ...], {"0": "tench", ...} or {"0": ["n01440764", "tench"], ...}'),
        ("n.txt", None, "PATH cannot be read: it is no file. check the path given with --labels"),
    ],
    ids=["6,000 digits", "a long field", "another encoding", "deep JSON", "a long number", "a pipe"],
)  # fmt: skip
def test_labels_that_cannot_be_read_are_said(tmp_path: Path, name: str, data: str | bytes | None, says: str) -> None:
    path = tmp_path / name
    if data is None:
        os.mkfifo(path)
    else:
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(InsightsError) as caught:
        if name.endswith(".csv"):
            labels_from_table(path, [tmp_path / "a.png"], tmp_path, NAMES)
        else:
            class_names([path], 3, [], [])
    assert str(caught.value) == says.replace("PATH", str(path))


NAME = "squeezenet1_1"


def state(**changes: Tensor) -> dict[str, Any]:
    torch.manual_seed(0)
    return models.get_model(NAME, weights=None, num_classes=3).state_dict() | changes


def holding_itself() -> dict[str, Any]:
    found: dict[str, Any] = {"epoch": 3}
    found["state_dict"] = found
    return found


FIRST = "features.0.bias"


@pytest.mark.parametrize(
    ("saved_as", "says"),
    [
        (holding_itself, "w.pth holds a mapping that holds itself. save the weights with torch.save(net.state_dict(), path)"),
        (lambda: state(**{FIRST: torch.full((64,), torch.nan)}), f"w.pth holds numbers that are not finite: {FIRST}. the training has diverged; give weights of an earlier step"),
        (lambda: state(**{FIRST: torch.zeros(64, dtype=torch.int8)}), f"w.pth holds int8 where the model has fractions: {FIRST}. give the weights as they were before they were quantised"),
        (lambda: nn.Linear(2, 2), "w.pth holds more than tensors, and is not opened because that could run code. save the weights alone: torch.save(net.state_dict(), path), or as .safetensors"),
    ],
    ids=["holds itself", "NaN", "int8", "a module"],
)  # fmt: skip
def test_weights_that_cannot_be_used_are_said(tmp_path: Path, saved_as: Callable[[], Any], says: str) -> None:
    torch.save(saved_as(), tmp_path / "w.pth")
    with pytest.raises(InsightsError) as caught:
        load_classifier(NAME, tmp_path / "w.pth")
    assert str(caught.value) == says


@pytest.mark.parametrize("data", [b"\x00" * 64, b"hi\n", os.urandom(256), b"(lp0\n"])
def test_random_bytes_are_no_weights(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(data)
    with pytest.raises(InsightsError, match=r"w\.pth cannot be read as weights"):
        load_classifier(NAME, tmp_path / "w.pth")
