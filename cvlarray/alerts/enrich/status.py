"""What the status of a concession means, whatever words its register uses."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from enum import StrEnum

__all__ = ["LicenceStatus", "licence_status"]


class LicenceStatus(StrEnum):
    """Whether a concession allows what an alert may show."""

    LICENSED = "licensed"
    """Titled and in force."""
    PENDING = "pending"
    """Applied for: nothing may be worked yet."""
    LAPSED = "lapsed"
    """Extinguished, expired, cancelled or suspended."""
    OTHER = "other"
    """A quarry, plant or tailings deposit: no mining right of its own."""
    UNKNOWN = "unknown"
    """The source says nothing that could be understood; never taken for licensed."""


_INGEMMET_CODES = {
    **dict.fromkeys("TNE", LicenceStatus.LICENSED),
    **dict.fromkeys("PD", LicenceStatus.PENDING),
    **dict.fromkeys("FLXY", LicenceStatus.LAPSED),
    **dict.fromkeys("ABR", LicenceStatus.OTHER),
}
"""Column ESTADO of INGEMMET's cadastre. Q (accumulation) and H may be titled or not."""

_WORDS = (
    ("EXTING", LicenceStatus.LAPSED),
    ("CADUC", LicenceStatus.LAPSED),
    ("CANCEL", LicenceStatus.LAPSED),
    ("VENCID", LicenceStatus.LAPSED),
    ("SUSPEND", LicenceStatus.LAPSED),
    ("NO VIGENTE", LicenceStatus.LAPSED),
    ("LIBRE DENUNCIABILIDAD", LicenceStatus.LAPSED),
    ("TRAMITE", LicenceStatus.PENDING),
    ("CANTERA", LicenceStatus.OTHER),
    ("PLANTA", LicenceStatus.OTHER),
    ("RELAVE", LicenceStatus.OTHER),
    ("TITULAD", LicenceStatus.LICENSED),
    ("VIGENTE", LicenceStatus.LICENSED),
)
"""Stems in D_ESTADO, LEYENDA and REINFO's ESTADO, without accents; the first one found counts."""


def licence_status(raw: str | None, words: Mapping[str, LicenceStatus]) -> LicenceStatus:
    """Return the meaning of a status such as ``T`` or ``D.M. Titulado D.L. 708``.

    Parameters
    ----------
    raw
        Text of the source; None where it says nothing.
    words
        The layer's own meanings, compared whole and without case or accents; they go first.

    Returns
    -------
    UNKNOWN for what is neither among ``words`` nor a code or wording of INGEMMET or REINFO. Rows of
    one concession that differ (``T / L``) are UNKNOWN, too.
    """
    if raw is None:
        return LicenceStatus.UNKNOWN
    own = {_plain(word): status for word, status in words.items()}
    whole = _plain(raw)
    if whole in own:
        return own[whole]
    found = {own.get(part) or _meaning(part) for part in whole.split(" / ")}
    return found.pop() if len(found) == 1 else LicenceStatus.UNKNOWN


def _meaning(text: str) -> LicenceStatus:
    if text in _INGEMMET_CODES:
        return _INGEMMET_CODES[text]
    return next((status for stem, status in _WORDS if stem in text), LicenceStatus.UNKNOWN)


def _plain(text: str) -> str:
    """Return upper case without accents and surrounding space."""
    decomposed = unicodedata.normalize("NFKD", text.strip().upper())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
