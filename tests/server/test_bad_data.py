"""Data that one would rather not meet: what a person reads on the card, and every other sample is as it was."""

# ruff: noqa: E501  # a row is a line

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import sys
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from app import AttributionVisualizer, Batch, InsightsError
from app.data.source import open_source
from app.features import BaseFeature, GeneralFeature, ImageFeature, Numbers, Picture, TextFeature, Words

from ..waiting import wait_until
from .cards import FINE, asked, card, randomness, read, said, state_of
from .conftest import Make, Net, batches, get, listed

X = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))


class Items(Dataset):
    """Three items, or what `get` makes of their numbers."""

    def __init__(self, get: Callable[[int], Any], length: Callable[[], Any] = lambda: 3) -> None:
        self.get, self.length = get, length

    def __len__(self) -> int:
        return self.length()

    def __getitem__(self, index: int) -> Any:
        return self.get(index)


class Odd:
    def __repr__(self) -> str:
        raise ValueError("no words")


def failing_at(place: int, error: BaseException) -> Callable[[], Items]:
    def item(index: int) -> Any:
        if index == place:
            raise error
        return X[0], 1

    return lambda: Items(item)


def ending(error: BaseException) -> Callable[[], Iterator[Batch]]:
    def stream() -> Iterator[Batch]:
        yield Batch(X[:2])
        raise error

    return stream


def between(odd: Any) -> Callable[[], Iterator[Any]]:
    return lambda: iter([Batch(X[:1]), odd, Batch(X[1:2])])


def items(each: Any) -> Callable[[], Items]:
    return lambda: Items(lambda index: each)


def labelled(labels: Any) -> Callable[[], list[Batch]]:
    return lambda: [Batch(X, labels)]


def dying(index: int) -> Any:
    os._exit(3)


def refilled() -> Iterator[Batch]:
    buffer = torch.zeros(1, 3, 8, 8)
    for value in range(3):
        yield Batch(buffer.fill_(value))


def endless() -> Iterator[Batch]:
    while True:
        yield Batch(X[:1])


YIELD = "yield app.Batch(inputs=..., labels=...), or (inputs, label)"
TENSOR = "give a tensor or a numpy array for each input"
PICTURE = "a picture becomes one by torchvision.transforms.ToTensor(), given as the dataset's transform"
NUMBER = "give the number of the model's output, or None where the class is not known"
NAMED = (
    "give the number of the model's output for each name, as classes.index(name), or None where the class is not known"
)
ENDS = "which ends a program; here it ended this piece of work alone | raise an ordinary exception in its place"
NOTHING = (
    "look for inputs or weights that are not finite, a division by zero, a logarithm of zero; float16 overflows early"
)


def item(what: str) -> str:
    return f"an item of the dataset cannot be read: {what}, for a model with 1 input(s) | {YIELD}"


def no_tensor(what: str, hint: str = TENSOR) -> str:
    return f"an input cannot be read as a tensor of numbers: {what} | {hint}"


def no_class(what: str, hint: str = NUMBER) -> str:
    return f"label {what} is no class index | {hint}"


def no_labels(what: str) -> str:
    return f"labels do not fit a batch of 4: {what} | expected one class index for each example, shape (batch,)"


def raised(index: int) -> str:
    return f"Item {index} of the dataset (Items) could not be read: dataset[{index}] raised this."


@dataclass
class Row:
    """A dataset; what is read on the cards of its first samples; why reading ended; the labels that are understood."""

    name: str
    dataset: Callable[[], Any]
    cards: list[str]
    ended: str = FINE
    labels: list[int | None] = field(default_factory=list)


