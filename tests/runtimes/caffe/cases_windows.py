"""Cases of layers that slide over height and width."""

from tests.runtimes.caffe import reference as ref
from tests.runtimes.caffe.case import IMAGE, Case


def conv(id, options, weight, bias=True, shapes=(IMAGE,), type="Convolution", **how):
    outputs = how.pop("outputs", weight[0])
    function = ref.convolution if type == "Convolution" else ref.deconvolution
    blobs = (weight, (outputs,)) if bias else (weight,)
    text = f"convolution_param {{ num_output: {outputs} {options} }}"
    return Case(
        f"{type.lower()} {id}",
        type,
        text,
        lambda *a: function(*a, **how),
        shapes,
        blobs,
    )


def deconv(id, options, weight, outputs, **more):
    return conv(id, options, weight, type="Deconvolution", outputs=outputs, **more)


def pool(id, options, shape=IMAGE, **how):
    text = f"pooling_param {{ {options} }}"
    return Case(f"pooling {id}", "Pooling", text, lambda x: ref.pooling(x, **how), (shape,))


CONVOLUTIONS = [
    conv("of 3", "kernel_size: 3", (5, 4, 3, 3)),
    conv("without bias", "kernel_size: 3 bias_term: false", (5, 4, 3, 3), bias=False),
    conv("padded and strided", "kernel_size: 3 pad: 1 stride: 2", (5, 4, 3, 3), pad=1, stride=2),
    conv("of 1", "kernel_size: 1", (6, 4, 1, 1)),
    conv(
        "not square",
        "kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1 pad_h: 2 pad_w: 0",
        (5, 4, 3, 2),
        stride=(2, 1),
        pad=(2, 0),
    ),
    conv(
        "given as lists",
        "kernel_size: 3 kernel_size: 2 stride: 2 stride: 1 pad: 2 pad: 0",
        (5, 4, 3, 2),
        stride=(2, 1),
        pad=(2, 0),
    ),
    conv("dilated", "kernel_size: 3 dilation: 2 pad: 2", (5, 4, 3, 3), dilation=2, pad=2),
    conv(
        "dilated along one axis",
        "kernel_size: 3 dilation: 1 dilation: 2",
        (5, 4, 3, 3),
        dilation=(1, 2),
    ),
    conv("grouped", "kernel_size: 3 group: 2 pad: 1", (6, 2, 3, 3), group=2, pad=1),
    conv("of each channel", "kernel_size: 3 group: 4 pad: 1", (4, 1, 3, 3), group=4, pad=1),
    conv(
        "of each channel, strided",
        "kernel_size: 3 group: 4 pad: 1 stride: 2",
        (4, 1, 3, 3),
        group=4,
        pad=1,
        stride=2,
    ),
    conv("as large as its input", "kernel_h: 7 kernel_w: 6", (3, 4, 7, 6)),
    conv("padded beyond its kernel", "kernel_size: 2 pad: 3", (3, 4, 2, 2), pad=3),
    conv(
        "of 5 channels out of 3",
        "kernel_size: 5 pad: 2",
        (7, 3, 5, 5),
        shapes=((1, 3, 9, 9),),
        pad=2,
    ),
    deconv("of 3", "kernel_size: 3", (4, 5, 3, 3), 5),
    deconv("strided", "kernel_size: 4 stride: 2 pad: 1", (4, 5, 4, 4), 5, stride=2, pad=1),
    deconv("without bias", "kernel_size: 2 bias_term: false", (4, 5, 2, 2), 5, bias=False),
    deconv("grouped", "kernel_size: 3 group: 2", (4, 3, 3, 3), 6, group=2),
    deconv(
        "of each channel",
        "kernel_size: 4 stride: 2 pad: 1 group: 4",
        (4, 1, 4, 4),
        4,
        group=4,
        stride=2,
        pad=1,
    ),
    deconv("dilated", "kernel_size: 3 dilation: 2", (4, 5, 3, 3), 5, dilation=2),
    deconv(
        "not square",
        "kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 3",
        (4, 5, 3, 2),
        5,
        stride=(2, 3),
    ),
]

POOLINGS = [
    pool("max", "kernel_size: 2 stride: 2", kernel=2, stride=2),
    pool("max of 3 by 2", "kernel_size: 3 stride: 2", kernel=3, stride=2),
    pool("max padded", "kernel_size: 3 stride: 2 pad: 1", kernel=3, stride=2, pad=1),
    pool("max padded by 2", "kernel_size: 3 stride: 3 pad: 2", kernel=3, stride=3, pad=2),
    pool(
        "max rounded down",
        "kernel_size: 3 stride: 2 ceil_mode: false",
        kernel=3,
        stride=2,
        ceil=False,
    ),
    pool(
        "max with round_mode",
        "kernel_size: 2 stride: 2 round_mode: FLOOR",
        kernel=2,
        stride=2,
        ceil=False,
    ),
    pool("max with gaps", "kernel_size: 1 stride: 2", (1, 2, 7, 7), kernel=1, stride=2),
    pool("max everywhere", "global_pooling: true", whole=True),
    pool("max overlapping", "kernel_size: 3 stride: 1 pad: 1", kernel=3, stride=1, pad=1),
    pool("average", "pool: AVE kernel_size: 2 stride: 2", method="AVE", kernel=2, stride=2),
    pool(
        "average of 3 by 2", "pool: AVE kernel_size: 3 stride: 2", method="AVE", kernel=3, stride=2
    ),
    pool(
        "average padded",
        "pool: AVE kernel_size: 3 stride: 2 pad: 1",
        method="AVE",
        kernel=3,
        stride=2,
        pad=1,
    ),
    pool(
        "average padded by 2",
        "pool: AVE kernel_size: 4 stride: 3 pad: 2",
        method="AVE",
        kernel=4,
        stride=3,
        pad=2,
    ),
    pool("average everywhere", "pool: AVE global_pooling: true", method="AVE", whole=True),
    pool(
        "average not square",
        "pool: AVE kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2",
        method="AVE",
        kernel=(3, 2),
        stride=(1, 2),
    ),
    pool(
        "average rounded down",
        "pool: AVE kernel_size: 4 stride: 3 pad: 1 ceil_mode: false",
        method="AVE",
        kernel=4,
        stride=3,
        pad=1,
        ceil=False,
    ),
    pool(
        "max larger than its input",
        "kernel_size: 8 stride: 2",
        (1, 2, 7, 7),
        kernel=8,
        stride=2,
    ),
    pool(
        "average larger than its input",
        "pool: AVE kernel_size: 8 stride: 2",
        (1, 2, 7, 7),
        method="AVE",
        kernel=8,
        stride=2,
    ),
]
