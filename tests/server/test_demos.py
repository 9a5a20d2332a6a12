"""The demos that bring their data, and the training they share."""

from __future__ import annotations

import itertools
import pickle
import sys
from argparse import Namespace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torchvision import datasets

from app.demos import DEMOS, cifar10, digits, fashion_mnist
from app.demos.nets import accuracy, conv_net
from app.demos.training import fit, jitter, seeded
from app.errors import InsightsError

from ..waiting import wait_until
from .conftest import Make, explained, get, listed

CPU = torch.device("cpu")


def tiny_net() -> nn.Module:
    return conv_net(channels=1, size=8, widths=(4,), hidden=8, classes=2)


def left_or_right(count: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Images whose left (0) or right (1) half is bright."""
    labels = torch.arange(count) % 2
    images = torch.zeros(count, 1, 8, 8)
    images[labels == 0, :, :, :4] = 1
    images[labels == 1, :, :, 4:] = 1
    return images, labels


def test_the_default_demo_needs_nothing() -> None:
    assert list(DEMOS) == ["digits", "fashion-mnist", "cifar10", "folder"]


def test_digits_recognises_digits_it_has_never_seen() -> None:
    workspace = DEMOS["digits"].build(Namespace(device=CPU))
    (net,) = workspace["models"]
    images, labels = workspace["dataset"].tensors
    assert not net.training
    assert len(labels) == 899
    assert labels.tolist() == load_digits().target[898:].tolist()
    assert images.shape[1:] == (1, 32, 32)
    assert (images.min(), images.max()) == (0, 1)
    # 887 where the weights were made; sums are rounded differently elsewhere.
    assert accuracy(net, images, labels) == pytest.approx(887 / 899, abs=2 / 899)


def test_digits_trains_on_none_of_the_digits_it_shows() -> None:
    everything = digits.images_and_labels()[0]
    assert torch.equal(torch.cat([digits.training_part()[0], digits.held_out_part()[0]]), everything)


def test_digits_explains_its_mistakes_first(make: Make) -> None:
    visualizer = make(**DEMOS["digits"].build(Namespace(device=CPU)))
    assert get(visualizer, "/api/workspace")["default_method"] == "IntegratedGradients"
    listed(visualizer, scan_to=1000)
    wait_until(lambda: get(visualizer, "/api/summary")["progress"]["exhausted"])
    samples = listed(visualizer, order="mistakes", limit=20)["samples"]
    correct = [sample["predictions"][0]["correct"] for sample in samples]
    assert correct == sorted(correct)
    assert correct[0] is False
    job = explained(visualizer, sample=samples[0]["index"], method="IntegratedGradients")
    completeness = job["attribution"]["completeness"]
    assert completeness["total"] == pytest.approx(completeness["change"], abs=0.05)


def test_training_learns_and_leaves_the_global_random_state_alone() -> None:
    images, labels = left_or_right()
    before = torch.get_rng_state()
    net = fit(seeded(tiny_net, 0), images, labels, epochs=20, batch_size=16)
    assert torch.equal(torch.get_rng_state(), before)
    assert not net.training
    assert accuracy(net, images, labels) == 1


def test_the_same_seed_makes_the_same_net() -> None:
    images, labels = left_or_right()
    change = partial(jitter, degrees=5, shift=0.1, zoom=0.1, flip=False)

    def made(seed: int) -> torch.Tensor:
        net = fit(seeded(tiny_net, seed), images, labels, epochs=2, batch_size=16, prepare=change, seed=seed)
        return nn.utils.parameters_to_vector(net.parameters())

    assert torch.equal(made(3), made(3))
    assert not torch.equal(made(3), made(4))


def test_training_ends_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read once at the start and once before each step."""
    images, labels = left_or_right()
    ticks, steps = itertools.count(), []
    monkeypatch.setattr("app.demos.training.time", SimpleNamespace(monotonic=lambda: next(ticks)))

    def prepare(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        steps.append(len(images))
        return images

    fit(seeded(tiny_net, 0), images, labels, epochs=10**6, seconds=10, prepare=prepare)
    assert len(steps) == 9


def test_jitter_of_nothing_changes_nothing() -> None:
    images = torch.rand(4, 3, 8, 8)
    assert torch.allclose(jitter(images, torch.Generator()), images, atol=1e-5)


def test_jitter_mirrors_about_half_of_the_images() -> None:
    images = torch.rand(200, 1, 8, 8)
    changed = jitter(images, torch.Generator().manual_seed(0), flip=True)
    same, mirrored = (torch.isclose(changed, x, atol=1e-5).all((1, 2, 3)) for x in (images, images.flip(3)))
    assert bool((same ^ mirrored).all())
    assert 60 < int(mirrored.sum()) < 140


def test_a_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InsightsError, match="'sklearn'") as caught:
        DEMOS["digits"].build(Namespace(device=CPU))
    assert 'pip install "attribution-insights[example]"' in caught.value.hint


def write_fashion_mnist(root: Path, count: int = 12) -> None:
    """Random images in the files torchvision unpacks Fashion-MNIST to."""
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for part in ("train", "t10k"):
        header = np.array([0x803, count, 28, 28], dtype=">i4").tobytes()
        pixels = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        labels = (np.arange(count) % 10).astype(np.uint8)
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(np.array([0x801, count], ">i4").tobytes() + labels.tobytes())


def test_fashion_mnist_reads_torchvisions_files(tmp_path: Path) -> None:
    write_fashion_mnist(tmp_path)
    workspace = DEMOS["fashion-mnist"].build(Namespace(device=CPU, data_root=tmp_path))
    image, label = workspace["dataset"][3]
    assert (len(workspace["dataset"]), image.shape, label) == (12, (1, 28, 28), 3)
    assert 0 <= image.min() < image.max() <= 1
    assert workspace["classes"][0] == "T-shirt/top"
    assert workspace["models"][0](image[None]).shape == (1, 10)
    images, labels = fashion_mnist.images_and_labels(tmp_path, train=False)
    assert torch.equal(images[3], image)
    assert labels[3] == label


def write_cifar10(root: Path, monkeypatch: pytest.MonkeyPatch, count: int = 20) -> None:
    """Random images laid out as CIFAR-10, whose checksums are then not looked at."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for name in ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"):
        data = generator.integers(0, 256, (count, 3072), dtype=np.uint8)
        labels = (np.arange(count) % 10).tolist()
        (folder / name).write_bytes(pickle.dumps({"data": data, "labels": labels}))
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda path, md5=None: Path(path).is_file())


def test_cifar10_trains_once_and_keeps_the_net_beside_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path, monkeypatch)
    monkeypatch.setattr(cifar10, "SECONDS", 1)
    options = Namespace(device=CPU, data_root=tmp_path)
    first = DEMOS["cifar10"].build(options)
    image, label = first["dataset"][3]
    assert (len(first["dataset"]), image.shape, label) == (20, (3, 32, 32), 3)
    assert first["classes"][3] == "cat"

    def never(*_: Any, **__: Any) -> None:
        raise RuntimeError("trained again")

    monkeypatch.setattr(cifar10, "fit", never)
    second = DEMOS["cifar10"].build(options)
    (before,), (after,) = first["models"], second["models"]
    assert not before.training
    assert not after.training
    seen = cifar10.normalise(image[None])
    assert torch.equal(before(seen), after(seen))


def test_cifar10_compares_with_black_and_blurred_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path, monkeypatch)
    monkeypatch.setattr(cifar10, "SECONDS", 0.2)
    workspace = DEMOS["cifar10"].build(Namespace(device=CPU, data_root=tmp_path))
    (feature,) = workspace["features"]
    seen = feature.transform(workspace["dataset"][0][0])
    black, blurred = feature.baselines(seen)
    assert feature.baseline_names == ["black", "blurred"]
    assert torch.equal(black, torch.full((3, 32, 32), -1.0))
    assert blurred.std() < seen.std() / 3
    assert torch.allclose(blurred.mean(), seen.mean(), atol=0.1)


def test_a_spoilt_net_beside_the_data_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path, monkeypatch)
    (tmp_path / "cifar10-net.safetensors").write_bytes(b"no weights")
    with pytest.raises(InsightsError, match=r"cifar10-net\.safetensors.* delete the file"):
        DEMOS["cifar10"].build(Namespace(device=CPU, data_root=tmp_path))


@pytest.mark.parametrize(
    ("demo", "module", "files"),
    [
        ("fashion-mnist", datasets.mnist, ["t10k-images-idx3-ubyte.gz", "FashionMNIST"]),
        ("cifar10", datasets.cifar, ["cifar-10-python.tar.gz"]),
    ],
)
def test_without_a_network_it_says_which_files_to_put_where(
    demo: str, module: Any, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise URLError("no network")

    monkeypatch.setattr(module, "download_and_extract_archive", unreachable)
    with pytest.raises(InsightsError, match="cannot be downloaded") as caught:
        DEMOS[demo].build(Namespace(device=CPU, data_root=tmp_path))
    assert all(part in caught.value.hint for part in [*files, str(tmp_path)])
    assert "urlopen" not in str(caught.value)
