"""A bucket: one object a message, written once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from cvlarray.alerts.deliver.address import Url
from cvlarray.alerts.deliver.channel import Secrets, SendError
from cvlarray.alerts.deliver.message import Message
from cvlarray.alerts.deliver.settings import ChannelSettings
from cvlarray.alerts.package import zip_bytes
from cvlarray.errors import MissingExtraError

__all__ = ["ObjectStore", "ObjectStoreChannel"]


class ObjectStore(ChannelSettings):
    """A bucket of S3, Google or Azure; who may write is told by the cloud's own variables."""

    kind: Literal["object_store"] = Field(
        default="object_store", description="Always object_store."
    )
    url: str = Field(
        pattern=r"^(s3|gs|az|abfs|abfss)://[^\s/]+",
        description="Bucket and prefix, such as s3://bucket/alerts; credentials come from the "
        "environment (AWS_ACCESS_KEY_ID, ...).",
    )
    endpoint: Url | None = Field(
        default=None, description="Another server that speaks S3; null: the cloud's own."
    )
    timeout_s: float = Field(default=60.0, gt=0, le=600, description="Longest wait, s, up to 600.")

    def channel(self, secrets: Secrets) -> ObjectStoreChannel:  # noqa: ARG002 (as the others)
        """Return the channel."""
        return ObjectStoreChannel(self.url, self.endpoint, self.timeout_s)


@dataclass(frozen=True)
class ObjectStoreChannel:
    """Puts each message as an object: its one file, or a ZIP file of them.

    Raises
    ------
    MissingExtraError
        Without the extra ``cloud``.
    """

    url: str
    endpoint: str | None = None
    timeout_s: float = 60.0

    def send(self, message: Message) -> str:
        """Put the object unless it is there."""
        try:
            import obstore  # noqa: PLC0415 (an extra)
            from obstore.exceptions import AlreadyExistsError, BaseError  # noqa: PLC0415
            from obstore.store import from_url  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError(
                "an object store needs obstore: pip install 'cvlarray[cloud]'"
            ) from error
        options: Any = {} if self.endpoint is None else {"endpoint": self.endpoint}
        is_plain = self.endpoint is not None and self.endpoint.startswith("http://")
        client: Any = {"timeout": f"{self.timeout_s:g}s", "allow_http": is_plain}
        path, content = one_file(message)
        try:
            store = from_url(
                self.url, config=options, client_options=client, retry_config={"max_retries": 0}
            )
            try:
                obstore.put(store, path, content, mode="create")
                is_same = True
            except AlreadyExistsError:
                is_same = bytes(obstore.get(store, path).bytes()) == content
        except (BaseError, OSError) as error:
            reason = type(error).__name__
            raise SendError(f"the object store refused or is away: {reason}") from error
        if not is_same:
            raise SendError(f"{path} is there already with other content", is_refusal=True)
        return f"{self.url.rstrip('/')}/{path}"


def one_file(message: Message) -> tuple[str, bytes]:
    """Return name and content of the one object that a message becomes."""
    if len(message.files) == 1:
        ((path, content),) = message.files.items()
        return f"{message.name}{path[path.rfind('.') :]}", content
    return f"{message.name}.zip", zip_bytes(message.files)
