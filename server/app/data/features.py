"""What an input of a model means to a person: its transforms, its baselines, how to show it and its attribution."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.data import regions
from app.errors import InsightsError, arrived, note
from app.schema import FeatureKind
from app.words import quoted, text

SIDE = 4096  # pixels of a picture's longer side: beyond most screens, and within what WebP holds

Transform = Callable[[Tensor], Tensor]
Transforms = Transform | Sequence[Transform] | None


@dataclass(frozen=True, eq=False)
class Picture:
    """An image to show: uint8 (H, W, 3), and how it was made visible where that is not obvious."""

    pixels: npt.NDArray[np.uint8]
    note: str | None = None

    def __post_init__(self) -> None:
        given: object = self.pixels
        fits = isinstance(given, np.ndarray) and given.dtype == np.uint8 and given.ndim == 3 and given.shape[2] == 3
        if not fits or not self.pixels.size:
            said = f"a picture cannot be made of {arrived([given])}"
            raise InsightsError(said, hint="expected a numpy array of uint8, (height, width, 3)")


@dataclass(frozen=True)
class Words:
    """Tokens to show, one for each attribution."""

    tokens: list[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", _texts(self.tokens, "the tokens to show"))

    @property
    def names(self) -> list[str]:
        """What each attribution belongs to."""
        return self.tokens


@dataclass(frozen=True)
class Numbers:
    """Named numbers to show, one for each attribution."""

    categories: list[str]
    values: list[float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", _texts(self.categories, "the names of numbers"))
        try:
            object.__setattr__(self, "values", [float(value) for value in self.values])
        except (TypeError, ValueError) as error:
            raise InsightsError(f"the numbers to show are no numbers: {error}", hint="give a list of floats") from None
        if len(self.categories) != len(self.values):
            said = f"{len(self.values)} numbers to show have {len(self.categories)} names"
            raise InsightsError(said, hint="give a name for each")

    @property
    def names(self) -> list[str]:
        """What each attribution belongs to."""
        return self.categories


Shown = Picture | Words | Numbers | None


def _texts(given: object, what: str) -> list[str]:
    """Anything's words, of a list of anything."""
    if isinstance(given, Iterable) and not isinstance(given, str | bytes):
        return [text(each) for each in given]
    raise InsightsError(f"{what} are {arrived([given])}", hint="give a list of them")


def kind_of(shown: Shown) -> FeatureKind:
    """The kind of view that draws it."""
    match shown:
        case Picture():
            return "image"
        case Words():
            return "text"
        case Numbers():
            return "general"
        case None:
            return "empty"


def checked(feature: object) -> BaseFeature:
    """The feature itself; `InsightsError` for what is none, or was made without `super().__init__`."""
    if not isinstance(feature, BaseFeature):
        raise InsightsError(f"{quoted(feature)} is no feature", hint="features: those of app.features, one an input")
    kinds = get_args(FeatureKind)
    if feature.kind not in kinds:
        raise InsightsError(
            f"the kind of {type(feature).__name__} is {quoted(feature.kind)}",
            hint=f"it is how it is drawn: {', '.join(kinds)}",
        )
    if not hasattr(feature, "input_transforms"):
        raise InsightsError(
            f"{type(feature).__name__} has no name and no transforms",
            hint="call super().__init__(name, ...) in its __init__",
        )
    return feature


