"""What every way of sending has in common."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cvlarray.alerts.deliver.message import Message
from cvlarray.errors import DeliveryError

__all__ = ["Channel", "Secrets", "SendError"]


class SendError(Exception):
    """A message didn't get through, as far as can be told; it is sent again later.

    Parameters
    ----------
    reason
        What happened, without any secret.
    is_refusal
        Whether the receiver was there and refused this very message: others may get through.
    retry_after_s
        What the receiver asked to wait.
    """

    def __init__(
        self, reason: str, *, is_refusal: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(reason)
        self.is_refusal = is_refusal
        self.retry_after_s = retry_after_s


class Channel(Protocol):
    """One way to one partner.

    ``send`` may be called again with a message that has already arrived: with the process killed
    or the connection cut at the wrong moment nobody can tell. It hands ``message.key`` on, or goes
    by it, so that the receiver counts such a message once.
    """

    def send(self, message: Message) -> str:
        """Send a message and return the receiver's receipt.

        Raises
        ------
        SendError
            If it didn't get through, as far as can be told.
        """
        ...


@dataclass(frozen=True)
class Secrets:
    """Secrets by the name of their environment variable; what is read is remembered, to hide it."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    _seen: set[str] = field(default_factory=set, repr=False, compare=False)

    def read(self, name: str) -> str:
        """Return a secret.

        Raises
        ------
        DeliveryError
            If the variable isn't set.
        """
        value = self.environment.get(name, "")
        if not value:
            raise DeliveryError(
                f"the environment variable {name} must hold a secret, but it isn't set"
            )
        self._seen.add(value)
        return value

    def hide(self, text: str) -> str:
        """Return ``text`` without any secret that was read."""
        for value in sorted(self._seen, key=len, reverse=True):
            text = text.replace(value, "***")
        return text
