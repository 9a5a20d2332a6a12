"""What a demo is: a name on the command line, its own arguments, and a workspace built from them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

Workspace = dict[str, Any]


@dataclass(frozen=True)
class Demo:
    """A demo as the command line shows it; `module` has a function `build` and is imported once the demo is chosen."""

    name: str
    summary: str
    details: str
    module: str
    add_arguments: Callable[[ArgumentParser], None] = lambda _: None

    def build(self, options: Namespace) -> Workspace:
        """The keyword arguments of `AttributionVisualizer` for the demo's own options and `device`, a torch.device.

        Raises `InsightsError`, with a hint, where files or packages are missing.
        """
        workspace: Workspace = import_module(self.module).build(options)
        return workspace
