"""Events for EarthRanger through Gundi (Sensors API v2): a point, the polygon, and details."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

import shapely
from pydantic import Field

from cvlarray.alerts.deliver.address import Url
from cvlarray.alerts.deliver.channel import Secrets
from cvlarray.alerts.deliver.http import post
from cvlarray.alerts.deliver.message import Kind, Message
from cvlarray.alerts.deliver.settings import ChannelSettings, Variable
from cvlarray.alerts.package import json_bytes

__all__ = ["Gundi", "GundiChannel", "gundi_event"]

SOURCE = "cvlarray"
PRIORITIES = {"high": 300, "medium": 200, "low": 100}
"""EarthRanger's: red, amber, green; 0 is grey."""

DETAILS = (
    "event_id",
    "state",
    "class",
    "confidence",
    "priority",
    "rule",
    "area_m2",
    "area_uncertainty_m2",
    "first_detected",
    "confirmed",
    "interval_start",
    "interval_end",
    "sensor",
    "version",
    "verification_url",
)
"""Properties that become details, under ``cvlarray_``: an event type's keys share one namespace."""


class Gundi(ChannelSettings):
    """An EarthRanger site behind a Gundi connection."""

    kind: Literal["gundi"] = Field(default="gundi", description="Always gundi.")
    url: Url = Field(
        default="https://sensors.api.gundiservice.org/v2/events/",
        description="Where Gundi takes events.",
    )
    api_key_env: Variable = Field(description="Environment variable with the connection's API key.")
    event_type: str = Field(
        default="cvlarray_alert",
        pattern=r"^[a-z0-9_]{1,64}$",
        description="Event type of the site, up to 64 of a-z, 0-9 and _.",
    )
    timeout_s: float = Field(default=30.0, gt=0, le=600, description="Longest wait, s, up to 600.")

    def channel(self, secrets: Secrets) -> GundiChannel:
        """Return the channel.

        Raises
        ------
        DeliveryError
            If the key is missing.
        """
        return GundiChannel(
            self.url, secrets.read(self.api_key_env), self.event_type, self.timeout_s
        )


@dataclass(frozen=True)
class GundiChannel:
    """Posts each message as an event; a digest is one, so that it doesn't cover the map.

    Gundi's documentation knows no idempotency key: the message's key is sent as a header and in
    the details, by which a repetition can be told.
    """

    url: str
    api_key: str = field(repr=False)
    event_type: str
    timeout_s: float = 30.0

    def send(self, message: Message) -> str:
        """Post the event and return the id that it got."""
        headers = {
            "apikey": self.api_key,
            "content-type": "application/json",
            "idempotency-key": message.key,
            "user-agent": "cvlarray",
        }
        body = json_bytes(gundi_event(message, self.event_type))
        answer = post(self.url, body, headers, timeout_s=self.timeout_s)
        return _object_id(answer.content) or f"status {answer.status}"


def gundi_event(message: Message, event_type: str) -> dict[str, Any]:
    """Return a message as a Gundi event.

    ``recorded_at`` is when the message was made: the change's own dates are among the details.
    """
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in message.features]
    point = shapes[0].representative_point()
    told = [feature["properties"] for feature in message.features]
    if message.kind is Kind.ALERT:
        details = {f"cvlarray_{name}": told[0].get(name) for name in DETAILS}
        title = f"{told[0].get('class', 'change')} {told[0]['event_id']}"
        geometry = shapes[0]
    else:
        details = {"cvlarray_alerts": message.text, "cvlarray_n_alerts": len(told)}
        title = message.subject
        geometry = shapely.MultiPolygon([p for shape in shapes for p in shapely.get_parts(shape)])
    return {
        "source": SOURCE,
        "title": title,
        "event_type": event_type,
        "recorded_at": message.created_at.isoformat(),
        "priority": max(PRIORITIES.get(str(each.get("priority")), 0) for each in told),
        "location": {"lat": round(point.y, 7), "lon": round(point.x, 7)},
        "geometry": shapely.geometry.mapping(geometry),
        "event_details": {
            "cvlarray_key": message.key,
            **{name: value for name, value in details.items() if value is not None},
        },
    }


def _object_id(content: bytes) -> str | None:
    try:
        answer = json.loads(content)
    except ValueError:
        return None
    first = answer[0] if isinstance(answer, list) and answer else answer
    found = first.get("object_id") if isinstance(first, dict) else None
    return None if found is None else str(found)[:200]
