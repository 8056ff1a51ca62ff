"""Write the bundled submission ``patches-autoencoder``, to the same bytes each time.

    python vectors/generate/patches_autoencoder.py [FOLDER]

FOLDER is ``vectors/submissions/patches-autoencoder`` unless given; it is replaced. The weights are
committed; ``train.py`` wrote them. ``patches_data`` has the photographs, ``patches_network`` the
network in its formats, and ``bundle_writer`` writes the submission.
"""

from __future__ import annotations

from functools import partial

import patches_network
from bundle import Bundle, Model, Port, Vectors, dataset
from bundle_writer import replace_bundle
from compression import lossless, nnc, rounded
from description import metric
from patches_data import PATCHES, SIDE, load_test_patches
from patches_network import INPUT, OUTPUT

SOURCE = {
    "name": "china.jpg by danielbuechele and flower.jpg by vultilion",
    "version": "retrieved 2011-08-21, the copies in scikit-learn",
    "url": "https://www.flickr.com/photos/danielbuechele/6061409035/",
    "license": "CC-BY-2.0",
}
QUALITY = partial(
    metric,
    direction="higher",
    args={"data_range": 1.0},
    bindings={"prediction": OUTPUT, "target": INPUT},
)

BUNDLE = Bundle(
    id="patches-autoencoder",
    name="patches",
    title="A small convolutional autoencoder of photographs",
    description=(
        "Three convolutions turn a patch of a grey photograph into a quarter of its numbers, "
        "three transposed convolutions those into the patch again. Trained on two real "
        "photographs, in three model formats, and judged by the quality of the images."
    ),
    use_cases=[
        {
            "id": "image-coding",
            "title": "Coding of images by a network",
            "description": (
                "Both ends of a link hold the autoencoder; what is sent for an image are the "
                "planes in its middle. The network itself is sent once, compressed."
            ),
        }
    ],
    license="CC-BY-2.0",
    network="Autoencoder of photographs",
    network_type="autoencoder",
    datasets=[
        dataset(
            SOURCE,
            "photographs-training",
            "training: all but the right-hand 176 columns of each photograph",
            2,
            "The luminance of the two photographs of sklearn.datasets.load_sample_images(), "
            "427 x 640 levels of 0 to 255 divided by 256, without the columns that are for "
            "testing. flower.jpg is https://www.flickr.com/photos/vultilion/6056698931/ under the "
            "same licence.",
        ),
        dataset(
            SOURCE,
            "photographs-test",
            "test: patches of the right-hand 176 columns of each photograph",
            PATCHES,
            "Rows 0 to 175 and 176 to 351 of those columns, four patches of 176 x 176 levels. "
            "They are other parts of the photographs that the network was trained with, and few: "
            "they show what compression changes, not how well the network does on other "
            "photographs.",
        ),
    ],
    metrics=[
        QUALITY(
            "psnr",
            "psnr",
            bound=0.5,
            description="Peak signal-to-noise ratio of the reconstruction of the test patches.",
        ),
        QUALITY(
            "ssim",
            "ssim",
            bound=0.01,
            description=(
                "Structural similarity of the reconstruction, mean over the test patches."
            ),
        ),
        QUALITY(
            "ms-ssim",
            "ms-ssim",
            bound=0.005,
            description=(
                "Structural similarity of the reconstruction over five scales, mean over the test "
                "patches."
            ),
        ),
        metric(
            "change",
            "mse",
            "lower",
            2e-4,
            "Squared difference between the reconstructions of the compressed and of the original "
            "network, mean over the pixels of the test patches.",
        ),
    ],
    input=Port(INPUT, "float32", (1, SIDE, SIDE)),
    output=Port(OUTPUT, "float32", (1, SIDE, SIDE)),
    models=(
        Model("onnx", patches_network.build_onnx),
        Model("torch-export", patches_network.build_traceable),
        Model("torch-state-dict", patches_network.build_state_dict),
    ),
    kinds=(
        lossless,
        partial(nnc, qp=-42, step="6/8192"),
        rounded,
        partial(
            nnc,
            qp=-36,
            step="4/2048",
            bounds={"psnr": 1.0, "ssim": 0.1, "ms-ssim": 0.05, "change": 5e-4},
            id="nnc-coarse",
        ),
    ),
    vectors=lambda: Vectors(load_test_patches()),
    output_tolerance={"atol": 2e-5, "rtol": 1e-5},
    largest_difference=1e-5,
    within={"psnr": 1e-4, "ssim": 1e-5, "ms-ssim": 1e-5, "change": 1e-8},
    decimals=9,
)

if __name__ == "__main__":
    replace_bundle(BUNDLE)
