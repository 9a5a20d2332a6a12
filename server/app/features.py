"""The features of a model's inputs, under the name that users import them by."""

from app.data.features import (
    BaseFeature,
    EmptyFeature,
    GeneralFeature,
    ImageFeature,
    Numbers,
    Picture,
    Shown,
    TextFeature,
    Transform,
    Transforms,
    Words,
)

__all__ = [
    "BaseFeature",
    "EmptyFeature",
    "GeneralFeature",
    "ImageFeature",
    "Numbers",
    "Picture",
    "Shown",
    "TextFeature",
    "Transform",
    "Transforms",
    "Words",
]
