"""Explanations side by side: several methods, several models."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from .test_dashboard import maps, painted
from .test_states import Means, Open, open_page  # noqa: F401  # a fixture


def tiles(page: Page, name: str = "Methods side by side") -> Locator:
    return page.get_by_role("list", name=name).locator("> li")


def test_methods_are_computed_once_chosen_and_switch_the_dashboard(page: Page, address: str) -> None:
    page.goto(address)
    expect(maps(page).first).to_be_visible()
    expect(tiles(page)).to_have_count(0)
    page.get_by_role("button", name="Choose methods").click()
    for name in ("DeepLIFT", "Occlusion"):
        page.get_by_role("checkbox", name=name, exact=True).check()
    page.keyboard.press("Escape")
    expect(tiles(page)).to_have_count(3)
    expect(page).to_have_url(re.compile("compare=IntegratedGradients,DeepLift,Occlusion"))
    for place in range(3):
        expect(tiles(page).nth(place)).to_contain_text(re.compile(r"\d m?s"))
    expect(tiles(page).nth(1)).to_contain_text("adds up")
    shown = [painted(maps(tiles(page).nth(place))) for place in range(3)]
    assert shown[0] != shown[1] != shown[2]
    tiles(page).nth(1).get_by_role("button", name="DeepLIFT").click()
    expect(page.get_by_role("region", name="Selected sample")).to_contain_text("DeepLIFT of the output")
    expect(tiles(page).nth(1).get_by_role("button", name="DeepLIFT", pressed=True)).to_be_visible()
    page.reload()
    expect(tiles(page)).to_have_count(3)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["wide", "narrow"])
def test_axe_finds_nothing_side_by_side(page: Page, address: str, scheme: str, size: tuple[int, int]) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"{address}&sample=764&compare=IntegratedGradients,Saliency,Occlusion")
    expect(tiles(page).nth(2)).to_contain_text(re.compile(r"\d m?s"))
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.get_by_role("button", name="Choose methods").click()
    expect(page.get_by_role("checkbox", name="Saliency")).to_be_checked()
    page.wait_for_timeout(300)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_models_are_explained_for_the_same_class(page: Page, open_page: Open) -> None:  # noqa: F811
    open_page(models=[Means(), Means()])
    page.get_by_role("button", name="Compare 2 models").click()
    pair = tiles(page, "Models side by side")
    for place in range(2):
        expect(pair.nth(place).get_by_role("img", name="Attribution of Photo")).to_be_visible()
    second = pair.nth(1).get_by_role("button", pressed=False)
    name = second.inner_text()
    second.click()
    expect(page.get_by_role("combobox", name="Model", exact=True)).to_have_value(name)


def test_a_map_is_read_with_the_keyboard(page: Page, address: str) -> None:
    page.goto(address)
    region = page.get_by_role("region", name="Selected sample")
    expect(maps(region)).to_be_visible()
    region.get_by_role("application", name="Values of Digit").focus()
    expect(region).to_contain_text(re.compile(r"row \d+, column \d+: [+\u2212]"))
    before = region.locator("[aria-live]").inner_text()
    page.keyboard.press("ArrowLeft")
    expect(region.locator("[aria-live]")).not_to_have_text(before)
    page.keyboard.press("Escape")
    expect(region.locator("[aria-live]")).to_have_text("")


def test_down_selects_the_sample_below(page: Page, address: str) -> None:
    page.goto(address)
    cards = page.get_by_role("main").get_by_role("article")
    expect(cards.first).to_be_visible()
    first = cards.nth(0).bounding_box()
    page.keyboard.press("ArrowDown")
    expect(page).to_have_url(re.compile("sample="))
    below = page.locator("article[data-selected]")
    box = below.bounding_box()
    assert first and box and box["x"] == first["x"] and box["y"] > first["y"]
