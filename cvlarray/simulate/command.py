"""The command ``cvlarray simulate``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from cvlarray.simulate.acquisitions import Acquisitions, Calendar, Sensor

Day = Annotated[dt.datetime, typer.Option(formats=["%Y-%m-%d"], help="YYYY-MM-DD.")]

_BEFORE = dt.timedelta(days=730)
"""How long before the first pass things begin to happen: then mines are at work from the start."""


def simulate(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if missing.")],
    seed: Annotated[int, typer.Option(help="Another seed is another landscape.")] = 1,
    size_px: Annotated[int, typer.Option(min=64, help="Side in pixels of 10 m, even.")] = 1024,
    start: Day = dt.datetime(2022, 1, 1),
    end: Day = dt.datetime(2022, 12, 31),
    sensors: Annotated[
        list[Sensor] | None, typer.Option("--sensor", help="May be repeated; all by default.")
    ] = None,
    trouble: Annotated[
        bool, typer.Option(help="Cloud, haze, seasons, floods, storms, sensor errors.")
    ] = True,
) -> None:
    """Write scenes of an invented rainforest whose every change is known."""
    from cvlarray.simulate.landscape import Landscape  # noqa: PLC0415 (loads the kernels)
    from cvlarray.simulate.quicklook import write_quicklook  # noqa: PLC0415
    from cvlarray.simulate.region import simulate_region  # noqa: PLC0415
    from cvlarray.simulate.switches import Switches  # noqa: PLC0415

    try:
        calendar = Calendar(start.date(), end.date())
        landscape = Landscape.of_size(
            seed, size_px, start=calendar.start - _BEFORE, end=calendar.end
        )
        acquisitions = Acquisitions.of(calendar, sensors or list(Sensor))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    switches = Switches() if trouble else Switches.none()
    catalog = simulate_region(
        folder, landscape, acquisitions, switches=switches, on_scene=typer.echo
    )
    for at in acquisitions.sentinel2[-1:]:
        write_quicklook(folder / "truth" / "quicklook.png", landscape, at)
    typer.echo(f"catalog: {catalog}")
