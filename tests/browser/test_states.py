"""What the page says when something is slow, wrong or missing."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect
from torch import Tensor, nn

from app import AttributionVisualizer, Batch
from app.features import GeneralFeature, ImageFeature, TextFeature

Open = Callable[..., AttributionVisualizer]
WORDS = ["a", "film", "of", "quiet", "wonder"]


class Means(nn.Module):
    """Scores an image's channels by their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class Reader(nn.Module):
    """A picture, words and facts."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.read, self.see = nn.Embedding(9, 4), nn.Linear(4, 2), nn.Linear(192, 2)
        self.know = nn.Linear(3, 2)
        self.eval()

    def forward(self, image: Tensor, ids: Tensor, facts: Tensor) -> Tensor:
        return self.read(self.words(ids).mean(1)) + self.see(image.flatten(1)) + self.know(facts)


def images(count: int = 8, labelled: bool = True) -> Batch:
    generator = torch.Generator().manual_seed(3)
    pixels = torch.rand(count, 3, 8, 8, generator=generator)
    return Batch(pixels, torch.arange(count) % 3 if labelled else None)


@pytest.fixture
def open_page(page: Page) -> Iterator[Open]:
    """Serve a visualizer made of the given parts and open it."""
    opened: list[AttributionVisualizer] = []

    def serve(**changes: Any) -> AttributionVisualizer:
        settings: dict[str, Any] = {
            "models": [Means()],
            "classes": ["red", "green", "blue"],
            "features": [ImageFeature("Photo", [lambda x: x * 0])],
            "dataset": [images()],
            "score_func": lambda output: output.softmax(1),
        }
        opened.append(AttributionVisualizer(**(settings | changes)))
        page.goto(opened[-1].serve())
        return opened[-1]

    yield serve
    page.close()
    for visualizer in opened:
        visualizer.close()


def axe_is_silent(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_several_inputs_each_have_their_view(page: Page, open_page: Open) -> None:
    torch.manual_seed(0)
    inputs = (torch.rand(4, 3, 8, 8), torch.randint(0, 9, (4, 5)), torch.rand(4, 3))
    open_page(
        models=[Reader(), Reader()],
        classes=["dull", "moving"],
        features=[
            ImageFeature("Poster", [lambda x: x * 0]),
            TextFeature("Review", [lambda x: x * 0], [], lambda ids: WORDS),
            GeneralFeature("Facts", ["length", "year", "budget"]),
        ],
        dataset=[Batch(inputs, torch.tensor([0, 1, 0, 1]))],
    )
    detail = page.get_by_role("region", name="Selected sample")
    expect(detail.get_by_role("img", name="Attribution of Poster").first).to_be_visible()
    for word in (*WORDS, "length", "year", "budget"):
        expect(detail.get_by_text(word, exact=True).first).to_be_visible()
    axe_is_silent(page)


def test_a_mistake_found_later_comes_first_but_leaves_the_sample_in_use(page: Page, open_page: Open) -> None:
    go_on = threading.Event()

    def dataset() -> Iterator[Batch]:
        batch = images(4)
        predicted = batch.inputs.mean((2, 3)).argmax(1)
        yield Batch(batch.inputs, predicted)
        go_on.wait(30)
        yield Batch(batch.inputs, (predicted + 1) % 3)

    open_page(dataset=dataset(), default_order="mistakes")
    heading = page.get_by_role("region", name="Selected sample").get_by_role("heading", level=2)
    used = heading.first.inner_text()
    page.get_by_role("button", name="Choose methods").click()
    expect(page.get_by_role("checkbox", name="Saliency")).to_be_visible()
    go_on.set()
    expect(page.get_by_role("status").first).to_contain_text("Scanned 8 of 8")
    expect(page.get_by_role("main").get_by_role("article").first).to_have_accessible_name(re.compile("Sample [4-7]"))
    page.get_by_role("checkbox", name="Saliency").check()
    expect(heading.first).to_have_text(used)


def test_progress_and_cancel(page: Page, open_page: Open) -> None:
    go_on = threading.Event()

    class Held(Means):
        def forward(self, x: Tensor) -> Tensor:
            if torch.is_grad_enabled() or len(x) > 1:  # it explains
                go_on.wait(30)
            return super().forward(x)

    open_page(models=[Held()], dataset=[images(1)], default_method="FeatureAblation")
    cancel = page.get_by_role("button", name="Cancel").first
    expect(cancel).to_be_visible()
    axe_is_silent(page)
    cancel.click()
    go_on.set()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.get_by_text("ancelled").first).to_be_visible()


def test_a_failed_explanation_says_what_and_why_on_the_card(page: Page, open_page: Open) -> None:
    def broken(x: Tensor) -> Tensor:
        if x.requires_grad:
            raise RuntimeError("the fuse has blown")
        return x.mean((2, 3))

    open_page(models=broken)
    card = page.get_by_role("main").get_by_role("article").first
    expect(card).to_contain_text("the fuse has blown")
    expect(card.get_by_role("button", name="Retry")).to_be_visible()
    axe_is_silent(page)


def test_a_sample_that_cannot_be_read_says_so_and_keeps_its_label(page: Page, open_page: Open) -> None:
    def picky(x: Tensor) -> Tensor:
        raise ValueError("this photo is upside down")

    open_page(features=[ImageFeature("Photo", None, [picky])])
    expect(page.get_by_role("main")).to_contain_text("this photo is upside down")
    panel = page.get_by_role("region", name="Selected sample")
    expect(panel.get_by_text("An input transform of feature 'Photo' was given")).to_be_visible()
    expect(page.get_by_role("article").first).to_contain_text("true")
    expect(panel.get_by_text("No label")).to_have_count(0)
    axe_is_silent(page)


def test_unlabelled_data_has_no_outcomes(page: Page, open_page: Open) -> None:
    open_page(dataset=[images(labelled=False)])
    expect(page.get_by_role("img", name="Attribution of Photo").first).to_be_visible()
    expect(page.get_by_text("no labels", exact=False).first).to_be_visible()
    expect(page.get_by_role("group", name="Outcome").get_by_role("button", name="Incorrect")).to_have_count(0)


def test_an_empty_dataset_says_so(page: Page, open_page: Open) -> None:
    open_page(dataset=[])
    expect(page.get_by_role("main")).to_contain_text("empty", ignore_case=True)
    axe_is_silent(page)


def test_a_dataset_that_fails_says_so(page: Page, open_page: Open) -> None:
    def failing() -> Iterator[Batch]:
        yield images()
        raise OSError("the disk is on fire")

    open_page(dataset=failing())
    expect(page.get_by_text("the disk is on fire").first).to_be_visible()
    expect(page.get_by_role("img", name="Attribution of Photo").first).to_be_visible()


def test_endless_data_is_read_as_far_as_asked(page: Page, open_page: Open) -> None:
    def endless() -> Iterator[Batch]:
        while True:
            yield images(50)

    open_page(dataset=endless())
    further = page.get_by_role("button", name="Scan further")
    expect(further).to_be_visible()
    status = page.get_by_role("status").first
    expect(status).to_contain_text("Scanned 2,0")
    labels = page.get_by_role("img", name="Histogram").locator("svg text")
    expect(labels.last).to_be_visible()
    frame = page.get_by_role("img", name="Histogram").locator("svg").bounding_box()
    for box in map(Locator.bounding_box, labels.all()):  # none is cut
        assert frame and box and frame["x"] <= box["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"]
    further.click()
    expect(status).to_contain_text("Scanned 4,0")


def test_a_server_that_is_gone_is_said(page: Page, open_page: Open, complaints: list[str]) -> None:
    visualizer = open_page()
    expect(page.get_by_role("img", name="Attribution of Photo").first).to_be_visible()
    visualizer.close()
    page.get_by_role("group", name="Outcome").get_by_role("button", name="Incorrect").click()
    expect(page.get_by_role("heading", name="The server does not answer.")).to_be_visible()
    page.close()
    complaints.clear()  # the browser logs every refused connection
