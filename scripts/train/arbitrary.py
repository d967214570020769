#!/usr/bin/env python3
"""Train the arbitrary painter, which paints in the style of any picture.

    scripts/train/arbitrary.py --data DIR --vgg vgg_normalised.pth --run RUN --minutes 120 --from-bundled

DIR holds paintings/, photos/ and content/. Styles are crops of the gallery's paintings and of those in
--paintings, of photographs, and of photographs that the gallery painted, many of them recoloured; the
paintings in DIR that are not in the gallery are kept back. A run starts from the bundled network, from
MicroAST's published weights (--microast FOLDER) or anew, and resumes from RUN/checkpoint.pt, on a CPU or a
GPU with the same command; the rate falls linearly over --minutes. What is saved and exported (--export) is
the running average of the weights. RUN/log.csv has the losses, RUN/sheet.png the last sample sheet,
RUN/styles.pt and RUN/scenes.pt the crops that it learns from.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from export import fingerprint
from gallery import total_variation
from impasto.engines.lattice import lattice
from impasto.engines.losses import relative
from impasto.engines.painters import GalleryPainter, white_noise
from impasto.engines.teaching import LAYERS
from impasto.engines.vgg import Vgg
from impasto.models import arbitrary, gallery
from impasto.runtime import nothing
from impasto.runtime.torch_executor import quick_dtype
from perception import activations, gram
from pictures import Photographs, to_tensor
from runs import Run, add_run_arguments, read_checkpoint, write_checkpoint
from style_crops import Paintings, in_colours_of, recoloured
from torch_arbitrary import TorchArbitrary, centred, from_microast, narrowed

LOGGED = 20
"""Steps whose losses make a line of log.csv: step, seconds, content, Gram, lattice, variation."""

EACH = 0.25
"""Share of the style's loss in which a per cent counts alike at each of `LAYERS`; in the rest only the sum
does, as where paintings are measured."""

PALETTES, RECOLOURED = 0.4, 0.25
"""Shares of the styles that have the colours of another, and other colours than there are."""

BLENDED = 3
"""Styles of the gallery at most that a photograph is painted in to be a style."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_run_arguments(parser)
    parser.add_argument("--microast", type=Path, metavar="FOLDER", help="start from these published weights")
    parser.add_argument("--paintings", type=Path, metavar="FOLDER", help="of more style pictures")
    parser.add_argument("--styles", type=int, default=1700, help="crops of them")
    parser.add_argument("--scenes", type=int, default=1200, help="crops of photographs")
    parser.add_argument("--batch", type=int, default=6)
    parser.add_argument("--crop", type=int, default=160, help="side of a training crop in pixels")
    parser.add_argument("--style-crop", type=int, default=256, help="side of a style picture in pixels")
    parser.add_argument("--rate", type=float, default=5e-4, help="of what corrects the codes")
    parser.add_argument("--painter-rate", type=float, default=5e-5, help="of all else")
    parser.add_argument("--content-weight", type=float, default=1.0)
    parser.add_argument("--gram-weight", type=float, default=1.0)
    parser.add_argument("--tv-weight", type=float, default=0.3)
    parser.add_argument("--lattice-weight", type=float, default=0.4)
    parser.add_argument("--photographs", type=float, default=0.14, help="share of styles that are none")
    parser.add_argument("--painted", type=float, default=0.22, help="share that the gallery painted")
    parser.add_argument("--noise", type=float, default=0.3, help="on what corrects the codes, in deviations")
    parser.add_argument(
        "--frozen", nargs="*", default=[], metavar="NAME", help="layers that stay, as style and code"
    )
    parser.add_argument("--average", type=float, default=0.995, help="of the weights: how much stays a step")
    parser.add_argument("--export", type=Path, nargs="?", const=arbitrary.FILE)
    return parser.parse_args()


