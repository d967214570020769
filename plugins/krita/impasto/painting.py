"""From a recipe to a new layer: read, send, insert. The document may be closed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import layers, steps
from .jobs import Jobs, Task
from .layers import Piece, Source
from .masks import Mask, enclosed
from .pixels import Box
from .recipes import Recipe, title
from .texts import Unsuitable, _


class Painter:
    """Paints the active layer, as often as it is asked to."""

    def __init__(
        self,
        jobs: Jobs,
        name: Callable[[str], str],
        say: Callable[[str], object],
        painted: Callable[[str, Recipe, Any], object],
    ) -> None:
        """
        Args:
            name: what a style is called.
            say: tells the user what went wrong.
            painted: called with the title, the recipe and the new node.
        """
        self._jobs, self._name, self._say, self._painted = jobs, name, say, painted

    def paint(self, recipe: Recipe, known: Mapping[str, Mask]) -> Task | None:
        """Queue a painting of the active layer; `known` are the masks that regions may name."""
        recipe = recipe.copied()
        if not recipe.paints:
            self._say(_("No style is picked; click one in the gallery."))
            return None
        called = self.title(recipe)
        task = Task(called, lambda meta, data: None, self._say)
        self._jobs.add(task)

        def send(source: Source) -> None:
            if task.stop.is_set():
                raise Unsuitable(_("Cancelled; nothing was changed."))
            task.layer = source.document, source.node
            masks = {key: enclosed(known[key].read(), source.width, source.height) for key in recipe.masks}
            selection = None
            if source.selection is not None and recipe.regions:
                whole = bytes(source.selection.pixelData(0, 0, source.width, source.height))
                selection = enclosed(whole, source.width, source.height)
            job, enclosures = recipe.packed(masks, selection, deliver="layers")

            def insert(meta: dict[str, Any], data: bytearray) -> None:
                pieces = self._pieces(source, recipe, meta, data)
                steps.run(layers.add(source, pieces, f"Impasto: {called}"), finish, fail)

            task.done = insert
            size = (source.width, source.height)
            data, source.data = source.data, b""
            self._jobs.paint(task, job, size, source.space.depth, data, enclosures)

        def finish(node: Any) -> None:
            self._jobs.end(task)
            self._painted(called, recipe, node)

        def fail(sentence: str) -> None:
            self._jobs.fail(task, sentence)

        steps.run(layers.read(), send, fail)
        return task

    def title(self, recipe: Recipe) -> str:
        """What a painting is called."""
        if recipe.look["style"]:
            return title(recipe.look["style"], self._name)
        styled = (region for region in recipe.regions if isinstance(region.get("style"), list))
        return ", ".join(title(region["style"], self._name) for region in styled)

    def _pieces(self, source: Source, recipe: Recipe, meta: dict[str, Any], data: bytearray) -> list[Piece]:
        """The daemon's result as layers, from bottom to top."""
        whole = Box(0, 0, source.width, source.height)
        if "layers" not in meta:
            return [Piece(f"Impasto: {self.title(recipe)}", whole, data, source.selection)]
        from .client.planes import as_bytes

        pieces: list[Piece] = []
        view = memoryview(data)
        for entry in meta["layers"]:
            box = Box(entry["x"], entry["y"], entry["width"], entry["height"])
            pixels = view[entry["offset"] : entry["offset"] + entry["size"]]
            if entry["region"] < 0:
                pieces.append(Piece(self.title(recipe), box, pixels, source.selection))
                continue
            region, mask = recipe.regions[entry["region"]], entry["mask"]
            style = region.get("style", recipe.look["style"])
            cover = as_bytes(view[mask["offset"] : mask["offset"] + mask["size"]], mask["dtype"])
            pieces.append(Piece(f"{region['name']}: {title(style, self._name)}", box, pixels, cover))
        if not pieces:
            raise Unsuitable(_("Nothing was found to paint; choose other regions."))
        return pieces
