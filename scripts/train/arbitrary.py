#!/usr/bin/env python3
"""Train the arbitrary painter, which paints in the style of any picture.

    scripts/train/arbitrary.py --data DIR --vgg vgg_normalised.pth --run RUN --minutes 120 --from-bundled

DIR holds paintings/, photos/ and content/. Styles are crops of the gallery's paintings, many of them
recoloured, and of photographs; the paintings that are not in the gallery are kept back. A run starts from
the bundled network, from MicroAST's published weights (--microast FOLDER) or anew, and resumes from
RUN/checkpoint.pt, on a CPU or a GPU with the same command; the rate falls linearly over --minutes. What is
saved and exported (--export) is the running average of the weights. RUN/log.csv has the losses,
RUN/sheet.png the last sample sheet.
"""

from __future__ import annotations

import argparse
import copy
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from export import fingerprint
from gallery import read_styles, total_variation
from impasto.engines.lattice import lattice
from impasto.engines.teaching import LAYERS
from impasto.engines.vgg import Vgg, quick_dtype, statistics
from impasto.models import arbitrary
from perception import activations, gram, relative
from pictures import Photographs, shorter_side, to_tensor
from runs import add_run_arguments, follow, kept_share, rate_now, write_checkpoint
from style_crops import random_crop, recoloured
from torch_arbitrary import TorchArbitrary, from_microast, narrowed

LOGGED = 20
"""Steps whose losses make a line of log.csv: step, seconds, content, Gram, moments, lattice."""

