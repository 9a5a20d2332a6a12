"""torchvision's classification models by name, with torchvision's weights or those of a local file."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import models
from torchvision.transforms.functional import normalize

from app.demos.extra import extra
from app.errors import InsightsError

SAVE = "save the weights with torch.save(net.state_dict(), path)"
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "ema")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
# Made as torchvision makes them for its own weights, which expect their input rescaled.
TRANSFORMING = ("googlenet", "inception_v3")


@dataclass(frozen=True)
class Classifier:
    """A model in eval mode, its number of classes (2 for one logit), torchvision's preprocessing and class names."""

    net: nn.Module
    classes: int
    preset: partial[Any]
    categories: list[str]

    def show(self, image: Image.Image) -> Tensor:
        """The image as the model sees it, (3, H, W) in [0, 1]: resized and cropped, not normalised."""
        shown: Tensor = self.preset(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))(image)
        return shown

    def normalise(self, images: Tensor) -> Tensor:
        """Images (..., 3, H, W) in [0, 1] to the model's input."""
        preset = self.preset()
        normal: Tensor = normalize(images, preset.mean, preset.std)
        return normal


def load_classifier(name: str, weights: Path | None) -> Classifier:
    """The model `name` with the weights of a file, or with torchvision's own, which it downloads.

    Raises `InsightsError` where the model is unknown or its weights do not come or do not fit.
    """
    known = models.list_models(module=models)
    if name not in known:
        near = get_close_matches(name.lower().replace("-", "_"), known, n=3)
        raise InsightsError(
            f"torchvision has no classification model {name!r}",
            hint=f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(known)}",
        )
    recipes = list(models.get_model_weights(name))
    if weights is None:
        recipe = models.get_model_weights(name).DEFAULT
        net = _downloaded(name, recipe)
        outputs = len(recipe.meta["categories"])
    else:
        # A file of torchvision's is known by its name; any other is taken to be made by the first recipe.
        recipe = next((r for r in recipes if r.url.endswith(f"/{weights.name}")), recipes[0])
        net, outputs = _filled(name, read_state(weights), weights)
    return Classifier(net.eval(), max(outputs, 2), recipe.transforms, recipe.meta["categories"])


