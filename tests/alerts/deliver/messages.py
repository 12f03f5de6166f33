"""Messages drawn by hand."""

from __future__ import annotations

import datetime as dt

from cvlarray.alerts.deliver import Message, alert_message, digest_message
from cvlarray.alerts.evidence import evidence_files
from cvlarray.alerts.route import PackageFormat
from tests.alerts.dossiers import make_dossier, make_signer

NOW = dt.datetime(2025, 4, 11, 6, tzinfo=dt.UTC)
TO = "ranger/webhook"


def make_message(
    number: int = 0,
    *,
    to: str = TO,
    form: PackageFormat = PackageFormat.GEOJSON,
    version: str = "1",
) -> Message:
    return alert_message(to, make_dossier(number, version=version), form, created_at=NOW)


def make_digest(*numbers: int, form: PackageFormat = PackageFormat.GEOJSON) -> Message:
    return digest_message(TO, [make_dossier(n) for n in numbers], form, created_at=NOW)


def make_evidence(number: int = 0) -> Message:
    dossier = make_dossier(number)
    files = evidence_files(dossier, make_signer())
    return alert_message(TO, dossier, PackageFormat.EVIDENCE, files=files, created_at=NOW)
