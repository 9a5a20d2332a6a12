"""What is asked: of which layer, of which class against which other, and how finely it is drawn and read."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import torch
from playwright.sync_api import Locator, Page, expect
from torch import nn

from app import AttributionVisualizer, Batch
from app.features import ImageFeature

from .test_look_closely import axe_is_silent, panel

SIDE = 32


def net() -> nn.Module:
    """Two convolutions, over whose positions the classes are averages."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 6, 3, stride=2, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    ).eval()


@pytest.fixture
def address(page: Page) -> Iterator[str]:
    pixels = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    visualizer = AttributionVisualizer(
        net(), ["cat", "dog", "bird"], ImageFeature("Photo", [lambda x: x * 0]), [Batch(pixels, torch.tensor([0, 1]))]
    )
    yield f"{visualizer.serve()}&order=index&sample=0"
    page.close()
    visualizer.close()


COLORS = """canvas => new Set(new Uint32Array(
    canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size"""


def drawn_in(page: Page, drawn: Locator, condition: str) -> None:
    """Wait until the number of different colours of a map is as it should be."""
    page.wait_for_function(f"canvas => ({COLORS})(canvas) {condition}", arg=drawn.element_handle())


def chosen(page: Page, field: str, option: str | re.Pattern[str]) -> None:
    page.get_by_role("combobox", name=field, exact=True).click()
    page.get_by_role("option", name=option).first.click()


def test_a_layer_lies_over_the_picture_and_a_link_keeps_it(page: Page, address: str) -> None:
    page.goto(f"{address}&method=LayerGradientXActivation")
    expect(panel(page)).to_contain_text(re.compile(r"Gradient × Activation of the output for class ‘cat’, at \d"))
    expect(panel(page).get_by_role("radio", name="Overlay")).to_be_checked()
    channels = panel(page).get_by_role("region", name=re.compile("^Channels of "))
    expect(channels.get_by_role("img").first).to_be_visible()
    chosen(page, "Layer", re.compile(r"^0\s*Conv2d"))
    expect(panel(page)).to_contain_text("at 0")
    chosen(page, "Class it is explained against", "dog")
    said = panel(page).get_by_text("of the output for class ‘cat’ less that for ‘dog’, at 0")
    expect(said).to_be_visible()
    page.reload()
    expect(said).to_be_visible()


def test_patches_have_few_colours(page: Page, address: str) -> None:
    page.goto(f"{address}&method=IntegratedGradients")
    drawn = panel(page).get_by_role("img", name="Attribution of Photo")
    grain = panel(page).get_by_role("slider", name="Grain")
    expect(panel(page).get_by_text(re.compile("^Red speaks"))).to_be_visible()
    drawn_in(page, drawn, "> 64")
    grain.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(panel(page).get_by_text("Every patch of 8 × 8 px shows the sum of its pixels.")).to_be_visible()
    drawn_in(page, drawn, f"<= {(SIDE // 8) ** 2}")


@pytest.mark.parametrize("field", ["Attribution method", "Layer"])
def test_axe_finds_nothing_in_what_is_chosen_from(page: Page, address: str, field: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{address}&method=LayerGradCam")
    expect(panel(page)).to_contain_text("Grad-CAM of the output")
    page.get_by_role("combobox", name=field).click()
    expect(page.get_by_role("option").first).to_be_visible()
    box = page.get_by_role("listbox").bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390
    axe_is_silent(page)