def _downloaded(name: str, recipe: Any) -> nn.Module:
    try:
        net: nn.Module = models.get_model(name, weights=recipe)
    except (OSError, RuntimeError) as error:
        raise InsightsError(
            f"the weights of {name} cannot be downloaded ({getattr(error, 'reason', error)})",
            hint=f"fetch {recipe.url} where there is a network, and name the file with --weights",
        ) from None
    return net


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a .pth, .pt or .safetensors file by name, out of the wrapping that training scripts put around."""
    if not path.is_file():
        raise InsightsError(f"there is no weights file {path}", hint="check the path given with --weights")
    if path.suffix == ".safetensors":
        return _bare(_safetensors(path), path)
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not _is_torchs(path):
            raise _unreadable(path, error) from None
        raise InsightsError(
            f"{path.name} holds more than tensors, and is not opened because that could run code",
            hint="save the weights alone: torch.save(net.state_dict(), path), or as .safetensors",
        ) from None
    except Exception as error:  # unpickling bytes that are no pickle raises whatever it stumbles over
        raise _unreadable(path, error) from None
    return _bare(loaded, path)


def _is_torchs(path: Path) -> bool:
    """Whether `torch.save` may have written it: an archive, or, long ago, a pickle of its second protocol."""
    with path.open("rb") as file:
        archive = zipfile.is_zipfile(file)
        file.seek(0)
        return archive or file.read(2) == b"\x80\x02"


def _safetensors(path: Path) -> dict[str, Tensor]:
    safetensors = extra("safetensors.torch")
    try:
        state: dict[str, Tensor] = safetensors.load_file(path)
    except (extra("safetensors").SafetensorError, OSError) as error:
        raise _unreadable(path, error) from None
    return state


def _unreadable(path: Path, error: Exception) -> InsightsError:
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return InsightsError(f"{path.name} cannot be read as weights ({reason})", hint="expected .pth, .pt or .safetensors")


def _bare(loaded: Any, path: Path) -> dict[str, Tensor]:
    seen: set[int] = set()  # one may hold itself
    while isinstance(loaded, Mapping) and (inner := [w for w in WRAPPERS if isinstance(loaded.get(w), Mapping)]):
        if id(loaded) in seen:
            raise InsightsError(f"{path.name} holds a mapping that holds itself", hint=SAVE)
        seen.add(id(loaded))
        loaded = loaded[inner[0]]
    if not isinstance(loaded, Mapping) or not loaded or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise InsightsError(
            f"{path.name} holds no state dict, but a {type(loaded).__name__}",
            hint=SAVE,
        )
    state = {str(key): value for key, value in loaded.items()}
    for prefix in PREFIXES:
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _filled(name: str, state: dict[str, Tensor], path: Path) -> tuple[nn.Module, int]:
    if name.startswith("densenet"):  # torchvision's own files keep the names of its first version
        state = {re.sub(r"\b(norm|conv)\.([12])\.", r"\1\2.", key): value for key, value in state.items()}
    options: dict[str, Any] = {}
    if name in TRANSFORMING:
        auxiliary = any(key.lower().startswith("aux") for key in state)
        options = {"transform_input": True, "init_weights": False, "aux_logits": auxiliary}
    net: nn.Module = models.get_model(name, weights=None, **options)
    head = [key for key, value in net.named_parameters() if value.dim() > 1][-1]
    outputs = len(state[head]) if head in state and state[head].dim() else 1000
    if outputs != 1000:
        net = models.get_model(name, weights=None, num_classes=outputs, **options)
    check_fit(net.state_dict(), state, f"{path.name} does not fit {name}")
    check_numbers(net.state_dict(), state, path.name)
    net.load_state_dict(state, strict=False)
    return net, outputs


def check_fit(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], what: str) -> None:
    """Raise `InsightsError`, naming the first weights that are missing, unexpected or of another shape."""
    counters = {key for key in wanted if key.endswith("num_batches_tracked")}
    missing = [key for key in wanted if key not in given and key not in counters]
    unexpected = [key for key in given if key not in wanted]
    shapes = [
        f"{key} is {tuple(given[key].shape)} instead of {tuple(tensor.shape)}"
        for key, tensor in wanted.items()
        if key in given and given[key].shape != tensor.shape
    ]
    wrong = [("missing", missing), ("unexpected", unexpected), ("of another shape", shapes)]
    if any(keys for _, keys in wrong):
        parts = "; ".join(f"{_some(keys)} {'is' if len(keys) == 1 else 'are'} {how}" for how, keys in wrong if keys)
        raise InsightsError(f"{what}: {parts}", hint="check that --model is the one the weights were made for")


def check_numbers(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], what: str) -> None:
    """Raise `InsightsError` for weights that are whole numbers, as quantised ones are, or not finite."""
    fractions = [key for key, tensor in wanted.items() if key in given and tensor.is_floating_point()]
    whole = [key for key in fractions if not given[key].is_floating_point()]
    if whole:
        kind = str(given[whole[0]].dtype).removeprefix("torch.")
        said = f"{what} holds {kind} where the model has fractions: {_some(whole)}"
        raise InsightsError(said, hint="give the weights as they were before they were quantised")
    wild = [key for key in fractions if not bool(given[key].isfinite().all())]
    if wild:
        said = f"{what} holds numbers that are not finite: {_some(wild)}"
        raise InsightsError(said, hint="the training has diverged; give weights of an earlier step")


def _some(keys: Iterable[str], most: int = 3) -> str:
    first, rest = list(keys)[:most], list(keys)[most:]
    return ", ".join(first) + (f" and {len(rest)} more" if rest else "")
