"""The commands. They read a config, call the pipeline, and print; nothing else happens here."""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console
from rich.text import Text

from cvlarray.alerts.route import PackageFormat
from cvlarray.cli.costs import calibrated_costs, costs_table, outcome_table
from cvlarray.cli.deliver import DELIVER_HELP, deliver_command, package_command
from cvlarray.cli.display import run_display
from cvlarray.cli.evaluate import evaluate
from cvlarray.cli.reanalyse import HELP as REANALYSE_HELP
from cvlarray.cli.reanalyse import Items, areas_table, keep_plan, wants_new_items
from cvlarray.cli.review import invite, labels, review
from cvlarray.cli.sample import sample_command
from cvlarray.cli.stats import stats_command
from cvlarray.cli.tables import coverage_table, plan_table, status_table
from cvlarray.cli.train import HELP as TRAIN_HELP
from cvlarray.cli.train import PROMOTE_HELP, promote, train
from cvlarray.cli.verify import HELP as VERIFY_HELP
from cvlarray.cli.verify import verify
from cvlarray.cli.worker import HELP as WORKER_HELP
from cvlarray.cli.worker import worker
from cvlarray.cluster import executor
from cvlarray.config import RunConfig, json_schema, load_config
from cvlarray.demo import demo_config, write_romania
from cvlarray.errors import CvlarrayError
from cvlarray.pipeline import (
    Stage,
    calibrate,
    make_plan,
    plan_and_outcome,
    read_status,
    run_pipeline,
    search_again,
    workspace_of,
    write_coverage,
)
from cvlarray.simulate.command import simulate
from cvlarray.store.workspace import Workspace