ROWS = [
    # items that fail
    Row("an item raises", failing_at(1, OSError("cannot identify")), [FINE, f"cannot identify | {raised(1)}", FINE]),
    Row("an item raises KeyError", failing_at(0, KeyError("image")), [f"'image' | {raised(0)}", FINE, FINE]),
    Row("an item raises StopIteration", failing_at(1, StopIteration()), [FINE, f"no further detail | {raised(1)}", FINE]),
    Row("an item raises RecursionError", failing_at(1, RecursionError("too deep")), [FINE, f"too deep | {raised(1)}", FINE]),
    Row("an item ends the program", failing_at(1, SystemExit(2)), [FINE, f"this code raised SystemExit(2), {ENDS}", FINE]),
    Row("an item is cancelled", failing_at(1, asyncio.CancelledError()), [FINE, f"this code raised CancelledError(), {ENDS}", FINE]),
    Row("an item is a dict", items({"image": X[0], "label": 1}), [item("a dict of 2")] * 3),
    Row("an item is a string", items("a.png"), [item("a str")] * 3),
    Row("an item is None", items(None), [item("None")] * 3),
    Row("an item is an empty tuple", items(()), [item("a tuple of 0")] * 3),
    Row("an item is a picture", items((Image.new("RGB", (8, 8)), 1)), [no_tensor("an Image", PICTURE)] * 3),
    Row("an item is a list of pictures", items(([Image.new("RGB", (8, 8))], 1)), [no_tensor("an Image", PICTURE)] * 3),
    Row("an item is bytes", items(b"abc"), [no_tensor("a bytes")] * 3),
    Row("an item is an object", items(np), [no_tensor("a module")] * 3),
    Row("an item is a number", items(5), ["Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [1] | The model Net was called with float32 (1,)."] * 3),
    Row("an item is numpy", items((X[0].numpy(), 1)), [FINE] * 3, labels=[1, 1, 1]),
    Row("an item is a batch", items(Batch(X[:2])), ["an item of the dataset is a Batch of 2: a dataset with __getitem__ gives one example each | give iter(dataset) or a list of the batches, which are read one after the other"] * 3),
    Row("an item is an empty batch", items(Batch(X[:0])), ["an item of the dataset is a Batch of 0: a dataset with __getitem__ gives one example each | give iter(dataset) or a list of the batches, which are read one after the other"] * 3),
    Row("an item is a batch of one", items(Batch(X[:1], torch.tensor([2]))), [FINE] * 3, labels=[2, 2, 2]),
    Row("items of different shapes", lambda: Items(lambda i: (X[0, :, : 8 - i], 1)), [FINE] * 3),
    Row("a length that is too large", lambda: Items(lambda i: [X[0]][i], lambda: 2), [FINE, f"list index out of range | {raised(1)}"]),
    Row("a length that is too small", lambda: Items(lambda i: X[i], lambda: 2), [FINE, FINE]),
    Row("a length that changes", lambda: (lengths := iter([2, 5, *[1] * 99]), Items(lambda i: X[i], lambda: next(lengths)))[1], [FINE, FINE]),
    # streams
    Row("a stream raises", ending(OSError("disk on fire")), [FINE, FINE], "disk on fire | Reading the dataset failed after 2 samples, which stay."),
    Row("a stream ends the program", ending(SystemExit(3)), [FINE, FINE], f"this code raised SystemExit(3), {ENDS}"),
    Row("a stream is interrupted", ending(KeyboardInterrupt()), [FINE, FINE], f"this code raised KeyboardInterrupt(), {ENDS}"),
    Row("a stream is cancelled", ending(asyncio.CancelledError()), [FINE, FINE], f"this code raised CancelledError(), {ENDS}"),
    Row("a stream's future is cancelled", ending(futures.CancelledError()), [FINE, FINE], "no further detail | Reading the dataset failed after 2 samples, which stay."),
    Row("a stream yields None", between(None), [FINE, item("None"), FINE]),
    Row("a stream yields a string", between("x"), [FINE, item("a str"), FINE]),
    Row("a stream yields another number of inputs", between(Batch((X, X))), [FINE, "the dataset gives 2 input(s), but 1 feature(s) are declared | give one feature for each input of the model, in order; EmptyFeature() for one that is not shown", FINE]),
    Row("a stream yields an empty batch", between(Batch(X[:0])), [FINE, FINE]),
    Row("a stream yields a scalar", between(Batch(torch.tensor(3.0))), [FINE, "the inputs of a batch do not have one batch size: float32 () | the first dimension of every input counts the examples", FINE]),
    Row("a stream yields inputs that are None", between(Batch(None)), [FINE, no_tensor("None"), FINE]),
    Row("a stream yields inputs that are text", between(Batch("abc")), [FINE, no_tensor("a str"), FINE]),
    Row("a stream yields numpy objects", between(Batch(np.array([None, 1], dtype=object))), [FINE, no_tensor("numpy object (2,)"), FINE]),
    Row("a stream yields a tensor without memory", between(Batch(X.to("meta"))), [FINE, no_tensor("meta float32 (4, 3, 8, 8)"), FINE]),
    Row("a stream yields sparse tensors", between(Batch(X[:1].to_sparse())), [FINE, FINE, FINE]),
    Row("a stream yields numpy", between(Batch(X[:1].numpy())), [FINE, FINE, FINE]),
    Row("a stream yields complex numbers", between(Batch(torch.complex(X[:1], X[:1]))), [FINE, "Input type (c10::complex<float>) and bias type (float) should be the same | The model Net was called with complex64 (1, 3, 8, 8). Its weights are float32: try input_transforms=[lambda x: x.to(torch.float32)].", FINE]),
    Row("a stream yields double precision", between(Batch(X[:1].double())), [FINE, "Input type (double) and bias type (float) should be the same | The model Net was called with float64 (1, 3, 8, 8). Its weights are float32: try input_transforms=[lambda x: x.to(torch.float32)].", FINE]),
    Row("a stream yields NaN", between(Batch(X[:1] * torch.nan)), [FINE, f"the model Net predicts nothing: its best scores are nan, nan, nan | {NOTHING}", FINE]),
    Row("a stream yields images of nothing", between(Batch(X[:1, :, :0])), [FINE, "Calculated padded input size per channel: (2 x 10). Kernel size: (3 x 3). Kernel size can't be greater than actual input size | The model Net was called with float32 (1, 3, 0, 8).", FINE]),
    Row("a stream fills one buffer again", refilled, [FINE] * 3),
    Row("a stream that is empty", lambda: iter(()), []),
    Row("a list with None", lambda: [Batch(X[:1]), None], [FINE, item("None")]),
    Row("what cannot be iterated", type("Broken", (), {"__iter__": lambda self: 1 / 0}), [], "division by zero | Reading the dataset failed after 0 samples, which stay."),
    # loaders
    Row("a loader", lambda: DataLoader(Items(lambda i: (X[i], i)), batch_size=2), [FINE] * 3, labels=[0, 1, 2]),
    Row("a loader with workers", lambda: DataLoader(Items(lambda i: (X[i], i)), batch_size=2, num_workers=1), [FINE] * 3, labels=[0, 1, 2]),
    Row("a loader's item raises", lambda: DataLoader(failing_at(1, OSError("bad file"))()), [FINE, "bad file | A batch of the DataLoader could not be read; it goes on with the next.", FINE]),
    Row("a loader's worker raises", lambda: DataLoader(failing_at(1, OSError("bad file"))(), num_workers=1), [FINE, "OSError: bad file, in DataLoader worker process 0 | A batch of the DataLoader could not be read; it goes on with the next.", FINE]),
    Row("a loader of different shapes", lambda: DataLoader(Items(lambda i: X[0, :, : 8 - i]), batch_size=2), ["stack expects each tensor to be equal size, but got [3, 8, 8] at entry 0 and [3, 7, 8] at entry 1 | A batch of the DataLoader could not be read; it goes on with the next.", FINE]),
    Row("a loader of dicts", lambda: DataLoader(items({"image": X[0]})(), batch_size=3), [item("a dict of 1")]),
    # labels
    Row("labels out of range", labelled(torch.tensor([0, 1, 100, 3])), [FINE] * 4, labels=[0, 1, 100, 3]),
    Row("labels below zero", labelled(torch.tensor([-1, 0, 1, -100])), [FINE] * 4, labels=[None, 0, 1, None]),
    Row("labels that are None", labelled(None), [FINE] * 4, labels=[None] * 4),
    Row("labels of which one is None", labelled([0, None, 1, 2]), [FINE] * 4, labels=[0, None, 1, 2]),
    Row("labels that are strings", labelled(["cat", "dog", "cat", "cat"]), [no_class("'cat'", NAMED), no_class("'dog'", NAMED)]),
    Row("labels that are numpy strings", labelled(np.array(["cat", "dog", "ox", "ox"])), [no_class("'cat'", NAMED), no_class("'dog'", NAMED)]),
    Row("labels that are floats", labelled(torch.tensor([0.0, 1.0, 1.5, 2.0])), [FINE] * 4, labels=[0, 1, None, 2]),
    Row("labels of which one is NaN", labelled(torch.tensor([0.0, torch.nan, 1, 2])), [FINE] * 4, labels=[0, None, 1, 2]),
    Row("labels of which one is infinite", labelled(torch.tensor([0.0, torch.inf, 1, 2])), [FINE, no_class("inf"), FINE], labels=[0, None, 1, 2]),
    Row("labels of 2³¹", labelled(torch.tensor([0, 2**31, 1, 2])), [FINE, no_class("2147483648"), FINE], labels=[0, None, 1, 2]),
    Row("labels of 2⁶³", labelled([0, 2**63, 1, 2]), [FINE, no_class("9223372036854775808"), FINE], labels=[0, None, 1, 2]),
    Row("labels of 10³⁰", labelled(torch.tensor([0.0, 1e30, 1, 2], dtype=torch.float64)), [FINE, no_class("1e+30"), FINE], labels=[0, None, 1, 2]),
    Row("labels that are tensors", labelled([torch.tensor(n) for n in (0, 1, 2, 1)]), [FINE] * 4, labels=[0, 1, 2, 1]),
    Row("labels in a column", labelled(torch.tensor([[0], [1], [2], [1]])), [FINE] * 4, labels=[0, 1, 2, 1]),
    Row("labels that are one-hot", labelled(torch.eye(4)), [FINE] * 4, labels=[0, 1, 2, 3]),
    Row("labels that are several each", labelled(torch.ones(4, 3)), [no_labels("float32 (4, 3)")]),
    Row("labels that are too few", labelled(torch.tensor([0, 1])), [no_labels("int64 (2,)")]),
    Row("labels that are one number", labelled(1), [no_labels("an int")]),
    Row("labels that are a dict", labelled({"y": [0, 1, 2, 1]}), [no_labels("a dict of 1")]),
    Row("labels of different lengths", labelled([[0], [1, 2], 2, 1]), [no_class("[0]"), no_class("[1, 2]"), FINE], labels=[None, None, 2, 1]),
    Row("labels that are complex", labelled(torch.tensor([1j, 0, 0, 0])), [no_class("1j")]),
    Row("labels of several types", labelled((0, "1", 2.0, torch.tensor(1))), [FINE, no_class("'1'", NAMED), FINE, FINE], labels=[0, None, 2, 1]),
    Row("an item's label is a string", items((X[0], "cat")), [no_class("'cat'", NAMED)] * 3),
    Row("an item's label is None", items((X[0], None)), [FINE] * 3, labels=[None] * 3),
    Row("an item's label is 2⁷⁰", items((X[0], 2**70)), [no_class("1180591620717411303424")] * 3),
    Row("an item's label is a dict", items((X[0], {"boxes": 1})), [no_class("{'boxes': 1}")] * 3),
    Row("an item's label is one-hot", items((X[0], torch.eye(3)[2])), [FINE] * 3, labels=[2] * 3),
    Row("an item's label is several", items((X[0], torch.ones(3))), [no_class("tensor([1., 1., 1.])")] * 3),
    Row("an item's label has no words", items((X[0], Odd())), [no_class("Odd")] * 3),
]  # fmt: skip


