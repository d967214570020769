"""A contact sheet: one photograph in every style of the gallery, each with its name."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from impasto.job import Look, StyleRef
from impasto.models import gallery
from impasto.paint import Progress, paint
from impasto.raster import Raster, quantise
from impasto.raster.sampling import image, pixels, scaled

CELL = 480
"""Width of a picture on the sheet, in pixels."""

COLUMNS = 4
LABEL = 26
GAP = 6
PAPER, INK = (250, 249, 246), (40, 40, 40)


def contact_sheet(photo: Raster, progress: Progress) -> Raster:
    """The photograph, and then the photograph in every style.

    Args:
        photo: painted at full size, and scaled down for the sheet.
        progress: as for `paint`, over the whole sheet.

    Returns:
        An 8-bit sRGB picture without metadata.
    """
    styles = gallery.styles()
    height = round(CELL * photo.height / photo.width)
    rows = -(-(len(styles) + 1) // COLUMNS)
    size = (COLUMNS * (CELL + GAP) + GAP, rows * (height + LABEL + GAP) + GAP)
    sheet = Image.new("RGB", size, PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)

    def place(index: int, picture: Raster, name: str) -> None:
        small = pixels(scaled(image(picture.to_srgb()), CELL, height))
        row, column = divmod(index, COLUMNS)
        left, top = GAP + column * (CELL + GAP), GAP + row * (height + LABEL + GAP)
        sheet.paste(Image.fromarray(quantise(small, np.uint8)), (left, top))
        draw.text((left + 2, top + height + 3), name, INK, font)

    place(0, photo, "photograph")
    for index, style in enumerate(styles):
        look = Look(style=(StyleRef(style.name),))
        progress(index / len(styles), style.name)
        painting = paint(
            photo, look, lambda _, __, at=index, name=style.name: progress(at / len(styles), name)
        )
        place(index + 1, painting.raster, style.name)
    progress(1.0, "done")
    return Raster(np.asarray(sheet), format="png")
