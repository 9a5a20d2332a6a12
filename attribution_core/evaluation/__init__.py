"""How a model is run: watched, in chunks that fit, and left undisturbed."""
