"""The default demo as a user starts it, in a browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Locator, Page, expect


def samples(page: Page) -> Locator:
    return page.get_by_role("main").get_by_role("article")


PIXELS = "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
PATIENCE = 15  # s


def wait_until(page: Page, holds: Callable[[], bool]) -> bool:
    """Whether something comes to hold within our patience; the page runs on meanwhile."""
    last = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > last:
            return False
        page.wait_for_timeout(50)
    return True


def painted(canvas: Locator) -> list[int]:
    """The colours of a map's pixels, once there are any."""
    assert wait_until(canvas.page, lambda: any(canvas.evaluate(PIXELS))), "the map stays empty"
    pixels: list[int] = canvas.evaluate(PIXELS)
    return pixels


def colours(canvas: Locator) -> int:
    """How many colours a map shows."""
    pixels = painted(canvas)
    return len(set(zip(pixels[0::4], pixels[1::4], pixels[2::4], strict=True)))


def maps(within: Page | Locator) -> Locator:
    return within.get_by_role("img", name="Attribution of Digit")


@pytest.fixture
def dashboard(page: Page, address: str) -> Page:
    page.goto(address)
    expect(page.get_by_role("status").first).to_contain_text("Scanned 899 of 899")
    expect(maps(page).first).to_be_visible()
    return page


def test_first_attributions_appear(dashboard: Page) -> None:
    for place in range(3):
        assert colours(maps(samples(dashboard).nth(place))) > 20
    expect(dashboard.get_by_role("region", name="Selected sample")).to_contain_text("add up")


def test_mistakes_come_first(dashboard: Page) -> None:
    expect(samples(dashboard).first).to_contain_text("Incorrect")


def test_filtering_to_incorrect_shows_only_incorrect(dashboard: Page) -> None:
    button = dashboard.get_by_role("group", name="Outcome").get_by_role("button", name="Incorrect")
    count = int(button.inner_text().split()[-1])
    button.click()
    expect(dashboard.get_by_role("status").first).to_contain_text(f"{count} match")
    seen: set[str] = set()
    dashboard.get_by_role("main").hover()

    def all_seen() -> bool:
        for text in samples(dashboard).all_inner_texts():
            assert "Incorrect" in text or "✗" in text, text
            seen.add(text.split()[0])
        dashboard.mouse.wheel(0, 500)
        return len(seen) >= count

    assert wait_until(dashboard, all_seen)
    assert len(seen) == count


def test_the_list_grows_as_one_scrolls(dashboard: Page) -> None:
    seen: set[str] = set()
    dashboard.get_by_role("main").hover()

    def many_seen() -> bool:
        seen.update(text.split()[0] for text in samples(dashboard).all_inner_texts())
        dashboard.mouse.wheel(0, 900)
        return len(seen) > 60

    assert wait_until(dashboard, many_seen)


def repainted(canvas: Locator, before: list[int]) -> bool:
    """Whether a map changes."""
    return wait_until(canvas.page, lambda: painted(canvas) != before)


def test_another_class_gives_another_map(dashboard: Page) -> None:
    card = samples(dashboard).first
    before = painted(maps(card))
    card.get_by_role("button", name="Explain", pressed=False).first.click()
    expect(dashboard).to_have_url(re.compile("target="))
    assert repainted(maps(card), before)


def test_another_method_gives_another_map(dashboard: Page) -> None:
    before = painted(maps(samples(dashboard).first))
    dashboard.get_by_role("combobox", name="Attribution method").click()
    dashboard.get_by_role("option", name="Saliency").click()
    expect(dashboard.get_by_role("region", name="Selected sample")).to_contain_text("Saliency of the output")
    assert repainted(maps(samples(dashboard).first), before)


def test_a_wrong_parameter_is_explained_and_not_sent(dashboard: Page) -> None:
    asked: list[str] = []
    dashboard.on("request", lambda request: asked.append(request.post_data or ""))
    dashboard.get_by_role("button", name="Parameters of the method").click()
    steps = dashboard.get_by_role("textbox", name="Steps")
    steps.fill("0")
    expect(dashboard.get_by_role("region", name="Parameters of the method")).to_contain_text("At least 2")
    expect(steps).to_have_attribute("aria-invalid", "true")
    dashboard.wait_for_timeout(500)
    assert not any("n_steps" in body for body in asked)
    steps.fill("200")
    expect(dashboard).to_have_url(re.compile("200"))
    assert wait_until(dashboard, lambda: any('"n_steps":200' in body for body in asked))


def test_signs_are_chosen_in_the_browser(dashboard: Page) -> None:
    dashboard.wait_for_load_state("networkidle")
    large = maps(dashboard.get_by_role("region", name="Selected sample"))
    before = painted(large)
    asked: list[str] = []
    dashboard.on("request", lambda request: asked.append(request.url) if "/api/" in request.url else None)
    dashboard.get_by_text("Positive", exact=True).click()
    assert repainted(large, before)
    assert asked == []


def test_a_filter_that_matches_nothing_says_so(dashboard: Page) -> None:
    dashboard.get_by_role("button", name="True 0, predicted 1: 0 samples").click()
    expect(dashboard.get_by_role("main")).to_contain_text("899")
    expect(samples(dashboard)).to_have_count(0)
    dashboard.get_by_role("main").get_by_role("button", name="Clear").last.click()
    expect(samples(dashboard).first).to_be_visible()


def test_back_and_a_shared_link_give_the_same_view(dashboard: Page, context: BrowserContext) -> None:
    dashboard.get_by_role("group", name="Outcome").get_by_role("button", name="Incorrect").click()
    expect(dashboard).to_have_url(re.compile("incorrect"))
    with context.new_page() as other:
        other.goto(dashboard.url)
        expect(other.get_by_role("group", name="Outcome").get_by_role("button", name="Incorrect")).to_have_attribute(
            "aria-pressed", "true"
        )
        expect(other.get_by_role("status").first).to_contain_text("12 match")
    dashboard.go_back()
    expect(dashboard.get_by_role("group", name="Outcome").get_by_role("button", name="All")).to_have_attribute(
        "aria-pressed", "true"
    )


def test_two_tabs_are_independent(dashboard: Page, context: BrowserContext, address: str) -> None:
    with context.new_page() as other:
        other.goto(address)
        other.get_by_role("group", name="Outcome").get_by_role("button", name="Incorrect").click()
        expect(other.get_by_role("status").first).to_contain_text("12 match")
        dashboard.reload()
        expect(dashboard.get_by_role("status").first).to_contain_text("899 match")


def test_the_keyboard_is_enough(dashboard: Page) -> None:
    first = dashboard.get_by_role("region", name="Selected sample").get_by_role("heading", level=2).first
    before = first.inner_text()
    dashboard.keyboard.press("j")
    expect(first).not_to_have_text(before)
    dashboard.keyboard.press("k")
    expect(first).to_have_text(before)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["wide", "narrow"])
def test_axe_finds_nothing(page: Page, address: str, scheme: str, size: tuple[int, int]) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(address)
    expect(maps(page).first).to_be_visible()
    page.wait_for_timeout(300)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
