"""Any model's inputs and outputs: tiny random models of `transformers`, called as their users call them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn

import attribution_core
from attribution_core import (
    AttentionRollout,
    AttributionError,
    FeatureAblation,
    IntegratedGradients,
    LayerActivation,
    LayerAttribution,
    LayerGradCam,
    LayerIntegratedGradients,
    NeuronGradient,
    Saliency,
)

IDS = torch.tensor([[5, 9, 12, 3, 40, 8], [7, 2, 31, 6, 1, 1]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])
IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
NAMES = {0: "good", 1: "bad", 2: "so so"}
TEXT = ["BERT", "DistilBERT", "RoBERTa", "GPT-2"]
METHODS: dict[str, dict[str, Any]] = {
    "Saliency": {}, "InputXGradient": {}, "DeepLift": {}, "GuidedBackprop": {},
    "Deconvolution": {}, "FeatureAblation": {"baselines": 1},
    "IntegratedGradients": {"n_steps": 3, "method": "riemann_right", "internal_batch_size": 2},
}  # fmt: skip


def _bert() -> nn.Module:
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=50,
            hidden_size=12,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=16,
            id2label=NAMES,
        )
    )


def _distilbert() -> nn.Module:
    return transformers.DistilBertForSequenceClassification(
        transformers.DistilBertConfig(
            vocab_size=50, dim=12, n_layers=2, n_heads=2, hidden_dim=16, max_position_embeddings=16, id2label=NAMES
        )
    )


def _roberta() -> nn.Module:
    return transformers.RobertaForSequenceClassification(
        transformers.RobertaConfig(
            vocab_size=50,
            hidden_size=12,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=16,
            id2label=NAMES,
        )
    )


def _gpt2() -> nn.Module:
    return transformers.GPT2ForSequenceClassification(
        transformers.GPT2Config(
            vocab_size=50,
            n_embd=12,
            n_layer=2,
            n_head=2,
            n_positions=16,
            pad_token_id=1,
            bos_token_id=0,
            eos_token_id=0,
            id2label=NAMES,
        )
    )


def _bart() -> nn.Module:
    return transformers.BartForSequenceClassification(
        transformers.BartConfig(
            vocab_size=50,
            d_model=8,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=8,
            decoder_ffn_dim=8,
            max_position_embeddings=16,
            init_std=0.3,
        )
    )


def _t5() -> nn.Module:
    return transformers.T5ForSequenceClassification(
        transformers.T5Config(
            vocab_size=50,
            d_model=8,
            d_kv=4,
            d_ff=8,
            num_layers=1,
            num_heads=2,
            eos_token_id=2,
            pad_token_id=0,
            decoder_start_token_id=0,
        )
    )


def _vit() -> nn.Module:
    return transformers.ViTForImageClassification(
        transformers.ViTConfig(
            hidden_size=12,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            image_size=32,
            patch_size=8,
            id2label=NAMES,
        )
    )


BUILD: dict[str, Callable[[], nn.Module]] = {
    "BERT": _bert,
    "DistilBERT": _distilbert,
    "RoBERTa": _roberta,
    "GPT-2": _gpt2,
    "ViT": _vit,
}


@cache
def model(name: str) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return BUILD[name]().eval()


def given(name: str) -> tuple[Tensor, Any]:
    return (IMAGES, None) if name == "ViT" else (IDS, {"attention_mask": MASK})


def logits(name: str) -> Tensor:
    x, more = given(name)
    with torch.no_grad():
        found: Tensor = model(name)(x, **(more or {})).logits
    return found


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", BUILD)
def test_logits_are_identical_before_during_and_after(name: str, method: str) -> None:
    x, more = given(name)
    net, before, during = model(name), logits(name), []
    handle = net.register_forward_hook(lambda module, arguments, output: during.append(output.logits.detach()))
    try:
        found = getattr(attribution_core, method)(net).attribute(
            x, target="so so", additional_forward_args=more, **METHODS[method]
        )
    finally:
        handle.remove()
    assert found.shape == (x.shape if name == "ViT" or method == "FeatureAblation" else (2, 6, 12))
    assert found.isfinite().all() and found.abs().max() > 0
    assert torch.equal(logits(name), before)
    same = torch.allclose if method == "DeepLift" else torch.equal  # attention is computed in parts: rounding differs
    assert any(same(part, before) for part in during)
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in net.modules())


@pytest.mark.parametrize("name", TEXT)
def test_gradients_of_raw_ids_are_those_of_the_input_embeddings(name: str) -> None:
    """Against autograd through `inputs_embeds`, which these models take in place of ids."""
    net = model(name)
    vectors = net.get_input_embeddings()(IDS).detach().requires_grad_()
    named = {"inputs_embeds": vectors, "attention_mask": MASK}
    if name == "RoBERTa":
        named["position_ids"] = torch.tensor([[2, 3, 4, 5, 6, 7], [2, 3, 4, 5, 1, 1]])
    if name == "GPT-2":
        scores = net.score(net.transformer(**named).last_hidden_state)[torch.arange(2), torch.tensor([5, 3])]
    else:
        scores = net(**named).logits
    torch.testing.assert_close(scores.detach(), logits(name), rtol=1e-4, atol=1e-5)
    (slope,) = torch.autograd.grad(scores[:, 2].sum(), vectors)
    found = Saliency(net).attribute(IDS, target=2, abs=False, additional_forward_args={"attention_mask": MASK})
    torch.testing.assert_close(found, slope, rtol=1e-4, atol=1e-6)
    layer = attribution_core.LayerGradientXActivation(net, net.get_input_embeddings(), multiply_by_inputs=False)
    torch.testing.assert_close(layer.attribute(IDS, target=2, additional_forward_args=given(name)[1]), found)


@pytest.mark.parametrize("name", TEXT)
def test_completeness_from_ids_to_other_ids(name: str) -> None:
    """The path runs from the embedding of one id to those of the sentence."""
    call: dict[str, Any] = {"target": 0, "additional_forward_args": {"attention_mask": MASK}, "n_steps": 60}
    method = IntegratedGradients(model(name))
    other = torch.where(MASK == 1, 3, IDS)
    found, delta = method.attribute(IDS, other, return_convergence_delta=True, **call)
    assert delta.abs().max() < 1e-2 * found.abs().sum()
    change = model(name)(other, attention_mask=MASK).logits - model(name)(IDS, attention_mask=MASK).logits
    torch.testing.assert_close(found.sum((1, 2)) + change[:, 0].detach(), delta, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(method.attribute(IDS, other, **call), found)
    vectors = model(name).get_input_embeddings()(other).detach()
    torch.testing.assert_close(method.attribute(IDS, vectors, **call), found)
    nothing = method.attribute(IDS, **call)
    torch.testing.assert_close(nothing, method.attribute(IDS, torch.zeros_like(vectors), **call))


@pytest.mark.parametrize("name", ["Bart", "T5"])
def test_ids_that_a_decoder_looks_up_again_count_there_too(name: str) -> None:
    """Decoders of classifiers get the sentence itself, moved to the right."""
    net = {"Bart": _bart, "T5": _t5}[name]().eval().double()
    ids, other = torch.tensor([[5, 9, 12, 2], [7, 3, 31, 2]]), torch.tensor([[6, 6, 6, 2], [6, 6, 6, 2]])
    change = (net(ids).logits - net(other).logits)[:, 1].detach()
    for method in ("DeepLift", "IntegratedGradients"):
        found, delta = getattr(attribution_core, method)(net).attribute(
            ids, other, target=1, return_convergence_delta=True
        )
        torch.testing.assert_close(found.sum((1, 2)) - change, delta, rtol=1e-5, atol=1e-6)
        assert method != "DeepLift" or delta.abs().max() < 1e-6


@pytest.mark.parametrize("name", BUILD)
def test_inputs_by_name(name: str) -> None:
    x, more = given(name)
    key = "pixel_values" if name == "ViT" else "input_ids"
    method = IntegratedGradients(model(name))
    call: dict[str, Any] = {"target": "pred", "additional_forward_args": more, "n_steps": 3}
    found, delta = method.attribute({key: x}, {key: 0.0}, return_convergence_delta=True, **call)
    torch.testing.assert_close(found, {key: method.attribute(x, 0.0, **call)})
    assert delta.shape == (2,)
    several = method.attribute({key: x}, targets=["good", "bad"], additional_forward_args=more, n_steps=3)
    assert [list(part) for part in several] == [[key], [key]]


@pytest.mark.parametrize("name", BUILD)
def test_names_predictions_and_shared_targets(name: str) -> None:
    x, more = given(name)
    method = Saliency(model(name))
    top = logits(name).argmax(1).tolist()
    predicted = method.attribute(x, target="pred", additional_forward_args=more)
    torch.testing.assert_close(predicted, method.attribute(x, target=top, additional_forward_args=more))
    targets = ["bad", 2, "pred", ["good", "so so"]]
    shared = method.attribute(x, targets=targets, additional_forward_args=more)
    for target, mine in zip(targets, shared, strict=True):
        torch.testing.assert_close(mine, method.attribute(x, target=target, additional_forward_args=more))
    with pytest.raises(AttributionError, match="Known here: good, bad, so so"):
        method.attribute(x, target="ugly", additional_forward_args=more)


@pytest.mark.parametrize("name", BUILD)
def test_layers_neurons_and_attention(name: str) -> None:
    x, more = given(name)
    net = model(name)
    block = {"BERT": "bert.encoder.layer.1", "DistilBERT": "distilbert.transformer.layer.1",
             "RoBERTa": "roberta.encoder.layer.1", "GPT-2": "transformer.h.1", "ViT": "vit.layers.1"}[name]  # fmt: skip
    layer, tokens = net.get_submodule(block), 17 if name == "ViT" else 6
    assert LayerActivation(net, layer).attribute(x, more).shape == (2, tokens, 12)
    found, delta = LayerIntegratedGradients(net, layer).attribute(
        x, target=1, additional_forward_args=more, return_convergence_delta=True
    )
    assert found.shape == (2, tokens, 12)
    if name != "GPT-2":  # its score is read at a place that depends on the ids, not on the layer
        assert delta.abs().max() < 1e-3
    slopes = NeuronGradient(net, layer).attribute(x, (3, 2), more)
    assert slopes.shape == (IMAGES.shape if name == "ViT" else (2, 6, 12))
    rollout = AttentionRollout(net).attribute(x, more, token=-1 if name == "GPT-2" else 0)
    assert rollout.shape == ((2, 1, 4, 4) if name == "ViT" else (2, 6))


@pytest.mark.parametrize("name", BUILD)
def test_rollout_of_the_weights_that_the_model_returns(name: str) -> None:
    x, more = given(name)
    net, token = BUILD[name]().eval(), -1 if name == "GPT-2" else 0
    found = AttentionRollout(net).attribute(x, more, token)
    net.set_attn_implementation("eager")
    torch.testing.assert_close(AttentionRollout(net).attribute(x, more, token), found, rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        weights = net(x, output_attentions=True, **(more or {})).attentions
    size = weights[0].shape[-1]
    expected = torch.eye(size).expand(2, size, size)
    for weight in weights:
        expected = (weight.mean(1) + torch.eye(size)) / 2 @ expected
    own = expected[:, 0, 1:].reshape(2, 1, 4, 4) if name == "ViT" else expected[:, token]
    torch.testing.assert_close(found, own, rtol=1e-4, atol=1e-6)


def test_vision_transformer_maps() -> None:
    net = model("ViT")
    layer = net.vit.layers[1].layernorm_before
    assert LayerGradCam(net, layer).attribute(IMAGES, target="good").shape == (2, 1, 4, 4)
    tokens = attribution_core.LayerGradientXActivation(net, layer).attribute(IMAGES, target="good")
    assert LayerAttribution.interpolate(tokens, (32, 32), "bilinear").shape == (2, 12, 32, 32)
    guided = attribution_core.GuidedGradCam(net, layer).attribute(IMAGES, target="good")
    assert guided.shape == IMAGES.shape


def test_text_maps_have_one_weight_per_token() -> None:
    found = LayerGradCam(model("BERT"), model("BERT").bert.encoder.layer[1]).attribute(
        IDS, target=0, additional_forward_args={"attention_mask": MASK}
    )
    assert found.shape == (2, 1, 6)


def test_an_output_of_several_tensors_lists_them() -> None:
    net = transformers.BertForQuestionAnswering(
        transformers.BertConfig(
            vocab_size=50, hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
        )
    ).eval()
    with pytest.raises(
        AttributionError, match=r"start_logits \(2, 6\), end_logits \(2, 6\).*outputs\['start_logits'\]"
    ):
        FeatureAblation(net).attribute(IDS, target=0)
    found = IntegratedGradients(net).attribute(IDS, target=lambda outputs: outputs["end_logits"][:, 2], n_steps=4)
    assert found.shape == (2, 6, 12)
