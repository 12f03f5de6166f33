import pytest

from cvlarray.simulate import Landscape, LandUse, Pass, Sensor
from cvlarray.simulate.pixels import Pixels
from tests.simulate.places import CLEAR_DAY, part_of


@pytest.fixture(scope="session")
def landscape() -> Landscape:
    """Return 6 × 6 km where much happens."""
    busy = LandUse(mining_sites=25, clearings=25, blowdowns=12, burns=10, logging_roads=6)
    return Landscape.of_size(5, 600, land_use=busy)


@pytest.fixture(scope="session")
def at() -> Pass:
    """Return a pass of Sentinel-2 in the dry season."""
    return Pass(Sensor.SENTINEL_2, "sentinel-2a", CLEAR_DAY, 10, processing_baseline="04.00")


@pytest.fixture(scope="session")
def window(landscape) -> Pixels:
    """Return the landscape's middle."""
    return part_of(landscape, 200, 220, (160, 180))
