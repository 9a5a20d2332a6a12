"""Which methods the dashboard offers."""

from __future__ import annotations

from app.explain.methods import OFFERED, offered

from ..core.registry import PRIMARY

KEPT_BACK = {"DeepLiftShap", "FeaturePermutation", "GuidedGradCam", "NoiseTunnel", "RISE", "ShapleyValues"}
"""They need a distribution, other samples, a layer, another method, thousands of passes."""


def test_every_method_of_inputs_is_offered_or_kept_back() -> None:
    assert sorted([*OFFERED, *KEPT_BACK]) == sorted(PRIMARY)


def test_a_score_is_never_what_is_explained() -> None:
    infos = [method.info for method in offered().values()]
    said = [text for info in infos for text in (info.summary, *(parameter.help for parameter in info.parameters))]
    assert [text for text in said if "score" in text] == []
