"""Model inputs that are not plain numbers: token embeddings, text made of tokens, text made from a template."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from attribution_core.errors import AttributionError

FeatureValues = list[object] | dict[str, object]
"""Values of features, by position or by name."""
Choices = Sequence[object]
"""The values from which a feature's baseline is drawn."""


class InterpretableEmbeddingBase(nn.Module):
    """Stands where an embedding was: passes on embeddings that were computed outside of the model.

    Made by `configure_interpretable_embedding_layer`. As a context manager it puts the embedding back at the end, also
    after an error. `attribution_core.question.embeddings.embedded` does the same job without touching the model.
    """

    def __init__(self, embedding: nn.Module, full_name: str) -> None:
        super().__init__()
        self.embedding = embedding
        self.full_name = full_name
        self.training = embedding.training
        self._restore: Callable[[], None] | None = None

    @property
    def num_embeddings(self) -> int | None:
        """How many rows the table of the original embedding has; None where it is not a table."""
        return _size(self.embedding, "num_embeddings")

    @property
    def embedding_dim(self) -> int | None:
        """How wide the vectors of the original embedding are; None where it does not say so."""
        return _size(self.embedding, "embedding_dim")

    def forward(self, *inputs: object, **kwargs: object) -> object:
        """The first argument, unchanged: embeddings (…, E) in place of indices (…)."""
        for value in (*inputs, *kwargs.values()):
            return value
        raise AttributionError(
            f"The interpretable layer {self.full_name!r} was called without arguments.", "Pass it the embeddings."
        )

    def indices_to_embeddings(self, *input: object, **kwargs: object) -> Tensor:
        """The original embedding's output for indices (…): embeddings (…, E)."""
        embeddings: Tensor = self.embedding(*input, **kwargs)
        return embeddings

    def __enter__(self) -> InterpretableEmbeddingBase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._restore is not None:
            self._restore()


def configure_interpretable_embedding_layer(
    model: nn.Module, embedding_layer_name: str = "embedding"
) -> InterpretableEmbeddingBase:
    """Replace a model's embedding (by its name, as in `named_modules`) with a layer that takes embeddings as its input.

    This changes the model, until `remove_interpretable_embedding_layer` or the end of a `with` block. Raises
    AttributionError, and changes nothing, if there is no such layer or it was already replaced.
    """
    parent, name, layer = _locate(model, embedding_layer_name)
    if isinstance(layer, InterpretableEmbeddingBase) or isinstance(parent, InterpretableEmbeddingBase):
        raise AttributionError(
            f"Layer {embedding_layer_name!r} is already interpretable.",
            "Call remove_interpretable_embedding_layer(model, layer) first.",
        )
    wrapper = InterpretableEmbeddingBase(layer, embedding_layer_name)
    setattr(parent, name, wrapper)
    wrapper._restore = partial(setattr, parent, name, wrapper.embedding)
    return wrapper


def remove_interpretable_embedding_layer(model: nn.Module, interpretable_emb: InterpretableEmbeddingBase) -> None:
    """Put the original embedding back; a second call changes nothing.

    Raises AttributionError if `interpretable_emb` was not made for this model.
    """
    if not isinstance(interpretable_emb, InterpretableEmbeddingBase):
        raise AttributionError(
            f"remove_interpretable_embedding_layer got a {type(interpretable_emb).__name__}.",
            "Pass what configure_interpretable_embedding_layer returned.",
        )
    parent, name, layer = _locate(model, interpretable_emb.full_name)
    if layer is not interpretable_emb and layer is not interpretable_emb.embedding:
        raise AttributionError(
            f"Layer {interpretable_emb.full_name!r} of this model is a {type(layer).__name__} that was not replaced by "
            "this interpretable layer.",
            "Pass the model that it was configured for.",
        )
    setattr(parent, name, interpretable_emb.embedding)


def _size(layer: nn.Module, name: str) -> int | None:
    size = getattr(layer, name, None)
    return size if isinstance(size, int) else None


