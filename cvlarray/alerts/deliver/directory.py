"""A folder that the partner reads: one package a folder, there whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from cvlarray.alerts.deliver.channel import Secrets, SendError
from cvlarray.alerts.deliver.message import Message
from cvlarray.alerts.deliver.settings import ChannelSettings
from cvlarray.alerts.package import read_package, write_folder
from cvlarray.errors import PackageError, StoreError

__all__ = ["Directory", "DirectoryChannel"]


class Directory(ChannelSettings):
    """A folder of the partner's, for example on a share."""

    kind: Literal["directory"] = Field(default="directory", description="Always directory.")
    path: str = Field(min_length=1, description="Folder, made if absent; relative to this YAML.")

    def channel(self, secrets: Secrets) -> DirectoryChannel:  # noqa: ARG002 (as the others)
        """Return the channel."""
        return DirectoryChannel(Path(self.path))


@dataclass(frozen=True)
class DirectoryChannel:
    """Writes each message as a folder."""

    folder: Path

    def send(self, message: Message) -> str:
        """Write the message's folder; one that is there already with the same files will do."""
        target = self.folder / message.name
        try:
            if not target.exists():
                write_folder(message.files, target)
            elif read_package(target) != message.files:
                raise SendError(f"{target} is there already with other files", is_refusal=True)
        except (StoreError, PackageError, OSError) as error:
            raise SendError(str(error)) from error
        return str(target)
