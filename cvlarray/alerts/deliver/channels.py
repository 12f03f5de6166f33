"""All the ways of sending, as the YAML names them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cvlarray.alerts.deliver.directory import Directory
from cvlarray.alerts.deliver.feed import Feed
from cvlarray.alerts.deliver.gundi import Gundi
from cvlarray.alerts.deliver.mail import Mail
from cvlarray.alerts.deliver.object_store import ObjectStore
from cvlarray.alerts.deliver.webhook import Webhook

__all__ = ["AnyChannel"]

AnyChannel = Annotated[
    Directory | Feed | Gundi | Mail | ObjectStore | Webhook, Field(discriminator="kind")
]