class BaseFeature:
    """An input of the model; subclass it to show your own kind of data.

    `input_transforms` turn one example's data, without batch dimension, into what the model takes;
    `baseline_transforms` turn *that* into the baselines it is compared with; `visualization_transform` receives the
    original data as a batch of one. A subclass overrides `show`, whose result decides on the view, and `reduce`; and
    `groups` and `window`, where something else than squares or stretches belongs together.
    """

    kind: FeatureKind = "empty"  # what `show` gives, as far as that is known without data

    def __init__(
        self,
        name: str,
        baseline_transforms: Transforms = None,
        input_transforms: Transforms = None,
        visualization_transform: Callable[[Tensor], object] | None = None,
    ) -> None:
        if not isinstance(name, str):
            raise InsightsError(f"the name of a feature must be text: {arrived([name])}", hint="the name comes first")
        self.name = name
        self.baseline_transforms = _listed(baseline_transforms, "baseline_transforms")
        self.input_transforms = _listed(input_transforms, "input_transforms")
        given = _listed(visualization_transform, "visualization_transform")
        self.visualization_transform = given[0] if given else None

    def transform(self, data: Tensor) -> Tensor:
        """The model's input for one example's data."""
        for transform in self.input_transforms:
            data = self._tensor(transform, data, "an input transform")
        return data

    def _tensor(self, transform: Transform, data: Tensor, what: str) -> Tensor:
        """What a function of the user's makes of a tensor: another one."""
        try:
            result: object = transform(data)
        except Exception as error:
            note(error, f"{what.capitalize()} of feature {self.name!r} was given {arrived([data])}.")
            raise
        if isinstance(result, np.ndarray):
            return torch.as_tensor(result)
        if not isinstance(result, Tensor):
            raise InsightsError(
                f"{what} of feature {self.name!r} made {arrived([result])} of {arrived([data])}",
                hint="it must return a tensor" + ("; does it lack a return?" if result is None else ""),
            )
        return result

    def baselines(self, transformed: Tensor) -> list[Tensor]:
        """All baselines of one transformed input; zeros where none were given."""
        if not self.baseline_transforms:
            return [torch.zeros_like(transformed)]
        return [self._baseline(transform, transformed.clone()) for transform in self.baseline_transforms]

    def _baseline(self, transform: Transform, transformed: Tensor) -> Tensor:
        baseline = self._tensor(transform, transformed, "a baseline transform")
        if baseline.shape != transformed.shape:
            raise InsightsError(
                f"a baseline of feature {self.name!r} has shape {tuple(baseline.shape)}, "
                f"its input {tuple(transformed.shape)}",
                hint="baseline_transforms receive the transformed input and return a tensor of the same shape",
            )
        return baseline.to(transformed)

    @property
    def baseline_names(self) -> list[str]:
        """A name for each baseline: its function's, where that has one."""
        names = [getattr(transform, "__name__", "<lambda>") for transform in self.baseline_transforms]
        return [f"baseline {i + 1}" if name == "<lambda>" else name.replace("_", " ") for i, name in enumerate(names)]

    def show(self, data: Tensor) -> Shown:  # noqa: ARG002  # for subclasses
        """What to draw for one example's original data."""
        return None

    def reduce(self, attribution: Tensor) -> npt.NDArray[np.float32]:
        """One example's attribution in the shape that is drawn."""
        return np.asarray(attribution.detach().float().cpu().numpy(), dtype=np.float32)

    def groups(self, x: Tensor, size: int | None) -> Tensor:
        """Which positions of the model's input `x` are removed together: numbers from 0, shaped like `x`.

        `size`: pixels per side, or steps; None: chosen by the input's size.
        """
        dim = 0 if self.kind == "text" else _series(x)
        return regions.squares(x, size) if dim is None else regions.stretches(x, dim, size or _step(x, dim))

    def window(self, x: Tensor, size: int | None) -> regions.Sides:
        """The sides of the window that slides over the model's input `x`, one for each of its dimensions."""
        dim = 0 if self.kind == "text" else _series(x)
        return regions.square_window(x, size) if dim is None else regions.stretch_window(x, dim, size or _step(x, dim))

    def _visualized(self, data: Tensor) -> object:
        batch = data.unsqueeze(0)
        try:
            return self.visualization_transform(batch) if self.visualization_transform else batch
        except Exception as error:
            note(error, f"The visualization_transform of feature {self.name!r} was given {arrived([batch])}.")
            raise

    def _visible_tensor(self, data: Tensor) -> Tensor:
        """The data as a tensor that is shown."""
        shown = self._visualized(data) if self.visualization_transform else data
        try:
            return torch.as_tensor(shown)
        except Exception:
            raise InsightsError(
                f"the visualization_transform of feature {self.name!r} made {arrived([shown])}",
                hint="it must return a tensor or a numpy array" + ("; does it lack a return?" if shown is None else ""),
            ) from None


