from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import attribution_core
from attribution_core import AttributionError, observe
from attribution_core.question.embeddings import embedded


class Reader(nn.Module):
    """Tokens, positions counted from the tokens, a padding mask, and a second input in the same table."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.tokens, self.positions = nn.Embedding(12, 6, padding_idx=0), nn.Embedding(12, 6)
        self.layer = nn.TransformerEncoderLayer(6, 2, 8, batch_first=True)
        self.out = nn.Linear(6, 3)

    def forward(self, ids: Tensor, other: Tensor, numbers: Tensor, scale: Tensor | None = None) -> Tensor:
        mask = ids == 0
        positions = torch.cumsum(~mask, 1) * ~mask
        hidden = self.layer(self.tokens(ids) + self.positions(positions), src_key_padding_mask=mask)
        hidden = hidden.masked_fill(mask[..., None], 0).sum(1) + self.tokens(other.long()).mean(1) + numbers
        return torch.relu(self.out(hidden if scale is None else hidden * scale[:, None])).cumsum(1)


def given() -> tuple[Reader, tuple[Tensor, Tensor, Tensor], Tensor]:
    ids = torch.tensor([[1, 2, 3, 4, 5], [7, 2, 9, 0, 0]])  # the first row equals its own positions
    other = torch.tensor([[3, 3, 4], [8, 1, 2]], dtype=torch.int32)
    return Reader().eval(), (ids, other, torch.randn(2, 6)), torch.tensor([0.5, 2.0])


CALLS: dict[str, dict[str, Any]] = {
    "Saliency": {}, "InputXGradient": {}, "IntegratedGradients": {"n_steps": 7}, "DeepLift": {}, "GuidedBackprop": {},
    "Deconvolution": {}, "FeatureAblation": {}, "Occlusion": {"sliding_window_shapes": ((1, 6), (2, 6), (6,))},
}  # fmt: skip


def test_the_output_is_exactly_the_same() -> None:
    model, inputs, scale = given()
    before = model(*inputs, scale)
    found = embedded(model, inputs, scale)
    assert torch.equal(found.module(*found.inputs, scale), before)
    assert [tuple(x.shape) for x in found.inputs] == [(2, 5, 6), (2, 3, 6), (2, 6)]
    assert torch.equal(found.inputs[0], model.tokens(inputs[0]))
    assert torch.equal(model(*inputs, scale), before)
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    assert model.training == found.module.training


def test_the_ids_stay_for_everything_else_in_stacked_batches() -> None:
    model, inputs, scale = given()
    found = embedded(model, inputs, scale)
    stack = tuple(x.repeat(3, *[1] * (x.dim() - 1)) for x in found.inputs)
    expected = model(*inputs, scale).repeat(3, 1)
    torch.testing.assert_close(found.module(*stack, scale.repeat(3)), expected)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("bound", [None, 2])
def test_every_method(name: str, bound: int | None) -> None:
    model, inputs, scale = given()
    found = embedded(model, inputs, scale)
    with observe(max_batch=bound):
        whole = getattr(attribution_core, name)(found.module).attribute(
            found.inputs, target=[0, 1], additional_forward_args=scale, **CALLS[name]
        )
    assert [w.shape for w in whole] == [x.shape for x in found.inputs]
    for row in range(2):
        own = slice(row, row + 1)
        alone = embedded(model, tuple(x[own] for x in inputs), scale[own])
        single = getattr(attribution_core, name)(alone.module).attribute(
            alone.inputs, target=row, additional_forward_args=scale[own], **CALLS[name]
        )
        for mine, other in zip(single, whole, strict=True):
            torch.testing.assert_close(mine, other[own], rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_the_table_rows() -> None:
    """Each token used once: the gradient of its embedding is the gradient of its row in the table."""
    model, inputs, _ = given()
    ids = (torch.tensor([[1, 2, 5]]), torch.tensor([[7, 8]]), inputs[2][:1])
    found = embedded(model, ids)
    slopes = attribution_core.Saliency(found.module).attribute(found.inputs, target=2, abs=False)
    (table,) = torch.autograd.grad(model(*ids)[0, 2], model.tokens.weight)
    torch.testing.assert_close(slopes[0], table[ids[0]])
    torch.testing.assert_close(slopes[1], table[ids[1]])


def test_baseline_ids_and_completeness() -> None:
    model, inputs, scale = given()
    found = embedded(model, inputs, scale)
    baselines = found.embed_all((torch.full_like(inputs[0], 11), torch.zeros_like(inputs[1]), torch.zeros(2, 6)))
    assert torch.equal(baselines[0], model.tokens(torch.full_like(inputs[0], 11)))
    assert torch.equal(found.module.embed(0, inputs[0]), found.inputs[0])
    _, delta = attribution_core.IntegratedGradients(found.module).attribute(
        found.inputs, baselines, target=1, additional_forward_args=scale, n_steps=400, return_convergence_delta=True
    )
    assert delta.abs().max() < 0.05


@pytest.mark.parametrize("positions", [
    lambda ids: torch.arange(ids.shape[1]).expand_as(ids),
    lambda ids: torch.arange(ids.shape[1])[None] + torch.zeros_like(ids),
    lambda ids: torch.cumsum(torch.ones_like(ids), 1) - 1,
])  # fmt: skip
def test_positions_that_equal_the_ids_are_no_ids(positions: Any) -> None:
    table, place = nn.Embedding(9, 2), nn.Embedding(9, 3)
    ids = torch.arange(4).repeat(2, 1)
    found = embedded(lambda ids: torch.cat([place(positions(ids)), table(ids)], -1).sum((1, 2)), ids)
    assert found.inputs[0].shape == (2, 4, 2)


def test_ids_that_feed_two_tables_become_their_vectors_side_by_side() -> None:
    deep, wide = nn.Embedding(9, 3), nn.Embedding(9, 1)
    ids = torch.tensor([[4, 4, 1]])

    def model(ids: Tensor) -> Tensor:
        return deep(ids).sum((1, 2)) * wide(ids).sum((1, 2))

    found = embedded(model, ids)
    assert torch.equal(found.inputs[0], torch.cat([deep(ids), wide(ids)], -1))
    assert torch.equal(found.module(*found.inputs), model(ids))


def test_functional_lookups_count() -> None:
    table = torch.randn(5, 2)
    ids = torch.tensor([[0, 3]])
    for model in (
        lambda i: F.embedding(i, table).sum((1, 2)),
        lambda i: F.embedding(input=i, weight=table).sum((1, 2)),
    ):
        assert torch.equal(embedded(model, ids).inputs[0], table[ids])


def test_integers_that_no_embedding_looks_up_are_refused() -> None:
    table = nn.Embedding(5, 2)
    with pytest.raises(AttributionError, match=r"inputs\[1\] is torch.int64 of shape \(1, 2\), but no embedding"):
        embedded(lambda i, m: (table(i) * m[..., None]).sum((1, 2)), (torch.tensor([[1, 2]]), torch.tensor([[1, 0]])))


def test_wrong_embeddings_are_refused() -> None:
    table = nn.Embedding(5, 2)
    found = embedded(lambda i: table(i).sum((1, 2)), torch.tensor([[1, 2], [3, 4]]))
    for shape in ((3, 2, 2), (2, 3, 2), (1, 2, 2)):
        with pytest.raises(AttributionError, match="stacked batches"):
            found.module(torch.zeros(shape))


def test_another_order_of_lookups_is_refused() -> None:
    tables = [nn.Embedding(5, 2), nn.Embedding(5, 2)]
    calls = iter([0, 1])
    found = embedded(lambda i: tables[next(calls)](i).sum((1, 2)), torch.tensor([[1, 2]]))
    with pytest.raises(AttributionError, match="another order"):
        found.module(*found.inputs)


def test_a_model_that_refuses_other_ids_keeps_the_tables_that_were_seen() -> None:
    table, place = nn.Embedding(9, 2), nn.Embedding(9, 3)
    ids = torch.arange(4)[None]

    def model(x: Tensor) -> Tensor:
        if not torch.equal(x, ids):
            raise ValueError("these ids only")
        return torch.cat([place(torch.cumsum(torch.ones_like(x), 1) - 1), table(x)], -1).sum((1, 2))

    assert embedded(model, ids).inputs[0].shape == (1, 4, 5)


class Twice(nn.Module):
    """Looks the same ids up twice, and changes the first vectors, in place or not."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.inplace = nn.Embedding(5, 3), inplace

    def forward(self, ids: Tensor) -> Tensor:
        first = self.table(ids)
        first = first.mul_(2) if self.inplace else first * 2
        return (first * self.table(ids)).sum((1, 2))


def test_vectors_that_are_changed_in_place_are_new_in_the_next_lookup() -> None:
    ids = torch.tensor([[1, 2]])
    found = [attribution_core.Saliency(Twice(inplace)).attribute(ids) for inplace in (False, True)]
    assert torch.equal(*found)
