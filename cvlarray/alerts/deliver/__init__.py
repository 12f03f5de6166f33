"""From packages to people: an outbox that sends each alert version to each partner once."""

from cvlarray.alerts.deliver.channel import Channel, Secrets, SendError
from cvlarray.alerts.deliver.channels import AnyChannel
from cvlarray.alerts.deliver.message import (
    AlertVersion,
    Kind,
    Message,
    alert_message,
    digest_message,
)
from cvlarray.alerts.deliver.outbox import Entry, Outbox
from cvlarray.alerts.deliver.plan import alert_versions, fill_outbox, no_link
from cvlarray.alerts.deliver.send import Attempt, send_due

__all__ = [
    "AlertVersion",
    "AnyChannel",
    "Attempt",
    "Channel",
    "Entry",
    "Kind",
    "Message",
    "Outbox",
    "Secrets",
    "SendError",
    "alert_message",
    "alert_versions",
    "digest_message",
    "fill_outbox",
    "no_link",
    "send_due",
]
