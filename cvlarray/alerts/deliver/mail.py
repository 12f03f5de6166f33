"""Electronic mail; the ``Message-ID`` is the same at every attempt."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from cvlarray.alerts.deliver.address import LOOPBACK
from cvlarray.alerts.deliver.channel import Secrets, SendError
from cvlarray.alerts.deliver.message import Message
from cvlarray.alerts.deliver.settings import ChannelSettings, Variable

__all__ = ["Mail", "MailChannel"]


def _is_address(text: str) -> str:
    try:
        address = Address(addr_spec=text)
    except (ValueError, IndexError) as error:
        raise ValueError(f"expected an e-mail address: {error}") from error
    if not address.username or "." not in address.domain:
        raise ValueError("expected an e-mail address")
    return text


MailAddress = Annotated[str, AfterValidator(_is_address)]


class Mail(ChannelSettings):
    """One mailbox of the partner's; a list server reaches several people at once."""

    kind: Literal["mail"] = Field(default="mail", description="Always mail.")
    to: MailAddress = Field(description="Address that receives the mails.")
    sender: MailAddress = Field(description="Address that sends them.")
    host: str = Field(min_length=1, description="SMTP server.")
    port: int = Field(default=587, ge=1, le=65535, description="Port of the server, 1 to 65535.")
    encryption: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="starttls, tls, or none (only to this machine)."
    )
    user_env: Variable | None = Field(
        default=None, description="Environment variable with the user's name; null: no login."
    )
    password_env: Variable | None = Field(
        default=None, description="Environment variable with the password."
    )
    timeout_s: float = Field(default=30.0, gt=0, le=600, description="Longest wait, s, up to 600.")

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.encryption == "none" and self.host not in LOOPBACK:
            raise ValueError("expected encryption to another machine: starttls or tls")
        if (self.user_env is None) != (self.password_env is None):
            raise ValueError("expected user_env and password_env together")
        return self

    def channel(self, secrets: Secrets) -> MailChannel:
        """Return the channel.

        Raises
        ------
        DeliveryError
            If a secret is missing.
        """
        login = None
        if self.user_env and self.password_env:
            login = secrets.read(self.user_env), secrets.read(self.password_env)
        return MailChannel(self, login)


@dataclass(frozen=True)
class MailChannel:
    """Sends each message as a mail."""

    settings: Mail
    login: tuple[str, str] | None = field(default=None, repr=False)

    def send(self, message: Message) -> str:
        """Send the mail."""
        mail = compose(message, sender=self.settings.sender, to=self.settings.to)
        try:
            server = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            raise SendError(f"the mail server can't be reached: {_words(error)}") from error
        try:
            server.send_message(mail)
        except (OSError, smtplib.SMTPException) as error:
            raise SendError(
                f"the mail wasn't taken: {_words(error)}", is_refusal=_is_refusal(error)
            ) from error
        finally:
            _part(server)
        return str(mail["Message-ID"])

    def _connect(self) -> smtplib.SMTP:
        at, trusted = self.settings, ssl.create_default_context()
        if at.encryption == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                at.host, at.port, timeout=at.timeout_s, context=trusted
            )
        else:
            server = smtplib.SMTP(at.host, at.port, timeout=at.timeout_s)
        try:
            if at.encryption == "starttls":
                server.starttls(context=trusted)
            if self.login:
                server.login(*self.login)
        except BaseException:
            server.close()
            raise
        return server


def compose(message: Message, *, sender: str, to: str) -> EmailMessage:
    """Return a message as a mail; the same one gives the same headers."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = sender, to
    mail["Subject"] = " ".join(message.subject.split())
    mail["Date"] = format_datetime(message.created_at)
    mail["Message-ID"] = f"<{message.key}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{message.text}\n")
    for attachment in message.attachments():
        main, sub = attachment.media_type.split("/")
        mail.add_attachment(
            attachment.content, maintype=main, subtype=sub, filename=attachment.name
        )
    return mail


def _part(server: smtplib.SMTP) -> None:
    """Say goodbye; what happens then changes nothing of what was taken."""
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        server.close()


def _is_refusal(error: Exception) -> bool:
    """Return whether the server was there and refused this very mail for good."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(500 <= code < 600 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPResponseException) and 500 <= error.smtp_code < 600


def _words(error: Exception) -> str:
    """Return the kind of a failure and the server's code, without its words."""
    code = getattr(error, "smtp_code", None)
    return type(error).__name__ + (f", code {code}" if code is not None else "")
