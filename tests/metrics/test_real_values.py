"""Errors, angles, images and signals against scikit-learn, torchmetrics and worked examples."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from conformance.metrics import metric
from conformance.metrics.images import Similarity
from conformance.metrics.regression import ErrorMetric
from conformance.verdicts import ConformanceError
from tests.metrics.cases import measured

RNG = np.random.default_rng(11)
OURS = RNG.normal(size=(40, 3, 5))
THEIRS = OURS + 0.3 * RNG.normal(size=OURS.shape)
IMAGES = RNG.uniform(size=(3, 2, 24, 20))
NOISY = np.clip(IMAGES + 0.1 * RNG.normal(size=IMAGES.shape), 0, 1)


def refused(kind, args=None, **values) -> ConformanceError:
    with pytest.raises(ConformanceError) as caught:
        measured(kind, args, **values)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        ("mse", sklearn_metrics.mean_squared_error),
        ("rmse", sklearn_metrics.root_mean_squared_error),
        ("mae", sklearn_metrics.mean_absolute_error),
    ],
)
def test_errors_agree_with_scikit_learn(kind, reference):
    expected = reference(THEIRS.ravel(), OURS.ravel())
    assert measured(kind, prediction=OURS, target=THEIRS).value == pytest.approx(
        expected, rel=1e-13
    )


def test_errors_are_summed_in_double_precision():
    prediction = np.full((4, 1000), 1e4, np.float16)
    assert measured("mse", prediction=prediction, target=np.zeros((4, 1000))).value == 1e8


def test_unsigned_integers_do_not_wrap():
    found = measured("mae", prediction=np.uint8([[0]]), target=np.uint8([[255]]))
    assert found.value == 255


def test_errors_that_overflow_are_infinite_without_a_warning(recwarn):
    assert measured("mse", prediction=[[1e300]], target=[[-1e300]]).value == np.inf
    assert not recwarn.list


def test_cosine_agrees_with_scikit_learn():
    similarity = sklearn_metrics.pairwise.cosine_similarity(
        OURS.reshape(40, -1), THEIRS.reshape(40, -1)
    )
    found = measured("cosine-similarity", prediction=OURS, target=THEIRS)
    np.testing.assert_allclose(found.statistics[:, 0], similarity.diagonal(), rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_cosine_does_not_depend_on_length(scale):
    found = measured("cosine-similarity", prediction=[[3 * scale, 4 * scale]], target=[[4, 3]])
    assert found.value == pytest.approx(24 / 25)


def test_cosine_with_nothing_is_zero():
    assert measured("cosine-similarity", prediction=[[0.0, 0.0]], target=[[1, 1]]).value == 0.0


def test_psnr_agrees_with_torchmetrics():
    import torch
    from torchmetrics.functional.image import peak_signal_noise_ratio

    expected = peak_signal_noise_ratio(torch.tensor(NOISY), torch.tensor(IMAGES), data_range=1.0)
    found = measured("psnr", {"data_range": 1}, prediction=NOISY, target=IMAGES)
    assert found.value == pytest.approx(float(expected), rel=1e-7)


def test_psnr_of_a_worked_example():
    found = measured("psnr", {"data_range": 255}, prediction=[[10.0, 0.0]], target=[[0.0, 0.0]])
    assert found.value == pytest.approx(10 * np.log10(255**2 / 50))


def test_psnr_without_error_is_infinite():
    assert measured("psnr", {"data_range": 1}, prediction=[[1.0]], target=[[1.0]]).value == np.inf


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_ssim_agrees_with_torchmetrics(layout):
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    expected = structural_similarity_index_measure(
        torch.tensor(NOISY), torch.tensor(IMAGES), data_range=1.0, reduction="none"
    )
    axes = (0, 1, 2, 3) if layout == "NCHW" else (0, 2, 3, 1)
    found = measured(
        "ssim",
        {"data_range": 1, "layout": layout},
        prediction=NOISY.transpose(axes),
        target=IMAGES.transpose(axes),
    )
    np.testing.assert_allclose(found.statistics[:, 0], expected.numpy(), rtol=1e-12)


def test_ms_ssim_agrees_with_torchmetrics():
    import torch
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    images = RNG.uniform(size=(2, 1, 180, 176))
    noisy = np.clip(images + 0.1 * RNG.normal(size=images.shape), 0, 1)
    expected = multiscale_structural_similarity_index_measure(
        torch.tensor(noisy), torch.tensor(images), data_range=1.0
    )
    found = measured("ms-ssim", {"data_range": 1}, prediction=noisy, target=images)
    assert found.value == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("kind", ["ssim", "ms-ssim"])
def test_an_image_is_like_itself(kind):
    image = RNG.uniform(size=(1, 1, 80, 80))
    args = {"data_range": 1, "sigma": 0.5}
    assert measured(kind, args, prediction=image, target=image).value == pytest.approx(1)


@pytest.mark.parametrize(("kind", "side"), [("ssim", 11), ("ms-ssim", 176)])
def test_the_smallest_image_is_judged_and_a_smaller_one_refused(kind, side):
    enough = RNG.uniform(size=(1, 1, side, side))
    found = measured(kind, {"data_range": 1}, prediction=enough, target=enough)
    assert found.value == pytest.approx(1)
    small = enough[..., 1:]
    error = refused(kind, {"data_range": 1}, prediction=small, target=small)
    assert f"at least {side} pixels a side" in error.expected
    assert str(small.shape) in error.found
    assert "psnr" in error.fix


@pytest.mark.parametrize("shape", [(1, 1, 10, 11), (1, 1, 11, 10)], ids=["height", "width"])
def test_both_sides_of_an_image_must_hold_the_window(shape):
    image = np.ones(shape)
    assert str(shape) in refused("ssim", {"data_range": 1}, prediction=image, target=image).found


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_what_has_not_four_axes_is_no_image(layout):
    image = np.ones((2, 20, 20))
    error = refused("ssim", {"data_range": 1, "layout": layout}, prediction=image, target=image)
    assert error.expected == f"layout {layout}, at least 11 pixels a side"
    assert error.found == "float64 of shape (2, 20, 20)"


@pytest.mark.parametrize(("sigma", "side"), [(0.2, 3), (0.5, 5), (1.5, 11), (100, 701)])
def test_the_side_of_the_window_follows_from_sigma(sigma, side):
    image = np.ones((1, 1, 2, 2))
    args = {"data_range": 1, "sigma": sigma}
    error = refused("ssim", args, prediction=image, target=image)
    assert f"at least {side} pixels a side" in error.expected


@pytest.mark.parametrize(
    ("name", "within", "outside"),
    [("sigma", (0.2, 100), (0.19, 100.5)), ("data_range", (0.01, 1), (0, -0.5))],
    ids=["sigma", "data_range"],
)
def test_arguments_of_images_have_a_range(name, within, outside):
    for value in within:
        metric("ssim", {"data_range": 1, name: value})
    for value in outside:
        with pytest.raises(ConformanceError, match=name):
            metric("ssim", {"data_range": 1, name: value})


@pytest.mark.parametrize("left_out", ["smallest_side", "similarity"])
def test_a_similarity_without_its_parts_cannot_be_made(left_out):
    defined = {"kind": "mine", "smallest_side": 1, "similarity": print}
    del defined[left_out]
    with pytest.raises(TypeError, match=left_out):
        type("Partial", (Similarity,), defined)(data_range=1, layout="NCHW", sigma=1)


def test_an_error_metric_without_its_error_cannot_be_made():
    with pytest.raises(TypeError, match="errors"):
        type("Partial", (ErrorMetric,), {"kind": "mine"})()


def test_snr_agrees_with_torchmetrics():
    import torch
    from torchmetrics.functional.audio import signal_noise_ratio

    expected = signal_noise_ratio(torch.tensor(OURS).flatten(1), torch.tensor(THEIRS).flatten(1))
    found = measured("snr", prediction=OURS, target=THEIRS)
    assert found.value == pytest.approx(float(expected.mean()), rel=1e-12)


def test_snr_of_a_tenth_of_the_signal_is_twenty_decibels():
    signal = np.sin(np.linspace(0, 20, 200))[None]
    assert measured("snr", prediction=0.9 * signal, target=signal).value == pytest.approx(20)


@pytest.mark.parametrize("kind", ["mse", "cosine-similarity", "snr", "kl-divergence"])
def test_other_shapes_are_refused(kind):
    error = refused(kind, prediction=np.ones((2, 3)), target=np.ones((2, 4)))
    assert error.expected == "shape (2, 3), as prediction"
    assert error.found == "float64 of shape (2, 4)"
    assert error.fix


@pytest.mark.parametrize("kind", ["mse", "mae", "snr"])
def test_texts_are_not_numbers(kind):
    error = refused(kind, prediction=["a"], target=["b"])
    assert "does not hold real numbers" in error.message


def test_items_without_values_are_refused():
    error = refused("mse", prediction=np.ones((2, 0)), target=np.ones((2, 0)))
    assert "holds no values" in error.message
