"""Pictures enlarged, as each painting is at last: several times as fast as one pixel after the other."""

from __future__ import annotations

from functools import cached_property

import numpy as np

REACH = 2
"""Pixels on either side that a new one is made of."""

BLOCK = 32
"""Rows and columns at most that are made at once, by a product with one matrix. Most of it is zeros, and yet
nothing is as fast; and BLAS starts no threads of its own for matrices as small as this."""

CHUNK = 240
"""Values of a row that one such product takes."""


class Enlargement:
    """A picture in a larger size; any part of it is computed when asked for.

    Bicubic as in Keys 1981, "Cubic Convolution Interpolation for Digital Image Processing", with a = -1/2.
    """

    def __init__(
        self, source: np.ndarray, width: int, height: int, wrap: bool = False, linear: bool = False
    ) -> None:
        """
        Args:
            source: (h, w, C) float32, of any range.
            width, height: about those of `source` or more.
            wrap: beyond each edge lies the opposite one; else the edge goes on.
            linear: bilinear, which never goes beyond the values of `source`, instead of bicubic.
        """
        self.source_height, self.source_width, self.channels = source.shape
        self.width, self.height, self.linear = width, height, linear
        chunk = max(1, CHUNK // self.channels)
        count = -(-(self.source_width + 2 * REACH) // chunk)
        right = count * chunk - self.source_width - REACH
        padded = np.pad(source, ((REACH, REACH), (REACH, right), (0, 0)), "wrap" if wrap else "edge")
        self.chunks = padded.reshape(len(padded), count, -1).swapaxes(0, 1)

    def part(self, rows: slice, columns: slice) -> np.ndarray:
        """(h, w, C) float32."""
        tall = self._tall(rows)
        first, last = columns.start // BLOCK, -(-columns.stop // BLOCK)
        step = BLOCK * self.channels
        wide = np.empty((*tall.shape[:2], (last - first) * step), np.float32)
        for number, (start, matrix) in enumerate(self._across[first:last]):
            seen = tall[..., start : start + len(matrix)]
            np.matmul(seen, matrix, out=wide[..., number * step : (number + 1) * step])
        wide = wide.reshape(tall.shape[0] * tall.shape[1], -1, self.channels)
        left = columns.start - first * BLOCK
        return wide[: rows.stop - rows.start, left : left + columns.stop - columns.start]

    def _tall(self, rows: slice) -> np.ndarray:
        """Rows of the new height, of the old width and what surrounds it: (blocks, rows, values)."""
        height = rows.stop - rows.start
        count = -(-height // BLOCK)
        length = -(-height // count)
        tall = np.empty((count, length, self.chunks.shape[0], self.chunks.shape[2]), np.float32)
        for number, block in enumerate(tall):
            top = rows.start + number * length
            start, matrix = mixture(self.source_height, self.height, top, length, self.linear)
            np.matmul(matrix, self.chunks[:, start : start + matrix.shape[1]], out=block.swapaxes(0, 1))
        return tall.reshape(count, length, -1)

    @cached_property
    def _across(self) -> list[tuple[int, np.ndarray]]:
        """For each block of columns the first value of a row that it is made of, and the matrix for it."""
        found = []
        for left in range(0, self.width, BLOCK):
            start, matrix = mixture(self.source_width, self.width, left, BLOCK, self.linear)
            each = np.zeros((matrix.shape[1], self.channels, BLOCK, self.channels), np.float32)
            for channel in range(self.channels):
                each[:, channel, :, channel] = matrix.T
            found.append((start * self.channels, each.reshape(-1, BLOCK * self.channels)))
        return found


def mixture(source: int, target: int, start: int, length: int, linear: bool) -> tuple[int, np.ndarray]:
    """How `length` of `target` pixels in a row are made of those of `source`, with `REACH` more on each side.

    Returns:
        The first of these that counts, and (`length`, n) float32: zeros for pixels beyond `target`.
    """
    at = (np.arange(start, min(start + length, target)) + 0.5) * source / target - 0.5
    near = np.floor(at).astype(int)
    t = at - near
    if linear:
        taps = [0 * t, 1 - t, t, 0 * t]
    else:
        twice = [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]
        taps = [weights / 2 for weights in twice]
    offsets = near - near[0]
    matrix = np.zeros((length, offsets[-1] + 2 * REACH), np.float32)
    for tap, weights in enumerate(taps):
        matrix[range(len(at)), offsets + tap] = weights
    return int(near[0]) - 1 + REACH, matrix
