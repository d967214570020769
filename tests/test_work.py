"""A parcel in, a painted parcel out: what every backend ends in."""

from __future__ import annotations

import numpy as np
import pytest

from impasto import raster
from impasto.backends import Parcel
from impasto.backends.local import LocalBackend
from impasto.backends.work import perform, warm_up
from impasto.errors import Cancelled, UnreadablePicture
from impasto.job import Job


def silent(fraction: float, what: str) -> None:
    pass


def job(**look: object) -> Job:
    return Job.from_dict({"look": {"style": "great-wave"} | look})


def png(dtype: str = "uint8") -> bytes:
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (40, 60, 3), dtype)
    return raster.encode(raster.Raster(pixels, format="png"), "png", None, 92, None)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
def test_pixels_keep_their_layout(channels: int, dtype: str) -> None:
    top = np.iinfo(dtype).max if np.issubdtype(np.dtype(dtype), np.integer) else 1
    pixels = (np.random.default_rng(0).random((30, 50, channels)) * top).astype(dtype)
    meta = {"kind": "pixels", "width": 50, "height": 30, "channels": channels, "dtype": dtype}
    result = perform(job(), Parcel(pixels.tobytes(), meta), silent)
    assert meta.items() <= result.meta.items()
    painted = np.frombuffer(result.data, dtype).reshape(pixels.shape)
    colours = 1 if channels < 3 else 3
    assert (painted[..., colours:] == pixels[..., colours:]).all()
    assert (painted[..., :colours] != pixels[..., :colours]).any()


def test_a_file_keeps_its_format_and_the_report_says_how_it_was_made() -> None:
    result = perform(job(), Parcel(png("uint16"), {"kind": "file", "name": "a.png"}), silent)
    assert result.meta["format"] == "png"
    report = result.meta["report"]
    assert report["engine"] == "gallery"
    assert 0 < report["paint_seconds"] <= report["work_seconds"]
    assert raster.decode(result.data, "a.png").pixels.dtype == np.uint16


def test_strength_zero_leaves_no_credit() -> None:
    parcel = Parcel(png(), {"kind": "file", "name": "a.png"})
    assert b"Impasto" not in bytes(perform(job(strength=0), parcel, silent).data)
    assert b"Hokusai" in bytes(perform(job(), parcel, silent).data)


def test_unknown_parcels_are_refused() -> None:
    with pytest.raises(UnreadablePicture, match="parcel"):
        perform(job(), Parcel(b"x", {"kind": "letter"}), silent)


def test_progress_stops_the_work() -> None:
    def stop(fraction: float, what: str) -> None:
        if what == "painting":
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        LocalBackend().run(job(), Parcel(png(), {"kind": "file", "name": "a.png"}), stop)


def test_warm_up_tells_device_and_engine() -> None:
    facts = warm_up()
    assert facts["engine"] == "gallery"
    assert facts["device"]
