"""Incremental passes: where an input differs from another in a box only, a convolutional net computes anew only what
depends on that box, layer by layer [nakandala2019].

Each layer's values are held as those of the unchanged input, `base`, and as the `patch` in which the changed one
differs (`covered.py`): a box that every convolution and pool widens by its receptive field (`boxes.py`). Many changed
inputs have boxes of one size at different places, so that a layer computes all their patches as one batch. The model
runs as it is: its operations meet tensors that know their base and patch (`operations.py`). Any operation that is not
among those gets the whole values, and so does everything after a patch that covers most of its map. The result is
exact but for rounding. `saving.py` says for which models, inputs and features that pays.
"""
