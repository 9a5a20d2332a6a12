"""Torch's operations by what they do to relevance and to differences: the vocabulary that the rules share."""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ACTIVATIONS = _names(
    """relu relu6 elu selu celu leaky_relu prelu hardtanh hardswish hardsigmoid gelu silu mish softplus softsign rrelu
    sigmoid expit special_expit logsigmoid log_sigmoid tanh erf hardshrink softshrink tanhshrink threshold clamp clip
    clamp_min clamp_max"""
)
GATES = _names("sigmoid hardsigmoid expit special_expit")
POWERS = _names("square pow sqrt abs absolute")
FUNCTIONS = POWERS | _names(
    """exp expm1 log log1p log2 log10 rsqrt reciprocal sin cos tan asin acos atan arctan sinh cosh asinh acosh atanh
    exp2 erfc logit sinc lgamma digamma floor ceil round trunc frac sign sgn"""
)
ELEMENTWISE = ACTIVATIONS | FUNCTIONS
"""Functions of each value by itself."""

NORMALISED = _names("softmax log_softmax softmin")
LARGEST = _names("max amax")
POOLED_DIMENSIONS = {f"{kind}max_pool{n}d": n for kind in ("", "adaptive_") for n in (1, 2, 3)}
POOLED = frozenset(POOLED_DIMENSIONS)
SELECTED = LARGEST | POOLED | _names("min amin maximum minimum fmax fmin topk sort kthvalue median mode")
"""Some of the values, chosen by size."""

MOVED = _names(
    """adjoint alias atleast_1d atleast_2d atleast_3d bfloat16 broadcast_tensors broadcast_to cat channel_shuffle chunk
    clone column_stack concat concatenate contiguous copy cpu cuda detach diagonal diag double dsplit dstack expand
    expand_as fill flatten flip fliplr flipud float gather getitem half hsplit hstack index_copy index_fill index_put
    index_select masked_fill masked_scatter masked_select moveaxis movedim narrow native_channel_shuffle permute
    pixel_shuffle pixel_unshuffle ravel repeat repeat_interleave requires_grad reshape reshape_as roll rot90 row_stack
    scatter select select_scatter setitem slice_scatter split split_with_sizes squeeze stack swapaxes swapdims t take
    take_along_dim tensor_split tile to transpose tril triu type type_as unbind unflatten unfold unsafe_chunk
    unsafe_split unsqueeze view view_as vsplit vstack where zero"""
)
"""Values change their place, not their size: a gradient of 1."""

CASTS = _names("bfloat16 double float half to type type_as")
CHOICES = _names("masked_fill setitem where")
ABOVE = _names("gt ge greater greater_equal")
COMPARISONS = ABOVE | _names("lt le less less_equal")
NEGATIONS = _names("bitwise_not invert logical_not")
CONJUNCTIONS = _names("and bitwise_and logical_and")
DISJUNCTIONS = _names("or bitwise_or logical_or")
"""What is done with conditions on values."""

PROPERTIES = _names("T mT H mH real imag")
"""Properties of tensors that move values."""

CONVOLUTIONS = frozenset(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3))
WEIGHTED = CONVOLUTIONS | {"linear"}
"""Linear operations called as (x, weight, bias, …)."""

PRODUCTS = _names("mul multiply matmul mm bmm mv dot inner outer einsum tensordot kron bilinear")
"""Linear in each argument; of several values that depend on the input, a product."""

SHIFTED = _names("addmm addbmm baddbmm addmv addr addcmul")
"""The first argument plus the product of the others."""

QUOTIENTS = _names("div divide true_divide")
SUMS = QUOTIENTS | _names(
    """adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d add alpha_dropout avg_pool1d avg_pool2d avg_pool3d
    col2im cumsum diff dropout1d dropout2d dropout3d feature_alpha_dropout feature_dropout fold grid_sample im2col
    index_add interpolate mean nansum native_dropout neg negative pad positive rsub scatter_add sub subtract sum
    trace upsample upsample_bilinear upsample_nearest"""
)
"""Sums of the values with constant weights."""

TRANSFORMS = _names(
    """complex conj conj_physical cumulative_trapezoid imag istft real resolve_conj resolve_neg stft trapezoid trapz
    view_as_complex view_as_real"""
)
FOURIER = _names(
    """fft fft2 fftn fftshift hfft ifft ifft2 ifftn ifftshift ihfft irfft irfft2 irfftn rfft rfft2 rfftn"""
)
"""Other sums with constant weights, those of torch.fft by themselves."""

LEADING = dict.fromkeys(WEIGHTED, ("input", "weight", "bias")) | {
    **dict.fromkeys(_names("mul multiply matmul inner kron div divide true_divide"), ("input", "other")),
    **dict.fromkeys(_names("mm bmm"), ("input", "mat2")),
    "mv": ("input", "vec"),
    "outer": ("input", "vec2"),
    "dot": ("input", "tensor"),
    "bilinear": ("input1", "input2", "weight", "bias"),
    "addmm": ("input", "mat1", "mat2"),
    "where": ("condition", "input", "other"),
    "masked_fill": ("input", "mask", "value"),
    **dict.fromkeys(COMPARISONS, ("input", "other")),
}
"""Arguments that may depend on the input and that callers may give by position or by name; else only the first."""

QUERIES = _names("__len__ dim size numel is_floating_point is_contiguous stride element_size")
QUERIED = _names("shape dtype device requires_grad ndim is_cuda grad_fn is_leaf layout")
"""Methods and properties that only ask."""
