"""The demos of `python -m app.example`, by name; the first is the default."""

from __future__ import annotations

from app.demos import cifar10, digits, fashion_mnist, folder
from app.demos.demo import Demo, Workspace

__all__ = ["DEMOS", "Demo", "Workspace"]

DEMOS = {demo.name: demo for demo in (digits.DEMO, fashion_mnist.DEMO, cifar10.DEMO, folder.DEMO)}
