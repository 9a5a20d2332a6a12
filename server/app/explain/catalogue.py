"""What is said of the methods on offer, besides what the engine says itself: what they do, and what they promise."""

from __future__ import annotations

from dataclasses import dataclass

from app.schema import MethodGroup

SUMS = "Adds up to the change of the output from the baseline"
EXACTLY_SHARED = f"{SUMS}; features that act alike get the same, those that do nothing get zero."
MEASURED = "Each value is a measured change of the output; together they need not add up."
SLOPE = "No promise; where it is zero, small changes of the input do not matter."
FINE = "No promise; fine structures that the model reacts to."
CLASS_BLIND = "Its maps hardly depend on the class that is explained (Adebayo et al. 2018; Nie et al. 2018)."


@dataclass(frozen=True)
class Entry:
    """A method on offer: its group, what it guarantees, and why not to trust it in general, or nothing."""

    group: MethodGroup
    promise: str
    caveat: str = ""


CATALOGUE: dict[str, Entry] = {
    "IntegratedGradients": Entry("adds up", f"{SUMS}, the more exactly the more steps."),
    "DeepLift": Entry("adds up", f"{SUMS}, exactly, in two passes."),
    "Saliency": Entry("quick look", SLOPE),
    "InputXGradient": Entry("quick look", "Adds up to the output only where the model is linear."),
    "GuidedBackprop": Entry("quick look", FINE, CLASS_BLIND),
    "Deconvolution": Entry("quick look", FINE, CLASS_BLIND),
    "Occlusion": Entry("by removing", MEASURED),
    "FeatureAblation": Entry("by removing", MEASURED),
    "LRP": Entry("relevance", "Keeps the output's value from layer to layer, but for what biases and rules absorb."),
    "GradientShap": Entry("adds up", f"{SUMS} in expectation."),
    "KernelShap": Entry("fair shares", f"Estimates Shapley values. {EXACTLY_SHARED}"),
    "ShapleyValueSampling": Entry("fair shares", f"Estimates Shapley values. {EXACTLY_SHARED}"),
    "Lime": Entry("local model", "A linear model that predicts like yours near this input; it need not add up."),
}  # fmt: skip
"""In the order in which they are offered."""
