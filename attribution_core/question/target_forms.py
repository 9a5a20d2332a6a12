"""The forms in which a user may name a target: Captum's, a label, "pred", or a function."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.question.target import Output, Predicted, Score, Target
from attribution_core.reading.values import as_tensor, check_values, shown
from attribution_core.types import TargetLike

_labels: ContextVar[tuple[str, ...] | None] = ContextVar("attribution_core_labels", default=None)


@contextmanager
def labelled(names: Sequence[str]) -> Iterator[None]:
    """Inside, `target` may be one of these names, which stand for the classes 0, 1, …

    Hugging Face models bring theirs along (`model.config.id2label`).
    """
    if isinstance(names, str) or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise AttributionError(f"labelled({names!r}): expected a list of different names, one for each class.")
    token = _labels.set(tuple(names))
    try:
        yield
    finally:
        _labels.reset(token)


def names_of(forward: object) -> tuple[str, ...]:
    """The names of a model's classes: those of an enclosing `labelled`, or those in its configuration."""
    known = _labels.get()
    if known is not None:
        return known
    labels = getattr(getattr(forward, "config", None), "id2label", None)
    return tuple(map(str, labels.values())) if isinstance(labels, Mapping) else ()


def as_targets(
    target: TargetLike | Target, targets: Sequence[TargetLike | Target] | None, batch: int, forward: object
) -> tuple[Target, ...]:
    """Read `target`, or `targets` in its place."""
    if targets is None:
        return (as_target(target, batch, forward),)
    if not isinstance(targets, (list, tuple)) or not targets:
        raise AttributionError(f"targets={shown(targets)}: expected a list of targets, each as `target` takes them.")
    if target is not None:
        raise AttributionError(f"target={shown(target)} beside targets: pass targets in place of `target` only.")
    return tuple(as_target(each, batch, forward) for each in targets)


def as_target(target: TargetLike | Target, batch: int, forward: object = None) -> Target:
    """Read a user's `target` for a batch of examples; what no output of `forward` could satisfy is refused here."""
    if type(target) is int:
        return Output(((target,),))
    if target is None or isinstance(target, Target):
        return target or Output()
    if isinstance(target, str):
        return _labelled(target, names_of(forward))
    if isinstance(target, list) and target and all(isinstance(entry, str) for entry in target):
        names = names_of(forward)
        return _for_each([_numbered(str(entry), names) for entry in target], target, batch)
    if isinstance(target, (Tensor, np.ndarray)):
        return _from_tensor(target if isinstance(target, Tensor) else as_tensor("target", target), batch)
    if callable(target):
        return Score(target)
    if isinstance(target, list):
        return _for_each(target, target, batch)
    return Output((_row(target, target),))


def _labelled(target: str, names: Sequence[str]) -> Target:
    return Predicted() if target == "pred" and "pred" not in names else Output(((_numbered(target, names),),))


def _from_tensor(target: Tensor, batch: int) -> Target:
    check_values("target", target)
    if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
        raise _refused(target, f"has dtype {target.dtype}, not integers")
    if target.numel() == 1:
        return Output((_row(target.item(), target),))
    if target.dim() != 1:
        raise _refused(target, f"has shape {tuple(target.shape)} for {batch} examples")
    return _for_each(target.tolist(), target, batch)


def _for_each(entries: Sequence[object], target: object, batch: int) -> Target:
    if batch == 0 and not entries:
        return Output()
    if len(entries) != batch or not entries:
        raise _refused(target, f"has {len(entries)} entries for {batch} examples")
    rows = tuple(_row(entry, target) for entry in entries)
    if len({len(row) for row in rows}) > 1:
        raise _refused(target, "has tuples of different lengths")
    return Output(rows)


def _row(entry: object, target: object) -> tuple[int, ...]:
    entries = entry if isinstance(entry, tuple) else (entry,)
    try:
        if any(isinstance(part, bool) for part in entries):
            raise TypeError
        row = tuple(operator.index(part) for part in entries)
    except TypeError as error:
        raise _refused(target, "is not made of integers") from error
    if not row:
        raise _refused(target, "is empty")
    return row


def _numbered(name: str, names: Sequence[str]) -> int:
    if name in names:
        return list(names).index(name)
    shown = [*names[:8], *(["…"] if len(names) > 8 else [])]
    raise AttributionError(
        f"target={name!r} is no {'label of this model' if names else 'known label'}.",
        f'Known here: {", ".join(shown)}; or "pred", or an index.'
        if names
        else 'Name the classes by `with labelled(["cat", "dog"]):`, or pass "pred" or an index.',
    )


def _refused(target: object, why: str) -> AttributionError:
    return AttributionError(
        f"target={shown(target)} {why}.",
        'Pass an int, a label, "pred", a tuple (an index per output dimension), a list or 1-D integer tensor with an '
        "entry per example, or a function of the outputs.",
    )
