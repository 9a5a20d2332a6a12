import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import app.data.source
from app.data.batch import Batch
from app.data.example import Example
from app.data.items import split, unbatched
from app.data.source import MapSource, StreamSource, open_source
from app.errors import InsightsError


def everything(source: app.data.source.Source) -> list[Example | Exception]:
    found: list[Example | Exception] = []
    while (examples := source.read(32)) is not None:
        found += examples
    return found


def test_batches_become_numbered_examples() -> None:
    source = open_source(iter([Batch(torch.arange(4.0)[:, None], torch.tensor([0, 1, 2, 0]))]), 1)
    examples = everything(source)
    assert [e.label for e in examples] == [0, 1, 2, 0]
    assert [source.example(i).inputs[0].item() for i in range(4)] == [0, 1, 2, 3]


def test_a_map_style_dataset_is_read_again() -> None:
    source = open_source(TensorDataset(torch.arange(70.0)[:, None], torch.arange(70)), 1)
    assert source.size == 70
    assert len(everything(source)) == 70
    assert source.example(69).inputs[0].item() == 69


def test_a_failing_item_does_not_stop_a_map_style_dataset() -> None:
    class Broken:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
            if i == 1:
                raise OSError("cannot identify image file")
            return torch.zeros(1), 0

    examples = everything(MapSource(Broken(), 1))
    assert [type(e) for e in examples] == [Example, OSError, Example]


def test_a_dataset_that_blocks_keeps_nobody_from_what_is_in_memory() -> None:
    entered, gate = threading.Event(), threading.Event()

    class Stuck:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, i: int) -> torch.Tensor:
            if i == 1:
                entered.set()
                gate.wait(5)
            return torch.full((1,), float(i))

    source = MapSource(Stuck(), 1)
    assert source.read(1) is not None
    thread = threading.Thread(target=lambda: source.read(1))
    thread.start()
    assert entered.wait(5)
    assert source.example(0).inputs[0].item() == 0
    gate.set()
    thread.join(5)
    assert source.example(1).inputs[0].item() == 1


def test_a_data_loader_tells_its_length() -> None:
    source = open_source(DataLoader(TensorDataset(torch.zeros(7, 2), torch.zeros(7).long()), batch_size=3), 1)
    assert source.size == 7
    assert len(everything(source)) == 7


def test_a_list_of_batches_tells_its_length() -> None:
    assert open_source([Batch(torch.zeros(3, 1)), Batch(torch.zeros(2, 1))], 1).size == 5


def test_a_generator_that_asks_an_ended_one_for_more_has_ended() -> None:
    """As those of Captum Insights' tutorials do: the loader's StopIteration comes out as a RuntimeError."""

    def formatted() -> Iterator[Batch]:
        loader = iter(DataLoader(TensorDataset(torch.zeros(5, 2), torch.zeros(5).long()), batch_size=2))
        while True:
            images, labels = next(loader)
            yield Batch(inputs=images, labels=labels)

    assert len(everything(open_source(formatted(), 1))) == 5


@pytest.mark.parametrize("item", [None, {"image": torch.zeros(2), "label": 0}, "file.png"])
def test_an_item_that_is_no_example_says_what_it_is(item: object) -> None:
    with pytest.raises(InsightsError, match=r"cannot be read: (None|a dict of 2|a str), for a model with 1 input"):
        unbatched(item, 1)


def test_another_error_of_a_generator_is_raised() -> None:
    def failing() -> Iterator[Batch]:
        yield Batch(torch.zeros(1, 2))
        raise RuntimeError("out of order")

    source = open_source(failing(), 1)
    assert source.read(32) is not None
    with pytest.raises(RuntimeError, match="out of order"):
        source.read(32)


def test_a_generator_is_read_only_as_far_as_asked() -> None:
    read = []

    def endless() -> Iterator[Batch]:
        while True:
            read.append(1)
            yield Batch(torch.zeros(2, 1))

    source = open_source(endless(), 1)
    source.read(32)
    assert source.size is None
    assert len(read) == 1


def test_memory_is_bounded_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.data.source, "MEMORY", 10_000)
    source = StreamSource((Batch(torch.full((4, 500), float(i)), None, "kept") for i in range(10)), 1)
    assert len(everything(source)) == 40
    assert source._held <= 10_000
    assert [source.example(i).inputs[0][0].item() for i in (0, 17, 39)] == [0, 4, 9]
    assert source.example(0).extra == ("kept",)
    source.close()
    with pytest.raises(InsightsError, match="no longer here"):
        source.example(0)


def spilled(monkeypatch: pytest.MonkeyPatch) -> StreamSource:
    monkeypatch.setattr(app.data.source, "MEMORY", 0)
    source = StreamSource((Batch(torch.full((1, 500), float(i))) for i in range(3)), 1)
    everything(source)
    return source