def over(make: Make, dataset: Any, **changes: Any) -> AttributionVisualizer:
    return make(dataset=dataset, score_func=None, **changes)


@pytest.mark.filterwarnings("ignore:.*pin_memory")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_bad_data_are_told_and_the_model_is_as_it_was(make: Make, row: Row) -> None:
    model = Net()
    before = state_of(model)
    dataset = row.dataset()
    visualizer = over(make, dataset, models=[model])
    drawn = randomness()
    progress = read(visualizer)
    assert [card(visualizer, n) for n in range(len(row.cards))] == row.cards
    assert said(progress["error"]) == row.ended
    if row.labels:
        found = [sample["label"] for sample in get(visualizer, "/api/samples", limit=100)["samples"]]
        assert [label and label["index"] for label in found] == row.labels
    client = visualizer.app.test_client()
    for number, expected in enumerate(row.cards):
        answer = client.post("/api/attributions", json={"sample": number, "method": "Saliency"})
        assert answer.status_code == 200 or said(answer.get_json()) == expected
        assert client.get(f"/api/samples/{number}/media/0").status_code in (200, 400)
    assert state_of(model) == before
    assert randomness() == drawn or isinstance(dataset, DataLoader)  # torch's own draws a seed for its workers


# ── what one gives beside the data ───────────────────────────────────────────────────────────────────────────────────


