"""Gradients of OpenVINO graphs: what computes them is a graph, too, of the same nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from openvino import opset13

from impasto.runtime import NORM_EPSILON
from impasto.runtime.openvino_executor import OpenVinoOps, constant

Back = Callable[[Any], Any]
"""From the gradient of a result to that of what it was made of."""


@dataclass(eq=False)
class Tracked:
    """A node that depends on what gradients are wanted of.

    Attributes:
        value: the node itself.
        sources: what it was made of, as far as it is tracked.
    """

    value: Any
    sources: Sequence[tuple[Tracked, Back]] = ()


class Tape(OpenVinoOps):
    """Remembers operations, for reverse-mode differentiation.

    Of the operations these are known: `conv`, `conv_enlarged`, `norm` without weights, `relu`, `clamp`,
    `add`, `subtract`, `multiply`, `negative`, `maximum`, `mean`, `log`, `halved`, `matmul`, `shuffle`,
    `unshuffle`, `columns`, `cut` and `reshape`; others take only what is not tracked. Shapes must be known.
    """

    def __init__(self, weights: Any) -> None:
        super().__init__(weights)
        self.made: list[Tracked] = []

    def gradient(self, result: Tracked, of: Tracked) -> Any:
        """The gradient of the sum of `result`."""
        slopes = {id(result): constant(np.ones(lengths(result.value)), np.float32)}
        for node in reversed(self.made):
            slope = slopes.pop(id(node), None)
            if slope is None:
                continue
            for source, back in node.sources:
                part = back(slope)
                known = slopes.get(id(source))
                slopes[id(source)] = part if known is None else opset13.add(known, part)
        return slopes[id(of)]

    def _made(self, value: Any, *sources: tuple[Any, Back]) -> Any:
        """The value, tracked where one of its sources is."""
        tracked = [(source, back) for source, back in sources if isinstance(source, Tracked)]
        if not tracked:
            return value
        self.made.append(Tracked(value, tracked))
        return self.made[-1]

    def _conv(
        self,
        x: Any,
        weight: np.ndarray,
        shift: np.ndarray | None = None,
        margins: tuple[int, int] = (1, 1),
        stride: int = 1,
    ) -> Any:
        length = weight.shape[-1]

        def back(slope: Any) -> Any:
            if stride == 1:
                # As quick as the way there, which a transposed convolution is not.
                turned = constant(weight.swapaxes(0, 1)[:, :, ::-1, ::-1], np.float32)
                beyond = [length - 1] * 2
                slope = opset13.convolution(slope, turned, [1, 1], beyond, beyond, [1, 1])
            else:
                padded = [side + sum(margins) for side in lengths(x.value)[2:]]
                unseen = [(side - length) % stride for side in padded]
                slope = opset13.convolution_backprop_data(
                    slope, constant(weight, np.float32), [stride] * 2, output_padding=unseen
                )
            for axis in (2, 3):
                slope = folded(slope, axis, margins)
            return slope

        return self._made(super()._conv(plain(x), weight, shift, margins, stride), (x, back))

    def norm(self, x: Any, weight: Any = None) -> Any:
        if not isinstance(x, Tracked):
            return super().norm(x, weight)
        value = super().norm(x.value)
        centred = opset13.subtract(x.value, super().mean(x.value))
        deviation = opset13.sqrt(
            opset13.add(super().mean(opset13.multiply(centred, centred)), constant(NORM_EPSILON, np.float32))
        )

        def back(slope: Any) -> Any:
            along = OpenVinoOps.mean(self, opset13.multiply(slope, value))
            rest = opset13.subtract(slope, OpenVinoOps.mean(self, slope))
            return opset13.divide(opset13.subtract(rest, opset13.multiply(value, along)), deviation)

        return self._made(value, (x, back))

    def relu(self, x: Any) -> Any:
        return self._made(super().relu(plain(x)), (x, lambda slope: where(above(plain(x), 0), slope)))

    def clamp(self, x: Any, lowest: float, highest: float) -> Any:
        def back(slope: Any) -> Any:
            within = opset13.logical_and(above(x.value, lowest), opset13.less(x.value, number(highest)))
            return where(within, slope)

        return self._made(super().clamp(plain(x), lowest, highest), (x, back))

    def add(self, x: Any, y: Any) -> Any:
        same = (lambda slope: slope, lambda slope: slope)
        return self._pair(super().add(plain(x), plain(y)), x, y, *same)

    def subtract(self, x: Any, y: Any) -> Any:
        return self._pair(super().subtract(plain(x), plain(y)), x, y, lambda slope: slope, opset13.negative)

    def multiply(self, x: Any, y: Any) -> Any:
        return self._pair(
            super().multiply(plain(x), plain(y)),
            x,
            y,
            lambda slope: opset13.multiply(slope, plain(y)),
            lambda slope: opset13.multiply(slope, plain(x)),
        )

    def maximum(self, x: Any, y: Any) -> Any:
        first = opset13.greater_equal(plain(x), plain(y))
        return self._pair(
            super().maximum(plain(x), plain(y)),
            x,
            y,
            lambda slope: where(first, slope),
            lambda slope: where(opset13.logical_not(first), slope),
        )

    def _pair(self, value: Any, x: Any, y: Any, back_x: Back, back_y: Back) -> Any:
        """Made of two, of which one may have had to be repeated."""
        return self._made(
            value,
            (x, lambda slope: gathered(back_x(slope), lengths(plain(x)))),
            (y, lambda slope: gathered(back_y(slope), lengths(plain(y)))),
        )

    def negative(self, x: Any) -> Any:
        return self._made(super().negative(plain(x)), (x, opset13.negative))

    def mean(self, x: Any) -> Any:
        def back(slope: Any) -> Any:
            height, width = lengths(x.value)[2:]
            share = opset13.multiply(slope, number(1 / (height * width)))
            return opset13.broadcast(share, constant(lengths(x.value)))

        return self._made(super().mean(plain(x)), (x, back))

    def log(self, x: Any) -> Any:
        return self._made(super().log(plain(x)), (x, lambda slope: opset13.divide(slope, plain(x))))

    def halved(self, x: Any) -> Any:
        value = super().halved(plain(x))

        def enlarged(small: Any) -> Any:
            sides = constant(lengths(x.value)[2:])
            return opset13.interpolate(small, sides, "nearest", "sizes", axes=constant([2, 3]))

        def back(slope: Any) -> Any:
            return where(opset13.equal(x.value, enlarged(value)), enlarged(slope))

        return self._made(value, (x, back))

    def matmul(self, x: Any, y: Any) -> Any:
        return self._pair(
            super().matmul(plain(x), plain(y)),
            x,
            y,
            lambda slope: opset13.matmul(slope, plain(y), False, False),
            lambda slope: opset13.matmul(slope, plain(x), True, False),
        )

    def shuffle(self, x: Any, factor: int) -> Any:
        value = super().shuffle(plain(x), factor)
        return self._made(value, (x, lambda slope: OpenVinoOps.unshuffle(self, slope, factor)))

    def unshuffle(self, x: Any, factor: int) -> Any:
        value = super().unshuffle(plain(x), factor)
        return self._made(value, (x, lambda slope: OpenVinoOps.shuffle(self, slope, factor)))

    def cut(self, x: Any, axis: int, start: int, stop: int) -> Any:
        def back(slope: Any) -> Any:
            before, after = ([0] * len(lengths(x.value)) for _ in range(2))
            before[axis], after[axis] = start, lengths(x.value)[axis] - stop
            return opset13.pad(slope, constant(before), constant(after), "constant", number(0))

        return self._made(super().cut(plain(x), axis, start, stop), (x, back))

    def reshape(self, x: Any, shape: Sequence[int]) -> Any:
        def back(slope: Any) -> Any:
            return opset13.reshape(slope, constant(lengths(x.value)), False)

        return self._made(super().reshape(plain(x), shape), (x, back))


def plain(x: Any) -> Any:
    """The node, whether tracked or not."""
    return x.value if isinstance(x, Tracked) else x


def lengths(node: Any) -> list[int]:
    """Of a node's result."""
    return list(node.output(0).shape)


