"""A request to the partner's server, signed as standardwebhooks.com describes.

The receiver checks ``webhook-signature`` with one of that specification's libraries, refuses what
``webhook-timestamp`` tells to be older than five minutes, and drops a ``webhook-id`` it has seen.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from pydantic import Field

from cvlarray.alerts.deliver.address import Url
from cvlarray.alerts.deliver.channel import Secrets
from cvlarray.alerts.deliver.http import post
from cvlarray.alerts.deliver.message import Message
from cvlarray.alerts.deliver.settings import ChannelSettings, Variable
from cvlarray.alerts.package import json_bytes
from cvlarray.errors import DeliveryError

__all__ = ["Webhook", "WebhookChannel", "signature"]

PREFIX = "whsec_"
MIN_SECRET_BYTES = 24


class Webhook(ChannelSettings):
    """A server of the partner's."""

    kind: Literal["webhook"] = Field(default="webhook", description="Always webhook.")
    url: Url = Field(description="https:// URL that takes the requests.")
    secret_env: Variable = Field(
        description="Environment variable with the shared secret: whsec_ and 24 bytes or more in "
        "base64, as `echo whsec_$(openssl rand -base64 32)` makes it."
    )
    timeout_s: float = Field(default=30.0, gt=0, le=600, description="Longest wait, s, up to 600.")

    def channel(self, secrets: Secrets) -> WebhookChannel:
        """Return the channel.

        Raises
        ------
        DeliveryError
            If the secret is missing or isn't one.
        """
        secret = secrets.read(self.secret_env)
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            key = b""
        if not secret.startswith(PREFIX) or len(key) < MIN_SECRET_BYTES:
            raise DeliveryError(
                f"{self.secret_env} must hold whsec_ and {MIN_SECRET_BYTES} bytes or more in "
                "base64; make one with: echo whsec_$(openssl rand -base64 32)"
            )
        return WebhookChannel(self.url, key, self.timeout_s)


@dataclass(frozen=True)
class WebhookChannel:
    """Posts each message as JSON."""

    url: str
    key: bytes = field(repr=False)
    timeout_s: float = 30.0
    clock: Callable[[], float] = time.time

    def send(self, message: Message) -> str:
        """Post the message; its key is the ``webhook-id``."""
        body = webhook_body(message)
        timestamp = str(int(self.clock()))
        headers = {
            "content-type": "application/json",
            "user-agent": "cvlarray",
            "webhook-id": message.key,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(self.key, message.key, timestamp, body),
        }
        return f"status {post(self.url, body, headers, timeout_s=self.timeout_s).status}"


def webhook_body(message: Message) -> bytes:
    """Return the message as JSON: type, timestamp, and as data the features and attachments."""
    return json_bytes(
        {
            "type": f"{message.kind}.created",
            "timestamp": message.created_at.isoformat(),
            "data": {
                "name": message.name,
                "subject": message.subject,
                "text": message.text,
                "features": {"type": "FeatureCollection", "features": list(message.features)},
                "attachments": [
                    {
                        "name": each.name,
                        "media_type": each.media_type,
                        "sha256": sha256(each.content).hexdigest(),
                        "content_base64": base64.b64encode(each.content).decode(),
                    }
                    for each in message.attachments()
                ],
            },
        }
    )


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """Return the header ``webhook-signature``: HMAC-SHA256 over id, timestamp and body."""
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