@dataclass(frozen=True)
class Collection:
    """Crops of pictures and what is seen in them, which takes longer to compute than a step.

    Attributes:
        crops: (N, 3, size, size) uint8.
        seen: (N, ...) each.
    """

    crops: Tensor
    seen: dict[str, Tensor]
    device: str

    @classmethod
    def gathered(
        cls,
        count: int,
        cut: Callable[[], Tensor],
        describe: Callable[[Tensor], dict[str, Tensor]],
        device: str,
        path: Path,
    ) -> Collection:
        """As kept in the file, or gathered and kept there.

        Args:
            count: how many.
            cut: gives another crop, (3, size, size) uint8.
            describe: (n, 3, size, size) float in 0..1 -> what is to be remembered, (n, ...) each.
            device: where `describe` computes and crops go.
            path: of the file.
        """
        if path.exists():
            seen = torch.load(path, weights_only=True, map_location=device)
            return cls(seen.pop("crops"), seen, device)
        crops = torch.stack([cut() for _ in range(count)]).to(device)
        with torch.no_grad():
            parts = [describe(as_floats(part, device)) for part in crops.split(8)]
        seen = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        write_checkpoint(path, {"crops": crops} | seen)
        return cls(crops, seen, device)

    def batch(self, count: int) -> tuple[Tensor, dict[str, Tensor]]:
        """(count, 3, size, size) float in 0..1, and what is seen in them."""
        drawn = torch.randint(len(self.crops), (count,))
        seen = {name: tensor[drawn].float() for name, tensor in self.seen.items()}
        return as_floats(self.crops[drawn], self.device), seen


def as_floats(crops: Tensor, device: str) -> Tensor:
    """uint8 -> float in 0..1."""
    return (crops.to(device).float() / 255).contiguous(memory_format=torch.channels_last)


@dataclass
class Styles:
    """Crops of paintings and, shares of them, of photographs as they are and painted by the gallery."""

    paintings: Paintings
    photographs: Photographs
    size: int
    plain: float
    painted: float

    def cut(self) -> Tensor:
        """(3, size, size) uint8."""
        crop = self.plain_cut()
        chance = self.paintings.chance
        drawn = chance.random()
        if drawn < PALETTES:
            crop = in_colours_of(crop, self.plain_cut())
        elif drawn < PALETTES + RECOLOURED:
            crop = recoloured(crop, chance)
        return (crop * 255).round().byte()

    def plain_cut(self) -> Tensor:
        """(3, size, size) in 0..1, in its own colours."""
        drawn = self.paintings.chance.random()
        if drawn >= self.plain + self.painted:
            return self.paintings.crop(self.size)
        photo = to_tensor(self.photographs.crop(self.size))
        return self.paint(photo) if drawn < self.painted else photo

    def paint(self, photo: Tensor) -> Tensor:
        """(3, size, size) in a blend of the gallery's styles."""
        chance = self.paintings.chance
        count = chance.randint(1, BLENDED)
        weights = [chance.uniform(0.1, 1) for _ in range(count)]
        code = np.tensordot(weights, chance.sample(self.codes, count), 1) / sum(weights)
        noise = white_noise(self.size, self.size, chance.randrange(1000))
        picture = np.ascontiguousarray(photo.permute(1, 2, 0).numpy())
        painted = self.gallery.paint(picture, noise, code.astype(np.float32), None, nothing)
        return torch.from_numpy(painted).permute(2, 0, 1).clamp(0, 1)

    @cached_property
    def gallery(self) -> GalleryPainter:
        return GalleryPainter()

    @cached_property
    def codes(self) -> list[np.ndarray]:
        return list(gallery.load().codes)


def fitting(styles: Styles, photographs: Photographs) -> tuple[Tensor, Tensor]:
    """Photographs and styles to fit kernels on, (32, 3, 128, 128) and (32, 3, 256, 256)."""
    cuts = [styles.cut().float() / 255 for _ in range(32)]
    return photographs.batch(32, 128), torch.stack(cuts)


def grams(features: dict[str, Tensor]) -> dict[str, Tensor]:
    """Gram matrices of each of `LAYERS`."""
    return {name: gram(features[name]) for name in LAYERS}


