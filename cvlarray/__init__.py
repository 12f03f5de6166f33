"""Watch tropical forest from satellites: lazy cubes, per-pixel seasons, dated alerts."""
