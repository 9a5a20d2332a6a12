"""Model inputs that are no plain numbers: token embeddings, text made of tokens, text made from a template."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from attribution_core.errors import AttributionError

Pieces = list[Any] | dict[str, Any]
"""Values by position or by name."""


class InterpretableEmbeddingBase(nn.Module):
    """Stands where an embedding was: passes on embeddings that were computed outside of the model.

    Made by `configure_interpretable_embedding_layer`. As a context manager it puts the embedding back at the end, also
    after an error. `attribution_core.question.embeddings.embedded` does the same job without touching the model.
    """

    def __init__(self, embedding: nn.Module, full_name: str) -> None:
        super().__init__()
        self.num_embeddings = getattr(embedding, "num_embeddings", None)
        self.embedding_dim = getattr(embedding, "embedding_dim", None)
        self.embedding = embedding
        self.full_name = full_name
        self.training = embedding.training
        self._put_back: Callable[[], None] | None = None

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The first argument, unchanged: embeddings (…, E) in place of indices (…)."""
        for value in (*inputs, *kwargs.values()):
            return value
        raise AttributionError(
            f"The interpretable layer {self.full_name!r} was called without arguments.", "Pass it the embeddings."
        )

    def indices_to_embeddings(self, *input: Any, **kwargs: Any) -> Any:
        """What the original embedding makes of indices (…): embeddings (…, E)."""
        return self.embedding(*input, **kwargs)

    def __enter__(self) -> InterpretableEmbeddingBase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._put_back is not None:
            self._put_back()


def configure_interpretable_embedding_layer(
    model: nn.Module, embedding_layer_name: str = "embedding"
) -> InterpretableEmbeddingBase:
    """Replace a model's embedding (by its name, as in `named_modules`) with a layer that takes embeddings as its input.

    This changes the model, until `remove_interpretable_embedding_layer` or the end of a `with` block. Raises
    AttributionError, and changes nothing, if there is no such layer or it was already replaced.
    """
    parent, name, layer = _located(model, embedding_layer_name)
    if isinstance(layer, InterpretableEmbeddingBase) or isinstance(parent, InterpretableEmbeddingBase):
        raise AttributionError(
            f"Layer {embedding_layer_name!r} is already interpretable.",
            "Call remove_interpretable_embedding_layer(model, layer) first.",
        )
    wrapper = InterpretableEmbeddingBase(layer, embedding_layer_name)
    setattr(parent, name, wrapper)
    wrapper._put_back = partial(_put_back, parent, name, wrapper.embedding)
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
    parent, name, layer = _located(model, interpretable_emb.full_name)
    if layer is not interpretable_emb and layer is not interpretable_emb.embedding:
        raise AttributionError(
            f"Layer {interpretable_emb.full_name!r} of this model is a {type(layer).__name__} that was not replaced by "
            "this interpretable layer.",
            "Pass the model that it was configured for.",
        )
    _put_back(parent, name, interpretable_emb.embedding)


def _put_back(parent: nn.Module, name: str, embedding: nn.Module) -> None:
    setattr(parent, name, embedding)


def _located(model: nn.Module, full_name: str) -> tuple[nn.Module, str, nn.Module]:
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
    def to_model_input(self, perturbed_tensor: Tensor | None = None) -> Any:
        """The model input in which only the features that are not zero in (1, features) are present; None is all."""

    def format_attr(self, itp_attr: Tensor) -> Tensor:
        """Attributions of the input's elements, from attributions of its features."""
        return itp_attr


