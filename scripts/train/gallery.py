#!/usr/bin/env python3
"""Train the painter with a code for each style of models/bundled/gallery.toml, and the encoder with it.

    scripts/train/gallery.py --data DIR --vgg vgg_normalised.pth --run RUN --minutes 120

DIR holds paintings/, photos/ and content/; encoder.py has written RUN/encoder.pt. Half of each batch is
painted with trained codes, half with codes that the encoder predicts from crops of the gallery's
paintings and from photographs. The run resumes from RUN/checkpoint.pt, on a CPU or a GPU with the
same command; the rate falls linearly over --minutes of training time, so a run can be lengthened.
RUN/log.csv has the losses, RUN/sheet.png the last sample sheet.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from impasto.engines.painter import MULTIPLE, Shape
from perception import Vgg, gram, half, pyramid, relative
from pictures import Photographs, shorter_side, to_tensor
from style_bank import StyleBank
from torch_encoder import TorchEncoder
from torch_painter import TorchPainter

GALLERY = Path(__file__).parents[2] / "server/impasto/models/bundled/gallery.toml"

EXAMPLES = Path(__file__).parents[2] / "examples"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vgg", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True, help="training time, all resumes together")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, default=256, help="side of a training crop in pixels")
    parser.add_argument("--style-size", type=int, default=512, help="shorter side of a painting in pixels")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--style-weight", type=float, default=6.0)
    parser.add_argument("--content-weight", type=float, default=1.0)
    parser.add_argument("--tv-weight", type=float, default=5.0)
    parser.add_argument("--lattice-weight", type=float, default=1.5)
    parser.add_argument("--style-crop", type=int, default=448, help="side of the encoder's style pictures")
    parser.add_argument("--style-crops", type=int, default=9, help="crops of each painting for the encoder")
    parser.add_argument("--window", type=int, default=144, help="side of what the loss sees at full size")
    parser.add_argument("--predicted", type=float, default=0.5, help="share painted with predicted codes")
    parser.add_argument("--frozen", action="store_true", help="train only codes and encoder, not the painter")
    parser.add_argument("--first", type=int, default=0, help="leave the codes of the styles before this one")
    parser.add_argument("--hold-out", type=int, default=24, help="keep every n-th small photograph back")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def read_styles() -> list[dict[str, str]]:
    return tomllib.loads(GALLERY.read_text(encoding="utf-8"))["style"]


def style_targets(vgg: Vgg, paintings: list[Path], size: int, device: str) -> dict[str, Tensor]:
    """Gram matrices of each layer, stacked over the styles."""
    targets: dict[str, list[Tensor]] = {}
    with torch.no_grad():
        for path in paintings:
            with Image.open(path) as picture:
                image = to_tensor(shorter_side(picture.convert("RGB"), size))[None].to(device)
            for name, features in pyramid(vgg, image).items():
                targets.setdefault(name, []).append(gram(features)[0])
    return {name: torch.stack(grams) for name, grams in targets.items()}


def total_variation(image: Tensor) -> Tensor:
    dx = (image[..., 1:] - image[..., :-1]).square().mean()
    return dx + (image[..., 1:, :] - image[..., :-1, :]).square().mean()


def lattice(image: Tensor) -> Tensor:
    """How far the texture repeats from one cell of the painter to the next, 0 to 4.

    Each cell of 8 x 8 pixels comes from one position of the painter's coarse layers, so what it
    makes of flat areas tends to a grid of stamps; texture that correlates with itself one cell
    further on, in any of four directions, is a grid.
    """
    luma = image.mean(1, keepdim=True)
    texture = luma - F.avg_pool2d(luma, 9, 1, 4, count_include_pad=False)
    energy = texture.square().mean((1, 2, 3)) + 1e-6
    repeats = torch.zeros_like(energy)
    for step in ((0, MULTIPLE), (MULTIPLE, 0), (MULTIPLE, MULTIPLE), (MULTIPLE, -MULTIPLE)):
        repeats = repeats + F.relu((texture * texture.roll(step, (2, 3))).mean((1, 2, 3)) / energy)
    return repeats.mean()


def with_noise(photo: Tensor) -> Tensor:
    """The painter's input: (N, 3, H, W) -> (N, `painter.INPUTS`, H, W)."""
    return torch.cat([photo, torch.rand_like(photo[:, :1]) * 2 - 1], 1)


