"""Which methods the dashboard offers."""

from __future__ import annotations

from app.explain.methods import OFFERED, offered

from ..core.registry import LAYERS, PRIMARY

KEPT_BACK = {
    "DeepLiftShap",  # DeepLift with the mean over all baselines
    "FeaturePermutation",  # other samples
    "LayerDeepLiftShap",
    "LayerFeatureAblation",  # a mask of the layer's values
    "LayerFeaturePermutation",
    "LayerGradientShap",  # a distribution of baselines
    "NoiseTunnel",  # arguments of the method that it smooths
}


def test_every_method_of_inputs_or_layers_is_offered_or_kept_back() -> None:
    assert sorted([*OFFERED, *KEPT_BACK]) == sorted({*PRIMARY, *LAYERS, "AttentionRollout"})


def test_a_score_is_never_what_is_explained() -> None:
    infos = [method.info for method in offered().values()]
    said = [text for info in infos for text in (info.summary, *(parameter.help for parameter in info.parameters))]
    assert [text for text in said if "score" in text] == []
