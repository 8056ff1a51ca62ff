"""Caffe's layers in plain NumPy, written from its equations and from nothing in this package.

Everything is computed in float64. Functions take the inputs, then the learned blobs, then options.
"""

import math

import numpy as np


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def convolution(x, weight, bias=None, stride=1, pad=0, dilation=1, group=1):
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(pad), pair(dilation)
    n, channels, height, width = x.shape
    outputs, per_group, kh, kw = weight.shape
    padded = np.zeros((n, channels, height + 2 * ph, width + 2 * pw))
    padded[:, :, ph : ph + height, pw : pw + width] = x
    rows = (height + 2 * ph - (dh * (kh - 1) + 1)) // sh + 1
    columns = (width + 2 * pw - (dw * (kw - 1) + 1)) // sw + 1
    y = np.zeros((n, outputs, rows, columns))
    for o in range(outputs):
        first = (o // (outputs // group)) * per_group
        for i in range(rows):
            for j in range(columns):
                part = padded[
                    :,
                    first : first + per_group,
                    i * sh : i * sh + dh * (kh - 1) + 1 : dh,
                    j * sw : j * sw + dw * (kw - 1) + 1 : dw,
                ]
                y[:, o, i, j] = (part * weight[o]).sum(axis=(1, 2, 3))
    return y if bias is None else y + bias.reshape(1, -1, 1, 1)


def deconvolution(x, weight, bias=None, stride=1, pad=0, dilation=1, group=1):
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(pad), pair(dilation)
    n, channels, height, width = x.shape
    _, per_group, kh, kw = weight.shape
    full_h = sh * (height - 1) + dh * (kh - 1) + 1
    full_w = sw * (width - 1) + dw * (kw - 1) + 1
    y = np.zeros((n, per_group * group, full_h, full_w))
    for c in range(channels):
        first = (c // (channels // group)) * per_group
        for o in range(per_group):
            for a in range(kh):
                for b in range(kw):
                    y[
                        :,
                        first + o,
                        a * dh : a * dh + sh * (height - 1) + 1 : sh,
                        b * dw : b * dw + sw * (width - 1) + 1 : sw,
                    ] += x[:, c] * weight[c, o, a, b]
    y = y[:, :, ph : full_h - ph, pw : full_w - pw]
    return y if bias is None else y + bias.reshape(1, -1, 1, 1)


def pooling(x, method="MAX", kernel=2, stride=1, pad=0, ceil=True, whole=False):
    n, channels, height, width = x.shape
    (kh, kw), (sh, sw), (ph, pw) = pair(kernel), pair(stride), pair(pad)
    if whole:
        kh, kw = height, width
    around = math.ceil if ceil else math.floor
    rows = around((height + 2 * ph - kh) / sh) + 1
    columns = around((width + 2 * pw - kw) / sw) + 1
    if ph or pw:
        rows -= (rows - 1) * sh >= height + ph
        columns -= (columns - 1) * sw >= width + pw
    y = np.zeros((n, channels, rows, columns))
    for i in range(rows):
        for j in range(columns):
            top, left = i * sh - ph, j * sw - pw
            bottom, right = min(top + kh, height + ph), min(left + kw, width + pw)
            area = (bottom - top) * (right - left)
            part = x[:, :, max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
            y[:, :, i, j] = (
                part.max(axis=(2, 3)) if method == "MAX" else part.sum(axis=(2, 3)) / area
            )
    return y


def lrn_across(x, size=5, alpha=1.0, beta=0.75, k=1.0):
    y = np.zeros_like(x)
    for c in range(x.shape[1]):
        near = x[:, max(c - size // 2, 0) : c + size // 2 + 1]
        y[:, c] = x[:, c] * (k + alpha / size * (near**2).sum(axis=1)) ** -beta
    return y


def lrn_within(x, size=5, alpha=1.0, beta=0.75):
    mean = pooling(x**2, "AVE", kernel=size, pad=size // 2)
    return x * (1 + alpha * mean) ** -beta


def inner_product(x, weight, bias=None, axis=1, transpose=False):
    axis %= x.ndim
    flat = x.reshape(int(np.prod(x.shape[:axis])), -1)
    y = flat @ (weight if transpose else weight.T)
    y = y if bias is None else y + bias
    return y.reshape(*x.shape[:axis], -1)


def batch_norm(x, mean, variance, scale_factor, eps=1e-5):
    factor = 0 if scale_factor[0] == 0 else 1 / float(scale_factor[0])
    shape = (1, -1, *(1,) * (x.ndim - 2)) if x.ndim > 1 else (1,)
    centred = x - (mean * factor).reshape(shape)
    return centred / np.sqrt((variance * factor).reshape(shape) + eps)


def scaled(x, factor, bias=None, axis=1):
    axis %= x.ndim
    shape = (*(1,) * axis, *factor.shape, *(1,) * (x.ndim - axis - factor.ndim))
    y = x * factor.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def biased(x, bias, axis=1):
    return x + bias.reshape(*(1,) * axis, *bias.shape, *(1,) * (x.ndim - axis - bias.ndim))


def prelu(x, slope):
    slope = slope.reshape((1, -1, *(1,) * (x.ndim - 2))) if slope.ndim else slope
    return np.maximum(x, 0) + slope * np.minimum(x, 0)


def relu(x, slope=0.0):
    return np.maximum(x, 0) + slope * np.minimum(x, 0)


def elu(x, alpha=1.0):
    return np.maximum(x, 0) + alpha * (np.exp(np.minimum(x, 0)) - 1)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def bnll(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def exponential(x, base=-1.0, scale=1.0, shift=0.0):
    return (math.e if base == -1 else base) ** (shift + scale * x)


def logarithm(x, base=-1.0, scale=1.0, shift=0.0):
    return np.log(shift + scale * x) / (1 if base == -1 else math.log(base))


def power(x, power=1.0, scale=1.0, shift=0.0):
    return (shift + scale * x) ** power


def softmax(x, axis=1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def mvn(x, variance=True, across=False, eps=1e-9):
    flat = x.reshape(x.shape[0] if across else x.shape[0] * x.shape[1], -1)
    y = flat - flat.mean(axis=1, keepdims=True)
    if variance:
        y = y / (np.sqrt((y**2).mean(axis=1, keepdims=True)) + eps)
    return y.reshape(x.shape)


def normalize(x, scale, across_spatial=True, eps=1e-10):
    axes = (1, 2, 3) if across_spatial else (1,)
    return scaled(x / np.sqrt((x**2).sum(axis=axes, keepdims=True) + eps), scale)


def crop(x, like, axis=2, offset=()):
    axis %= x.ndim
    offsets = list(offset) * (x.ndim - axis if len(offset) == 1 else 1) or [0] * (x.ndim - axis)
    for place, start in enumerate(offsets, start=axis):
        x = np.take(x, range(start, start + like.shape[place]), axis=place)
    return x


def lstm(x, cont, weight_x, bias, weight_h, static=None, weight_static=None, start=None):
    """Caffe's LSTM: gates in the order input, forget, output, new; returns h, last h, last c."""
    steps, streams = x.shape[:2]
    hidden = weight_h.shape[1]
    h, c = start or (np.zeros((streams, hidden)),) * 2
    made = []
    for t in range(steps):
        mark = cont[t].reshape(-1, 1)
        gates = x[t].reshape(streams, -1) @ weight_x.T + bias + (mark * h) @ weight_h.T
        if static is not None:
            gates = gates + static.reshape(streams, -1) @ weight_static.T
        entry, forget, leaving, new = (gates[:, k * hidden : (k + 1) * hidden] for k in range(4))
        c = mark * (sigmoid(forget) * c) + sigmoid(entry) * np.tanh(new)
        h = sigmoid(leaving) * np.tanh(c)
        made.append(h)
    return np.stack(made), h[None], c[None]


def rnn(x, cont, weight_x, bias, weight_h, weight_o, bias_o, static=None, weight_static=None,
        start=None):  # fmt: skip
    steps, streams = x.shape[:2]
    h = np.zeros((streams, weight_h.shape[1])) if start is None else start
    made = []
    for t in range(steps):
        drive = x[t].reshape(streams, -1) @ weight_x.T + bias
        if static is not None:
            drive = drive + static.reshape(streams, -1) @ weight_static.T
        h = np.tanh((cont[t].reshape(-1, 1) * h) @ weight_h.T + drive)
        made.append(np.tanh(h @ weight_o.T + bias_o))
    return np.stack(made), h[None]