def test_what_memory_has_no_room_for_is_in_no_file_that_could_stay_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever ends the process: nobody has to delete it, and a forked child cannot."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = spilled(monkeypatch)
    assert list(tmp_path.iterdir()) == []
    child = os.fork()
    if child == 0:
        source.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert [source.example(i).inputs[0][0].item() for i in range(3)] == [0, 1, 2]
    source.close()


def test_the_file_of_what_was_read_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.data.spill.MOST", 5000)
    monkeypatch.setattr(app.data.source, "MEMORY", 0)
    source = StreamSource((Batch(torch.full((1, 500), float(n))) for n in range(100)), 1)
    read = 0
    with pytest.raises(InsightsError, match=r"no room for more examples in .* take 0.0 GB already.*__getitem__"):
        while source.read(1):
            read += 1
    assert 1 <= read < 5
    assert source.example(0).inputs[0][0].item() == 0
    source.close()


def test_a_disk_without_room_ends_reading_and_what_was_read_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.data.spill.LEFT", 2**60)
    monkeypatch.setattr(app.data.source, "MEMORY", 0)
    source = StreamSource([Batch(torch.ones(1, 5)), Batch(torch.ones(1, 5))], 1)
    assert source.read(1) is not None
    with pytest.raises(
        InsightsError, match=r"no room for more examples in .* less than 1 GB would be left.*set TMPDIR"
    ):
        source.read(1)
    assert source.example(0).inputs[0].sum() == 5


@pytest.mark.parametrize("dataset", [TensorDataset(torch.zeros(9, 2)), [Batch(torch.zeros(2, 2))] * 5, None])
def test_reading_has_an_end_that_can_be_set(dataset: Any) -> None:
    def endless() -> Iterator[Batch]:
        while True:
            yield Batch(torch.zeros(2, 2))

    source = open_source(dataset or endless(), 1, limit=5)
    assert len(everything(source)) == 5
    assert source.size in (5, None)


@pytest.mark.parametrize(
    ("item", "label"),
    [
        (torch.zeros(2, 3), None),
        ((torch.zeros(2, 3), torch.tensor([1, 1])), 1),
        ([torch.zeros(2, 3), torch.tensor([[1], [1]])], 1),
        ((torch.zeros(2, 3), torch.tensor([[0.0, 1.0], [0.0, 1.0]])), 1),
        (Batch((torch.zeros(2, 3),), None), None),
    ],
)
def test_a_batch_is_read_in_every_usual_form(item: object, label: int | None) -> None:
    examples = split(item, 1)
    assert [e.label for e in examples] == [label, label]
    assert examples[0].inputs[0].shape == (3,)


def test_several_inputs_and_further_arguments_are_cut_per_example() -> None:
    batch = Batch((torch.zeros(2, 3), torch.ones(2, 5)), torch.tensor([0, 1]), (torch.arange(2), "mode"))
    second = split(batch, 2)[1]
    assert [tuple(x.shape) for x in second.inputs] == [(3,), (5,)]
    assert second.extra[0].tolist() == [1]
    assert second.extra[1] == "mode"


def test_items_of_map_style_datasets() -> None:
    assert unbatched((torch.zeros(3), 2), 1).label == 2
    assert unbatched(torch.zeros(3), 1).label is None
    assert len(unbatched(((torch.zeros(3), torch.zeros(4)), 1), 2).inputs) == 2


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ({"pixels": torch.zeros(2, 3)}, "yield app.Batch"),
        ((torch.zeros(2, 3), torch.zeros(2), torch.zeros(2)), "a tuple of 3, for a model with 1 input"),
        (Batch((torch.zeros(2, 3), torch.zeros(2, 3))), "2 input.s., but 1 feature.s. are declared"),
        (Batch(torch.zeros(2, 3), torch.zeros(5)), r"labels do not fit a batch of 2: float32 \(5,\)"),
    ],
)
def test_what_cannot_be_read_is_said(item: object, says: str) -> None:
    with pytest.raises(InsightsError, match=says):
        split(item, 1)


def test_a_number_is_no_dataset() -> None:
    with pytest.raises(InsightsError, match="cannot be read: an int"):
        open_source(3, 1)


def test_a_dataset_that_fills_one_buffer_again_and_again_shows_each_item() -> None:
    buffer = np.zeros((3, 8, 8), np.float32)

    class Reader:
        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
            buffer[:] = index
            return buffer, 0

    source = open_source(Reader(), 1)
    source.read(32)
    assert [source.example(i).inputs[0].unique().tolist() for i in range(4)] == [[0], [1], [2], [3]]
