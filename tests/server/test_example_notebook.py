"""The notebook that users copy from runs from top to bottom, and shows its picture where no kernel is."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

NOTEBOOK = Path(__file__).parents[2] / "examples" / "dashboard.ipynb"


def convert(folder: Path, *arguments: str) -> Path:
    """What nbconvert makes of the notebook, with nothing of this machine's own configuration."""
    own = {f"JUPYTER_{part}_DIR": str(folder / part) for part in ("CONFIG", "DATA", "RUNTIME")}
    command = [sys.executable, "-m", "nbconvert", *arguments, "--output-dir", str(folder), str(NOTEBOOK)]
    subprocess.run(command, check=True, env=os.environ | own | {"IPYTHONDIR": str(folder)}, timeout=120)
    (made,) = folder.glob("dashboard.*")
    return made


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """All outputs, after running it."""
    made = convert(tmp_path_factory.mktemp("run"), "--to", "notebook", "--execute")
    return [output for cell in json.loads(made.read_text())["cells"] for output in cell.get("outputs", [])]


def test_it_runs(outputs: list[dict[str, Any]]) -> None:
    shown = [output["data"] for output in outputs if "data" in output]
    assert any("application/vnd.jupyter.widget-view+json" in data for data in shown)
    assert any("torch.Size([1, 32, 32])" in "".join(data["text/plain"]) for data in shown)


def test_it_keeps_a_picture(outputs: list[dict[str, Any]]) -> None:
    (data,) = [output["data"] for output in outputs if "image/png" in output.get("data", {})]
    image = Image.open(io.BytesIO(base64.b64decode("".join(data["image/png"]))))
    assert image.size == (640, 320)
    assert "Handwritten digits: IntegratedGradients" in "".join(data["text/html"])


def test_the_picture_is_seen_as_a_page(tmp_path: Path) -> None:
    text = convert(tmp_path, "--to", "html").read_text()
    assert "attribution of Digit" in text
    assert "Traceback" not in text


def test_the_saved_notebook_is_small_and_of_no_machine() -> None:
    text = NOTEBOOK.read_text()
    assert len(text) < 300_000
    assert "widgets" not in json.loads(text)["metadata"]
    assert str(Path.home()) not in text
