"""Packages that can be checked offline: hashes, provenance, signature, time stamp, report.

It needs the extra ``evidence``.
"""

from cvlarray.errors import MissingExtraError

try:
    import cryptography as _cryptography  # noqa: F401
    import fpdf as _fpdf  # noqa: F401
    import rfc3161_client as _rfc3161_client  # noqa: F401
except ImportError as error:
    raise MissingExtraError(
        "evidence packages need cryptography, fpdf2 and rfc3161-client: "
        "pip install 'cvlarray[evidence]'"
    ) from error

from cvlarray.alerts.evidence.files import evidence_files
from cvlarray.alerts.evidence.seal import Signer
from cvlarray.alerts.evidence.verify import Verification, verify_package

__all__ = ["Signer", "Verification", "evidence_files", "verify_package"]
