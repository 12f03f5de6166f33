"""Deliver a run's alerts; the one step that tells anybody, and never part of `run`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from cvlarray.alerts import UNASSIGNED, read_alerts
from cvlarray.alerts.deliver import (
    AlertVersion,
    Attempt,
    Entry,
    Outbox,
    Secrets,
    alert_versions,
    fill_outbox,
    no_link,
    send_due,
)
from cvlarray.alerts.events import State, read_events
from cvlarray.alerts.package import Dossier, package_files, write_folder
from cvlarray.alerts.package.archive import zip_bytes
from cvlarray.alerts.route import PackageFormat, Partner
from cvlarray.config import RunConfig
from cvlarray.errors import DeliveryError, MissingExtraError
from cvlarray.pipeline.context import RunContext, workspace_of
from cvlarray.pipeline.dossiers import DossierMaker
from cvlarray.pipeline.jurisdiction import place
from cvlarray.pipeline.latency import update_latencies
from cvlarray.pipeline.search import load_context
from cvlarray.pipeline.units import Stage
from cvlarray.store import Ledger, write_atomic

__all__ = ["deliver_alerts", "make_package"]

ROUTED = ("queue", "priority", "reasoning", "jurisdiction")
"""Columns that only routed alerts have."""


def deliver_alerts(
    config: RunConfig,
    *,
    told: Callable[[Attempt], None],
    try_all: bool = False,
    secrets: Secrets | None = None,
) -> list[Entry]:
    """Put into the outbox what each partner hasn't had yet, and send what is due.

    Parameters
    ----------
    config
        Of the run whose alerts are made.
    told
        Told of each attempt.
    try_all
        Try at once what waits after failures, too.
    secrets
        Where secrets come from; by default the environment.

    Returns
    -------
    What wasn't sent yet.

    Raises
    ------
    DeliveryError
        If no channel is configured or a secret is missing; or if nobody can tell whom the alerts
        concern, after what waits has been sent.
    WorkspaceBusyError
        If another process delivers.
    """
    secrets = secrets or Secrets()
    settings = config.delivery
    if not settings.channels:
        raise DeliveryError("delivery.channels must name a way to a partner, got none")
    channels = {each.destination: each.channel(secrets) for each in settings.channels}
    destinations = _destinations(config)
    make_evidence = _evidence_maker(config, destinations, secrets)
    workspace = workspace_of(config)
    with _made_alerts(config) as (context, ledger, made), Outbox(workspace.outbox) as outbox:
        with outbox.delivering():
            told_of = set().union(*(outbox.taken(destination) for destination in destinations))
            alerts = _with_endings(made, config, told_of)
            latencies = update_latencies(context, ledger, alerts, sent=outbox.first_sent())
            undecided = _why_undecided(alerts)
            if undecided is None:
                fill_outbox(
                    outbox,
                    alerts,
                    destinations,
                    make_dossier=DossierMaker(context, ledger, latencies),
                    make_evidence=make_evidence,
                    make_link=_linker(config),
                    now=dt.datetime.now(dt.UTC),
                    max_age_days=settings.max_age_days,
                )
            if try_all:
                outbox.try_all_now()
            send_due(outbox, channels, hide=secrets.hide, told=told)
            update_latencies(context, ledger, alerts, sent=outbox.first_sent())
        if undecided is not None:
            raise DeliveryError(f"nothing new is sent: {undecided}")
        return outbox.pending()


def _destinations(config: RunConfig) -> dict[str, Partner]:
    partners = {partner.name: partner for partner in config.routing.partners}
    return {each.destination: partners[each.partner] for each in config.delivery.channels}


def make_package(
    config: RunConfig,
    event_id: str,
    folder: Path,
    *,
    form: PackageFormat,
    is_zipped: bool = False,
    secrets: Secrets | None = None,
) -> Path:
    """Write one alert's package, as a partner would get it, into a folder.

    Returns
    -------
    The package: a folder or a ZIP file, named by alert and version.

    Raises
    ------
    DeliveryError
        If no such alert is there, or an evidence package is asked for and nobody signs.
    StoreError
        If it can't be written, or is there already.
    """
    with _made_alerts(config) as (context, ledger, alerts):
        chosen = alerts.assign(version=alert_versions(alerts))
        chosen = chosen[chosen["event_id"] == event_id]
        if chosen.empty:
            raise DeliveryError(f"no alert of the run is called {event_id}; see alerts.geojson")
        latencies = update_latencies(context, ledger, alerts, sent={})
        dossier = DossierMaker(context, ledger, latencies)(chosen.iloc[0])
        if form is PackageFormat.EVIDENCE:
            files = _sealer(config, secrets or Secrets())(dossier)
        else:
            files = package_files(dossier, form)
    path = folder / dossier.name
    if is_zipped:
        path = path.with_name(f"{dossier.name}.zip")
        write_atomic(path, zip_bytes(files))
    else:
        write_folder(files, path)
    return path


def _with_endings(
    alerts: gpd.GeoDataFrame, config: RunConfig, told_of: set[AlertVersion]
) -> gpd.GeoDataFrame:
    """Return the alerts and those events that are over since somebody was told of them."""
    path = workspace_of(config).events
    if not told_of or not path.exists():
        return alerts
    over = read_events(path, states=(State.WITHDRAWN, State.MERGED))
    versions = map(AlertVersion, over["event_id"].astype(str), alert_versions(over))
    is_news = np.array([version not in told_of for version in versions], bool)
    news = over[over["event_id"].isin({each.event_id for each in told_of}) & is_news]
    if news.empty:
        return alerts
    placed = place(news.assign(priority=UNASSIGNED), config).alerts
    return placed if alerts.empty else pd.concat([alerts, placed], ignore_index=True)


def _why_undecided(alerts: gpd.GeoDataFrame) -> str | None:
    """Return why nobody can tell whom the alerts concern, None if it was told."""
    if any(name not in alerts for name in ROUTED):
        return "the alerts weren't held against any layer; declare layers and run again"
    undecided = alerts[alerts["priority"] == UNASSIGNED]
    return None if undecided.empty else str(undecided["reasoning"].iloc[0]["text"])


@contextmanager
def _made_alerts(config: RunConfig) -> Iterator[tuple[RunContext, Ledger, gpd.GeoDataFrame]]:
    """Open a run whose alerts are made.

    Raises
    ------
    DeliveryError
        If they aren't, or weren't routed.
    """
    workspace = workspace_of(config)
    if not workspace.ledger.exists() or not workspace.alerts_parquet.exists():
        raise DeliveryError(f"{workspace.path} has no alerts yet; make them with `cvlarray run`")
    with Ledger(workspace.ledger) as ledger:
        if not ledger.done(Stage.ALERTS):
            raise DeliveryError(f"the alerts of {workspace.path} aren't finished; run it first")
        yield load_context(config, workspace), ledger, read_alerts(workspace.alerts_parquet)


def _linker(config: RunConfig) -> Callable[[str, str], str | None]:
    """Return what makes links to the verification page, for destinations that nobody else reads.

    Raises
    ------
    MissingExtraError
        Without the extra ``review``.
    """
    url = config.delivery.review_url
    if url is None:
        return no_link
    try:
        from cvlarray.review import read_key, sign_link  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise MissingExtraError(
            "delivery.review_url signs links with the verification page's own code; install it "
            "with: pip install 'cvlarray[review]'"
        ) from error
    key = read_key(workspace_of(config).review)
    partners = {
        each.destination: each.partner for each in config.delivery.channels if not each.is_public
    }
    valid = dt.timedelta(days=config.delivery.review_days)

    def link(destination: str, event_id: str) -> str | None:
        if destination not in partners:
            return None
        token = sign_link(key, partner=partners[destination], event_id=event_id, valid=valid)
        return f"{url.rstrip('/')}/link/{token}"

    return link


def _evidence_maker(
    config: RunConfig, destinations: Mapping[str, Partner], secrets: Secrets
) -> Callable[[Dossier], Mapping[str, bytes]]:
    """Return what makes evidence packages, if any partner wants them."""
    if any(partner.form is PackageFormat.EVIDENCE for partner in destinations.values()):
        return _sealer(config, secrets)
    return lambda dossier: package_files(dossier, PackageFormat.EVIDENCE)


def _sealer(config: RunConfig, secrets: Secrets) -> Callable[[Dossier], Mapping[str, bytes]]:
    """Return what makes evidence packages.

    Raises
    ------
    DeliveryError
        If nobody signs, or the key is missing.
    PackageError
        If the key isn't one.
    MissingExtraError
        Without the extra ``evidence``.
    """
    signing = config.delivery.signing
    if signing is None:
        raise DeliveryError("an evidence package needs delivery.signing: who signs, and with what")
    from cvlarray.alerts.evidence import Signer, evidence_files  # noqa: PLC0415 (an extra)

    pem = secrets.read(signing.key_env)
    signer = Signer.from_pem(signing.name, pem, timestamp_url=signing.timestamp_url)
    return lambda dossier: evidence_files(dossier, signer)
