"""The question: a score (target) of a model, in terms of the values at a site."""
