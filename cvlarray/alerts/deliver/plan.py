"""Which alerts go to whom now: what a destination hasn't had yet, as much as it can look at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import geopandas as gpd
import pandas as pd

from cvlarray.alerts.deliver.message import (
    AlertVersion,
    Message,
    alert_message,
    digest_message,
)
from cvlarray.alerts.deliver.outbox import Outbox
from cvlarray.alerts.package import Dossier
from cvlarray.alerts.route import PackageFormat, Partner, Queue, deliver_to

__all__ = ["alert_versions", "fill_outbox", "new_alerts", "no_link"]

QUIET = "seen"
"""A version that only adds an observation to what was said; see `cvlarray.alerts.events`."""
OVER = ("withdrawn", "merged")
"""States of an event that told of it are told once more, others never."""

MakeDossier = Callable[[pd.Series], Dossier]
MakeFiles = Callable[[Dossier], Mapping[str, bytes]]
MakeLink = Callable[[str, str], str | None]
"""Takes a destination and the name of an alert."""


def no_link(destination: str, event_id: str) -> None:
    """Leave the link that every destination may have."""


def fill_outbox(  # noqa: PLR0913 - whom, what and how, each by its name
    outbox: Outbox,
    alerts: gpd.GeoDataFrame,
    destinations: Mapping[str, Partner],
    *,
    make_dossier: MakeDossier,
    make_evidence: MakeFiles,
    make_link: MakeLink = no_link,
    now: dt.datetime,
    max_age_days: int,
) -> int:
    """Put into the outbox what each destination hasn't had yet.

    Of the alerts that concern a partner the most urgent go as a message each, up to its capacity;
    the others in one digest. Alerts of the monitoring queue go to nobody.

    Parameters
    ----------
    outbox
        Knows what was taken in before.
    alerts
        Routed alerts, with ``version`` if they are versions of events.
    destinations
        Partners by their destination.
    make_dossier
        Gathers what is known of one alert; it is called only for what is sent.
    make_evidence
        Makes an evidence package.
    make_link
        Makes a link to the verification page that is for one destination only; None: the alert
        keeps the link that its dossier has.
    now
        With a time zone.
    max_age_days
        Alerts confirmed longer ago are history, which nobody is woken for.

    Returns
    -------
    Number of messages taken in.
    """
    alerts = alerts.assign(version=alert_versions(alerts))
    dossiers = _Dossiers(make_dossier, make_link)
    n_taken = 0
    for destination, partner in destinations.items():
        new = new_alerts(
            alerts, outbox.taken(destination), today=now.date(), max_age_days=max_age_days
        )
        chosen = deliver_to([partner], new)
        rows = new.set_index("event_id", drop=False)
        make = partial(dossiers.for_destination, destination)
        for message in _messages(destination, partner, chosen, rows, make, make_evidence, now):
            n_taken += outbox.put(message, destination=destination, partner=partner.name)
    return n_taken


@dataclass(frozen=True)
class _Dossiers:
    """Gathers each alert once, however many destinations get it."""

    make: MakeDossier
    make_link: MakeLink
    made: dict[AlertVersion, Dossier] = field(default_factory=dict)

    def for_destination(self, destination: str, row: pd.Series) -> Dossier:
        """Return what is known of an alert, with the destination's own link."""
        version = AlertVersion(str(row["event_id"]), str(row["version"]))
        if version not in self.made:
            self.made[version] = self.make(row)
        link = self.make_link(destination, version.event_id)
        return replace(self.made[version], verification_url=link) if link else self.made[version]


def alert_versions(alerts: gpd.GeoDataFrame) -> list[str]:
    """Return the version of each alert as text; alerts that have no versions are the first."""
    if "version" not in alerts:
        return ["1"] * len(alerts)
    return [str(version) for version in alerts["version"]]


def new_alerts(
    alerts: gpd.GeoDataFrame, taken: set[AlertVersion], *, today: dt.date, max_age_days: int
) -> gpd.GeoDataFrame:
    """Return the alerts of which a destination hasn't had this version, and should.

    Left out are versions that only say an event was seen once more, unless it was never told of;
    events that are over, unless it was told of them; and those confirmed too long ago.
    """
    known = {version.event_id for version in taken}
    versions = zip(alerts["event_id"].astype(str), alerts["version"].astype(str), strict=True)
    is_new = pd.Series([AlertVersion(*each) not in taken for each in versions], alerts.index)
    was_told = alerts["event_id"].astype(str).isin(known)
    if "change" in alerts:
        is_new &= ~((alerts["change"] == QUIET) & was_told)
    if "state" in alerts:
        is_new &= ~alerts["state"].isin(OVER) | was_told
    oldest = pd.Timestamp(today) - pd.Timedelta(days=max_age_days)
    return alerts[is_new & ((alerts["confirmed"] >= oldest) | was_told)]


def _messages(
    destination: str,
    partner: Partner,
    chosen: pd.DataFrame,
    rows: gpd.GeoDataFrame,
    dossier_of: MakeDossier,
    make_evidence: MakeFiles,
    now: dt.datetime,
) -> Sequence[Message]:
    """Return the messages for one destination: the inbox one by one, the digest in one."""
    messages = []
    in_queue = {queue: chosen.loc[chosen["queue"] == queue.value, "event_id"] for queue in Queue}
    for event_id in in_queue[Queue.INBOX]:
        dossier = dossier_of(rows.loc[event_id])
        is_evidence = partner.form is PackageFormat.EVIDENCE
        files = make_evidence(dossier) if is_evidence else None
        messages.append(
            alert_message(destination, dossier, partner.form, files=files, created_at=now)
        )
    if len(in_queue[Queue.DIGEST]):
        rest = [dossier_of(rows.loc[event_id]) for event_id in in_queue[Queue.DIGEST]]
        messages.append(digest_message(destination, rest, partner.form, created_at=now))
    return messages