class ImageFeature(BaseFeature):
    """An image (C, H, W) or (H, W) with any number of channels; `visualization_transform` may choose what is shown."""

    kind: FeatureKind = "image"

    def groups(self, x: Tensor, size: int | None) -> Tensor:
        """Squares of pixels, over all channels."""
        return regions.squares(x, size)

    def window(self, x: Tensor, size: int | None) -> regions.Sides:
        """A square of pixels, over all channels."""
        return regions.square_window(x, size)

    def show(self, data: Tensor) -> Picture:
        """The original image: as it is in [0, 1] or in 0…255, stretched to the visible range otherwise."""
        image, notes = _bounded(_real(self._visible_tensor(data)))
        while image.dim() > 3 and image.shape[0] == 1:
            image = image[0]
        image = image[None] if image.dim() == 2 else image
        if image.dim() != 3 or not image.numel():
            raise InsightsError(
                f"feature {self.name!r} cannot be shown as an image: its data is {arrived([image])}",
                hint="an image is (C, H, W) or (H, W); give a visualization_transform, or use GeneralFeature",
            )
        ranged, stretch = _visible(image, whole_numbers=not data.dtype.is_floating_point)
        colours, channels = _coloured(ranged)
        notes += [note for note in (channels, stretch) if note]
        pixels = (colours * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
        return Picture(pixels, "; ".join(notes) or None)

    def reduce(self, attribution: Tensor) -> npt.NDArray[np.float32]:
        """The attribution as (C, H, W)."""
        array = super().reduce(attribution)
        return array[None] if array.ndim == 2 else array


class TextFeature(BaseFeature):
    """Token ids (L,) or embeddings (L, D); `visualization_transform` gives the words."""

    kind: FeatureKind = "text"

    def groups(self, x: Tensor, size: int | None) -> Tensor:
        """Tokens, over all numbers of their embeddings."""
        return regions.stretches(x, 0, size or 1)

    def window(self, x: Tensor, size: int | None) -> regions.Sides:
        """Tokens, over all numbers of their embeddings."""
        return regions.stretch_window(x, 0, size or 1)

    def show(self, data: Tensor) -> Words:
        """The words, or the ids where no `visualization_transform` is given."""
        shown = self._visualized(data)
        if isinstance(shown, Tensor):
            shown = shown.reshape(-1).tolist() if shown.dim() < 3 else range(shown.shape[1])
        return Words(shown)  # type: ignore[arg-type]  # it takes any iterable of anything with words

    def reduce(self, attribution: Tensor) -> npt.NDArray[np.float32]:
        """The attribution of each token (L,): summed over the embedding's dimensions."""
        array = super().reduce(attribution)
        return np.asarray(array.reshape(array.shape[0], -1).sum(axis=1), dtype=np.float32)


class GeneralFeature(BaseFeature):
    """A row of named numbers (K,)."""

    kind: FeatureKind = "general"

    def __init__(
        self,
        name: str,
        categories: Sequence[str],
        baseline_transforms: Transforms = None,
        input_transforms: Transforms = None,
        visualization_transform: Callable[[Tensor], object] | None = None,
    ) -> None:
        super().__init__(name, baseline_transforms, input_transforms, visualization_transform)
        self.categories = _texts(categories, f"the categories of feature {name!r}")

    def groups(self, x: Tensor, size: int | None) -> Tensor:  # noqa: ARG002  # columns have no neighbours
        """Every number by itself."""
        return regions.each(x)

    def window(self, x: Tensor, size: int | None) -> regions.Sides:
        """Numbers side by side."""
        return regions.stretch_window(x, _series(x) or 0, size or 1)

    def show(self, data: Tensor) -> Numbers:
        """The numbers with their names; numbers without a name are counted on."""
        values = _real(self._visible_tensor(data)).double().reshape(-1).tolist()
        extra = [f"value {i}" for i in range(len(self.categories), len(values))]
        return Numbers((self.categories + extra)[: len(values)], values)

    def reduce(self, attribution: Tensor) -> npt.NDArray[np.float32]:
        """The attribution of each number (K,)."""
        return super().reduce(attribution).reshape(-1)


class EmptyFeature(BaseFeature):
    """An input that is not shown; only its contribution is."""

    def __init__(
        self,
        name: str = "empty",
        baseline_transforms: Transforms = None,
        input_transforms: Transforms = None,
        visualization_transform: Callable[[Tensor], object] | None = None,
    ) -> None:
        super().__init__(name, baseline_transforms, input_transforms, visualization_transform)

    def groups(self, x: Tensor, size: int | None) -> Tensor:  # noqa: ARG002  # nobody sees its parts
        """The input as a whole."""
        return regions.whole(x)

    def window(self, x: Tensor, size: int | None) -> regions.Sides:  # noqa: ARG002
        """The input as a whole."""
        return tuple(x.shape)


def _series(x: Tensor) -> int | None:
    """The dimension along which data of one dimension runs, (T,) or (1, T); None for data of more."""
    long = [dim for dim, size in enumerate(x.shape) if size > 1]
    return (long or [0])[0] if len(long) <= 1 else None


def _step(x: Tensor, dim: int) -> int:
    return max(1, round(x.shape[dim] / regions.ALONG)) if x.dim() else 1


def _listed(transforms: object, what: str) -> list[Callable[..., Any]]:
    if transforms is None:
        return []
    several = isinstance(transforms, Iterable) and not callable(transforms)
    listed: list[Callable[..., Any]] = []
    for transform in transforms if several else [transforms]:  # type: ignore[attr-defined]
        if not callable(transform):
            said = f"{what} cannot be called: {arrived([transform])}"
            raise InsightsError(said, hint="give a function of a tensor, or a list of them")
        listed.append(transform)
    return listed


def _real(x: Tensor) -> Tensor:
    """Numbers that can be drawn, in memory; of complex ones, how large they are."""
    x = x.detach().cpu()
    x = x.dequantize() if x.is_quantized else x if x.layout == torch.strided else x.to_dense()
    return x.abs() if x.is_complex() else x


def _bounded(image: Tensor) -> tuple[Tensor, list[str]]:
    """The image in float32, with every so many-th pixel where it is larger than any screen, and a note of that."""
    step = ceil(max((1, *image.shape[-2:])) / SIDE)
    if step == 1:
        return image.float(), []
    return image[..., ::step, ::step].float(), [f"one pixel of {step} × {step}"]


def _visible(image: Tensor, whole_numbers: bool) -> tuple[Tensor, str | None]:
    finite = torch.nan_to_num(image, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = finite.min().item(), finite.max().item()
    if whole_numbers and low >= 0 and high <= 255:
        return finite / 255, None
    if low >= 0 and high <= 1:
        return finite, None
    spread = (high - low) or 1.0
    return (finite - low) / spread, f"stretched from [{low:.3g}, {high:.3g}]"


def _coloured(image: Tensor) -> tuple[Tensor, str | None]:
    channels = image.shape[0]
    if channels == 3:
        return image, None
    if channels == 1:
        return image.expand(3, -1, -1), None
    if channels == 4:
        return image[:3], "the first 3 of 4 channels"
    return image.mean(0, keepdim=True).expand(3, -1, -1), f"the mean of {channels} channels"
