"""Looking closely: zoom, full screen, long texts and wide tables, and everything by keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect
from torch import Tensor, nn

from app import AttributionVisualizer, Batch
from app.features import GeneralFeature, ImageFeature, TextFeature

Open = Callable[..., None]
TOKENS, COLUMNS, SIDE = 3000, 16_000, 64


class Linear(nn.Module):
    """Two linear outputs of whatever comes in."""

    def __init__(self, size: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(size, 2)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.layer(x.flatten(1))
        return scores


class Reader(nn.Module):
    """The mean of embedded words."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.read = nn.Embedding(9, 4), nn.Linear(4, 2)
        self.eval()

    def forward(self, ids: Tensor) -> Tensor:
        scores: Tensor = self.read(self.words(ids).mean(1))
        return scores


def words(ids: Tensor) -> list[str]:
    return ["[PAD]" if i == 0 else f"word{i}" for i in ids.flatten().tolist()]


@pytest.fixture
def show(page: Page) -> Iterator[Open]:
    """Serve a visualizer of one model and one feature, and open it."""
    opened: list[AttributionVisualizer] = []

    def serve(model: nn.Module, feature: Any, inputs: Tensor, search: str = "") -> None:
        labels = torch.arange(len(inputs)) % 2
        opened.append(AttributionVisualizer([model], ["no", "yes"], [feature], [Batch(inputs, labels)]))
        page.goto(f"{opened[-1].serve()}&order=index&{search}")

    yield serve
    page.close()
    for visualizer in opened:
        visualizer.close()


@pytest.fixture
def picture(show: Open) -> Open:
    def open_picture(search: str = "") -> None:
        pixels = torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
        show(Linear(3 * SIDE * SIDE), ImageFeature("Photo", [lambda x: x * 0]), pixels, search)

    return open_picture


def panel(page: Page) -> Locator:
    return page.get_by_role("region", name="Selected sample")


def stage(page: Page) -> Locator:
    return panel(page).get_by_role("application", name="Values of Photo")


def axe_is_silent(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_map_zooms_by_wheel_about_the_pointer_and_is_panned(page: Page, picture: Open) -> None:
    picture()
    expect(stage(page)).to_have_attribute("tabindex", "0")
    box = stage(page).bounding_box()
    assert box is not None
    x, y = box["x"] + 0.3 * box["width"], box["y"] + 0.6 * box["height"]
    page.mouse.click(x, y)
    there = panel(page).get_by_text(re.compile(r"^row \d+, column \d+: "))
    before = there.inner_text()
    for _ in range(3):
        page.mouse.wheel(0, -300)
    expect(panel(page).get_by_role("button", name="Show all of it")).to_have_text("6.0×")
    page.mouse.move(x + 1, y)
    page.mouse.move(x, y)
    assert there.inner_text() == before
    page.mouse.down()
    page.mouse.move(x + 100, y, steps=4)
    page.mouse.up()
    assert there.inner_text() == before  # the picture came along
    panel(page).get_by_role("button", name="Show all of it").click()
    expect(panel(page).get_by_role("button", name="Show all of it")).to_have_count(0)


def test_a_wheel_over_a_map_that_is_not_in_use_scrolls_the_panel(page: Page, picture: Open) -> None:
    page.set_viewport_size({"width": 1280, "height": 500})
    picture()
    expect(stage(page)).to_have_attribute("tabindex", "0")
    stage(page).hover()
    page.mouse.wheel(0, 200)
    page.wait_for_function("document.querySelector('[aria-label=\"Selected sample\"]').scrollTop > 0")


def test_full_screen_has_one_cursor_over_the_original_and_the_map(page: Page, picture: Open) -> None:
    picture()
    expect(stage(page)).to_have_attribute("tabindex", "0")
    panel(page).get_by_role("button", name="Full screen").click()
    dialog = page.get_by_role("dialog", name="Photo: what speaks for and against")
    expect(dialog.get_by_role("application")).to_have_count(2)
    original, values = dialog.get_by_role("application").all()
    boxes = [original.bounding_box(), values.bounding_box()]
    assert all(box is not None and box["width"] > 500 for box in boxes)
    values.focus()
    expect(dialog).to_contain_text(re.compile(r"row \d+, column \d+: attribution [+−]\d.*, original +red \d+"))
    lines = dialog.locator("[role=application] > div[style*='top']:not([style*='width'])")
    expect(lines).to_have_count(2)
    heights = [line.evaluate("line => line.style.top") for line in lines.all()]
    assert heights[0] == heights[1]
    axe_is_silent(page)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page).not_to_have_url(re.compile("full="))