def _locate(model: nn.Module, full_name: str) -> tuple[nn.Module, str, nn.Module]:
    """The parent of a layer, its name there, and the layer."""
    path, _, name = full_name.rpartition(".")
    try:
        if not name:
            raise AttributeError
        return model.get_submodule(path), name, model.get_submodule(full_name)
    except AttributeError as error:
        known = [place for place, module in model.named_modules() if isinstance(module, nn.Embedding)]
        raise AttributionError(
            f"{type(model).__name__} has no layer {full_name!r}.",
            f"Its embeddings are: {', '.join(known) or 'none'}.",
        ) from error


class TokenReferenceBase:
    """Makes reference (baseline) sequences of one token, such as padding."""

    def __init__(self, reference_token_idx: int = 0) -> None:
        self.reference_token_idx = reference_token_idx

    def generate_reference(self, sequence_length: int, device: torch.device | str) -> Tensor:
        """The token, repeated: integers of shape (sequence_length,)."""
        if sequence_length < 0:
            raise AttributionError(f"sequence_length={sequence_length}: expected an integer ≥ 0.")
        return torch.full((sequence_length,), self.reference_token_idx, dtype=torch.long, device=device)


class InterpretableInput(ABC):
    """A model input, and the tensor of features in terms of which it is explained [ribeiro2016, lundberg2017]."""

    @abstractmethod
    def to_tensor(self) -> Tensor:
        """The features of the unchanged input, (1, features): ones, as they are all present."""

    @abstractmethod
    def to_model_input(self, perturbed_tensor: Tensor | None = None) -> object:
        """The model input in which only the features that are not zero in (1, features) are present; None is all."""

    def format_attr(self, itp_attr: Tensor) -> Tensor:
        """Attributions of the input's elements, from attributions of its features."""
        return itp_attr


class TextTemplateInput(InterpretableInput):
    """Text made from a template and values; a feature is a value, or a group of values with the same number in `mask`.

    `template` is a format string or a function of the values. `values`, `baselines` (what an absent value becomes:
    empty text by default, or a function that returns new ones each time) and `mask` are all lists or all dicts.
    """

    def __init__(
        self,
        template: str | Callable[..., str],
        values: list[str] | dict[str, str],
        baselines: list[str] | dict[str, str] | Callable[[], Sequence[object] | Mapping[str, object]] | None = None,
        mask: list[int] | dict[str, int] | None = None,
    ) -> None:
        if not isinstance(values, (list, dict)):
            raise AttributionError(f"values is a {type(values).__name__}, not a list or a dict.")
        self.template = template
        self.format_fn: Callable[..., str] = template.format if isinstance(template, str) else template
        self.dict_keys: list[str] = list(values) if isinstance(values, dict) else []
        self.n_features = len(values)
        self._named = isinstance(values, dict)
        self.values: list[object] = self._ordered("values", values)
        self.baselines = baselines if callable(baselines) else self._absent(baselines)
        self.mask = None if mask is None else cast("list[int]", self._ordered("mask", mask))
        groups = sorted(set(self.mask)) if self.mask is not None else range(self.n_features)
        self.n_itp_features = len(groups)
        feature_of_group = {group: feature for feature, group in enumerate(groups)}
        self._feature_of_value = [feature_of_group[group] for group in (self.mask or range(self.n_features))]
        self._format(self.values)

    def to_tensor(self) -> Tensor:
        """Ones, (1, features), float."""
        return torch.ones(1, self.n_itp_features)

    def to_model_input(self, perturbed_tensor: Tensor | None = None) -> str:
        """The text in which the values of absent features (zeros in (1, features)) are their baselines."""
        if perturbed_tensor is None:
            return self._format(self.values)
        present = as_present(perturbed_tensor, self.n_itp_features)
        baselines = self._absent(self.baselines()) if callable(self.baselines) else self.baselines
        candidates = zip(self.values, baselines, self._feature_of_value, strict=True)
        return self._format([value if present[feature] else baseline for value, baseline, feature in candidates])

    def format_attr(self, itp_attr: Tensor) -> Tensor:
        """Attributions of the values, (…, values), from those of the features, (…, features)."""
        check_last("attributions", itp_attr, self.n_itp_features)
        return itp_attr[..., self._feature_of_value] if self.mask is not None else itp_attr

    def _absent(self, baselines: object) -> list[object]:
        return [""] * self.n_features if baselines is None else self._ordered("baselines", baselines)

    def _ordered(self, name: str, entries: object) -> list[object]:
        """One entry for each value, in the order of the values."""
        expected = f"a dict with the keys {self.dict_keys}" if self._named else f"a list of {self.n_features} entries"
        if self._named and isinstance(entries, dict) and set(entries) == set(self.dict_keys):
            return [entries[key] for key in self.dict_keys]
        if not self._named and isinstance(entries, list) and len(entries) == self.n_features:
            return list(entries)
        raise AttributionError(f"{name}={entries!r} for {self.n_features} values.", f"Pass {expected}.")

    def _format(self, values: list[object]) -> str:
        try:
            if self._named:
                return self.format_fn(**dict(zip(self.dict_keys, values, strict=True)))
            return self.format_fn(*values)
        except (IndexError, KeyError) as error:
            raise AttributionError(
                f"The template {self.template!r} asks for more than the values {self.dict_keys or self.n_features}."
            ) from error


