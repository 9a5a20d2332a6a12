"""What a person looks at, as the notebook's dashboard tells it."""

from __future__ import annotations

from pydantic import BaseModel

from app.schema import Argument, AttributionRequest, Baseline


class Selection(BaseModel):
    """What is on the screen: the samples in view, and the question asked of the one that is looked at."""

    samples: list[int] = []
    sample: int | None = None
    model: int = 0
    target: int | None = None
    method: str | None = None
    arguments: dict[str, Argument] = {}
    baseline: Baseline = 0

    def request(self, sample: int, method: str) -> AttributionRequest:
        """The question as it is asked of a sample in view; a chosen class counts for the selected sample alone."""
        return AttributionRequest(
            sample=sample,
            model=self.model,
            target=self.target if sample == self.sample else None,
            method=self.method or method,
            arguments=self.arguments,
            baseline=self.baseline,
        )
