"""Which methods the dashboard offers."""

from __future__ import annotations

from app.explain.methods import OFFERED

from ..core.registry import PRIMARY

KEPT_BACK = {"DeepLiftShap", "FeaturePermutation", "GuidedGradCam", "NoiseTunnel", "RISE", "ShapleyValues"}
"""They need a distribution, other samples, a layer, another method, thousands of passes."""


def test_every_method_of_inputs_is_offered_or_kept_back() -> None:
    assert sorted([*OFFERED, *KEPT_BACK]) == sorted(PRIMARY)