class TokenizerLike(Protocol):
    """What `TextTokenInput` needs of a tokenizer; those of Hugging Face have it."""

    def encode(self, text: str, *, return_tensors: str | None = None) -> object:
        """Token ids; with return_tensors="pt" a tensor (1, tokens)."""

    def convert_ids_to_tokens(self, ids: list[int], /) -> Iterable[str]:
        """Ids to tokens."""

    def convert_tokens_to_ids(self, tokens: list[str], /) -> object:
        """Tokens to ids, as a list."""


class TextTokenInput(InterpretableInput):
    """Text whose features are its tokens.

    An absent token becomes `baselines` (an id or a token). `skip_tokens` (ids or tokens) are always present and are not
    features.
    """

    def __init__(
        self,
        text: str,
        tokenizer: TokenizerLike,
        baselines: int | str = 0,
        skip_tokens: Sequence[int | str] | None = None,
    ) -> None:
        ids = tokenizer.encode(text, return_tensors="pt")
        if not isinstance(ids, Tensor) or ids.dim() != 2 or len(ids) != 1:
            arrived = tuple(ids.shape) if isinstance(ids, Tensor) else type(ids).__name__
            raise AttributionError(
                f'tokenizer.encode(text, return_tensors="pt") returned {arrived}, not a tensor (1, tokens).'
            )
        skipped = _as_ids(skip_tokens, tokenizer)
        self.inp_tensor = ids
        self.skip_tokens = skip_tokens if skip_tokens is None else skipped
        is_feature = torch.tensor([[token not in set(skipped) for token in ids[0].tolist()]], dtype=torch.bool)
        self.itp_mask = is_feature.to(ids.device) if skipped else None
        self.itp_tensor = ids if self.itp_mask is None else ids[self.itp_mask][None]
        self.values: list[str] = list(tokenizer.convert_ids_to_tokens(self.itp_tensor[0].tolist()))
        self.tokenizer = tokenizer
        self.n_itp_features = len(self.values)
        self.baselines = _as_ids([baselines], tokenizer)[0]

    def to_tensor(self) -> Tensor:
        """Ones, (1, features), integers."""
        return torch.ones_like(self.itp_tensor)

    def to_model_input(self, perturbed_tensor: Tensor | None = None) -> Tensor:
        """Token ids (1, tokens) in which absent tokens (zeros in (1, features)) are the baseline."""
        ids = self.inp_tensor.clone()
        if perturbed_tensor is not None:
            present = torch.tensor(as_present(perturbed_tensor, self.n_itp_features), dtype=torch.bool)
            feature = torch.ones_like(ids, dtype=torch.bool) if self.itp_mask is None else self.itp_mask
            ids[feature] = torch.where(present.to(ids.device), self.itp_tensor[0], self.baselines)
        return ids


