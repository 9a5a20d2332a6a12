"""The same dashboard as a Jupyter widget."""