class TextTemplateInput(InterpretableInput):
    """Text made from a template and values; a feature is a value, or a group of values with the same number in `mask`.

    `template` is a format string or a function of the values. `values`, `baselines` (what an absent value becomes:
    empty text if not given, or a function that gives new ones each time) and `mask` are all lists or all dicts.
    """

    def __init__(
        self,
        template: str | Callable[..., str],
        values: list[str] | dict[str, str],
        baselines: list[str] | dict[str, str] | Callable[[], list[str] | dict[str, str]] | None = None,
        mask: list[int] | dict[str, int] | None = None,
    ) -> None:
        if not isinstance(values, (list, dict)):
            raise AttributionError(f"values is a {type(values).__name__}, not a list or a dict.")
        self.template = template
        self.format_fn: Callable[..., str] = template.format if isinstance(template, str) else template
        self.dict_keys: list[str] = list(values) if isinstance(values, dict) else []
        self.n_features = len(values)
        self._named = isinstance(values, dict)
        self.values: list[Any] = self._ordered("values", values)
        self.baselines = baselines if callable(baselines) else self._absent(baselines)
        self.mask = None if mask is None else self._ordered("mask", mask)
        numbers = sorted(set(self.mask)) if self.mask is not None else range(self.n_features)
        self.n_itp_features = len(numbers)
        places = {number: place for place, number in enumerate(numbers)}
        self._feature_of = [places[number] for number in (self.mask or range(self.n_features))]
        self._format(self.values)

    def to_tensor(self) -> Tensor:
        """Ones, (1, features), float."""
        return torch.ones(1, self.n_itp_features)

    def to_model_input(self, perturbed_tensor: Tensor | None = None) -> str:
        """The text in which the values of absent features (zeros in (1, features)) are their baselines."""
        if perturbed_tensor is None:
            return self._format(self.values)
        present = _as_present(perturbed_tensor, self.n_itp_features)
        absent = self._absent(self.baselines()) if callable(self.baselines) else self.baselines
        chosen = zip(self.values, absent, self._feature_of, strict=True)
        return self._format([value if present[feature] else baseline for value, baseline, feature in chosen])

    def format_attr(self, itp_attr: Tensor) -> Tensor:
        """Attributions of the values, (…, values), from those of the features, (…, features)."""
        _check_last("attributions", itp_attr, self.n_itp_features)
        return itp_attr[..., self._feature_of] if self.mask is not None else itp_attr

    def _absent(self, baselines: Any) -> list[Any]:
        return [""] * self.n_features if baselines is None else self._ordered("baselines", baselines)

    def _ordered(self, name: str, given: Any) -> list[Any]:
        kind: type[Any] = dict if self._named else list
        if not isinstance(given, kind) or (self._named and set(given) != set(self.dict_keys)):
            raise AttributionError(
                f"{name}={given!r}: values is a {kind.__name__} of {self.dict_keys or self.n_features}.",
                f"Pass a {kind.__name__} with the same entries.",
            )
        found = [given[key] for key in self.dict_keys] if self._named else list(given)
        if len(found) != self.n_features:
            raise AttributionError(f"{name} has {len(found)} entries for {self.n_features} values.")
        return found

    def _format(self, pieces: list[Any]) -> str:
        try:
            if self._named:
                return self.format_fn(**dict(zip(self.dict_keys, pieces, strict=True)))
            return self.format_fn(*pieces)
        except (IndexError, KeyError) as error:
            raise AttributionError(
                f"The template {self.template!r} asks for more than the values {self.dict_keys or self.n_features}."
            ) from error


class TokenizerLike(Protocol):
    """What `TextTokenInput` needs of a tokenizer; those of Hugging Face have it."""

    def encode(self, text: str, *, return_tensors: str | None = None) -> Any:
        """Token ids; with return_tensors="pt" a tensor (1, tokens)."""

    def convert_ids_to_tokens(self, token_ids: Any) -> Any:
        """Ids to tokens."""

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """Tokens to ids."""


