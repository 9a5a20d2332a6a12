"""Predictions of every sample: filled in the background, queried by the screen."""
