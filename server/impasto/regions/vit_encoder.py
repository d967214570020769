"""The image encoders of the official SAM, through the `segment-anything` package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from segment_anything import sam_model_registry

from impasto.errors import OutOfMemory
from impasto.regions.sam import Sam
from impasto.runtime import Check, graphics_device


class VitEncoder:
    """A `regions.sam.Encode`."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        self.device = torch.device(graphics_device() or "cpu")
        self.encoder = encoder.to(self.device).eval()

    def __call__(self, square: np.ndarray, check: Check) -> np.ndarray:
        """See `regions.sam.Encode`. Stops between the blocks of the transformer.

        Raises:
            OutOfMemory: the device's memory does not hold it.
        """
        hooks = [
            block.register_forward_pre_hook(lambda *_: check())
            for block in self.encoder.get_submodule("blocks").children()
        ]
        try:
            with torch.inference_mode():
                image = torch.from_numpy(square).to(self.device).permute(0, 3, 1, 2)
                encoded = self.encoder(image).permute(0, 2, 3, 1).float().cpu().numpy()
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            raise OutOfMemory("Not enough memory for this model; choose “mobile-sam”.") from None
        finally:
            for hook in hooks:
                hook.remove()
        return np.ascontiguousarray(encoded)


def load(kind: str, path: Path) -> Sam:
    """A model of a file of weights that is known.

    Args:
        kind: "vit_b", "vit_l" or "vit_h".
        path: an official file, which can hold nothing but tensors.
    """
    model = sam_model_registry[kind]()
    model.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    return wrapped(model)


def wrapped(model: torch.nn.Module) -> Sam:
    """A model of the package, its image encoder in torch and its decoder in our operations."""
    saved = {
        name: value.numpy()
        for name, value in model.state_dict().items()
        if not name.startswith("image_encoder.")
    }
    return Sam(VitEncoder(model.get_submodule("image_encoder")), saved)
