"""The scripts of examples/ that need no data from elsewhere, as a user runs them."""

from __future__ import annotations

import io
import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

import pytest
import torch
from PIL import Image

from app.demos import digits
from app.demos.nets import load

from .conftest import explained, listed

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str) -> ModuleType:
    """A script of examples/, imported."""
    spec = spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_own_model_explains_digits() -> None:
    visualizer = example("own_model").visualizer()
    try:
        samples = listed(visualizer, scan_to=200, limit=200)["samples"]
        job = explained(visualizer, method="IntegratedGradients")
    finally:
        visualizer.close()
    assert sum(sample["predictions"][0]["correct"] for sample in samples) > 0.85 * len(samples)
    assert job["attribution"]["inputs"][0]["maps"][0]["height"] == 8


def test_the_digits_net_comes_out_of_its_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the whole training, which takes a quarter of a minute, but all that the script does around it."""
    script = example("train_digits")
    epochs: list[int] = []

    def shorter(*arguments: object, **settings: int) -> object:
        epochs.append(settings.pop("epochs"))
        return fit(*arguments, epochs=2, **settings)

    fit = script.fit
    threads = torch.get_num_threads()
    monkeypatch.setattr(script, "fit", shorter)
    monkeypatch.setattr(sys, "argv", ["train_digits.py", "--out", str(tmp_path / "net.safetensors")])
    try:
        script.main()
    finally:
        torch.set_num_threads(threads)
    made, shipped = (load(digits.untrained(), path) for path in (tmp_path / "net.safetensors", digits.WEIGHTS_FILE))
    assert epochs == [100]
    assert made.state_dict().keys() == shipped.state_dict().keys()
    assert b"train_digits.py --seed 0" in digits.WEIGHTS_FILE.read_bytes()[:1000]


@pytest.fixture
def easy_vqa(tmp_path: Path) -> Path:
    """Four red and blue squares, laid out as easy-VQA is."""
    path = tmp_path / "easy_vqa_data.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("data/answers.txt", "red\nblue\nyes\n")
        for part in ("train", "test"):
            asked = [["what color is the shape?", "red" if i % 2 else "blue", i] for i in range(4)]
            archive.writestr(f"data/{part}/questions.json", json.dumps(asked))
            for i in range(4):
                file = io.BytesIO()
                Image.new("RGB", (64, 64), "red" if i % 2 else "blue").save(file, "png")
                archive.writestr(f"data/{part}/images/{i}.png", file.getvalue())
    return path


def test_vqa_explains_a_picture_and_a_question(easy_vqa: Path) -> None:
    visualizer = example("vqa").visualizer(easy_vqa, epochs=2)
    try:
        sample = listed(visualizer, scan_to=4)["samples"][0]
        picture, question = explained(visualizer, method="IntegratedGradients")["attribution"]["inputs"]
    finally:
        visualizer.close()
    assert sample["inputs"][1]["tokens"] == ["what", "color", "is", "the", "shape", "·", "·", "·", "·"]
    assert (picture["kind"], question["kind"], len(question["weights"])) == ("image", "text", 9)
    assert question["weights"][5:] == [0, 0, 0, 0]
    assert picture["contribution"]["share"] + question["contribution"]["share"] == pytest.approx(1)