def refused(says: str) -> Any:
    return pytest.raises(InsightsError, match=f"^{re.escape(says)}$")


LIST = "give a list of names in the order of the model's outputs, or {number of the output: name}"
LENGTH = "__len__ must return how many items there are; give iter(dataset) where nobody knows"
EXPECTED = "expected an iterable of app.Batch, a torch DataLoader, or a dataset with __getitem__ and __len__"


class Unmade(ImageFeature):
    def __init__(self) -> None:
        """It forgets `super().__init__`."""


class Drawn(ImageFeature):
    kind = "picture"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"classes": "cat"}, f"classes cannot be read: 'cat'. {LIST}"),
        ({"classes": 5}, f"classes cannot be read: 5. {LIST}"),
        ({"classes": {"cat": 0}}, f"classes cannot be read: {{'cat': 0}}. {LIST}"),
        ({"dataset": None}, f"dataset cannot be read: None. {EXPECTED}"),
        ({"dataset": "photos/"}, f"dataset cannot be read: a str. {EXPECTED}"),
        ({"dataset": {"a": X}}, f"dataset cannot be read: a dict of 1. {EXPECTED}"),
        ({"dataset": Items}, "dataset cannot be read: the class Items. call it first: Items(...)"),
        ({"dataset": batches}, "dataset cannot be read: a function. call it first: batches(...)"),
        ({"dataset": Items(X.__getitem__, lambda: -1)}, f"the length of the dataset (Items) cannot be read: __len__() should return >= 0. {LENGTH}"),
        ({"dataset": Items(X.__getitem__, lambda: 10**30)}, f"the length of the dataset (Items) cannot be read: cannot fit 'int' into an index-sized integer. {LENGTH}"),
        ({"dataset": Items(X.__getitem__, lambda: sys.exit(1))}, f"the length of the dataset (Items) cannot be read: this code raised SystemExit(1), which ends a program; here it ended this piece of work alone. {LENGTH}"),
        ({"features": None}, "None is no feature. features: those of app.features, one an input"),
        ({"features": [ImageFeature]}, "<class 'app.data.features.ImageFeature'> is no feature. features: those of app.features, one an input"),
        ({"features": [Drawn("Photo")]}, "the kind of Drawn is 'picture'. it is how it is drawn: image, text, general, empty"),
        ({"features": [Unmade()]}, "Unmade has no name and no transforms. call super().__init__(name, ...) in its __init__"),
        ({"model_names": "a"}, "1 model_names were given for 1 model(s), as a str. give a list, a name for each"),
        ({"max_samples": 0}, "max_samples must be a number above 0, or None: 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_at_once(make: Make, changes: dict[str, Any], says: str) -> None:
    with refused(says):
        make(**changes)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: ImageFeature(5), "the name of a feature must be text: an int. the name comes first"),
        (lambda: ImageFeature(None), "the name of a feature must be text: None. the name comes first"),
        (lambda: ImageFeature("Photo", input_transforms=["x"]), "input_transforms cannot be called: a str. give a function of a tensor, or a list of them"),
        (lambda: ImageFeature("Photo", visualization_transform=5), "visualization_transform cannot be called: an int. give a function of a tensor, or a list of them"),
        (lambda: GeneralFeature("Row", 5), "the categories of feature 'Row' are an int. give a list of them"),
    ],
)  # fmt: skip
def test_a_feature_that_cannot_be_is_refused_at_once(build: Callable[[], Any], says: str) -> None:
    with refused(says):
        build()


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        (None, ["class 0", "class 1", "class 2"]),
        ({0: "a", 2: "c"}, ["a", "class 1", "c"]),
        ([1, None, 2.5], ["1", "None", "2.5"]),
        (["\ud800", "b", "c"], ["�", "b", "c"]),
        ([Odd(), "b"], ["(Odd does not say: its text cannot be made)", "b", "class 2"]),
        (np.array(["a", "b", "c"]), ["a", "b", "c"]),
        ((name for name in "abc"), ["a", "b", "c"]),
        (list("abcd"), ["a", "b", "c", "d"]),
    ],
)
def test_names_of_any_kind_are_names(make: Make, classes: Any, names: list[str]) -> None:
    assert get(make(classes=classes), "/api/workspace")["classes"] == names


