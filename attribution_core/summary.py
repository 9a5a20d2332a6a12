"""Statistics over many attributions: of all of them, and of each class."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from attribution_core.errors import AttributionError

StatValue = Tensor | int | float
"""What a statistic computes."""
Values = float | Tensor | tuple[float | Tensor, ...]
Statistics = dict[str, Any]
"""What each statistic computed, by its name."""
Summary = Statistics | list[Statistics] | None


class Stat(ABC):
    """A statistic over a sequence of tensors of one shape, element by element.

    Two are equal if they compute the same; the name is only what the summary calls it.
    """

    def __init__(self, name: str | None = None, **params: object) -> None:
        self.name = name or self.default_name(**params)
        self.params = params

    @classmethod
    def default_name(cls, **params: object) -> str:  # noqa: ARG003
        """What the summary calls it where no name was chosen."""
        return cls.__name__.lower()

    @abstractmethod
    def update(self, x: Tensor) -> None:
        """Take another tensor into account."""

    @abstractmethod
    def get(self) -> object:
        """The statistic so far; None before the first update."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.params == getattr(other, "params", None)

    def __hash__(self) -> int:
        return hash((type(self), tuple(sorted(self.params.items(), key=lambda item: item[0]))))


class Moments:
    """Count, mean and sum of squared deviations, in one pass and without cancellation [welford1962].

    With the n-th value, the mean moves by (x − old mean) / n and the sum of squared deviations grows by
    (x − old mean) · (x − new mean). Both are kept in float64, in float32 on devices that have no float64.
    """

    def __init__(self) -> None:
        self.count = 0
        self.dtype = torch.get_default_dtype()
        self.mean: Tensor | None = None
        self.squares: Tensor | None = None

    def update(self, x: Tensor) -> None:
        """Take another tensor into account."""
        precise = torch.float32 if x.device.type == "mps" else torch.float64
        value = x.detach().to(precise)
        if self.mean is None or self.squares is None:
            self.dtype = torch.promote_types(x.dtype, torch.float32) if x.is_floating_point() else precise
            self.mean, self.squares = torch.zeros_like(value), torch.zeros_like(value)
        _check_shape(x, self.mean)
        self.count += 1
        deviation = value - self.mean
        self.mean = self.mean + deviation / self.count
        self.squares = self.squares + deviation * (value - self.mean)


class MomentStat(Stat):
    """A statistic read from moments, which all of one summarizer share."""

    def __init__(self, name: str | None = None, **params: object) -> None:
        super().__init__(name, **params)
        self.moments = Moments()

    def update(self, x: Tensor) -> None:
        """Take another tensor into account."""
        self.moments.update(x)


class Count(MomentStat):
    """The number of updates."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)

    def get(self) -> int | None:
        """An integer; None before the first."""
        return self.moments.count or None


class Mean(MomentStat):
    """The average."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)

    def get(self) -> Tensor | None:
        """A tensor of the updates' shape and dtype (float32 for half precision, float64 for integers)."""
        return None if self.moments.mean is None else self.moments.mean.to(self.moments.dtype, copy=True)


class MSE(MomentStat):
    """The sum of squared deviations from the mean (Captum's name and meaning: it is not divided by the count)."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)

    def get(self) -> Tensor | None:
        """A tensor of the updates' shape, with the dtype of the mean."""
        return None if self.moments.squares is None else self.moments.squares.to(self.moments.dtype, copy=True)


class Var(MomentStat):
    """The variance: squared deviations ÷ (count − order), so that order=1 is the sample variance."""

    def __init__(self, name: str | None = None, order: int = 0) -> None:
        super().__init__(name, order=_order(order, type(self).__name__))
        self.order = order

    @classmethod
    def default_name(cls, **params: object) -> str:
        """`variance`, `sample_variance`, `variance(order)`."""
        return _ordered("variance", **params)

    def get(self) -> Tensor | None:
        """A float64 tensor; zero until there are more than `order` updates."""
        if self.moments.squares is None:
            return None
        squares, degrees_of_freedom = self.moments.squares, self.moments.count - self.order
        return squares / degrees_of_freedom if degrees_of_freedom > 0 else torch.zeros_like(squares)