class TextTokenInput(InterpretableInput):
    """Text whose features are its tokens.

    An absent token becomes `baselines` (an id or a token). `skip_tokens` (ids or tokens) are always present and no
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
            got = tuple(ids.shape) if isinstance(ids, Tensor) else type(ids).__name__
            raise AttributionError(f'tokenizer.encode(text, return_tensors="pt") gave {got}, not a tensor (1, tokens).')
        skipped = _as_ids(skip_tokens, tokenizer)
        self.inp_tensor = ids
        self.skip_tokens = skip_tokens if skip_tokens is None else skipped
        kept = torch.tensor([[token not in set(skipped) for token in ids[0].tolist()]], dtype=torch.bool)
        self.itp_mask = kept.to(ids.device) if skipped else None
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
            present = torch.tensor(_as_present(perturbed_tensor, self.n_itp_features), dtype=torch.bool)
            feature = torch.ones_like(ids, dtype=torch.bool) if self.itp_mask is None else self.itp_mask
            ids[feature] = torch.where(present.to(ids.device), self.itp_tensor[0], self.baselines)
        return ids


def _as_ids(tokens: Sequence[int | str] | None, tokenizer: TokenizerLike) -> list[int]:
    given: list[Any] = list(tokens or [])
    names = [token for token in given if isinstance(token, str)]
    if not names:
        return [int(token) for token in given]
    if len(names) != len(given):
        raise AttributionError(f"skip_tokens={given!r} mixes ids and tokens.", "Pass all as ids, or all as tokens.")
    found = list(tokenizer.convert_tokens_to_ids(names))
    unknown = [name for name, number in zip(names, found, strict=True) if number is None]
    if unknown:
        raise AttributionError(f"The tokenizer does not know the tokens {unknown}.")
    return [int(number) for number in found]


def _as_present(perturbed: Tensor, features: int) -> list[bool]:
    if not isinstance(perturbed, Tensor) or perturbed.shape != (1, features):
        got = tuple(perturbed.shape) if isinstance(perturbed, Tensor) else type(perturbed).__name__
        raise AttributionError(f"perturbed_tensor is {got}, not a tensor of shape (1, {features}).")
    return [bool(value) for value in perturbed[0].tolist()]


def _check_last(name: str, value: Tensor, features: int) -> None:
    if value.dim() == 0 or value.shape[-1] != features:
        raise AttributionError(f"{name} have shape {tuple(value.shape)}, not (…, {features}).")


class ProductBaselines:
    """Baselines drawn at random: for each feature one of its values, independently of the others.

    `baseline_values` is a list of lists, or a dict of lists; a key that is a tuple of names, with tuples of values,
    draws these features together. With `seed` the draws are the same each time; the global random state is never used.
    """

    def __init__(
        self, baseline_values: list[list[Any]] | dict[str | tuple[str, ...], list[Any]], seed: int | None = None
    ) -> None:
        if not isinstance(baseline_values, (list, tuple, dict)):
            raise AttributionError(f"baseline_values is a {type(baseline_values).__name__}, not a list or a dict.")
        named = isinstance(baseline_values, dict)
        self.dict_keys: list[str | tuple[str, ...]] = list(baseline_values) if named else []  # type: ignore[arg-type]
        self._named = named
        self.baseline_values = [_as_choices(v) for v in (baseline_values.values() if named else baseline_values)]  # type: ignore[union-attr]
        for key, choices in zip(self.dict_keys, self.baseline_values, strict=False):
            if isinstance(key, tuple) and any(len(choice) != len(key) for choice in map(_as_group, choices)):
                raise AttributionError(f"The baselines of {key} are {choices}.", f"Give {len(key)} values in each.")
        self._random = random.Random(seed)

    def sample(self) -> Pieces:
        """One draw: a list in the order of the features, or a dict by their names."""
        drawn = [self._random.choice(choices) for choices in self.baseline_values]
        if not self._named:
            return drawn
        found: dict[str, Any] = {}
        for key, value in zip(self.dict_keys, drawn, strict=True):
            found.update(zip(key, value, strict=True) if isinstance(key, tuple) else [(key, value)])
        return found

    def __call__(self) -> Pieces:
        """One draw."""
        return self.sample()


def _as_choices(values: Any) -> list[Any]:
    if not isinstance(values, (list, tuple)) or not values:
        raise AttributionError(
            f"baseline_values contains {values!r}.", "Give each feature a list of at least one value."
        )
    return list(values)


def _as_group(choice: Any) -> tuple[Any, ...]:
    return tuple(choice) if isinstance(choice, (tuple, list)) else ()
