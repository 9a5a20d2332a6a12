"""What all shapes share: how they are read and written, their texts and numbers with bounds, errors, classes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.words import all_readable, cut, readable

FeatureKind = Literal["image", "text", "general", "empty"]
Task = Literal["classification", "binary", "regression"]
Order = Literal["index", "mistakes", "confident", "uncertain"]

EXACT = 2**53 - 1  # the largest whole number that JavaScript has; databases have it too
WORD = 100  # characters of a name that a request may give
ARGUMENTS = 50
Whole = Annotated[int, Field(ge=0, le=EXACT)]
Word = Annotated[str, Field(max_length=WORD)]
Argument = (
    bool | Annotated[int, Field(ge=-EXACT, le=EXACT)] | Annotated[float, Field(allow_inf_nan=False)] | Word | None
)
Arguments = Annotated[dict[Word, Argument], Field(max_length=ARGUMENTS)]
Baseline = Whole | Literal["mean"]
SCAN_STEP = 2000  # seconds for a small net, and enough mistakes to look at
SCAN_ALL_BELOW = 10_000  # a usual test set: counts over all of it are worth the wait


Text = Annotated[str, BeforeValidator(readable)]
Texts = Annotated[list[str], BeforeValidator(all_readable)]
Cut = Annotated[Text, BeforeValidator(cut)]


class Wire(BaseModel):
    """Base of all wire models: immutable, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, object]:
        """As pydantic makes it, once: flask-openapi3 asks for it in every request, of which it took a third."""
        if args or kwargs:
            return super().model_json_schema(*args, **kwargs)
        if cls not in _MADE:
            _MADE[cls] = super().model_json_schema()
        return _MADE[cls]


_MADE: dict[type[Wire], dict[str, object]] = {}


class ApiError(Wire):
    """What went wrong, in words for a person, and what to try."""

    type: Cut
    message: Cut
    hint: Cut


class ClassRef(Wire):
    """A class by its index in the model's output and its name."""

    index: int
    name: Text
