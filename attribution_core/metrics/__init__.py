"""How far an explanation can be trusted: whether it adds up, infidelity and sensitivity [yeh2019].

The last two perturb the inputs n times. Perturbed copies are drawn in blocks of a fixed size, and then evaluated in
chunks that fit: the size of a chunk changes no result.
"""

from attribution_core.methods.completeness import Completeness, completeness
from attribution_core.metrics.fidelity import infidelity, infidelity_perturb_func_decorator
from attribution_core.metrics.sensitivity import default_perturb_func, sensitivity_max

__all__ = [
    "Completeness",
    "completeness",
    "default_perturb_func",
    "infidelity",
    "infidelity_perturb_func_decorator",
    "sensitivity_max",
]
