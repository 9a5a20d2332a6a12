"""What a dataset gives, in any usual form, as examples; what cannot be read is said."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.data.batch import Batch
from app.data.example import Example
from app.errors import InsightsError, arrived
from app.words import quoted

LARGEST = 2**31  # no model has so many outputs; a regression of larger values is learned on another scale


def split(item: object, inputs: int) -> list[Example | Exception]:
    """The examples of one batch: a `Batch`, a tensor, (inputs, labels), or the inputs and labels side by side.

    An example whose label is none is an error in its place; raises `InsightsError` where all are unreadable.
    """
    values: object
    given: object
    extra: object = None
    if isinstance(item, Batch):
        values, given, extra = item.inputs, item.labels, item.additional_args
    else:
        values, given = _inputs_and_label(item, inputs)
    tensors = _tensors(values, inputs)
    sizes = {tensor.shape[0] if tensor.dim() else -1 for tensor in tensors}
    size = sizes.pop()
    if sizes or size < 0:
        raise InsightsError(
            f"the inputs of a batch do not have one batch size: {arrived(tensors)}",
            hint="the first dimension of every input counts the examples",
        )
    labels = _labels(given, size)
    extras = () if extra is None else tuple(extra) if isinstance(extra, tuple | list) else (extra,)

    def example(i: int) -> Example | Exception:
        truth = _truth(labels[i])
        if isinstance(truth, Exception):
            return truth
        return Example(tuple(x[i].detach().clone() for x in tensors), truth, _cut(extras, i, size))

    return [example(i) for i in range(size)]


def _cut(extras: tuple[object, ...], i: int, size: int) -> tuple[object, ...]:
    """One example's further arguments: tensors with a batch dimension as a batch of one, others as they are."""
    return tuple(
        x[i : i + 1].detach().clone() if isinstance(x, Tensor) and x.dim() and len(x) == size else x for x in extras
    )


def unbatched(item: object, inputs: int) -> Example:
    """The example of one item of a map-style dataset."""
    if isinstance(item, Batch):
        return _only(split(item, inputs))
    values, given = _inputs_and_label(item, inputs)
    truth = _truth(_single(given))
    if isinstance(truth, Exception):
        raise truth
    return Example(tuple(x.detach().clone() for x in _tensors(values, inputs)), truth)  # it may fill one buffer again


def _only(examples: list[Example | Exception]) -> Example:
    if len(examples) != 1:
        raise InsightsError(
            f"an item of the dataset is a Batch of {len(examples)}: a dataset with __getitem__ gives one example each",
            hint="give iter(dataset) or a list of the batches, which are read one after the other",
        )
    if isinstance(examples[0], Exception):
        raise examples[0]
    return examples[0]


def _inputs_and_label(item: object, inputs: int) -> tuple[object, object]:
    if isinstance(item, tuple | list):
        if len(item) == 2 and isinstance(item[0], tuple | list):
            return tuple(item[0]), item[1]
        if len(item) == inputs + 1:
            return tuple(item[:-1]), item[-1]
        if len(item) == inputs:
            return tuple(item), None
    elif item is not None and not isinstance(item, dict | str):
        return (item,), None
    raise InsightsError(
        f"an item of the dataset cannot be read: {arrived([item])}, for a model with {inputs} input(s)",
        hint="yield app.Batch(inputs=..., labels=...), or (inputs, label)",
    )


def _tensors(values: object, inputs: int) -> tuple[Tensor, ...]:
    tensors = tuple(map(_tensor, values if isinstance(values, tuple | list) else (values,)))
    if len(tensors) != inputs:
        raise InsightsError(
            f"the dataset gives {len(tensors)} input(s), but {inputs} feature(s) are declared",
            hint="give one feature for each input of the model, in order; EmptyFeature() for one that is not shown",
        )
    return tensors


def _tensor(value: object) -> Tensor:
    """An input as a tensor that can be cut, copied and shown."""
    try:
        tensor = torch.as_tensor(value)
    except Exception:
        tensor = None
    if tensor is None or tensor.is_nested or tensor.is_meta:
        picture = "a picture becomes one by torchvision.transforms.ToTensor(), given as the dataset's transform"
        raise InsightsError(
            f"an input cannot be read as a tensor of numbers: {arrived([value])}",
            hint=picture if hasattr(value, "getpixel") else "give a tensor or a numpy array for each input",
        )
    tensor = tensor.dequantize() if tensor.is_quantized else tensor
    return tensor if tensor.layout == torch.strided else tensor.to_dense()


def _labels(labels: object, size: int) -> Sequence[object]:
    """One label for each of `size` examples, whatever it is: of a tensor (B), (B, 1) or one-hot (B, C), or a list."""
    if labels is None:
        return [None] * size
    found = labels if isinstance(labels, list | tuple) else _tensor_or(labels)
    if isinstance(found, np.ndarray):
        found = found.tolist()  # of anything
    if isinstance(found, Tensor):
        found = _numbered(found)
    if not isinstance(found, list | tuple) or len(found) != size:
        raise InsightsError(
            f"labels do not fit a batch of {size}: {arrived([labels])}",
            hint="expected one class index for each example, shape (batch,)",
        )
    return found


def _single(label: object) -> object:
    """The label of one example: a number, a column of one, or a one-hot row."""
    found = _tensor_or(label) if label is not None and not isinstance(label, str | bool | int | float) else label
    return found if not isinstance(found, Tensor) else (_numbered(found[None]) or [found])[0]


def _tensor_or(value: object) -> object:
    try:
        return torch.as_tensor(value)
    except Exception:
        return value


def _numbered(labels: Tensor) -> list[object] | None:
    """The labels (B), (B, 1) or one-hot (B, C) of a batch as numbers; None for other shapes."""
    if labels.dim() == 2 and labels.shape[1] > 1 and bool(((labels != 0).sum(1) == 1).all()):
        labels = labels.argmax(1)
    fits = labels.dim() > 0 and labels.numel() == len(labels)
    return labels.reshape(-1).tolist() if fits else None


def _truth(given: object) -> float | InsightsError | None:
    """A class index or a regression's value; None where it is not known: None, NaN."""
    number = given.item() if isinstance(given, Tensor | np.generic | np.ndarray) and _size(given) == 1 else given
    if number is None or (isinstance(number, float) and isnan(number)):
        return None
    if isinstance(number, int | float) and abs(number) < LARGEST:
        return float(number)
    shown = quoted(given)
    names = " for each name, as classes.index(name)" if isinstance(given, str) else ""
    return InsightsError(
        f"label {shown} is no class index",
        hint=f"give the number of the model's output{names}, or None where the class is not known",
    )


def _size(value: Tensor | np.generic | npt.NDArray[np.generic]) -> int:
    return value.numel() if isinstance(value, Tensor) else value.size
