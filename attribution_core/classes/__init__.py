"""Captum's classes: thin shells over the methods."""