@pytest.mark.parametrize("title", ["\ud800", 5, None, "x" * 10_000])
def test_a_title_of_any_kind_is_a_title(make: Make, title: Any) -> None:
    workspace = get(make(title=title, model_names=[title]), "/api/workspace")
    assert workspace["title"] == workspace["models"][0]["name"] == str(title).replace("\ud800", "�")


# ── transforms, baselines and views ──────────────────────────────────────────────────────────────────────────────────


class Viewed(ImageFeature):
    """An image feature whose `show`, `reduce`, `baselines` or `groups` are those given."""

    def __init__(self, **methods: Any) -> None:
        super().__init__("Photo")
        vars(self).update(methods)


def photo(**functions: Any) -> Callable[[], BaseFeature]:
    return lambda: ImageFeature("Photo", **functions)


def viewed(**methods: Any) -> Callable[[], BaseFeature]:
    return lambda: Viewed(**methods)


def words(given: Any) -> Callable[[], BaseFeature]:
    return lambda: TextFeature("Photo", visualization_transform=lambda x: given)


GIVEN = "of feature 'Photo' was given float32 (3, 8, 8)."
AN_IMAGE = "an image is (C, H, W) or (H, W); give a visualization_transform, or use GeneralFeature"
IMAGE = Image.new("RGB", (8, 8))
FINE_FINE = (FINE, FINE)