app = typer.Typer(
    name="cvlarray",
    help="Watch tropical forest from satellites: from a STAC search to dated alerts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
console = Console(stderr=True)

ConfigPath = Annotated[Path, typer.Argument(help="The run's YAML.", show_default=False)]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster", help="local, threads, cuda, slurm, or a scheduler's address (tcp://host:8786)."
    ),
]
WorkspaceOption = Annotated[
    Path | None, typer.Option("--workspace", help="Folder of the run, instead of the YAML's.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def read_config(path: Path, workspace: Path | None, cluster: str | None) -> RunConfig:
    """Read the YAML, with what the command line overrides."""
    overrides: dict[str, Any] = {}
    if workspace is not None:
        overrides["workspace"] = str(workspace.resolve())
    if cluster is not None:
        overrides["cluster"] = cluster
    return load_config(path, overrides)


def run_stages(config: RunConfig, *, first: Stage, last: Stage) -> None:
    """Run a range of stages with a display of their progress."""
    try:
        with (
            executor(config.cluster, name=config.name) as workers,
            run_display(console) as progress,
        ):
            run_pipeline(config, workers, progress, first=first, last=last)
    except KeyboardInterrupt:
        console.print("stopped; run the same command again to go on where it stopped")
        raise typer.Exit(130) from None


@app.command()
def run(
    config: ConfigPath,
    until: Annotated[Stage, typer.Option(help="Last stage to run.")] = Stage.REPORT,
    from_: Annotated[
        Stage, typer.Option("--from", help="First stage; those before it must be complete.")
    ] = Stage.SEARCH,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan and stop before any work.")
    ] = False,
    cluster: ClusterOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run every stage; what an earlier run has done is not done again."""
    settings = read_config(config, workspace, cluster)
    if dry_run:
        console.print(plan_table(make_plan(settings)))
        return
    started = time.perf_counter()
    run_stages(settings, first=from_, last=until)
    if until == Stage.REPORT:
        typer.echo(f"report: {Workspace(settings.workspace).report_html}")
    typer.echo(f"wall time: {time.perf_counter() - started:.0f} s")


@app.command()
def plan(
    config: ConfigPath,
    years: Annotated[bool, typer.Option("--years", help="Of a reanalysis, not of a run.")] = False,
    as_json: AsJson = False,
    cluster: ClusterOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Predict items, tasks, bytes and memory, and once calibrated, core-hours and money."""
    settings = read_config(config, workspace, cluster)
    prediction = make_plan(settings, last=Stage.ANNUAL if years else Stage.REPORT)
    costs = calibrated_costs(settings, prediction)
    if as_json:
        more = {} if costs is None else {"costs": costs.to_dict()}
        typer.echo(json.dumps(prediction.to_dict() | more, indent=2))
        return
    console.print(plan_table(prediction))
    if costs is not None:
        console.print(costs_table(costs))


@app.command("calibrate")
def calibrate_command(config: ConfigPath, workspace: WorkspaceOption = None) -> None:
    """Run one tile of the region on one core, so that `plan` can tell core-hours and money."""
    settings = read_config(config, workspace, None)
    with run_display(console) as progress:
        calibrate(settings, progress)
    prediction = make_plan(settings, last=Stage.ANNUAL)
    costs = calibrated_costs(settings, prediction)
    if costs is not None:
        console.print(costs_table(costs))


@app.command()
def status(
    config: ConfigPath,
    as_json: AsJson = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Show what the ledger says of each stage; works beside a run."""
    summaries = read_status(Workspace(read_config(config, workspace, None).workspace))
    if as_json:
        typer.echo(json.dumps([summary.to_dict() for summary in summaries], indent=2))
    else:
        console.print(status_table(summaries))


@app.command()
def coverage(config: ConfigPath, workspace: WorkspaceOption = None) -> None:
    """Write how much was seen clear by ten days and by month: tables and a picture."""
    months, written = write_coverage(workspace_of(read_config(config, workspace, None)))
    console.print(coverage_table(months))
    for path in written:
        typer.echo(path)


def _stage_command(stage: Stage, text: str) -> None:
    """Add the command that runs one stage."""

    def command(
        config: ConfigPath, cluster: ClusterOption = None, workspace: WorkspaceOption = None
    ) -> None:
        run_stages(read_config(config, workspace, cluster), first=stage, last=stage)

    app.command(name=str(stage), help=text)(command)


@app.command()
def search(config: ConfigPath, workspace: WorkspaceOption = None) -> None:
    """Ask the catalogue anew and save the items of the run."""
    settings = read_config(config, workspace, None)
    with run_display(console) as progress:
        search_again(settings, progress)


_stage_command(Stage.INGEST, "Read the items into the Zarr cube.")
_stage_command(Stage.NORMALIZE, "Find what each scene is off by, if the config says so.")
_stage_command(
    Stage.PRIOR, "Learn the season of the region's steady forest, if the config says so."
)
_stage_command(Stage.BASELINE, "Fit each pixel's season to the history.")
_stage_command(Stage.MONITOR, "Compare the monitoring period with the season; date changes.")
_stage_command(
    Stage.SEGMENT, "Run the model of land cover over the dates watched, if the config has one."
)
_stage_command(
    Stage.RADAR, "Look where clouds hide the ground by Sentinel-1, if the config says so."
)
_stage_command(Stage.FUSE, "Put together what optical and radar say, if the config has both.")
_stage_command(Stage.ALERTS, "Draw polygons round changed pixels and make alerts of them.")
_stage_command(Stage.REPORT, "Write the HTML report.")


@app.command()
def demo(
    workspace: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("demo-run"),
    config: Annotated[
        Path | None, typer.Option(help="Another YAML over the same data: configs/demo_20m.yaml.")
    ] = None,
    cluster: ClusterOption = None,
) -> None:
    """Find and date real clearings in the Sentinel-2 cube that comes with the extra `demo`."""
    started = time.perf_counter()
    settings = read_config(config or demo_config(), workspace, cluster)
    with console.status("writing the scenes as COGs and STAC Items"):
        write_romania(settings.workspace)
    run_stages(settings, first=Stage.SEARCH, last=Stage.REPORT)
    typer.echo(f"report: {Workspace(settings.workspace).report_html}")
    typer.echo(f"wall time: {time.perf_counter() - started:.0f} s")


@app.command(help=REANALYSE_HELP)
def reanalyse(
    config: ConfigPath,
    items: Annotated[
        Items | None,
        typer.Option(help="Go on with these if the catalogue has changed since; else it asks."),
    ] = None,
    cluster: ClusterOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run every stage over the years."""
    settings = read_config(config, workspace, cluster)
    started = time.perf_counter()
    if wants_new_items(settings, items, console):
        with run_display(console) as progress:
            search_again(settings, progress)
    keep_plan(settings)
    run_stages(settings, first=Stage.SEARCH, last=Stage.ANNUAL)
    folder = Workspace(settings.workspace).annual
    console.print(areas_table(pd.read_csv(folder / "areas.csv")))
    console.print(outcome_table(plan_and_outcome(workspace_of(settings))))
    typer.echo(f"yearly maps, areas and sites: {folder}")
    typer.echo(f"wall time: {time.perf_counter() - started:.0f} s")


@app.command(help=DELIVER_HELP)
def deliver(
    config: ConfigPath,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try at once what waits after failures, too.")
    ] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Send alerts to partners."""
    deliver_command(read_config(config, workspace, None), console, try_all=retry)


@app.command()
def package(
    config: ConfigPath,
    event_id: Annotated[str, typer.Argument(help="Name of the alert.", show_default=False)],
    form: Annotated[
        PackageFormat, typer.Option(help="As which kind of partner gets it.")
    ] = PackageFormat.EVIDENCE,
    folder: Annotated[Path, typer.Option(help="Where to write it.")] = Path(),
    as_zip: Annotated[bool, typer.Option("--zip", help="A ZIP file instead of a folder.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Write the package of one alert."""
    settings = read_config(config, workspace, None)
    package_command(settings, event_id, folder, form=form, is_zipped=as_zip)


@app.command()
def stats(
    config: ConfigPath,
    start: Annotated[dt.datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="YYYY-MM-DD.")],
    end: Annotated[dt.datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="YYYY-MM-DD.")],
    as_json: AsJson = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Show a period's alerts by priority and class, their latency, and what partners said."""
    if end < start:
        raise typer.BadParameter("--to must not lie before --from")
    settings = read_config(config, workspace, None)
    stats_command(settings, start.date(), end.date(), as_json=as_json)


@app.command()
def sample(
    config: ConfigPath,
    start: Annotated[dt.datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="YYYY-MM-DD.")],
    end: Annotated[dt.datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="YYYY-MM-DD.")],
    points: Annotated[int, typer.Option(min=10, max=100_000, help="How many.")] = 300,
    seed: Annotated[int, typer.Option(help="The same one draws the same points.")] = 0,
    workspace: WorkspaceOption = None,
) -> None:
    """Draw points of the map to label on the verification page; `stats` tells what they say."""
    if end < start:
        raise typer.BadParameter("--to must not lie before --from")
    settings = read_config(config, workspace, None)
    sample_command(settings, start.date(), end.date(), console, n_points=points, seed=seed)


app.command()(simulate)
app.command()(evaluate)
app.command(help=TRAIN_HELP)(train)
app.command(help=PROMOTE_HELP)(promote)
app.command(help=VERIFY_HELP)(verify)
app.command(
    help=WORKER_HELP,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(worker)
app.command()(review)
app.command()(invite)
app.command()(labels)


@app.command()
def schema() -> None:
    """Print the JSON schema of a run's YAML, for editors."""
    typer.echo(json.dumps(json_schema(), indent=2))


def main() -> None:
    """Run the command line; a mistake of the user's gives one line, no traceback."""
    # What a worker says while it is stopped is nothing to act on.
    logging.getLogger("distributed").setLevel(logging.ERROR)
    try:
        app()
    except CvlarrayError as error:
        console.print(Text.assemble(("error: ", "bold red"), str(error)), soft_wrap=True)
        sys.exit(1)
