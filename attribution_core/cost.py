"""What a call will cost, before it is made."""

from __future__ import annotations

from attribution_core.classes.base import Attribution
from attribution_core.errors import AttributionError
from attribution_core.evaluation.observe import Passes, counting


def cost(method: Attribution, inputs: object, /, **arguments: object) -> Passes:
    """The passes that `method.attribute(inputs, **arguments)` will make, counted by going through it without the model.

    The model is assumed to return one score for each row. Where a layer's values are needed the model is run for them.
    What depends on scores (a tolerance) is counted as if all scores were equal: such calls cost at least this much.
    """
    if not isinstance(method, Attribution):
        raise AttributionError(
            f"cost got a {type(method).__name__}, not an attribution method.", "Pass Saliency(model), …"
        )
    passes = Passes()
    with counting(passes):
        method.attribute(inputs, **arguments)
    return passes