@pytest.mark.parametrize(
    ("feature", "on_card", "of_explanation"),
    [
        # input transforms: without them nothing is predicted
        (photo(input_transforms=lambda x: None), "an input transform of feature 'Photo' made None of float32 (3, 8, 8) | it must return a tensor; does it lack a return?", None),
        (photo(input_transforms=lambda x: (x, x)), "an input transform of feature 'Photo' made a tuple of 2 of float32 (3, 8, 8) | it must return a tensor", None),
        (photo(input_transforms=lambda x: IMAGE), "an input transform of feature 'Photo' made an Image of float32 (3, 8, 8) | it must return a tensor", None),
        (photo(input_transforms=lambda x: 1 / 0), f"division by zero | An input transform {GIVEN}", None),
        (photo(input_transforms=lambda x: sys.exit(1)), f"this code raised SystemExit(1), {ENDS}", None),
        (photo(input_transforms=lambda x: x[None]), "Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [1, 1, 3, 8, 8] | The model Net was called with float32 (1, 1, 3, 8, 8).", "Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1)) in the model could not be run; the model was called with a float32 tensor (50, 1, 3, 8, 8): Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [50, 1, 3, 8, 8] | Pass what the model takes: calling it alone gives the same error."),
        (photo(input_transforms=lambda x: x.numpy()), FINE, FINE),
        (photo(input_transforms=lambda x: x.div_(2)), FINE, FINE),
        # baselines: only what needs one fails
        (photo(baseline_transforms=lambda x: None), FINE, "a baseline transform of feature 'Photo' made None of float32 (3, 8, 8) | it must return a tensor; does it lack a return?"),
        (photo(baseline_transforms=lambda x: 0), FINE, "a baseline transform of feature 'Photo' made an int of float32 (3, 8, 8) | it must return a tensor"),
        (photo(baseline_transforms=lambda x: x[0]), FINE, "a baseline of feature 'Photo' has shape (8, 8), its input (3, 8, 8) | baseline_transforms receive the transformed input and return a tensor of the same shape"),
        (photo(baseline_transforms=lambda x: 1 / 0), FINE, f"division by zero | A baseline transform {GIVEN}"),
        (photo(baseline_transforms=lambda x: sys.exit(1)), FINE, f"this code raised SystemExit(1), {ENDS}"),
        (photo(baseline_transforms=lambda x: x * torch.nan), FINE, FINE),
        (photo(baseline_transforms=lambda x: x.numpy() * 0), FINE, FINE),
        (viewed(baselines=lambda x: []), FINE, "the baselines() of feature 'Photo' gave a list of 0 | expected a list of tensors"),
        (viewed(baselines=lambda x: 0), FINE, "the baselines() of feature 'Photo' gave an int | expected a list of tensors"),
        # views: what cannot be shown can be explained
        (photo(visualization_transform=lambda x: None), "the visualization_transform of feature 'Photo' made None | it must return a tensor or a numpy array; does it lack a return?", FINE),
        (photo(visualization_transform=lambda x: IMAGE), "the visualization_transform of feature 'Photo' made an Image | it must return a tensor or a numpy array", FINE),
        (photo(visualization_transform=lambda x: 1 / 0), "division by zero | The visualization_transform of feature 'Photo' was given float32 (1, 3, 8, 8).", FINE),
        (photo(visualization_transform=lambda x: torch.zeros(5)), f"feature 'Photo' cannot be shown as an image: its data is float32 (5,) | {AN_IMAGE}", FINE),
        (photo(visualization_transform=lambda x: x[..., :0]), f"feature 'Photo' cannot be shown as an image: its data is float32 (3, 8, 0) | {AN_IMAGE}", FINE),
        (photo(visualization_transform=lambda x: torch.complex(x, x)), FINE, FINE),
        (photo(visualization_transform=lambda x: x.numpy()), FINE, FINE),
        (words(None), "the tokens to show are None | give a list of them", FINE),
        (words([1, None, "\ud800", Odd()]), FINE, FINE),
        (viewed(show=lambda x: "x"), "feature 'Photo' cannot be shown: its show() gave a str | expected a Picture, Words, Numbers or None, all of app.features", FINE),
        (viewed(show=lambda x: 1 / 0), f"division by zero | The show() {GIVEN}", FINE),
        (viewed(show=lambda x: Picture(np.zeros((8, 8)))), "a picture cannot be made of numpy float64 (8, 8) | expected a numpy array of uint8, (height, width, 3)", FINE),
        (viewed(show=lambda x: Picture("x")), "a picture cannot be made of a str | expected a numpy array of uint8, (height, width, 3)", FINE),
        (viewed(show=lambda x: Words([1, None])), FINE, FINE),
        (viewed(show=lambda x: Numbers(["a"], [1.0, 2.0])), "2 numbers to show have 1 names | give a name for each", FINE),
        (viewed(show=lambda x: Numbers(["a"], ["x"])), "the numbers to show are no numbers: could not convert string to float: 'x' | give a list of floats", FINE),
        (viewed(reduce=lambda a: "map"), FINE, "the reduce() of feature 'Photo' gave a str | expected an array of numbers"),
        (viewed(reduce=lambda a: None), FINE, "the reduce() of feature 'Photo' gave None | expected an array of numbers"),
        (viewed(reduce=lambda a: 1 / 0), FINE, "division by zero | The reduce() of feature 'Photo' was given float64 (3, 8, 8)."),
        (viewed(reduce=lambda a: np.zeros((2, 2, 2, 2))), FINE, "feature 'Photo' is shown as an image, but its attribution has shape (2, 2, 2, 2) | have its reduce() return (channels, height, width), or its show() something else than a Picture"),
        (viewed(reduce=lambda a: a), FINE, FINE),
    ],
)  # fmt: skip
def test_odd_functions_of_a_feature_are_told_and_change_nothing(
    make: Make, feature: Callable[[], BaseFeature], on_card: str, of_explanation: str | None
) -> None:
    model = Net()
    before = state_of(model)
    visualizer = over(make, [Batch(X[:2].clone(), torch.tensor([0, 1]))], models=[model], features=feature())
    read(visualizer)
    assert card(visualizer) == on_card
    assert asked(visualizer, method="IntegratedGradients") == (on_card if of_explanation is None else of_explanation)
    assert visualizer.app.test_client().get("/api/samples/0/media/0").status_code in (200, 400, 404)
    assert get(visualizer, "/api/workspace")["features"][0]["name"] == "Photo"
    assert state_of(model) == before