def _as_ids(tokens: Sequence[int | str] | None, tokenizer: TokenizerLike) -> list[int]:
    entries = list(tokens or [])
    names = [token for token in entries if isinstance(token, str)]
    if not names:
        return [int(token) for token in entries]
    if len(names) != len(entries):
        raise AttributionError(f"skip_tokens={entries!r} mixes ids and tokens.", "Pass all as ids, or all as tokens.")
    ids = cast("list[int | None]", tokenizer.convert_tokens_to_ids(names))
    unknown = [name for name, number in zip(names, ids, strict=True) if number is None]
    if unknown:
        raise AttributionError(f"The tokenizer does not know the tokens {unknown}.")
    return [int(number) for number in ids if number is not None]


def as_present(perturbed: Tensor, features: int) -> list[bool]:
    """Which features are present in (1, features)."""
    if not isinstance(perturbed, Tensor) or perturbed.shape != (1, features):
        arrived = tuple(perturbed.shape) if isinstance(perturbed, Tensor) else type(perturbed).__name__
        raise AttributionError(f"perturbed_tensor is {arrived}, not a tensor of shape (1, {features}).")
    return [bool(value) for value in perturbed[0].tolist()]


def check_last(name: str, value: Tensor, features: int) -> None:
    """Refuse values that have no number for each feature."""
    if value.dim() == 0 or value.shape[-1] != features:
        raise AttributionError(f"{name} have shape {tuple(value.shape)}, not (…, {features}).")


class ProductBaselines:
    """Baselines drawn at random: for each feature one of its values, independently of the others.

    `baseline_values` is a list of lists, or a dict of lists; a key that is a tuple of names, with tuples of values,
    draws these features together. With `seed` the draws are the same each time; the global random state is never used.
    """

    def __init__(
        self,
        baseline_values: Sequence[Choices] | Mapping[Any, Choices],  # names, or tuples of names: no type says so
        seed: int | None = None,
    ) -> None:
        named = isinstance(baseline_values, dict)
        if not named and not isinstance(baseline_values, (list, tuple)):
            raise AttributionError(f"baseline_values is a {type(baseline_values).__name__}, not a list or a dict.")
        by_name = baseline_values if isinstance(baseline_values, dict) else {}
        self.dict_keys: list[str | tuple[str, ...]] = list(by_name)
        self.baseline_values = list(map(_as_choices, by_name.values() if named else baseline_values))
        for key, choices in zip(self.dict_keys, self.baseline_values, strict=False):
            if isinstance(key, tuple) and any(len(choice) != len(key) for choice in map(_as_group, choices)):
                raise AttributionError(f"The baselines of {key} are {choices}.", f"Give {len(key)} values in each.")
        self._named = named
        self._random = random.Random(seed)

    def sample(self) -> FeatureValues:
        """One draw: a list in the order of the features, or a dict by their names."""
        drawn = [self._random.choice(choices) for choices in self.baseline_values]
        if not self._named:
            return drawn
        by_name: dict[str, object] = {}
        for key, value in zip(self.dict_keys, drawn, strict=True):
            by_name.update(zip(key, _as_group(value), strict=True) if isinstance(key, tuple) else [(key, value)])
        return by_name

    def __call__(self) -> FeatureValues:
        """One draw."""
        return self.sample()


def _as_choices(values: object) -> list[object]:
    if not isinstance(values, (list, tuple)) or not values:
        raise AttributionError(
            f"baseline_values contains {values!r}.", "Give each feature a list of at least one value."
        )
    return list(values)


def _as_group(choice: object) -> tuple[object, ...]:
    return tuple(choice) if isinstance(choice, (tuple, list)) else ()
