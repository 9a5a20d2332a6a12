"""Where the package keeps its files."""

from pathlib import Path

STATIC = Path(__file__).parent / "static"
WEIGHTS = Path(__file__).parent / "weights"