def test_a_batch_of_a_dead_worker_ends_reading_in_words(make: Make) -> None:
    visualizer = over(make, DataLoader(Items(dying), num_workers=1))
    error = read(visualizer)["error"]
    assert "exited unexpectedly" in error["message"]
    assert error["hint"].endswith(
        "failed after 0 samples, which stay. Try num_workers=0, which shows what ended the worker."
    )


def test_reading_ends_where_one_says(make: Make) -> None:
    progress = listed(over(make, endless(), max_samples=7), scan_to=100, limit=100)["progress"]
    assert (progress["scanned"], progress["exhausted"], progress["error"]) == (7, True, None)


def test_a_loader_that_cannot_begin_ends_reading(make: Make) -> None:
    class Broken(DataLoader):
        def __iter__(self) -> Any:
            raise OSError("no workers left")

    progress = read(over(make, Broken(Items(X.__getitem__))))
    assert (progress["scanned"], progress["error"]["message"]) == (0, "no workers left")


def test_what_could_not_be_read_holds_nothing_else() -> None:
    """An error's frames would hold the batch."""
    source = open_source(iter([Batch((X, X))]), 1)
    found = source.read(1)
    assert found is not None
    assert isinstance(found[0], InsightsError)
    assert found[0].__traceback__ is None
    with pytest.raises(InsightsError):
        source.example(0)
    assert found[0].__traceback__ is None


