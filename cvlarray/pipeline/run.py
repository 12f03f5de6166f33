"""A run: the stages in order. What the ledger calls done is not done again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cvlarray.cluster import Executor, InlineExecutor
from cvlarray.config import RunConfig
from cvlarray.errors import UnitError
from cvlarray.models import Model
from cvlarray.pipeline.alerts import alert_units
from cvlarray.pipeline.baseline import baseline_units, create_baseline
from cvlarray.pipeline.context import RunContext, workspace_of
from cvlarray.pipeline.execute import run_stage, to_do
from cvlarray.pipeline.fuse import create_fused, fuse_units
from cvlarray.pipeline.ingest import create_cube, ingest_units
from cvlarray.pipeline.models import checkpoint_of, land_cover_model, prepare, radar_model
from cvlarray.pipeline.monitor import create_detections, monitor_units
from cvlarray.pipeline.normalize import normalize_units
from cvlarray.pipeline.offsets import warn_of_offsets
from cvlarray.pipeline.prior import prior_units
from cvlarray.pipeline.progress import Progress
from cvlarray.pipeline.radar import create_radar, radar_units
from cvlarray.pipeline.record import recorded
from cvlarray.pipeline.report import report_units
from cvlarray.pipeline.search import load_context, search_units
from cvlarray.pipeline.segment import create_land_cover, segment_units
from cvlarray.pipeline.state import create_states
from cvlarray.pipeline.units import Stage, WorkUnit
from cvlarray.store import Ledger, StoreLocation, write_atomic


def run_pipeline(
    config: RunConfig,
    workers: Executor,
    progress: Progress,
    *,
    first: Stage = Stage.SEARCH,
    last: Stage = Stage.REPORT,
) -> None:
    """Run the stages from ``first`` to ``last``; those before must be complete.

    Parameters
    ----------
    config
        What to run; it is written filled in to ``run.yaml`` of the workspace.
    workers
        Where the units of the tiled stages run; the others run in this thread.
    progress
        Told what happens.
    first, last
        Stages, both included.

    Raises
    ------
    CvlarrayError
        If the workspace is in use or of another run, a stage before ``first`` is incomplete, or
        a unit fails. What was done stays done.
    """
    workspace = workspace_of(config)
    land_cover, radar = land_cover_model(config), radar_model(config)
    with (
        workspace.lock(),
        Ledger(workspace.ledger) as ledger,
        recorded(config, ledger, workers, progress) as record,
    ):
        write_atomic(workspace.run_yaml, config.to_yaml())
        workers.share(workspace.path)
        if workers.dashboard_link:
            progress.dashboard(workers.dashboard_link)
        stages = _Stages(ledger, workers, record, first, last)

        stages.run(Stage.SEARCH, search_units(config, workspace))
        if last == Stage.SEARCH:
            return
        record.context = context = load_context(config, workspace)
        _read(stages, context)
        _watch(stages, context)
        _segment(stages, context, land_cover)
        _look_by_radar(stages, context, radar)
        _tell(stages, context)
        _look_back(stages, context)


def _read(stages: _Stages, context: RunContext) -> None:
    """Run what fills the cube, and finds what its scenes are off by."""
    workspace, ledger = context.workspace, stages.ledger
    stages.forget_lost(Stage.INGEST, workspace.cube)
    create_cube(context, ledger)
    if stages.run(Stage.INGEST, ingest_units(context, ledger)):
        warn_of_offsets(context, ledger)
    if context.config.normalize.enabled and stages.reaches(Stage.NORMALIZE):
        stages.forget_lost(Stage.NORMALIZE, workspace.corrections)
        stages.run(Stage.NORMALIZE, normalize_units(context, ledger))


def _watch(stages: _Stages, context: RunContext) -> None:
    """Run what learns each pixel's season, and holds what comes against it."""
    workspace, ledger = context.workspace, stages.ledger
    if context.config.baseline.regional_prior and stages.reaches(Stage.PRIOR):
        stages.forget_lost(Stage.PRIOR, workspace.prior)
        stages.run(Stage.PRIOR, prior_units(context, ledger))
    if stages.reaches(Stage.BASELINE):
        stages.forget_lost(Stage.BASELINE, workspace.baseline)
        create_baseline(context)
        stages.run(Stage.BASELINE, baseline_units(context, ledger))
    if stages.reaches(Stage.MONITOR):
        watched = workspace.detections, workspace.sightings, *workspace.states
        for place in (*watched, workspace.state_logs):
            stages.forget_lost(Stage.MONITOR, place)
        create_states(context)
        create_detections(context)
        stages.run(Stage.MONITOR, monitor_units(context, ledger))