def number(value: float) -> Any:
    return constant(value, np.float32)


def above(x: Any, lowest: float) -> Any:
    return opset13.greater(x, number(lowest))


def where(condition: Any, slope: Any) -> Any:
    """The gradient where the condition holds, elsewhere 0."""
    return opset13.select(condition, slope, number(0))


def gathered(slope: Any, wanted: Sequence[int]) -> Any:
    """The gradient of an operand of this shape, summed over the axes along which it was repeated."""
    repeated = [
        axis
        for axis, (has, had) in enumerate(zip(lengths(slope), wanted, strict=True))
        if had == 1 and has > 1
    ]
    return opset13.reduce_sum(slope, constant(repeated), keep_dims=True) if repeated else slope


def folded(slope: Any, axis: int, margins: tuple[int, int]) -> Any:
    """The gradient of a picture whose border was replicated so many times before and after."""
    before, after = margins
    if not any(margins):
        return slope
    length = lengths(slope)[axis]

    def piece(start: int, stop: int) -> Any:
        return opset13.slice(slope, constant([start]), constant([stop]), constant([1]), constant([axis]))

    def border(start: int, stop: int) -> Any:
        return opset13.reduce_sum(piece(start, stop), constant([axis]), keep_dims=True)

    inner = piece(before + 1, length - after - 1)
    return opset13.concat([border(0, before + 1), inner, border(length - after - 1, length)], axis)
