"""What methods share that change inputs and need no gradients."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, ClassVar

from torch.futures import Future

from attribution_core.classes.base import INPUTS, NOTHING, Attribution, Explained, Method
from attribution_core.classes.futures import attributed_later
from attribution_core.classes.outputs import Form, Outputs
from attribution_core.classes.signatures import Attributions
from attribution_core.errors import NotPerExample, SeveralOutputs
from attribution_core.evaluation.isolation import Tidy
from attribution_core.evaluation.observe import one_by_one
from attribution_core.methods.delta import plain_scores
from attribution_core.question.question import Question
from attribution_core.question.request import Request
from attribution_core.question.site import Site
from attribution_core.question.target import Output, Score
from attribution_core.types import Tensors


class PerturbationAttribution(Attribution):
    """A method that changes inputs and needs no gradients."""

    differentiates = False
    of_outputs: ClassVar[Form | None] = None
    """The form in which all outputs are explained where no target chooses one; None where that is refused."""

    def _answer(self, request: Request, method: Method, *, site: Site = INPUTS, **options: Any) -> Attributions:
        """What the method says of each target, or of every output, in the caller's form."""
        try:
            return super()._answer(request, method, site=site, **options)
        except (SeveralOutputs, NotPerExample):
            if self.of_outputs is None or request.several or request.targets != (Output(),):
                raise
        outputs = Outputs(request.batch)
        self._run(request, (Score(outputs.looked_at),), _one_run, site, NOTHING)
        request = request._replace(targets=outputs.targets(), several=True)
        with Tidy(request.modules), nullcontext() if outputs.of_rows else one_by_one():
            answers: Any = super()._answer(request, method, site=site, **options)
        return outputs.joined(answers, self.of_outputs)


class WaitingAttribution(PerturbationAttribution):
    """A method that can ask its model for all outputs before it needs any of them."""

    def attribute_future(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """The Future of what `attribute` gives for the same arguments, of a model that returns a Future.

        The model is called here and now, once for each perturbation; what follows is computed where the last of its
        answers arrives.
        """
        return attributed_later(self, args, kwargs)


def _one_run(question: Question, inputs: Tensors, _: Tensors) -> Explained:
    plain_scores(question, inputs)
    return Explained(())
