"""Which tokens of a sequence are those of an image's patches, told by how a model joins them with others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor

from attribution_core.rules.intercept import Call, Interception, Rule
from attribution_core.types import Tensors

Patches = tuple[int, int]
"""The place of the first patch in a sequence of tokens, and how many patches there are; none if that is not known."""


class Joins:
    """A site without values; after a pass, `patches` has those of each length of a sequence that was joined."""

    def __init__(self) -> None:
        self.patches: dict[int, Patches] = {}

    @contextmanager
    def recorded(self, inputs: Tensors) -> Iterator[Callable[[], Tensors]]:  # noqa: ARG002
        """While the model runs."""
        with Interception(JOINING, self.patches):
            yield tuple


def _joined(patches: dict[int, Patches], call: Call) -> object:
    """Of what is joined, patches are the most; they may have been joined with others before."""
    result: Tensor = call.result()
    dim = (*call.args[1:], call.kwargs.get("dim", 0))[0]
    if result.dim() == 3 and isinstance(dim, int) and dim % 3 < 2:
        sizes = [size for part in call.args[0] if (size := part.shape[dim])]
        most = max(sizes, default=0)
        if sizes.count(most) == 1 and len(sizes) > 1:
            start, count = patches.get(most, (0, most))
            patches[sum(sizes)] = sum(sizes[: sizes.index(most)]) + start, count
        elif len(sizes) > 1 and dim % 3 == 1:
            patches[sum(sizes)] = 0, 0
    return result


JOINING: Rule[dict[int, Patches]] = Rule(
    dict.fromkeys(("cat", "concat", "concatenate"), _joined), every_call=True, keeps_checkpoints=False
)
"""Everything is computed as usual; joins are noted."""
