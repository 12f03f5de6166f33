"""Watch tropical forest from satellites: lazy cubes, per-pixel seasons, dated alerts."""

__version__ = "0.1.0"