def _tell(stages: _Stages, context: RunContext) -> None:
    """Run what people see."""
    if stages.reaches(Stage.ALERTS):
        stages.forget_lost(Stage.ALERTS, context.workspace.events)
        stages.run(Stage.ALERTS, alert_units(context, stages.ledger))
    if stages.reaches(Stage.REPORT):
        stages.run(Stage.REPORT, report_units(context, stages.ledger))


def _look_back(stages: _Stages, context: RunContext) -> None:
    """Run the stages that only a reanalysis reaches, and whose imports no other run pays for."""
    workspace, ledger = context.workspace, stages.ledger
    if stages.reaches(Stage.CHANGES):
        from cvlarray.pipeline.changes import changes_units, create_changes  # noqa: PLC0415

        stages.forget_lost(Stage.CHANGES, workspace.changes)
        create_changes(context)
        stages.run(Stage.CHANGES, changes_units(context, ledger))
    if stages.reaches(Stage.ANNUAL):
        from cvlarray.pipeline.annual import annual_units  # noqa: PLC0415

        stages.forget_lost(Stage.ANNUAL, workspace.annual)
        stages.run(Stage.ANNUAL, annual_units(context, ledger))


def _segment(stages: _Stages, context: RunContext, land_cover: Model | None) -> None:
    """Run the model of land cover, if there is one and the run goes as far."""
    if land_cover is not None and stages.reaches(Stage.SEGMENT):
        stages.forget_lost(Stage.SEGMENT, context.workspace.land_cover)
        create_land_cover(context, stages.ledger, land_cover)
        units = segment_units(context, stages.ledger, land_cover)
        if to_do(units, stages.ledger, Stage.SEGMENT).missing:
            prepare(land_cover, checkpoint_of(context.config), stages.workers, context.config)
        stages.run(Stage.SEGMENT, units)


def _look_by_radar(stages: _Stages, context: RunContext, radar: Model | None) -> None:
    """Run the model of radar, if there is one, and put what it says to what land cover says."""
    config, workspace = context.config, context.workspace
    if config.models.radar is None or radar is None:
        return
    if stages.reaches(Stage.RADAR):
        stages.forget_lost(Stage.RADAR, workspace.radar)
        create_radar(context)
        units = radar_units(context, stages.ledger, radar)
        if to_do(units, stages.ledger, Stage.RADAR).missing:
            prepare(radar, config.models.radar.checkpoint, stages.workers, config)
        stages.run(Stage.RADAR, units)
    if config.models.land_cover is not None and stages.reaches(Stage.FUSE):
        stages.forget_lost(Stage.FUSE, workspace.fused)
        create_fused(context)
        stages.run(Stage.FUSE, fuse_units(context, stages.ledger))


def search_again(config: RunConfig, progress: Progress) -> None:
    """Ask the catalogue anew, also if the run has its items already.

    Raises
    ------
    CvlarrayError
        If the workspace is in use, or nothing usable is found; the items of before are kept then,
        and the next run asks once more.
    """
    workspace = workspace_of(config)
    with workspace.lock(), Ledger(workspace.ledger) as ledger:
        write_atomic(workspace.run_yaml, config.to_yaml())
        units = search_units(config, workspace)
        ledger.forget(Stage.SEARCH, [unit.key for unit in units])
        run_stage(Stage.SEARCH, units, InlineExecutor(), ledger, progress)


@dataclass(frozen=True)
class _Stages:
    """The part of a run that was asked for."""

    ledger: Ledger
    workers: Executor
    progress: Progress
    first: Stage
    last: Stage

    def reaches(self, stage: Stage) -> bool:
        """Return whether the run goes as far as ``stage``."""
        return list(Stage).index(stage) <= list(Stage).index(self.last)

    def forget_lost(self, stage: Stage, store: StoreLocation) -> None:
        """Forget what was done of a stage whose store is gone: somebody deleted it."""
        if not store.exists():
            self.ledger.forget(stage, self.ledger.hashes(stage))

    def run(self, stage: Stage, units: Iterable[WorkUnit]) -> int:
        """Run a stage, or check that an earlier run has completed it.

        Returns
        -------
        How many units had to be done.
        """
        if list(Stage).index(stage) >= list(Stage).index(self.first):
            workers = self.workers if stage.is_tiled else InlineExecutor()
            return run_stage(stage, units, workers, self.ledger, self.progress)
        missing, n_units = to_do(units, self.ledger, stage)
        if missing:
            raise UnitError(
                f"--from {self.first} needs {stage} complete, but {len(missing)} of {n_units} "
                f"units are missing or out of date; run from {stage}"
            )
        return 0