def write_sheet(painter: TorchArbitrary, photos: Tensor, styles: Tensor, path: Path) -> None:
    """The photographs, and under them a row for each style, which stands at its end."""
    with torch.no_grad():
        rows = [torch.cat([*photos, torch.ones_like(photos[0])], 2)]
        for style in styles:
            code = painter.encode(style[None]).expand(len(photos), -1)
            side = photos.shape[-1]
            rows.append(torch.cat([*painter(photos, code), style[:, :side, :side]], 2))
    array = (torch.cat(rows, 1).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    Image.fromarray(array).save(path)


def export(painter: TorchArbitrary, steps: int, path: Path) -> None:
    """Write the weights; those of convolutions as float16."""
    tensors = {
        name: value.detach().to(torch.float16 if name.endswith(".weight") else torch.float32).contiguous()
        for name, value in painter.exported().items()
    }
    metadata = {"fingerprint": fingerprint(tensors), "steps": str(steps)}
    save_file(tensors, path, metadata | {"licence": "Apache-2.0, see CREDITS.md"})
    path.chmod(0o644)


def main() -> None:
    options = arguments()
    torch.manual_seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # The painter stays in float32: in bfloat16 the gradients of its first layers lose a tenth.
    vgg = Vgg(options.vgg, device, quick_dtype(device))
    photographs = Photographs(options.data, options.hold_out, options.seed)
    chance = random.Random(options.seed)
    paintings = Paintings(options.data, options.paintings, 2 * options.style_crop, chance)
    styles = Styles(paintings, photographs, options.style_crop, options.photographs, options.painted)
    last = LAYERS[-1]
    painter = TorchArbitrary().to(device)
    known = {eye for eye in ("style", "photo") if eye in options.frozen}
    saved = read_checkpoint(options.run, device)
    if saved:
        painter.load_state_dict(saved["network"])
    elif options.from_bundled:
        painter.take({name: torch.from_numpy(value) for name, value in arbitrary.load().weights.items()})
    elif options.microast:
        photos, pictures = fitting(styles, photographs)
        weights = narrowed(from_microast(options.microast), photos, pictures)
        painter.take(centred(weights, photos))

    def cut() -> Tensor:
        return (to_tensor(photographs.crop(options.crop)) * 255).round().byte()

    def styled(image: Tensor) -> dict[str, Tensor]:
        found = {name: x.half() for name, x in grams(activations(vgg, image, last)).items()}
        return found | {"summary": painter.summary(image)}

    def shown(image: Tensor) -> dict[str, Tensor]:
        return {last: activations(vgg, image, last)[last].half(), "seen": painter.see(image).half()}

    targets = Collection.gathered(options.styles, styles.cut, styled, device, options.run / "styles.pt")
    scenes = Collection.gathered(options.scenes, cut, shown, device, options.run / "scenes.pt")
    samples, models = as_floats(scenes.crops[:3], device), as_floats(targets.crops[:4], device)

    groups: list[dict[str, Any]] = []
    for name, tensor in painter.exported().items():
        layer = name.split(".")[0]
        tensor.requires_grad_(layer not in ("usual", *options.frozen))
        if tensor.requires_grad:
            rate = options.rate if layer == "correction" else options.painter_rate
            groups.append({"params": [tensor], "rate": rate})
    if not saved and not options.from_bundled:
        painter.measure(targets.seen["summary"])
    run = Run(options, painter, groups, saved, 2.0, LOGGED, frozen=options.frozen)

    for _ in run.steps(lambda: write_sheet(run.average, samples, models, options.run / "sheet.png")):
        pictures, wanted = targets.batch(options.batch)
        photo, scene = scenes.batch(options.batch)
        summary = wanted["summary"] if "style" in known else painter.summary(pictures)
        seen = scene["seen"] if "photo" in known else painter.see(photo)
        painting = painter.paint(seen, painter.code(summary, options.noise))
        features = activations(vgg, painting, last)
        content = relative(features[last], scene[last])
        apart = [relative(x, wanted[name]) for name, x in grams(features).items()]
        style = torch.stack(apart, 1)
        logarithm = (1 - EACH) * style.mean(1).log() + EACH * style.log().mean(1)
        stamps, rough = lattice(painting), total_variation(painting)
        # Of logarithms, so that a per cent is a per cent: some styles are ten times farther than others.
        loss = options.content_weight * content.log().mean() + options.gram_weight * logarithm.mean()
        loss = loss + options.lattice_weight * stamps + options.tv_weight * rough
        run.descend(loss, torch.stack([content.mean(), style.mean(), stamps, rough]))
    if options.export:
        export(run.average, run.step, options.export)


if __name__ == "__main__":
    main()
