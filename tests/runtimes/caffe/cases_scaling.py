"""Cases of layers that scale, multiply and add."""

import numpy as np

from tests.runtimes.caffe import reference as ref
from tests.runtimes.caffe.case import IMAGE, simple

SCALINGS = [
    simple("prelu", "PReLU", "", ref.prelu, blobs=((4,),)),
    simple("prelu shared", "PReLU", "prelu_param { channel_shared: true }", ref.prelu, blobs=((),)),
    simple("prelu of 2 axes", "PReLU", "", ref.prelu, (3, 5), blobs=((5,),)),
    simple("scale", "Scale", "", ref.scaled, blobs=((4,),)),
    simple(
        "scale and bias", "Scale", "scale_param { bias_term: true }", ref.scaled, blobs=((4,), (4,))
    ),
    simple(
        "scale of the last axis",
        "Scale",
        "scale_param { axis: -1 bias_term: true }",
        lambda *a: ref.scaled(*a, axis=-1),
        blobs=((6,), (6,)),
    ),
    simple(
        "scale of two axes",
        "Scale",
        "scale_param { axis: 1 num_axes: 2 }",
        ref.scaled,
        blobs=((4, 7),),
    ),
    simple(
        "scale of all axes",
        "Scale",
        "scale_param { axis: 0 num_axes: -1 }",
        lambda *a: ref.scaled(*a, axis=0),
        blobs=(IMAGE,),
    ),
    simple(
        "scale of no axes",
        "Scale",
        "scale_param { num_axes: 0 bias_term: true }",
        ref.scaled,
        blobs=((), ()),
    ),
    simple(
        "scale by a second input",
        "Scale",
        "scale_param { axis: 0 }",
        lambda x, f: ref.scaled(x, f, axis=0),
        IMAGE,
        (2, 4),
    ),
    simple(
        "scale by a second input, and bias",
        "Scale",
        "scale_param { bias_term: true }",
        ref.scaled,
        IMAGE,
        (4,),
        blobs=((4,),),
    ),
    simple("bias", "Bias", "", ref.biased, blobs=((4,),)),
    simple(
        "bias from a second input",
        "Bias",
        "bias_param { axis: 0 }",
        lambda x, b: ref.biased(x, b, 0),
        IMAGE,
        (2, 4),
    ),
    simple(
        "inner product",
        "InnerProduct",
        "inner_product_param { num_output: 5 }",
        ref.inner_product,
        blobs=((5, 168), (5,)),
    ),
    simple(
        "inner product without bias",
        "InnerProduct",
        "inner_product_param { num_output: 5 bias_term: false }",
        ref.inner_product,
        (3, 6),
        blobs=((5, 6),),
    ),
    simple(
        "inner product along axis 2",
        "InnerProduct",
        "inner_product_param { num_output: 5 axis: 2 }",
        lambda *a: ref.inner_product(*a, axis=2),
        blobs=((5, 42), (5,)),
    ),
    simple(
        "inner product of the last axis",
        "InnerProduct",
        "inner_product_param { num_output: 5 axis: -1 }",
        lambda *a: ref.inner_product(*a, axis=-1),
        blobs=((5, 6), (5,)),
    ),
    simple(
        "inner product transposed",
        "InnerProduct",
        "inner_product_param { num_output: 5 transpose: true }",
        lambda *a: ref.inner_product(*a, transpose=True),
        blobs=((168, 5), (5,)),
    ),
]

SUMS = [
    simple("sum", "Eltwise", "", lambda a, b, c: a + b + c, IMAGE, IMAGE, IMAGE),
    simple(
        "sum with coefficients",
        "Eltwise",
        "eltwise_param { coeff: 1 coeff: -0.5 }",
        lambda a, b: a - 0.5 * b,
        IMAGE,
        IMAGE,
    ),
    simple(
        "product",
        "Eltwise",
        "eltwise_param { operation: PROD }",
        lambda a, b, c: a * b * c,
        IMAGE,
        IMAGE,
        IMAGE,
    ),
    simple(
        "maximum",
        "Eltwise",
        "eltwise_param { operation: MAX }",
        lambda a, b, c: np.maximum(np.maximum(a, b), c),
        IMAGE,
        IMAGE,
        IMAGE,
    ),
    simple("sum of 2 axes", "Eltwise", "", lambda a, b: a + b, (3, 5), (3, 5)),
]
