"""Train the autoencoder of the submission ``patches-autoencoder`` and write its weights.

    python vectors/generate/train_patches_autoencoder.py [WEIGHTS.safetensors]

The weights are committed, because training is the one step whose last bits may depend on the CPU.
Run this only to change the network: everything in the submission changes with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from bundle_pytorch import save_weights, set_up_training
from patches_data import load_test_patches, training_parts
from patches_network import CHANNELS, DECODER, ENCODER, KERNEL, OUTPUT, PADDING
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("patches_autoencoder_weights.safetensors")
SEED = 11
STEPS = 2500
BATCH = 16
CROP = 64
LEARNING_RATE = 3e-3


class Autoencoder(nn.Module):
    """The network; the names of its layers are the names of the parameters."""

    def __init__(self) -> None:
        super().__init__()
        planes = (1, *CHANNELS)
        for number, (layer, (side, padding)) in enumerate(ENCODER.items()):
            shape = (planes[number], planes[number + 1], side)
            self.add_module(layer, nn.Conv2d(*shape, stride=2, padding=padding))
        planes = tuple(reversed(planes))
        for number, layer in enumerate(DECODER):
            shape = (planes[number], planes[number + 1], KERNEL)
            self.add_module(layer, nn.ConvTranspose2d(*shape, stride=2, padding=PADDING))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the reconstruction of images, both of shape (N, 1, H, W)."""
        code = self.enc3(self.enc2(self.enc1(image).relu()).relu())
        return {OUTPUT: self.dec3(self.dec2(self.dec1(code).relu()).relu())}


def train(network: nn.Module) -> None:
    """Fit ``network`` to random crops with Adam, squared error and a cosine schedule."""
    parts = [torch.from_numpy(part) for part in training_parts()]
    optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    draw = np.random.Generator(np.random.PCG64(SEED))
    for _ in range(STEPS):
        crops = torch.stack([_crop(parts[index % len(parts)], draw) for index in range(BATCH)])
        optimiser.zero_grad()
        loss = nn.functional.mse_loss(network(crops)[OUTPUT], crops)
        loss.backward()
        optimiser.step()
        schedule.step()


def _crop(part: Tensor, draw: np.random.Generator) -> Tensor:
    top, left = (int(draw.integers(0, size - CROP + 1)) for size in part.shape)
    crop = part[top : top + CROP, left : left + CROP][None]
    return crop.flip(2) if draw.integers(2) else crop


def main(target: Path = WEIGHTS) -> None:
    """Train, print the quality on the test patches and write the weights as float32."""
    set_up_training(SEED)
    network = Autoencoder()
    train(network)
    patches = torch.from_numpy(load_test_patches().astype(np.float32))
    with torch.no_grad():
        error = nn.functional.mse_loss(network(patches)[OUTPUT], patches)
    print(f"test PSNR {-10 * float(error.log10()):.3f} dB")
    save_weights(network, target)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