def test_the_overlay_leaves_the_picture_its_colours(page: Page, picture: Open) -> None:
    picture("view=overlay")
    expect(stage(page)).to_have_attribute("tabindex", "0")
    image = panel(page).get_by_role("img", name="Photo, original")
    assert image.evaluate("image => [getComputedStyle(image).filter, getComputedStyle(image).opacity]") == ["none", "1"]


@pytest.mark.parametrize("size", [(1440, 900), (1000, 800), (390, 844)], ids=["wide", "medium", "narrow"])
def test_parameters_never_cover_the_map(page: Page, picture: Open, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    picture("sample=0")
    expect(stage(page)).to_have_attribute("tabindex", "0")
    page.get_by_role("button", name="Parameters of the method").click()
    form = page.get_by_role("region", name="Parameters of the method")
    expect(form.get_by_role("textbox", name="Steps")).to_be_visible()
    form_box, panel_box = form.bounding_box(), panel(page).bounding_box()
    assert form_box is not None and panel_box is not None
    assert form_box["y"] + form_box["height"] <= panel_box["y"] + 1
    axe_is_silent(page)
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)


def test_tab_leaves_the_list_of_samples(page: Page, address: str) -> None:
    page.goto(address)
    card = page.get_by_role("main").get_by_role("article").first.get_by_role("button", name="show in detail")
    expect(card).to_be_visible()
    card.focus()
    page.keyboard.press("Tab")
    inside = "document.activeElement.closest('[aria-label=\"Selected sample\"]') !== null"
    assert page.evaluate(inside), page.evaluate("document.activeElement.outerHTML")


def test_keys_are_explained_without_a_complaint(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("main").get_by_role("article").first).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys and words")).to_be_visible()
    axe_is_silent(page)
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("12")
    page.keyboard.press("Enter")
    expect(panel(page).get_by_role("heading", name="Sample 12", exact=True)).to_be_visible()


def test_a_long_text_has_no_padding_and_is_drawn_as_far_as_one_scrolls(page: Page, show: Open) -> None:
    ids = torch.randint(1, 9, (2, TOKENS), generator=torch.Generator().manual_seed(0))
    ids[:, -1000:] = 0
    show(Reader(), TextFeature("Review", [lambda x: x * 0], [], words), ids)
    text = panel(page).get_by_role("listbox", name="Tokens of Review")
    expect(panel(page).get_by_text("1,000 tokens of padding")).to_be_visible()
    drawn = text.get_by_role("option")
    expect(drawn.first).to_be_visible()
    first = drawn.count()
    assert first < TOKENS / 3
    axe_is_silent(page)
    text.hover()
    page.mouse.wheel(0, 5000)
    page.wait_for_function("n => document.querySelectorAll('[data-place]').length > n", arg=first)
    panel(page).get_by_role("button", name="Show", exact=True).click()
    expect(panel(page).get_by_role("button", name="Hide", exact=True)).to_be_visible()


def test_a_wide_table_is_shown_whole_at_once(page: Page, show: Open) -> None:
    names = [f"a_very_long_column_name_{i:05d}" for i in range(COLUMNS)]
    inputs = torch.rand(2, COLUMNS, generator=torch.Generator().manual_seed(0))
    show(Linear(COLUMNS), GeneralFeature("Facts", names), inputs, "bars=given")
    panel(page).get_by_role("button", name="Show all 16,000").click()
    bars = panel(page).get_by_role("list", name="Attribution of Facts")
    expect(bars.get_by_text("_00000").first).to_be_visible()
    assert bars.get_by_role("listitem").count() < 100
    axe_is_silent(page)
    panel(page).get_by_role("group", name="Attribution of Facts").press("End")
    expect(bars.get_by_text("_15999").first).to_be_visible()


def test_a_series_is_a_line_over_its_attributions(page: Page, show: Open) -> None:
    inputs = torch.sin(torch.linspace(0, 9, 100)).repeat(2, 1)
    show(Linear(100), GeneralFeature("Pulse", [f"t{i}" for i in range(100)]), inputs)
    plot = panel(page).get_by_role("application", name="Pulse, 100 values in order")
    plot.focus()
    plot.press("ArrowRight")
    expect(panel(page).get_by_text(re.compile(r"^t\d+: −?\d.*, attribution [+−]\d"))).to_be_visible()
    axe_is_silent(page)