KEPT = 1500
"""Crops that are remembered; then they are cut anew."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_run_arguments(parser)
    parser.add_argument("--microast", type=Path, metavar="FOLDER", help="start from these published weights")
    parser.add_argument("--batch", type=int, default=3)
    parser.add_argument("--crop", type=int, default=160, help="side of a training crop in pixels")
    parser.add_argument("--style-crop", type=int, default=224, help="side of a style picture in pixels")
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--content-weight", type=float, default=1.0)
    parser.add_argument("--gram-weight", type=float, default=1.2)
    parser.add_argument("--moments-weight", type=float, default=0.45)
    parser.add_argument("--tv-weight", type=float, default=0.5)
    parser.add_argument("--lattice-weight", type=float, default=0.4)
    parser.add_argument("--photographs", type=float, default=0.2, help="share of styles that are none")
    parser.add_argument(
        "--frozen", nargs="*", default=[], metavar="NAME", help="layers that stay, as style and code"
    )
    parser.add_argument("--average", type=float, default=0.995, help="of the weights: how much stays a step")
    parser.add_argument("--export", type=Path, nargs="?", const=arbitrary.FILE)
    return parser.parse_args()


@dataclass
class Memory:
    """Crops of pictures with what the loss network sees in them, which is computed when first needed.

    Attributes:
        cut: gives another crop, (3, size, size) uint8.
        describe: (1, 3, size, size) float in 0..1 -> what is to be remembered, (1, ...) each.
    """

    cut: Callable[[], Tensor]
    describe: Callable[[Tensor], dict[str, Tensor]]
    chance: random.Random
    device: str
    known: list[tuple[Tensor, dict[str, Tensor]]] = field(default_factory=list)

    def batch(self, count: int) -> tuple[Tensor, dict[str, Tensor]]:
        """(count, 3, size, size) float in 0..1, and what is seen in them."""
        drawn = [self.sample() for _ in range(count)]
        crops = torch.cat([crop for crop, _ in drawn]).contiguous(memory_format=torch.channels_last)
        return crops, {name: torch.cat([seen[name] for _, seen in drawn]) for name in drawn[0][1]}

    def sample(self) -> tuple[Tensor, dict[str, Tensor]]:
        """One crop, (1, 3, size, size), and what is seen in it: half of them were drawn before."""
        if self.known and self.chance.random() < (0.6 if len(self.known) < KEPT else 0.95):
            crop, found = self.chance.choice(self.known)
            return as_floats(crop, self.device), {name: seen.float() for name, seen in found.items()}
        crop = self.cut()
        with torch.no_grad():
            found = self.describe(as_floats(crop, self.device))
        if len(self.known) >= KEPT:
            self.known.pop(self.chance.randrange(KEPT))
        self.known.append((crop, {name: seen.half() for name, seen in found.items()}))
        return as_floats(crop, self.device), found


def as_floats(crop: Tensor, device: str) -> Tensor:
    """(3, H, W) uint8 -> (1, 3, H, W) float in 0..1."""
    return (crop[None].to(device).float() / 255).contiguous(memory_format=torch.channels_last)


@dataclass
class Styles:
    """Crops of paintings and, a `share` of them, of photographs."""

    paintings: list[Path]
    photographs: Photographs
    size: int
    share: float
    chance: random.Random
    opened: dict[Path, Image.Image] = field(default_factory=dict)

    def cut(self) -> Tensor:
        """(3, size, size) uint8."""
        if self.chance.random() < self.share:
            crop = to_tensor(self.photographs.crop(self.size))
        else:
            path = self.chance.choice(self.paintings)
            if path not in self.opened:
                with Image.open(path) as picture:
                    self.opened[path] = shorter_side(picture.convert("RGB"), 2 * self.size)
            crop = random_crop(self.opened[path], self.size, self.chance)
        if self.chance.random() < 0.4:
            crop = recoloured(crop, self.chance)
        return (crop * 255).round().byte()


def fitting(styles: Styles, photographs: Photographs) -> tuple[Tensor, Tensor]:
    """Photographs and styles to fit kernels on, (32, 3, 128, 128) and (32, 3, 256, 256)."""
    cuts = [styles.cut().float() / 255 for _ in range(32)]
    return photographs.batch(32, 128), torch.stack(cuts)


def described(features: dict[str, Tensor]) -> dict[str, Tensor]:
    """Gram matrices and moments of each of `LAYERS`."""
    found: dict[str, Tensor] = {}
    for name in LAYERS:
        x = features[name].float()
        found[f"gram.{name}"] = gram(x)
        found[f"moments.{name}"] = torch.cat(statistics(x), 1)
    return found


def write_sheet(painter: TorchArbitrary, photos: Tensor, styles: list[Tensor], path: Path) -> None:
    """The photographs, and under them a row for each style, which stands at its end."""
    with torch.no_grad():
        rows = [torch.cat([*photos, torch.ones_like(photos[0])], 2)]
        for style in styles:
            code = painter.encode(style).expand(len(photos), -1)
            side = photos.shape[-1]
            rows.append(torch.cat([*painter(photos, code), style[0, :, :side, :side]], 2))
    array = (torch.cat(rows, 1).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    Image.fromarray(array).save(path)


def export(painter: TorchArbitrary, steps: int, path: Path) -> None:
    """Write the weights as float16."""
    tensors = {name: value.detach().half().contiguous() for name, value in painter.exported().items()}
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
    paintings = [options.data / "paintings" / style["painting"] for style in read_styles()]
    styles = Styles(paintings, photographs, options.style_crop, options.photographs, chance)
    last = LAYERS[-1]
    painter = TorchArbitrary().to(device)
    remembered = "style" in options.frozen

    def styled(image: Tensor) -> dict[str, Tensor]:
        seen = {"summary": painter.summary(image)} if remembered else {}
        return described(activations(vgg, image, last)) | seen

    targets = Memory(styles.cut, styled, chance, device)
    scenes = Memory(
        lambda: (to_tensor(photographs.crop(options.crop)) * 255).round().byte(),
        lambda image: {last: activations(vgg, image, last)[last]},
        chance,
        device,
    )
    samples = photographs.batch(3, options.style_crop).to(device)

    step, spent = 0, 0.0
    options.run.mkdir(parents=True, exist_ok=True)
    checkpoint = options.run / "checkpoint.pt"
    for name, tensor in painter.exported().items():
        tensor.requires_grad_(name.split(".")[0] not in options.frozen)
    trained = [tensor for tensor in painter.parameters() if tensor.requires_grad]
    optimiser = torch.optim.Adam(trained, betas=(0.9, 0.99))
    average = copy.deepcopy(painter).requires_grad_(False)
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True, map_location=device)
        painter.load_state_dict(saved["painter"])
        average.load_state_dict(saved["average"])
        if saved["frozen"] == options.frozen:
            optimiser.load_state_dict(saved["optimiser"])
        step, spent = saved["step"], saved["spent"]
        photographs.random.seed(options.seed + step)
        chance.seed(options.seed + step)
    else:
        if options.microast:
            painter.take(narrowed(from_microast(options.microast), *fitting(styles, photographs)))
        elif options.from_bundled:
            painter.take({name: torch.from_numpy(value) for name, value in arbitrary.load().weights.items()})
        average.load_state_dict(painter.state_dict())
    shown = [targets.sample()[0] for _ in range(4)]

    def save() -> None:
        state = {"painter": painter.state_dict(), "average": average.state_dict()}
        state |= {"optimiser": optimiser.state_dict(), "frozen": options.frozen}
        write_checkpoint(checkpoint, state | {"step": step, "spent": spent})
        write_sheet(average, samples, shown, options.run / "sheet.png")

    sums = torch.zeros(4)
    last_saved = spent
    while spent < options.minutes * 60:
        began = time.monotonic()
        optimiser.param_groups[0]["lr"] = rate_now(options.rate, step, spent, options.minutes)
        pictures, wanted = targets.batch(options.batch)
        photo, scene = scenes.batch(options.batch)
        summary = wanted["summary"] if remembered else painter.summary(pictures)
        painting = painter(photo, painter.code(summary))
        features = activations(vgg, painting, last)
        content = relative(features[last], scene[last])
        apart = {name: relative(x, wanted[name]) for name, x in described(features).items()}
        grams, moments = (
            torch.stack([apart[f"{kind}.{name}"] for name in LAYERS]).mean(0) for kind in ("gram", "moments")
        )
        distances = torch.stack([content, grams, moments])
        stamps = lattice(painting)
        parts = torch.cat([distances.mean(1), stamps[None]])
        logarithms = torch.cat([distances.log().mean(1), stamps[None]])
        weights = parts.new_tensor(
            [options.content_weight, options.gram_weight, options.moments_weight, options.lattice_weight]
        )
        # Of logarithms, so that a per cent is a per cent: some styles are ten times farther than others.
        loss = (logarithms * weights).sum() + options.tv_weight * total_variation(painting)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 2.0)
        optimiser.step()
        step += 1
        follow(average, painter, kept_share(options.average, step))
        spent += time.monotonic() - began
        sums += parts.detach().cpu()
        if step % LOGGED == 0:
            with (options.run / "log.csv").open("a") as log:
                log.write(f"{step},{spent:.0f}," + ",".join(f"{value:.4f}" for value in sums / LOGGED) + "\n")
            sums.zero_()
        if spent - last_saved > 240:
            save()
            last_saved = spent
    save()
    if options.export:
        export(average, step, options.export)


if __name__ == "__main__":
    main()
