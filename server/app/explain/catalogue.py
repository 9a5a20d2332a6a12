"""What is said of the methods on offer, besides what the engine says itself: what they do, promise and cost."""

from __future__ import annotations

from dataclasses import dataclass

from app.schema import MethodGroup

SUMS = "Adds up to the change of the output from the baseline"
THROUGH = "over a layer that everything passes through"
SHARED = f"{SUMS}; features that act alike get the same, those that do nothing get zero."
MEASURED = "Each value is a measured change of the output; together they need not add up."
COARSE = "No promise; a coarse map of where the output comes from, as fine as the layer's grid."
SLOPE = "No promise; where it is zero, small changes of the input do not matter."
KEPT = "Keeps the output's value from layer to layer, but for what biases and rules absorb."
FINE = "No promise; fine structures that the model reacts to."
CLASS_BLIND = "Its maps hardly depend on the class that is explained (Adebayo et al. 2018; Nie et al. 2018)."
ONE_WAY = (1, 0)
THERE_AND_BACK = (1, 1)


@dataclass(frozen=True)
class Entry:
    """A method on offer: its group, what it guarantees, and why not to trust it in general, or nothing.

    negative: whether it can give negative attributions. passes: at a layer, forward and back besides those of `steps`,
    which is an argument that counts further passes forward and back, or "maps", the layer's channels, forward.
    """

    group: MethodGroup
    promise: str
    caveat: str = ""
    negative: bool = True
    passes: tuple[int, int] = THERE_AND_BACK
    steps: str = ""


CATALOGUE: dict[str, Entry] = {
    "LayerGradCam": Entry("quick look", COARSE),
    "LayerGradCamPlusPlus": Entry("quick look", COARSE, negative=False),
    "LayerCam": Entry("quick look", COARSE, negative=False),
    "Saliency": Entry("quick look", SLOPE),
    "InputXGradient": Entry("quick look", "Adds up to the output only where the model is linear."),
    "GuidedGradCam": Entry("quick look", FINE, passes=(1, 2)),
    "GuidedBackprop": Entry("quick look", FINE, CLASS_BLIND),
    "Deconvolution": Entry("quick look", FINE, CLASS_BLIND),
    "LayerActivation": Entry("quick look", "What the layer passes on, whatever the model makes of it.", passes=ONE_WAY),
    "LayerGradientXActivation": Entry("quick look", "Adds up to the output only where all after the layer is linear."),
    "IntegratedGradients": Entry("adds up", f"{SUMS}, the more exactly the more steps."),
    "DeepLift": Entry("adds up", f"{SUMS}, exactly, in two passes."),
    "GradientShap": Entry("adds up", f"{SUMS} in expectation."),
    "LayerIntegratedGradients": Entry("adds up", f"{SUMS}, {THROUGH}.", passes=(2, 0), steps="n_steps"),
    "LayerConductance": Entry("adds up", f"{SUMS}, {THROUGH}.", steps="n_steps"),
    "LayerDeepLift": Entry("adds up", f"{SUMS}, {THROUGH}.", passes=(2, 1)),
    "InternalInfluence": Entry("adds up", "A mean slope: it does not add up itself.", passes=(0, 0), steps="n_steps"),
    "Occlusion": Entry("by removing", MEASURED),
    "FeatureAblation": Entry("by removing", MEASURED),
    "RISE": Entry("by removing", "A mean output over random masks; only its differences mean something."),
    "LayerScoreCam": Entry("by removing", COARSE, negative=False, passes=(2, 0), steps="maps"),
    "ShapleyValues": Entry("fair shares", f"Exact. {SHARED}"),
    "KernelShap": Entry("fair shares", f"An estimate. {SHARED}"),
    "ShapleyValueSampling": Entry("fair shares", f"An estimate. {SHARED}"),
    "Lime": Entry("local model", "A linear model that predicts like yours near this input; it need not add up."),
    "LRP": Entry("relevance", KEPT),
    "LayerLRP": Entry("relevance", KEPT),
    "AttentionRollout": Entry(
        "attention",
        "Shares that sum to 1, if attention were all that mixes tokens.",
        "It explains no output: what a model does with what it attends to is left out (Jain and Wallace 2019).",
        negative=False,
        passes=ONE_WAY,
    ),
}  # fmt: skip
"""In the order in which they are offered."""