def write_sheet(painter: TorchPainter, photos: Tensor, path: Path) -> None:
    """The photographs, and under them a row for each style."""
    with torch.no_grad():
        rows = [photos] + [
            painter(with_noise(photos), code[None].expand(len(photos), -1)) for code in painter.codes
        ]
    columns = torch.cat([torch.cat(list(row), 2) for row in rows], 1)
    array = (columns.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    Image.fromarray(array).save(path)


def main() -> None:
    options = arguments()
    torch.manual_seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    styles = read_styles()
    vgg = Vgg(options.vgg, device)
    paintings = [options.data / "paintings" / style["painting"] for style in styles]
    targets = style_targets(vgg, paintings, options.style_size, device)
    small, large = options.data / "content", options.data / "photos"
    held_out = {path.name for path in EXAMPLES.glob("*.jpg")}
    held_out |= {path.name for path in sorted(small.glob("*.jpg"))[:: options.hold_out]}
    photographs = Photographs(small, large, held_out, options.seed)
    samples = photographs.batch(3, min(384, options.style_size)).to(device)

    painter = TorchPainter(Shape(), len(styles)).to(device)
    encoder = TorchEncoder(painter.codes[0].detach()).to(device)
    step, spent = 0, 0.0
    options.run.mkdir(parents=True, exist_ok=True)
    checkpoint = options.run / "checkpoint.pt"
    saved = None
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True, map_location=device)
        painter.load_state_dict(saved["painter"])
        encoder.load_state_dict(saved["encoder"])
        step, spent = saved["step"], saved["spent"]
        photographs.random.seed(options.seed + step)
        torch.manual_seed(options.seed + step)
    elif (options.run / "encoder.pt").exists():
        learned = torch.load(options.run / "encoder.pt", weights_only=True, map_location=device)
        encoder.load_state_dict({k: v for k, v in learned.items() if "level" in k}, strict=False)
    other = photographs.large + photographs.small[:: max(1, len(photographs.small) // 80)]
    bank = StyleBank(
        options.run / "styles.pt",
        vgg,
        paintings,
        other,
        options.style_crops,
        options.style_crop,
        options.seed,
    )
    body = [parameter for parameter in painter.parameters() if parameter is not painter.codes]
    for parameter in body if options.frozen else ():
        parameter.requires_grad_(False)
    trained = [*(() if options.frozen else body), painter.codes, *encoder.parameters()]
    # Each step moves few codes, and one entry of a code has less say than a weight.
    groups = [{"params": [painter.codes], "factor": 8.0 if options.frozen else 1.0}]
    groups += [{"params": [p for p in trained if p is not painter.codes], "factor": 1.0}]
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99))
    if saved and "optimiser" in saved and saved["frozen"] == options.frozen:
        optimiser.load_state_dict(saved["optimiser"])

    def save() -> None:
        state = {"painter": painter.state_dict(), "encoder": encoder.state_dict()}
        state |= {"optimiser": optimiser.state_dict(), "frozen": options.frozen}
        partial = checkpoint.with_suffix(".part")
        torch.save(state | {"step": step, "spent": spent}, partial)
        partial.replace(checkpoint)
        write_sheet(painter, samples, options.run / "sheet.png")

    averages = torch.zeros(5)
    last_saved = spent
    while spent < options.minutes * 60:
        began = time.monotonic()
        rate = options.rate * min(1.0, (step + 1) / 50) * max(0.02, 1 - spent / (options.minutes * 60))
        for group in optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        photo = photographs.batch(options.batch, options.crop).to(device, memory_format=torch.channels_last)
        predicted = round(options.batch * options.predicted)
        which = torch.randint(options.first, len(styles), (options.batch - predicted,), device=device)
        codes, wanted_grams = painter.codes[which], {name: target[which] for name, target in targets.items()}
        if predicted:
            pictures, grams = bank.sample(predicted)
            codes = torch.cat([codes, encoder(pictures.to(device))])
            wanted_grams = {name: torch.cat([x, grams[name].to(device)]) for name, x in wanted_grams.items()}
        painting = painter(with_noise(photo), codes)
        features = pyramid(vgg, painting, options.window)
        with torch.no_grad():
            wanted = half(vgg, photo)
        content = sum(relative(features[f"half.{n}"], wanted[n]) for n in ("relu3_1", "relu4_1"))
        style = sum(relative(gram(features[name]), target) for name, target in wanted_grams.items())
        style = torch.as_tensor(style)
        own = style[: len(which)].detach().mean()
        parts = torch.stack(
            [
                torch.as_tensor(content).mean(),
                style.mean(),
                total_variation(painting),
                lattice(painting),
            ]
        )
        weights = parts.new_tensor(
            [options.content_weight, options.style_weight, options.tv_weight, options.lattice_weight]
        )
        loss = (parts * weights).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 5.0)
        optimiser.step()
        step += 1
        spent += time.monotonic() - began
        averages += torch.cat([parts.detach(), own[None]]).cpu() / 20
        if step % 20 == 0:
            with (options.run / "log.csv").open("a") as log:
                log.write(f"{step},{spent:.0f},{rate:.2e}," + ",".join(f"{v:.4f}" for v in averages) + "\n")
            averages.zero_()
        if spent - last_saved > 240:
            save()
            last_saved = spent
    save()


if __name__ == "__main__":
    main()
