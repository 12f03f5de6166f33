import numpy as np
import pytest

from cvlarray.report import palette


@pytest.mark.parametrize("stops", [palette.DATE_STOPS, palette.GAP_STOPS])
def test_ramps_fall_in_luminance_all_the_way(stops):
    colours = [palette.hex_colour(rgb) for rgb in palette.ramp(np.linspace(0, 1, 60), stops)]
    luminance = np.array([palette.relative_luminance(colour) for colour in colours])
    assert (np.diff(luminance) < 0).all()


def test_luminance_of_known_colours():
    # WCAG 2.2: white 1, black 0, pure green its own coefficient.
    assert palette.relative_luminance("#ffffff") == pytest.approx(1)
    assert palette.relative_luminance("#000000") == 0
    assert palette.relative_luminance("#00ff00") == pytest.approx(0.7152)


@pytest.mark.parametrize("fraction", np.linspace(0, 1, 21))
def test_numbers_on_pins_are_readable(fraction):
    colour = palette.date_colour(fraction)
    ink = palette.ink_on(colour)
    light, dark = sorted(map(palette.relative_luminance, (colour, ink)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_ramp_ends_at_its_stops_and_clips():
    ends = palette.ramp([-1, 0, 1, 2], ("#102030", "#ffffff"))
    assert ends.tolist() == [[16, 32, 48]] * 2 + [[255] * 3] * 2
