"""A folder of images: reading them, and loading torchvision's models with all kinds of weights files."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import models

from app.demos import DEMOS
from app.demos.classifiers import load_classifier
from app.demos.images import Photos, find_images, open_image
from app.errors import InsightsError

from .conftest import Make, listed

NAME = "squeezenet1_1"


def net_with(classes: int) -> nn.Module:
    torch.manual_seed(0)
    return models.get_model(NAME, weights=None, num_classes=classes).eval()


def photo(size: tuple[int, int] = (60, 40)) -> Image.Image:
    width, height = size
    red, green = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([red, green, np.full_like(red, 80)], axis=-1).astype(np.uint8))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pth"
    torch.save(net_with(3).state_dict(), path)
    return path


def options(path: Path, weights: Path | None, **changes: Any) -> Namespace:
    settings = {"path": path, "model": NAME, "weights": weights, "labels": [], "device": torch.device("cpu")}
    return Namespace(**(settings | changes))


def test_images_are_found_in_order_and_hidden_ones_are_not(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "sub/c.webp", ".hidden.png", ".cache/d.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in find_images(tmp_path)] == ["a.png", "b.JPG", "c.webp"]


def test_a_folder_inside_a_hidden_folder_is_read(tmp_path: Path) -> None:
    folder = tmp_path / ".photos"
    folder.mkdir()
    (folder / "a.png").touch()
    assert len(find_images(folder)) == 1


def test_no_folder_a_file_and_no_images_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    for path, message in ((tmp_path / "none", "does not exist"), (tmp_path / "notes.txt", "is a file")):
        with pytest.raises(InsightsError, match=message):
            find_images(path)
    with pytest.raises(InsightsError, match="there is no image in"):
        find_images(tmp_path)


@pytest.mark.parametrize(
    ("suffix", "convert", "pixel"),
    [
        ("png", lambda image: image.convert("L"), (100, 100, 100)),
        ("png", lambda image: image.convert("1"), None),
        ("png", lambda image: Image.new("I;16", image.size, 100 * 256), (100, 100, 100)),
        ("tif", lambda image: image.convert("CMYK"), (100, 100, 100)),
        ("png", lambda image: Image.new("RGBA", image.size, (0, 0, 0, 0)), (255, 255, 255)),
        ("png", lambda image: Image.new("RGBA", image.size, (0, 0, 0, 128)), (127, 127, 127)),
        ("png", lambda image: Image.new("LA", image.size, (100, 255)), (100, 100, 100)),
        ("gif", lambda image: image.convert("P"), (100, 100, 100)),
    ],
    ids=["grey", "black and white", "16 bit", "CMYK", "transparent", "half transparent", "grey alpha", "palette"],
)
def test_every_kind_of_image_becomes_rgb(
    suffix: str, convert: Callable[[Image.Image], Image.Image], pixel: tuple[int, ...] | None, tmp_path: Path
) -> None:
    path = tmp_path / f"image.{suffix}"
    convert(Image.new("RGB", (6, 4), (100, 100, 100))).save(path)
    image = open_image(path)
    assert (image.mode, image.size) == ("RGB", (6, 4))
    if pixel:
        assert image.getpixel((2, 2)) == pytest.approx(pixel, abs=2)


def test_photos_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° to the right
    photo((60, 40)).save(tmp_path / "turned.png", exif=exif)
    image = open_image(tmp_path / "turned.png")
    assert image.size == (40, 60)
    assert image.getpixel((39, 0)) == (0, 0, 80)  # the upper left corner is now at the upper right


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.jpg"
    photo().save(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InsightsError, match=r"broken\.jpg cannot be read as an image"):
        open_image(path)


def test_a_broken_image_does_not_stop_the_others(make: Make, tmp_path: Path, weights: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    photo().save(folder / "a.png")
    (folder / "b.png").write_bytes(b"nothing")
    photo().save(folder / "c.png")
    visualizer = make(**DEMOS["folder"].build(options(folder, weights)))
    samples = listed(visualizer, scan_to=3)["samples"]
    assert [sample["error"] is None for sample in samples] == [True, False, True]
    assert "b.png cannot be read" in samples[1]["error"]["message"]
    assert samples[2]["predictions"][0]["predicted"]["name"].startswith("class ")


@pytest.mark.parametrize("model", ["squeezenet1_1", "resnet50", "vit_b_16"])
def test_images_are_prepared_as_torchvision_does(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = models.get_model_weights(model).DEFAULT
    monkeypatch.setattr("app.demos.classifiers._downloaded", lambda *_: nn.Identity())
    classifier = load_classifier(model, None)
    image = photo((300, 260))
    shown = classifier.show(image)
    assert shown.shape == (3, 224, 224)
    assert 0 <= shown.min() < shown.max() <= 1
    assert torch.equal(classifier.normalise(shown), recipe.transforms()(image))


def test_a_file_of_torchvisions_is_prepared_as_its_recipe_says(tmp_path: Path) -> None:
    state = models.get_model("mobilenet_v2", weights=None).state_dict()
    for recipe in models.get_model_weights("mobilenet_v2"):
        path = tmp_path / recipe.url.rsplit("/", 1)[1]
        torch.save(state, path)
        assert load_classifier("mobilenet_v2", path).preset().resize_size == recipe.transforms().resize_size


def same_answers(found: nn.Module, wanted: nn.Module) -> bool:
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return torch.equal(found(x), wanted(x))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": {f"module.{key}": value for key, value in state.items()}},
        lambda state: {f"module.{key}": value for key, value in state.items()},
        lambda state: {key: value.double() for key, value in state.items()},
    ],
    ids=["plain", "state_dict", "model and module", "module", "double"],
)
def test_weights_are_taken_out_of_their_wrapping(wrap: Callable[[dict[str, Tensor]], Any], tmp_path: Path) -> None:
    wanted = net_with(3)
    torch.save(wrap(wanted.state_dict()), tmp_path / "weights.pt")
    found = load_classifier(NAME, tmp_path / "weights.pt")
    assert (found.classes, found.net.training) == (3, False)
    assert same_answers(found.net, wanted)


def test_weights_are_read_from_safetensors(tmp_path: Path) -> None:
    wanted = net_with(5)
    save_file(wanted.state_dict(), tmp_path / "weights.safetensors")
    assert same_answers(load_classifier(NAME, tmp_path / "weights.safetensors").net, wanted)


def test_the_names_of_torchvisions_old_densenet_files_are_understood(tmp_path: Path) -> None:
    state = models.get_model("densenet121", weights=None).state_dict()
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", key): value for key, value in state.items()}
    assert old.keys() != state.keys()
    torch.save(old, tmp_path / "densenet.pth")
    found = load_classifier("densenet121", tmp_path / "densenet.pth").net.state_dict()
    assert all(torch.equal(found[key], value) for key, value in state.items())


@pytest.mark.parametrize("auxiliary", [True, False])
def test_googlenet_comes_with_and_without_its_auxiliary_classifiers(auxiliary: bool, tmp_path: Path) -> None:
    net = models.get_model("googlenet", weights=None, num_classes=4, aux_logits=auxiliary, init_weights=False)
    torch.save(net.state_dict(), tmp_path / "googlenet.pth")
    found = load_classifier("googlenet", tmp_path / "googlenet.pth")
    assert found.classes == 4
    with torch.no_grad():
        assert found.net(torch.rand(1, 3, 224, 224)).shape == (1, 4)


def refusal(name: str, weights: Path | None) -> InsightsError:
    with pytest.raises(InsightsError) as caught:
        load_classifier(name, weights)
    return caught.value


def test_an_unknown_model_is_told_near_names() -> None:
    assert "resnet50" in refusal("resnet-50", None).hint
    assert "squeezenet1_1" in refusal("xyzzy", None).hint


def test_weights_that_do_not_fit_name_what_is_wrong(weights: Path, tmp_path: Path) -> None:
    assert "conv1.weight, bn1.weight, bn1.bias and" in refusal("resnet18", weights).message
    state = net_with(3).state_dict()
    state["extra"] = state.pop("features.0.bias")
    state["features.3.squeeze.weight"] = torch.zeros(1)
    torch.save(state, tmp_path / "wrong.pth")
    assert refusal(NAME, tmp_path / "wrong.pth").message == (
        f"wrong.pth does not fit {NAME}: features.0.bias is missing; extra is unexpected; "
        "features.3.squeeze.weight is (1,) instead of (16, 64, 1, 1) is of another shape"
    )


def test_files_that_hold_no_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    assert "there is no weights file" in refusal(NAME, path).message
    path.write_bytes(b"hi\n")
    assert "weights.pth cannot be read as weights" in refusal(NAME, path).message
    torch.save(net_with(3), path)
    assert "state_dict" in refusal(NAME, path).hint
    torch.save([1, 2], path)
    assert "holds no state dict, but a list" in refusal(NAME, path).message
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"hi\n")
    assert "weights.safetensors cannot be read as weights" in refusal(NAME, path).message


def test_without_a_network_it_says_where_the_weights_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", unreachable)
    error = refusal(NAME, None)
    assert error.message == f"the weights of {NAME} cannot be downloaded (no network)"
    assert "https://" in error.hint
    assert "--weights" in error.hint


def test_the_demo_puts_it_together(tmp_path: Path, weights: Path) -> None:
    for name in ("cat/1.png", "dog/1.png", "emu/1.png"):
        (tmp_path / "animals" / name).parent.mkdir(parents=True)
        photo().save(tmp_path / "animals" / name)
    workspace = DEMOS["folder"].build(options(tmp_path / "animals", weights))
    assert workspace["classes"] == ["cat", "dog", "emu"]
    assert workspace["dataset"].labels == [0, 1, 2]
    assert (workspace["title"], workspace["default_order"]) == ("animals", "mistakes")
    (net,), (feature,) = workspace["models"], workspace["features"]
    seen = feature.transform(workspace["dataset"][0][0])
    black, blurred = feature.baselines(seen)
    assert feature.baseline_names == ["black", "blurred"]
    assert black[:, 0, 0].tolist() == pytest.approx([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225])
    assert torch.allclose(blurred.mean(), seen.mean(), atol=0.1)
    assert workspace["score_func"](net(seen[None])).sum().item() == pytest.approx(1)


def test_images_without_labels_come_in_their_order(tmp_path: Path, weights: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    photo().save(folder / "a.png")
    workspace = DEMOS["folder"].build(options(folder, weights))
    assert (workspace["default_order"], workspace["dataset"].labels) == ("index", [None])


def test_tables_and_names_are_told_apart(tmp_path: Path, weights: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    photo().save(folder / "a.png")
    (tmp_path / "truth.csv").write_text("file,name\na.png,ox\n")
    (tmp_path / "names.txt").write_text("emu\nox\nfox\n")
    labels = [tmp_path / "truth.csv", tmp_path / "names.txt"]
    workspace = DEMOS["folder"].build(options(folder, weights, labels=labels))
    assert (workspace["classes"], workspace["dataset"].labels) == (["emu", "ox", "fox"], [1])


def test_a_net_with_one_output_tells_two_classes_apart(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    photo().save(folder / "a.png")
    torch.save(net_with(1).state_dict(), tmp_path / "one.pth")
    workspace = DEMOS["folder"].build(options(folder, tmp_path / "one.pth"))
    assert workspace["classes"] == ["class 0", "class 1"]
    scores = listed(make(**workspace), scan_to=1)["samples"][0]["predictions"][0]["classes"]
    assert sum(entry["score"] for entry in scores) == pytest.approx(1)


def test_photos_are_read_one_at_a_time(tmp_path: Path) -> None:
    opened: list[int] = []

    def show(image: Image.Image) -> Tensor:
        opened.append(image.width)
        return torch.zeros(3, 2, 2)

    paths = [tmp_path / f"{width}.png" for width in (3, 4, 5)]
    for path in paths:
        Image.new("RGB", (int(path.stem), 2)).save(path)
    images = Photos(paths, [None, 1, 2], show)
    assert (len(images), images[1][1], opened) == (3, 1, [4])
