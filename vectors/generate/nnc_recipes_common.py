"""Recipes of single tensors, made for both editions: quantisers, integers, scans, levels, names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from nnc_arrays import Array, Tensors, laplacian, shared, sparse, steps, trained, with_empty_rows
from nnc_cases import SECOND, Edition, Place
from nnc_peer_cases import PeerRecipe

CODEBOOK = {"codebook_mode": 1}
DEPENDENT = {"use_dq": True}


def common_recipes(edition: Edition) -> Iterator[PeerRecipe]:
    """Yield the recipes of one edition; some are made for the second alone, to save room."""
    for tool, recipes in (
        ("uniform", _uniform),
        ("dependent", _dependent),
        ("codebook", _codebook),
        ("integer", _integer),
        ("scan", _scans),
        ("unary-length", _unary_lengths),
        ("quantization-parameter", _parameters),
        ("shape", _shapes),
        ("name", _names),
        ("extreme", _extremes),
        ("out-of-band", _out_of_band),
    ):
        for name, title, tensors, settings in recipes(edition):
            profile = {} if edition == SECOND else {"profile": 0}
            place = Place(edition, tool, name)
            yield PeerRecipe(place, title, [tensors], {**profile, **settings})


Row = tuple[str, str, Tensors, dict[str, Any]]


def _one(values: Array, name: str = "w") -> Tensors:
    return {name: values}


def _uniform(edition: Edition) -> Iterator[Row]:
    yield "laplacian", "Laplacian weights", _one(laplacian(40, 50)), {}
    yield "vector", "One dimension", _one(laplacian(300)), {}
    yield "all-zero", "Every level is 0", _one(np.zeros((7, 9), np.float32)), {}
    if edition == SECOND:
        yield "trained", "All parameters of a trained network", trained(), {"qp": -26}
        yield "convolution", "A trained convolution", trained("conv2.weight"), {"qp": -30}
        yield "one-level", "Every level is the same", _one(np.full((5, 6), 0.25, np.float32)), {}
        yield (
            "initial-states-fixed",
            "The encoder does not search for initial context states",
            _one(laplacian(40, 50)),
            {"param_opt": False},
        )
        yield (
            "fine-step",
            "A step so small that a unit needs the long form of its size",
            trained("fc1.weight"),
            {"qp": -56},
        )
        yield "sparse", "Most levels are 0", _one(sparse(60, 61, kept=0.05)), {}


def _dependent(edition: Edition) -> Iterator[Row]:
    yield "laplacian", "Laplacian weights", _one(laplacian(40, 50)), DEPENDENT
    yield "vector", "One dimension", _one(laplacian(301)), DEPENDENT
    yield "all-zero", "Every level is 0", _one(np.zeros((7, 9), np.float32)), DEPENDENT
    if edition == SECOND:
        yield "trained", "All parameters of a network", trained(), {**DEPENDENT, "qp": -22}
        yield (
            "lagrangian",
            "The quantiser weighs bits against error",
            _one(laplacian(40, 50)),
            {**DEPENDENT, "lambda_scale": 4.0},
        )
        yield (
            "initial-states-fixed",
            "The encoder does not search for initial context states",
            _one(laplacian(40, 50)),
            {**DEPENDENT, "param_opt": False},
        )
        yield "sparse", "Most levels are 0", _one(sparse(60, 61, kept=0.05)), DEPENDENT
        yield (
            "coarse-step",
            "Levels of -1, 0 and 1",
            _one(laplacian(50, 40)),
            {**DEPENDENT, "qp": -8},
        )


def _codebook(edition: Edition) -> Iterator[Row]:
    few = (0.0, 0.25, -0.25, 0.5, -0.5, 1.0)
    yield "few-values", "Six shared values", _one(shared(30, 31, values=few)), CODEBOOK
    yield "constant", "A codebook of one entry", _one(np.full((5, 6), 0.25, np.float32)), CODEBOOK
    positive = _one(shared(30, 31, values=(0.125, 0.25, 0.5, 2.0)))
    yield "positive-values", "No negative entry, none of 0", positive, CODEBOOK
    negative = _one(shared(30, 31, values=(-0.125, -0.25, -0.5, -2.0)))
    yield "negative-values", "No positive entry, none of 0", negative, CODEBOOK
    scan = {**CODEBOOK, "scan_order": 2}
    yield "scan-16x16", "Blocks of 16 x 16", _one(shared(50, 45, values=few)), scan
    if edition == SECOND:
        yield "two-values", "Two entries", _one(shared(30, 31, values=(0.5, -0.5))), CODEBOOK
        yield "many-values", "A long codebook", _one(laplacian(40, 50)), {**CODEBOOK, "qp": -44}
        yield "vector", "One dimension", _one(shared(200, values=few)), CODEBOOK
        fallback = {"fc2.weight": laplacian(10, 64), "few": shared(30, 31, values=few)}
        yield (
            "where-smaller",
            "A codebook for the tensor that gains by it, dependent quantisation for the other",
            fallback,
            {"codebook_mode": 2, **DEPENDENT},
        )
        skipped = with_empty_rows(shared(30, 31, values=few))
        yield (
            "row-skip",
            "Rows of zeros are skipped",
            _one(skipped),
            {**CODEBOOK, "row_skipping": True},
        )
        short = {**CODEBOOK, "cabac_unary_length_minus1": 1}
        yield "unary-length-2", "Levels beyond the unary part", _one(laplacian(30, 31)), short


def _integer(edition: Edition) -> Iterator[Row]:
    yield "small", "Integers from -3 to 3", _one(steps(20, 21, low=-3, high=3)), {}
    yield "vector", "One dimension", _one(steps(100, low=-40, high=200)), {}
    if edition == SECOND:
        yield "scan-8x8", "Blocks of 8 x 8", _one(steps(20, 21, low=-3, high=3)), {"scan_order": 1}
        yield "scalar-counter", "One element", _one(np.array([1797], np.int32)), {}
        mixed = {"w": laplacian(20, 21), "counter": np.array([1797], np.int32)}
        yield "beside-float", "An integer tensor after a float tensor", mixed, DEPENDENT
        sparse_steps = _one(with_empty_rows(steps(21, 20, low=-9, high=9).astype(np.float32)))
        skipping = {key: values.astype(np.int32) for key, values in sparse_steps.items()}
        yield "row-skip", "Rows of zeros are skipped", skipping, {"row_skipping": True}


def _scans(edition: Edition) -> Iterator[Row]:
    values = laplacian(77, 90)
    for order, size in ((1, "8x8"), (2, "16x16"), (3, "32x32"), (4, "64x64")):
        title = f"Blocks of {size} in a matrix of 77 x 90: borders are cut"
        scan = {"scan_order": order}
        yield f"{size}-uniform", title, _one(values), scan
        yield f"{size}-dependent", title, _one(values), {**scan, **DEPENDENT}
    if edition == SECOND:
        single = "A single block row: no entry point"
        yield "64x64-one-block-row", single, _one(laplacian(50, 90)), {"scan_order": 4}
        one = _one(laplacian(8, 8))
        yield "8x8-one-block", "The matrix is one block", one, {"scan_order": 1, **DEPENDENT}
        exact = "Whole blocks only"
        yield "16x16-exact", exact, _one(laplacian(64, 48)), {"scan_order": 2, **DEPENDENT}
        narrow = _one(laplacian(100, 3))
        yield "32x32-narrow", "A matrix narrower than a block", narrow, {"scan_order": 3}
        filters = trained("conv2.weight")
        yield "8x8-convolution", "A trained convolution", filters, {"scan_order": 1, "qp": -30}
        several = trained("conv2.weight", "conv2.bias", "fc1.weight", "fc1.bias")
        yield (
            "64x64-trained",
            "Two trained layers; biases have no scan",
            several,
            {"scan_order": 4, "qp": -24, **DEPENDENT},
        )


def _unary_lengths(edition: Edition) -> Iterator[Row]:
    values = _one(laplacian(24, 25, scale=0.6))
    lengths = (0, 1, 9, 40, 255) if edition == SECOND else (0, 255)
    for minus1 in lengths:
        title = f"{minus1 + 1} greater-than flags before the remainder"
        yield f"{minus1 + 1}", title, values, {"cabac_unary_length_minus1": minus1}
    if edition == SECOND:
        for minus1 in (0, 255):
            title = f"{minus1 + 1} greater-than flags, dependent quantisation"
            settings = {"cabac_unary_length_minus1": minus1, "scan_order": 1, **DEPENDENT}
            yield f"{minus1 + 1}-dependent-scan-8x8", title, values, settings


def _parameters(edition: Edition) -> Iterator[Row]:
    values = _one(laplacian(20, 21))
    for density in range(8) if edition == SECOND else (0, 7):
        title = f"qp_density {density}: 2^{density} steps from one power of two to the next"
        qp = -9 * 2**density // 2
        yield f"density-{density}", title, values, {"qp_density": density, "qp": qp}
    if edition == SECOND:
        large = _one(laplacian(20, 21, scale=2e8))
        yield "lowest", "The smallest qp of density 2", _one(values["w"] / 1e6), {"qp": -128}
        yield "highest", "The largest qp of density 2", large, {"qp": 127}
        yield "zero", "qp 0: the step is 1", _one(laplacian(20, 21, scale=3.0)), {"qp": 0}
        three = {"a": laplacian(20, 21), "b": laplacian(20, 21), "c": laplacian(20)}
        settings = {"qp_per_tensor": {"a": -20, "b": -41, "c": -63}, **DEPENDENT}
        yield "per-tensor", "Each tensor has its qp", three, settings
        yield "by-size", "NNCodec chooses a qp per tensor", trained(), {"opt_qp": True, "qp": -24}
        for depth in (8, 3):
            title = f"The step is chosen for levels of {depth} bits"
            yield f"bit-depth-{depth}", title, trained("conv2.weight"), {"bit_depth": depth}


def _shapes(edition: Edition) -> Iterator[Row]:
    yield "one-element", "One element", _one(laplacian(1)), {}
    yield "five-dimensions", "Five dimensions", _one(laplacian(3, 2, 4, 1, 5)), DEPENDENT
    yield "first-dimension-0", "No elements: (0, 5)", _one(np.zeros((0, 5), np.float32)), {}
    if edition == SECOND:
        yield "row", "One row", _one(laplacian(1, 70)), DEPENDENT
        yield "column", "One column", _one(laplacian(70, 1)), DEPENDENT
        yield "ones", "Nothing but ones", _one(laplacian(1, 1, 1, 1, 1, 1)), {}
        yield "empty-vector", "No elements: (0,)", _one(np.zeros(0, np.float32)), {}
        yield "empty-integer", "No integers: (0, 3, 3)", _one(np.zeros((0, 3, 3), np.int32)), {}
        many = {f"t{n}": laplacian(n + 1, 3, seed=n) for n in range(40)}
        yield "forty-tensors", "Forty small tensors", many, {}
        nine = _one(laplacian(2, 1, 2, 1, 2, 1, 2, 1, 2))
        yield "nine-dimensions", "Nine dimensions, scanned by blocks", nine, {"scan_order": 1}


def _names(edition: Edition) -> Iterator[Row]:
    unicode = {"größe": laplacian(4, 5), "重み/層 1": laplacian(4, 5), "🧠": laplacian(6)}
    yield "unicode", "Names beyond ASCII", unicode, {}
    if edition == SECOND:
        yield (
            "long",
            "A name of 1,000 characters",
            _one(laplacian(4, 5), "layer." * 166 + "bias"),
            {},
        )
        yield "empty", "The empty name", _one(laplacian(4, 5), ""), {}
        odd = {" space ": laplacian(4, 5), "line\nfeed": laplacian(4, 5), "../up": laplacian(4, 5)}
        yield "odd", "Names with blanks, a line feed, a path", odd, {}


def _extremes(edition: Edition) -> Iterator[Row]:
    high = 2**31 - 1
    values = np.array([[high, 0, -high], [-high, 1, high], [0, -1, high - 1]], np.int32)
    yield "integer-limits", "Integers of 31 bits", _one(values), {}
    if edition == SECOND:
        outlier = laplacian(20, 21)
        outlier[7, 7] = 4e4
        yield "outlier", "One level of 24 bits among small ones", _one(outlier), {}
        yield "outlier-dependent", "The same, dependent", _one(outlier), DEPENDENT
        short = {"cabac_unary_length_minus1": 0}
        yield "integer-limits-unary-1", "The longest remainders", _one(values), short


def _out_of_band(edition: Edition) -> Iterator[Row]:
    outside = {"out_of_band": True, "cabac_unary_length_minus1": 9}
    yield "uniform", "No dimensions in the stream", _one(laplacian(20, 21)), outside
    if edition == SECOND:
        two = {"w": laplacian(20, 3, 3), "b": laplacian(20)}
        yield "dependent", "Two tensors without dimensions", two, {**outside, **DEPENDENT}
        integers = _one(steps(20, 21, low=-3, high=3))
        yield "integer", "Integers without dimensions", integers, outside