class StdDev(Var):
    """The square root of the variance."""

    @classmethod
    def default_name(cls, **params: object) -> str:
        """`std_dev`, `sample_std_dev`, `std_dev(order)`."""
        return _ordered("std_dev", **params)

    def get(self) -> Tensor | None:
        """A float64 tensor; zero until there are more than `order` updates."""
        variance = super().get()
        return None if variance is None else variance.sqrt()


class Accumulated(Stat):
    """result = function(result, x), starting with the first x; half precision is accumulated in float32."""

    def __init__(self, name: str | None, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__(name, function=function)
        self.function = function
        self.result: Tensor | None = None

    def update(self, x: Tensor) -> None:
        """Take another tensor into account."""
        value = x.detach()
        value = value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
        if self.result is None:
            self.result = value.clone()
            return
        _check_shape(x, self.result)
        self.result = self.function(self.result, value)

    def get(self) -> Tensor | None:
        """A tensor; None before the first."""
        return None if self.result is None else self.result.clone()


class Min(Accumulated):
    """The smallest value."""

    def __init__(self, name: str | None = None, min_fn: Callable[[Tensor, Tensor], Tensor] = torch.min) -> None:
        super().__init__(name, min_fn)


class Max(Accumulated):
    """The largest value."""

    def __init__(self, name: str | None = None, max_fn: Callable[[Tensor, Tensor], Tensor] = torch.max) -> None:
        super().__init__(name, max_fn)


class Sum(Accumulated):
    """The sum."""

    def __init__(self, name: str | None = None, add_fn: Callable[[Tensor, Tensor], Tensor] = torch.add) -> None:
        super().__init__(name, add_fn)


def CommonStats() -> list[Stat]:  # noqa: N802 - Captum's name
    """Mean, sample variance, sample standard deviation, minimum and maximum."""
    return [Mean(), Var(order=1), StdDev(order=1), Min(), Max()]


class SummarizerSingleTensor:
    """Keeps `stats` of one tensor up to date; the summary shows those at `summary_stats_indices`."""

    def __init__(self, stats: Sequence[Stat], summary_stats_indices: Sequence[int]) -> None:
        self._stats = _as_stats(stats)
        self._shown = [self._stats[index] for index in summary_stats_indices]
        self._moments = Moments()
        for stat in self._stats:
            if isinstance(stat, MomentStat):
                stat.moments = self._moments

    def update(self, x: Tensor) -> None:
        """Take another tensor into account."""
        self._moments.update(x)
        for stat in self._stats:
            if not isinstance(stat, MomentStat):
                stat.update(x)

    def get(self, stat: Stat) -> Stat | None:
        """The kept statistic that computes the same as `stat`, or None."""
        return next((kept for kept in self._stats if kept == stat), None)

    @property
    def summary(self) -> Statistics:
        """Each shown statistic by its name: a copy, which does not change with further updates."""
        return {stat.name: stat.get() for stat in self._shown}


class Summarizer:
    """Keeps statistics of attributions up to date, whether one tensor or a tuple of tensors at a time.

    `stats` are only patterns: a summarizer updates copies of them, and stores no tensors but their sums.
    """

    def __init__(self, stats: Sequence[Stat]) -> None:
        self._stats = _as_stats(stats)
        self._of_tuple = False
        self._parts: list[SummarizerSingleTensor] = []

    def update(self, x: Values) -> None:
        """Take a tensor, a number, or a tuple of them into account: the same kind in every update."""
        values = x if isinstance(x, tuple) else (x,)
        tensors = [_as_tensor(value) for value in values]
        if not self._parts:
            self._of_tuple = isinstance(x, tuple)
            self._parts = [self._new() for _ in tensors]
        if self._of_tuple is not isinstance(x, tuple) or len(tensors) != len(self._parts):
            raise AttributionError(
                f"Summarizer.update got {_kind(x)} after {self._kind_before()}.",
                "Use one Summarizer for each kind of value.",
            )
        for part, tensor in zip(self._parts, tensors, strict=True):
            part.update(tensor)

    @property
    def summary(self) -> Summary:
        """A dict of statistics by name, a list of dicts of tuples' elements, None before the first update."""
        summaries = [part.summary for part in self._parts]
        if not summaries:
            return None
        return summaries if self._of_tuple else summaries[0]

    def _new(self) -> SummarizerSingleTensor:
        return SummarizerSingleTensor([copy.deepcopy(stat) for stat in self._stats], range(len(self._stats)))

    def _kind_before(self) -> str:
        return f"a tuple of {len(self._parts)}" if self._of_tuple else "a single value"


class ClassSummarizer(Summarizer):
    """A summary of everything, and one for each class."""

    def __init__(self, stats: Sequence[Stat]) -> None:
        super().__init__(stats)
        self._classes: dict[Hashable, Summarizer] = {}

    def update(self, x: Values, labels: object = None) -> None:
        """Take a batch into account, example by example and under each one's label.

        `labels` is a list or a 1-D tensor with one entry for each example, a list of tuples, or anything else: the
        label of all. Without labels the batch counts once, as a whole. Tensors are read as the numbers they hold.
        """
        if labels is None:
            super().update(x)
            return
        tensors = [_as_tensor(value) for value in (x if isinstance(x, tuple) else (x,))]
        for row, label in enumerate(_as_labels(labels, [len(t) if t.dim() else 0 for t in tensors])):
            example = tuple(tensor[row] for tensor in tensors)
            super().update(example)
            self._classes.setdefault(label, Summarizer(self._stats)).update(example)

    @property
    def class_summaries(self) -> dict[Hashable, Summary]:
        """The summary of each label."""
        return {label: summarizer.summary for label, summarizer in self._classes.items()}


def _as_labels(labels: object, sizes: list[int]) -> list[Hashable]:
    """A label for each of an update's rows, of which each element of a tuple has as many."""
    size = sizes[0]
    numbers = labels.tolist() if isinstance(labels, Tensor) else labels
    entries = [_as_label(entry) for entry in (numbers if isinstance(numbers, list) else [numbers])]
    if len(set(sizes)) > 1 or len(entries) not in (1, size):
        raise AttributionError(
            f"ClassSummarizer.update got {len(entries)} labels for inputs of {sizes} rows.",
            "Give one label for each example (dimension 0 of every input), or one label for all.",
        )
    return entries * size if len(entries) == 1 else entries


def _as_label(label: object) -> Hashable:
    value = label.tolist() if isinstance(label, Tensor) else label
    return tuple(value) if isinstance(value, list) else value


def _as_stats(stats: Sequence[Stat]) -> list[Stat]:
    if not isinstance(stats, (list, tuple)) or not all(isinstance(stat, Stat) for stat in stats):
        raise AttributionError(f"stats={stats!r}: expected a list of statistics.", "For example CommonStats().")
    return list(stats)


def _as_tensor(value: object) -> Tensor:
    if isinstance(value, (int, float)):
        return torch.tensor(float(value))
    if not isinstance(value, Tensor):
        raise AttributionError(f"Cannot summarize a {type(value).__name__}.", "Pass a tensor, a number, or a tuple.")
    return value


def _check_shape(x: Tensor, before: Tensor) -> None:
    if x.shape != before.shape:
        raise AttributionError(
            f"Cannot summarize a tensor of shape {tuple(x.shape)} after one of shape {tuple(before.shape)}.",
            "Statistics are taken element by element; all tensors need one shape.",
        )


def _kind(x: Values) -> str:
    return f"a tuple of {len(x)}" if isinstance(x, tuple) else "a single value"


def _order(order: int, name: str) -> int:
    if isinstance(order, bool) or not isinstance(order, int) or order < 0:
        raise AttributionError(f"{name}(order={order!r}): expected an integer ≥ 0.", "1 gives the sample statistic.")
    return order


def _ordered(name: str, order: object = 0) -> str:
    return name if order == 0 else f"sample_{name}" if order == 1 else f"{name}({order})"
