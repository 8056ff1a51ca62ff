"""Cases of activations and normalisations."""

import numpy as np

from tests.runtimes.caffe import reference as ref
from tests.runtimes.caffe.case import simple

ACTIVATIONS = [
    simple("absolute value", "AbsVal", "", np.abs),
    simple("bnll", "BNLL", "", ref.bnll),
    simple("relu", "ReLU", "", ref.relu),
    simple("leaky relu", "ReLU", "relu_param { negative_slope: 0.1 }", lambda x: ref.relu(x, 0.1)),
    simple("sigmoid", "Sigmoid", "", ref.sigmoid),
    simple("tanh", "TanH", "", np.tanh),
    simple("elu", "ELU", "", ref.elu),
    simple("elu of alpha", "ELU", "elu_param { alpha: 0.3 }", lambda x: ref.elu(x, 0.3)),
    simple("exp", "Exp", "", ref.exponential),
    simple(
        "exp of base 2",
        "Exp",
        "exp_param { base: 2 scale: 0.5 shift: 1 }",
        lambda x: ref.exponential(x, 2, 0.5, 1),
    ),
    simple(
        "exp shifted",
        "Exp",
        "exp_param { scale: 0.5 shift: 1 }",
        lambda x: ref.exponential(x, -1, 0.5, 1),
    ),
    simple("log", "Log", "", ref.logarithm, positive=True),
    simple(
        "log of base 2",
        "Log",
        "log_param { base: 2 scale: 3 shift: 1 }",
        lambda x: ref.logarithm(x, 2, 3, 1),
        positive=True,
    ),
    simple(
        "power 1", "Power", "power_param { scale: 2 shift: 3 }", lambda x: ref.power(x, 1, 2, 3)
    ),
    simple(
        "power 2",
        "Power",
        "power_param { power: 2 scale: 2 shift: 3 }",
        lambda x: ref.power(x, 2, 2, 3),
    ),
    simple(
        "power -0.75",
        "Power",
        "power_param { power: -0.75 scale: 2 shift: 1 }",
        lambda x: ref.power(x, -0.75, 2, 1),
        positive=True,
    ),
    simple("power 0", "Power", "power_param { power: 0 }", np.ones_like),
    simple(
        "power of scale 0",
        "Power",
        "power_param { scale: 0 shift: 2 power: 3 }",
        lambda x: np.full_like(x, 8),
    ),
    simple("power that does nothing", "Power", "", lambda x: x),
    simple(
        "threshold",
        "Threshold",
        "threshold_param { threshold: 0.3 }",
        lambda x: (x > np.float32(0.3)).astype(float),
    ),
    simple(
        "clip",
        "Clip",
        "clip_param { min: -0.5 max: 0.75 }",
        lambda x: np.clip(x, -0.5, 0.75),
    ),
    simple(
        "swish",
        "Swish",
        "swish_param { beta: 1.5 }",
        lambda x: x * ref.sigmoid(1.5 * x),
    ),
    simple("dropout", "Dropout", "dropout_param { dropout_ratio: 0.9 }", lambda x: x),
    simple("split", "Split", "", lambda x: (x, x), made=2),
]

NORMALISATIONS = [
    simple("lrn across", "LRN", "", ref.lrn_across),
    simple(
        "lrn across of 3",
        "LRN",
        "lrn_param { local_size: 3 alpha: 0.1 beta: 0.5 k: 2 }",
        lambda x: ref.lrn_across(x, 3, 0.1, 0.5, 2),
    ),
    simple(
        "lrn within",
        "LRN",
        "lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 }",
        lambda x: ref.lrn_within(x, 3),
    ),
    simple(
        "lrn within, k given",
        "LRN",
        "lrn_param { norm_region: WITHIN_CHANNEL local_size: 5 k: 3 alpha: 0.1 beta: 0.5 }",
        lambda x: ref.lrn_within(x, 5, 0.1, 0.5),
    ),
    simple("mvn", "MVN", "", ref.mvn),
    simple(
        "mvn across channels",
        "MVN",
        "mvn_param { across_channels: true }",
        lambda x: ref.mvn(x, across=True),
    ),
    simple(
        "mvn of the mean",
        "MVN",
        "mvn_param { normalize_variance: false }",
        lambda x: ref.mvn(x, variance=False),
    ),
    simple("mvn of eps", "MVN", "mvn_param { eps: 0.5 }", lambda x: ref.mvn(x, eps=0.5)),
    simple(
        "lrn across of k 1",
        "LRN",
        "lrn_param { local_size: 3 alpha: 0.1 beta: 0.5 }",
        lambda x: ref.lrn_across(x, 3, 0.1, 0.5),
    ),
    simple(
        "normalize",
        "Normalize",
        "norm_param { across_spatial: false channel_shared: false }",
        lambda x, s: ref.normalize(x, s, False),
        blobs=((4,),),
    ),
    simple(
        "normalize shared",
        "Normalize",
        "norm_param { across_spatial: false }",
        lambda x, s: ref.normalize(x, s, False),
        blobs=((),),
    ),
    simple(
        "normalize across",
        "Normalize",
        "norm_param { eps: 0.1 }",
        lambda x, s: ref.normalize(x, s, True, 0.1),
        blobs=((),),
    ),
    simple(
        "normalize across, scaled by channel",
        "Normalize",
        "norm_param { channel_shared: false }",
        lambda x, s: ref.normalize(x, s, True),
        blobs=((4,),),
    ),
    simple("batch norm", "BatchNorm", "", ref.batch_norm, blobs=((4,), (4,), (1,))),
    simple(
        "batch norm of eps",
        "BatchNorm",
        "batch_norm_param { eps: 0.1 }",
        lambda *a: ref.batch_norm(*a, eps=0.1),
        blobs=((4,), (4,), (1,)),
    ),
    simple(
        "batch norm of 2 axes",
        "BatchNorm",
        "batch_norm_param { use_global_stats: true }",
        ref.batch_norm,
        (3, 5),
        blobs=((5,), (5,), (1,)),
    ),
    simple(
        "batch norm of 3 axes", "BatchNorm", "", ref.batch_norm, (3, 5, 4), blobs=((5,), (5,), (1,))
    ),
    simple(
        "batch norm of 1 axis",
        "BatchNorm",
        "",
        ref.batch_norm,
        (3,),
        blobs=((1,), (1,), (1,)),
    ),
    simple("softmax", "Softmax", "", ref.softmax, (3, 5)),
    simple("softmax over images", "Softmax", "", ref.softmax),
    simple(
        "softmax along the last axis",
        "Softmax",
        "softmax_param { axis: -1 }",
        lambda x: ref.softmax(x, -1),
    ),
]
