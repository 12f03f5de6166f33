"""Sets of chips: what is written comes back, in formats that others read."""

from __future__ import annotations

import dataclasses

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr

from cvlarray.errors import StoreError
from cvlarray.models.model import Band
from cvlarray.training.chips import Chip, read_chips, write_chips
from tests.training.sets import KIND, Squares


def test_a_set_comes_back(tmp_path):
    source = Squares(n_chips=5)
    written = write_chips(tmp_path / "set", source)
    chips = read_chips(tmp_path / "set")
    assert chips.kind == KIND
    assert chips.sha256 == written.sha256
    originals = list(source.chips())
    images, is_valid = chips.images([3, 1])
    for place, number in enumerate((3, 1)):
        original = originals[number].image
        seen = (original != -32768).all(axis=0)
        np.testing.assert_array_equal(is_valid[place], seen)
        np.testing.assert_allclose(images[place][:, seen], original[:, seen] / 1e4, rtol=1e-6)
        assert (images[place][:, ~seen] == 0).all()
        np.testing.assert_array_equal(chips.labels([number])[0], originals[number].label)


def test_others_read_it(tmp_path):
    write_chips(tmp_path / "set", Squares(n_chips=3))
    cube = xr.open_zarr(tmp_path / "set" / "chips.zarr", consolidated=False, mask_and_scale=False)
    assert cube["image"].dims == ("chip", "band", "y", "x")
    assert cube["label"].dims == ("annotator", "chip", "y", "x")
    assert cube["label"].attrs["flag_meanings"] == "forest bare"
    assert cube.attrs["label_source"] == "annotated"
    table = gpd.read_parquet(tmp_path / "set" / "chips.parquet")
    assert list(table["label_source"]) == ["annotated"] * 3
    assert table.crs.to_epsg() == 32719
    assert table.geometry.area.to_numpy() == pytest.approx(640.0**2)


def test_the_hash_is_of_what_is_in_it(tmp_path):
    def sha256(name, **changes):
        source = Squares(n_chips=2)
        return write_chips(tmp_path / name, dataclasses.replace(source, **changes)).sha256

    same = sha256("a")
    assert sha256("b") == same
    assert sha256("c", n_chips=3) != same
    other_bands = dataclasses.replace(KIND, bands=(Band("green"), Band("nir")))
    assert sha256("d", chip_kind=other_bands) != same


class Failing(Squares):
    def chips(self):
        yield from super().chips()
        raise OSError("the disk is full")


def test_half_a_set_is_never_there(tmp_path):
    with pytest.raises((OSError, StoreError), match="disk is full"):
        write_chips(tmp_path / "set", Failing(n_chips=40))
    assert not (tmp_path / "set").exists()
    with pytest.raises(StoreError, match="is no set of label chips"):
        read_chips(tmp_path / "set")


class Odd(Squares):
    def chips(self):
        for number, chip in enumerate(super().chips()):
            image = chip.image if number else chip.image.astype(np.float32)
            yield Chip(image, chip.label, chip.footprint, chip.facts)


def test_chips_of_another_kind_are_refused(tmp_path):
    with pytest.raises(ValueError, match="chips of this set are float32"):
        write_chips(tmp_path / "set", Odd(n_chips=3))
