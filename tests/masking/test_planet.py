import numpy as np
import xarray as xr

from cvlarray.masking import UDM2_BANDS, Udm2Quality
from cvlarray.names import QualityFlag


def flags_of(**bands):
    values = dict.fromkeys(UDM2_BANDS, 0) | {f"udm2_{name}": one for name, one in bands.items()}
    cube = xr.Dataset({name: ("x", np.array([one], np.uint8)) for name, one in values.items()})
    return QualityFlag(int(Udm2Quality()(cube)[0]))


def test_each_reason():
    assert flags_of(clear=1) == QualityFlag(0)
    assert flags_of(snow=1) == QualityFlag.SNOW
    assert flags_of(shadow=1) == QualityFlag.SHADOW
    assert flags_of(haze_light=1) == QualityFlag.HAZE
    assert flags_of(haze_heavy=1) == QualityFlag.HAZE
    assert flags_of(cloud=1) == QualityFlag.CLOUD
    assert flags_of(clear=1, unusable=0b100) == QualityFlag.SATURATED


def test_outside_the_scene():
    assert flags_of(unusable=0b1111_1111, cloud=1) == QualityFlag.FILL


def test_the_older_masks_cloud_bit_isnt_trusted():
    assert flags_of(clear=1, unusable=0b10) == QualityFlag(0)


def test_not_clear_without_a_reason():
    assert flags_of() == QualityFlag.HAZE
