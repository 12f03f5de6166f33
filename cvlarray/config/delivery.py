"""Who is told of alerts, how, and who vouches for them."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from cvlarray.alerts.deliver import AnyChannel
from cvlarray.alerts.deliver.address import Url
from cvlarray.alerts.deliver.settings import Variable
from cvlarray.config.problem import problem
from cvlarray.config.section import Section

PLACEHOLDERS = ("event_id", "version")


def _has_known_placeholders(url: str) -> str:
    unknown = set(re.findall(r"\{([^}]*)\}", url)) - set(PLACEHOLDERS)
    if unknown or "{event_id}" not in url:
        raise problem("", "a URL with {event_id} and at most {version} in it", url)
    return url


VerificationUrl = Annotated[Url, AfterValidator(_has_known_placeholders)]


class SigningConfig(Section):
    """The key that evidence packages are signed with."""

    name: str = Field(min_length=1, max_length=200, description="Who signs, for strangers to read.")
    key_env: Variable = Field(
        default="CVLARRAY_SIGNING_KEY",
        description="Environment variable with the Ed25519 private key as PEM, as "
        "`openssl genpkey -algorithm ed25519` makes it.",
    )
    timestamp_url: Url | None = Field(
        default=None,
        description="RFC 3161 authority that is asked for a time stamp; null: none.",
    )


class DeliveryConfig(Section):
    """The way from alerts to partners. Nothing is sent but by `cvlarray deliver`."""

    channels: tuple[AnyChannel, ...] = Field(
        default=(), description="Ways to the partners of routing.partners, one or more each."
    )
    max_age_days: int = Field(
        default=30,
        ge=1,
        le=3660,
        description="Alerts confirmed longer ago are history, and sent to nobody, days, 1 to 3660.",
    )
    verification_url: VerificationUrl | None = Field(
        default=None,
        description="Page that shows one alert, with {event_id} in it; null: no link.",
    )
    review_url: Url | None = Field(
        default=None,
        description="Where reviewers reach `cvlarray review`. Partners then get links that open "
        "one alert to them, once, instead of verification_url; a feed, which anybody reads, gets "
        "none. null: no such links.",
    )
    review_days: int = Field(
        default=14, ge=1, le=366, description="Days until such a link expires, 1 to 366."
    )
    signing: SigningConfig | None = Field(
        default=None, description="Who signs evidence packages; null: none can be made."
    )

    @model_validator(mode="after")
    def _destinations_differ(self) -> Self:
        names = [channel.destination for channel in self.channels]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            expected = "a name of its own for each of a partner's channels of one kind"
            raise problem("channels", expected, f"{repeated[0]} twice")
        return self
