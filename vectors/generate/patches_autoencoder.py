"""Write the bundled submission ``patches-autoencoder``, to the same bytes each time.

    python vectors/generate/patches_autoencoder.py [FOLDER]

FOLDER is ``vectors/submissions/patches-autoencoder`` unless given; it is replaced. The weights are
committed; ``train_patches_autoencoder.py`` wrote them. ``patches_data`` has the photographs,
``patches_network`` the network, and ``bundle`` puts the submission together.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import bundle_onnx
import bundle_pytorch
import torch
from bundle import replace_bundle
from bundle_parts import Bundle, BundledModel, Port, Vectors
from bundle_samples import Tensors, lossless, nnc, rounded
from numpy.typing import NDArray
from patches_data import PATCHES, SIDE, load_test_patches
from patches_network import INPUT, OUTPUT, build_autoencoder
from train_patches_autoencoder import Autoencoder

TOPOLOGY = "topology.onnx"


def _photographs(id: str, split: str, items: int, description: str) -> dict[str, Any]:
    return {
        "id": id,
        "name": "china.jpg by danielbuechele and flower.jpg by vultilion",
        "version": "retrieved 2011-08-21, the copies in scikit-learn",
        "url": "https://www.flickr.com/photos/danielbuechele/6061409035/",
        "license": "CC-BY-2.0",
        "split": split,
        "items": items,
        "description": description,
    }


DATASETS = [
    _photographs(
        "photographs-training",
        "training: all but the right-hand 176 columns of each photograph",
        2,
        "The luminance of the two photographs of sklearn.datasets.load_sample_images(), 427 x 640 "
        "levels of 0 to 255 divided by 256, without the columns that are for testing. "
        "flower.jpg is https://www.flickr.com/photos/vultilion/6056698931/ under the same licence.",
    ),
    _photographs(
        "photographs-test",
        "test: patches of the right-hand 176 columns of each photograph",
        PATCHES,
        "Rows 0 to 175 and 176 to 351 of those columns, four patches of 176 x 176 levels. They are "
        "other parts of the photographs that the network was trained with, and few: they show "
        "what compression changes, not how well the network does on other photographs.",
    ),
]

METRICS: list[dict[str, Any]] = [
    {
        "id": "psnr",
        "kind": "psnr",
        "description": "Peak signal-to-noise ratio of the reconstruction of the test patches.",
        "direction": "higher",
        "args": {"data_range": 1.0},
        "bindings": {"prediction": OUTPUT, "target": INPUT},
        "against": "targets",
        "tolerance": {"type": "absolute", "bound": 0.5, "inclusive": True},
    },
    {
        "id": "ssim",
        "kind": "ssim",
        "description": "Structural similarity of the reconstruction, mean over the test patches.",
        "direction": "higher",
        "args": {"data_range": 1.0},
        "bindings": {"prediction": OUTPUT, "target": INPUT},
        "against": "targets",
        "tolerance": {"type": "absolute", "bound": 0.01, "inclusive": True},
    },
    {
        "id": "ms-ssim",
        "kind": "ms-ssim",
        "description": (
            "Structural similarity of the reconstruction over five scales, mean over the test "
            "patches."
        ),
        "direction": "higher",
        "args": {"data_range": 1.0},
        "bindings": {"prediction": OUTPUT, "target": INPUT},
        "against": "targets",
        "tolerance": {"type": "absolute", "bound": 0.005, "inclusive": True},
    },
    {
        "id": "change",
        "kind": "mse",
        "description": (
            "Squared difference between the reconstructions of the compressed and of the original "
            "network, mean over the pixels of the test patches."
        ),
        "direction": "lower",
        "against": "original",
        "tolerance": {"type": "absolute", "bound": 2e-4, "inclusive": True},
    },
]


def write_onnx(folder: Path, weights: Tensors) -> list[Path]:
    """Write the network as ONNX model and return its path."""
    return bundle_onnx.write_model(folder, build_autoencoder(weights))


def write_exported(folder: Path, weights: Tensors) -> list[Path]:
    """Write the exported program and return its path."""
    network = bundle_pytorch.load_weights(Autoencoder(), weights)
    example = torch.zeros(2, 1, SIDE, SIDE)
    return bundle_pytorch.write_exported(folder, network, example, with_example=False)


def write_state_dict(folder: Path, weights: Tensors) -> list[Path]:
    """Write weights and topology and return their paths."""
    topology = folder / TOPOLOGY
    stripped = bundle_onnx.without_weights(build_autoencoder(weights))
    topology.write_bytes(stripped.SerializeToString())
    return [*bundle_pytorch.write_state_dict(folder, weights), topology]


def reference(weights: Tensors, inputs: NDArray[Any]) -> NDArray[Any]:
    """Return the reconstruction of patches, computed in float64."""
    return bundle_onnx.evaluate(build_autoencoder(weights), inputs)


BUNDLE = Bundle(
    id="patches-autoencoder",
    name="patches",
    network_type="autoencoder",
    head={
        "title": "A small convolutional autoencoder of photographs",
        "description": (
            "Three convolutions turn a patch of a grey photograph into a quarter of its numbers, "
            "three transposed convolutions those into the patch again. Trained on two real "
            "photographs, in three model formats, and judged by the quality of the images."
        ),
        "contributor": "nnr-conformance project",
        "mdms_number": None,
        "conforms_to": ["MPEG Call for Test Data for neural network compression (April 2018)"],
        "license": "CC-BY-2.0",
        "version": "1.0.0",
        "published": False,
        "use_cases": [
            {
                "id": "image-coding",
                "title": "Coding of images by a network",
                "description": (
                    "Both ends of a link hold the autoencoder; what is sent for an image are the "
                    "planes in its middle. The network itself is sent once, compressed."
                ),
            }
        ],
    },
    datasets=DATASETS,
    metrics=METRICS,
    input=Port(INPUT, "float32", (1, SIDE, SIDE)),
    output=Port(OUTPUT, "float32", (1, SIDE, SIDE)),
    models=(
        BundledModel(
            format="onnx",
            title="Autoencoder of photographs: ONNX model",
            write=write_onnx,
            run=bundle_onnx.run_model,
        ),
        BundledModel(
            format="torch-export",
            title="Autoencoder of photographs: exported program of PyTorch (.pt2)",
            write=write_exported,
            run=bundle_pytorch.run_exported,
        ),
        BundledModel(
            format="torch-state-dict",
            title="Autoencoder of photographs: state dict of PyTorch, with an ONNX graph",
            write=write_state_dict,
            run=partial(bundle_pytorch.run_state_dict, Autoencoder),
        ),
    ),
    samples=(
        lossless(),
        nnc(-42, "6/8192"),
        rounded(),
        nnc(
            -36,
            "4/2048",
            {"psnr": 1.0, "ssim": 0.1, "ms-ssim": 0.05, "change": 5e-4},
            id="nnc-coarse",
        ),
    ),
    vectors=lambda: Vectors(load_test_patches()),
    reference=reference,
    output_tolerance={"atol": 2e-5, "rtol": 1e-5},
    largest_difference=1e-5,
    within={"psnr": 1e-4, "ssim": 1e-5, "ms-ssim": 1e-5, "change": 1e-8},
    decimals=9,
)

if __name__ == "__main__":
    replace_bundle(BUNDLE)
