"""What a demo is: a name on the command line, its own arguments, and a workspace built from them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Workspace = dict[str, Any]


@dataclass(frozen=True)
class Demo:
    """A demo; `build` gives the keyword arguments of `AttributionVisualizer`, or raises `InsightsError`.

    `build` also finds `device`, a torch.device, among its options.
    """

    name: str
    summary: str
    details: str
    build: Callable[[Namespace], Workspace]
    add_arguments: Callable[[ArgumentParser], None] = lambda _: None
