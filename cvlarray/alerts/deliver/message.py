"""What goes to a partner in one piece: an alert, or the digest of many."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self

from cvlarray.alerts.package import (
    Attachment,
    Dossier,
    collection,
    feature,
    json_bytes,
    package_files,
    summary_line,
    zip_bytes,
)
from cvlarray.alerts.route import PackageFormat
from cvlarray.errors import DeliveryError
from cvlarray.store import input_hash

__all__ = ["AlertVersion", "Kind", "Message", "alert_message", "digest_message", "message_key"]

HEADER = "message.json"
KEY_LENGTH = 40
MAIL_FILES = (".png", ".kml", ".gpx", ".geojson", ".parquet")
"""Of an alert's package, what is attached to a mail or a request; the rest only lists them."""


class Kind(StrEnum):
    """What a message holds."""

    ALERT = "alert"
    DIGEST = "digest"


class AlertVersion(NamedTuple):
    """One version of one alert."""

    event_id: str
    version: str


@dataclass(frozen=True)
class Message:
    """Frozen when it is put into the outbox: every attempt sends the same bytes."""

    key: str
    """Idempotency key: the same for every attempt, different for everything else."""
    kind: Kind
    alerts: tuple[AlertVersion, ...]
    created_at: dt.datetime
    name: str
    """For files and folders: ``20190321-k3jq7x2mfa5dnw6o_v2``, ``digest_2025-04-10_1a2b3c4d``."""
    subject: str
    text: str
    """A line an alert, and where to look at it."""
    features: tuple[dict[str, Any], ...]
    """GeoJSON features of the alerts."""
    files: Mapping[str, bytes]
    """By path."""
    is_sealed: bool = False
    """Whether the files are an evidence package, which must stay together."""

    def attachments(self) -> tuple[Attachment, ...]:
        """Return what is attached where there are no folders: of a sealed package one ZIP file."""
        if self.is_sealed:
            return (Attachment(f"{self.name}.zip", "application/zip", zip_bytes(self.files)),)
        return tuple(
            Attachment(path.replace("/", "_"), _media_type(path), content)
            for path, content in sorted(self.files.items())
            if path.endswith(MAIL_FILES)
        )

    def to_bytes(self) -> bytes:
        """Return the message as it lies in the outbox, a ZIP file."""
        header = {
            "key": self.key,
            "kind": self.kind.value,
            "alerts": [list(alert) for alert in self.alerts],
            "created_at": self.created_at.isoformat(),
            "name": self.name,
            "subject": self.subject,
            "text": self.text,
            "features": list(self.features),
            "is_sealed": self.is_sealed,
        }
        files = {f"files/{path}": content for path, content in self.files.items()}
        return zip_bytes({HEADER: json_bytes(header), **files})

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Self:
        """Return the message that `to_bytes` wrote, from the files of the ZIP file.

        Raises
        ------
        DeliveryError
            If it is something else.
        """
        try:
            header = json.loads(files[HEADER])
            return cls(
                key=header["key"],
                kind=Kind(header["kind"]),
                alerts=tuple(AlertVersion(*alert) for alert in header["alerts"]),
                created_at=dt.datetime.fromisoformat(header["created_at"]),
                name=header["name"],
                subject=header["subject"],
                text=header["text"],
                features=tuple(header["features"]),
                files={
                    path.removeprefix("files/"): content
                    for path, content in files.items()
                    if path != HEADER
                },
                is_sealed=header["is_sealed"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DeliveryError(f"expected a message of the outbox, got: {error}") from error


def message_key(destination: str, alerts: Sequence[AlertVersion]) -> str:
    """Return the idempotency key of alerts for a destination."""
    return input_hash(destination, sorted(alerts))[:KEY_LENGTH]


def alert_message(
    destination: str,
    dossier: Dossier,
    form: PackageFormat,
    *,
    files: Mapping[str, bytes] | None = None,
    created_at: dt.datetime,
) -> Message:
    """Return the message of one alert.

    Parameters
    ----------
    destination
        Who receives it.
    dossier, form
        The alert, and how the partner wants it.
    files
        Its package; by default `package_files`. An evidence package comes from
        `cvlarray.alerts.evidence.evidence_files`.
    created_at
        Now, with a time zone.
    """
    alerts = (AlertVersion(dossier.event_id, dossier.version),)
    return Message(
        key=message_key(destination, alerts),
        kind=Kind.ALERT,
        alerts=alerts,
        created_at=created_at,
        name=dossier.name,
        subject=f"{summary_line(dossier)} [{dossier.event_id}]",
        text=_line(dossier),
        features=(feature(dossier),),
        files=package_files(dossier, form) if files is None else files,
        is_sealed=form is PackageFormat.EVIDENCE,
    )


def digest_message(
    destination: str,
    dossiers: Sequence[Dossier],
    form: PackageFormat,
    *,
    created_at: dt.datetime,
) -> Message:
    """Return the message of many alerts in short: one file, and a line for each."""
    alerts = tuple(AlertVersion(each.event_id, each.version) for each in dossiers)
    key = message_key(destination, alerts)
    attachment = collection(dossiers, form, name="digest")
    return Message(
        key=key,
        kind=Kind.DIGEST,
        alerts=alerts,
        created_at=created_at,
        name=f"digest_{created_at:%Y-%m-%d}_{key[:8]}",
        subject=f"digest: {len(dossiers)} more alerts",
        text="\n".join(map(_line, dossiers)),
        features=tuple(map(feature, dossiers)),
        files={attachment.name: attachment.content},
    )


def _line(dossier: Dossier) -> str:
    link = f"\n  {dossier.verification_url}" if dossier.verification_url else ""
    return f"{dossier.event_id}: {summary_line(dossier)}{link}"


def _media_type(path: str) -> str:
    suffix = path[path.rfind(".") :]
    return {
        ".png": "image/png",
        ".kml": "application/vnd.google-earth.kml+xml",
        ".gpx": "application/gpx+xml",
        ".geojson": "application/geo+json",
    }.get(suffix, "application/octet-stream")