def test_an_input_that_is_too_large_to_be_drawn_is_refused_before_the_model_runs(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.explain.asked.KEPT", 400)
    visualizer = over(make, [Batch(X)])
    read(visualizer)
    assert card(visualizer) == FINE
    assert asked(visualizer) == (
        "an input of 192 numbers is too large to be explained: the most is 100 | make it smaller by an input "
        "transform, as the model's training did"
    )


def test_closing_ends_a_loaders_workers(make: Make) -> None:
    visualizer = over(make, DataLoader(Items(lambda i: X[0], lambda: 10_000), num_workers=1))
    listed(visualizer, limit=1)
    workers = multiprocessing.active_children()
    assert workers
    visualizer.close()
    wait_until(lambda: not any(worker.is_alive() for worker in workers))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5000, 3), (3, 5000, 2)])
def test_a_picture_larger_than_a_screen_is_shown_by_some_of_its_pixels(make: Make, shape: tuple[int, ...]) -> None:
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(shape[0], 2)).eval()
    visualizer = over(make, [Batch(torch.rand(1, *shape))], models=[model], features=ImageFeature("Photo"))
    sample = get(visualizer, "/api/samples/0")
    assert sample["error"] is None
    assert max(sample["inputs"][0]["height"], sample["inputs"][0]["width"]) <= 4096
    assert (sample["inputs"][0]["note"] or "") == ("one pixel of 2 × 2" if shape[1] > 4096 else "")
    assert visualizer.app.test_client().get("/api/samples/0/media/0").status_code == 200
