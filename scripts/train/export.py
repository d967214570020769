#!/usr/bin/env python3
"""Export a checkpoint of gallery.py, painter and codes, to models/bundled/gallery.safetensors.

scripts/train/export.py RUN/checkpoint.pt

Of several checkpoints of one run the mean is exported (Wortsman et al. 2022, "Model soups", 2203.05482): that
of a small --content-weight and of a large paints half way between both.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from impasto.engines.painter import Shape
from impasto.models import gallery
from torch_painter import TorchPainter


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="CHECKPOINT")
    parser.add_argument("--output", type=Path, default=gallery.FILE)
    parser.add_argument(
        "--codes-only", action="store_true", help="the painter was frozen; keep it to the bit"
    )
    options = parser.parse_args()
    saved = [torch.load(path, weights_only=True, map_location="cpu") for path in options.checkpoints]
    painter = TorchPainter(Shape(**saved[-1]["shape"]), len(gallery.styles()))
    averages = [each["average"] for each in saved]
    painter.load_state_dict(
        {name: torch.stack([each[name] for each in averages]).mean(0) for name in averages[0]}
    )
    with torch.no_grad():
        tensors = painter.exported()
    if options.codes_only:
        tensors = {name: torch.from_numpy(value) for name, value in gallery.load().weights.items()}
    halves = {name: tensor.detach().half().contiguous() for name, tensor in tensors.items()}
    known_by = fingerprint(halves)
    halves["codes"] = painter.codes.detach().half().contiguous()
    metadata = {
        "shape": json.dumps(asdict(painter.shape)),
        "styles": ",".join(gallery.names()),
        "steps": str(saved[-1]["step"]),
        "fingerprint": known_by,
        "licence": "Apache-2.0, see CREDITS.md",
    }
    save_file(halves, options.output, metadata)


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """By which a painter's weights, as float16, are told from others."""
    data = b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))
    return hashlib.sha256(data).hexdigest()[:16]


if __name__ == "__main__":
    main()
