"""What of the real world's trouble is simulated; each can be switched off."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Switches:
    """Effects that make observations differ from date to date without anybody's doing.

    Four groups are the causes of the false alarms that analysts dismiss: cloud and haze (`clouds`,
    `missed_clouds`, `haze`), `seasonal_water`, `calibration`, and `natural_disturbance`.
    """

    clouds: bool = True
    """Cloud, its shadow, and cirrus; the scene classification knows them."""
    missed_clouds: bool = True
    """Thin cloud over some 6 % of what the scene classification calls clear."""
    haze: bool = True
    """Aerosol and smoke that atmospheric correction has left."""
    seasonal_water: bool = True
    """Rivers and lakes that rise and fall; else they stay at half of bankfull."""
    calibration: bool = True
    """Gain and offset that differ from date to date and from tile to tile."""
    natural_disturbance: bool = True
    """Blow-downs and burn scars. Off, they are not in the truth either."""
    phenology: bool = True
    """Leaves that flush and grass that dries; else every day is like the yearly mean."""
    misregistration: bool = True
    """Pixels that look a few metres beside their place."""
    noise: bool = True
    """Of the sensor; for radar, speckle."""
    rain: bool = True
    """Wet ground that raises backscatter."""

    @classmethod
    def none(cls) -> Switches:
        """Return a world in which only people change anything."""
        return cls(**{field.name: False for field in fields(cls)})
