"""Captum, to be compared with as it is installed."""

from __future__ import annotations

import warnings
from typing import Any

import captum
import captum.attr

IS_09 = captum.__version__.startswith("0.9")


def of_captum(name: str, model: Any, *arguments: Any, **options: Any) -> Any:
    """What Captum's class of that name answers, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(captum.attr, name)(model).attribute(*arguments, **options)
