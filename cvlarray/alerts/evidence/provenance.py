"""Where a package's files come from, as PROV-JSON (W3C member submission, 24 April 2013)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

from cvlarray.alerts.package import Dossier, Reference, json_bytes

__all__ = ["prov_json"]

PREFIXES = {
    "alert": "urn:cvlarray:alert:",
    "source": "urn:cvlarray:source:",
    "cvl": "urn:cvlarray:terms:",
}


def prov_json(
    dossier: Dossier, files: Mapping[str, bytes], *, inputs: Collection[str], signer: str
) -> bytes:
    """Return the provenance of a package's files.

    Parameters
    ----------
    dossier
        The alert.
    files
        Files by their path in the package.
    inputs
        Paths of those that the alert was made from.
    signer
        On whose behalf the software ran.
    """
    entities = {
        **{_file(path): _bytes(content) for path, content in files.items()},
        **{_source(each): _told(each) for each in dossier.references},
    }
    used = [*map(_file, inputs), *map(_source, dossier.references)]
    outputs = [path for path in files if path not in inputs]
    activity = {"prov:label": f"making of alert {dossier.name}", "cvl:model": dossier.model}
    activity["prov:endTime"] = dossier.made_at.isoformat()
    pairs = [(output, each) for output in map(_file, outputs) for each in used]
    return json_bytes(
        {
            "prefix": PREFIXES,
            "entity": entities,
            "activity": {"alert:making": activity},
            "agent": {
                "cvl:software": {
                    "prov:type": {"$": "prov:SoftwareAgent", "type": "prov:QUALIFIED_NAME"},
                    "prov:label": dossier.software,
                },
                "cvl:organisation": {
                    "prov:type": {"$": "prov:Organization", "type": "prov:QUALIFIED_NAME"},
                    "prov:label": signer,
                },
            },
            "used": {
                f"_:u{n}": {"prov:activity": "alert:making", "prov:entity": each}
                for n, each in enumerate(used)
            },
            "wasGeneratedBy": {
                f"_:g{n}": {
                    "prov:entity": _file(path),
                    "prov:activity": "alert:making",
                    "prov:time": dossier.made_at.isoformat(),
                }
                for n, path in enumerate(outputs)
            },
            "wasDerivedFrom": {
                f"_:d{n}": {"prov:generatedEntity": output, "prov:usedEntity": each}
                for n, (output, each) in enumerate(pairs)
            },
            "wasAssociatedWith": {
                "_:a0": {"prov:activity": "alert:making", "prov:agent": "cvl:software"}
            },
            "actedOnBehalfOf": {
                "_:b0": {"prov:delegate": "cvl:software", "prov:responsible": "cvl:organisation"}
            },
            "wasAttributedTo": {
                f"_:t{n}": {"prov:entity": _file(path), "prov:agent": "cvl:organisation"}
                for n, path in enumerate(outputs)
            },
        }
    )


def _file(path: str) -> str:
    return f"alert:{path}"


def _source(reference: Reference) -> str:
    """Return a qualified name; of a name with spaces and the like only what PROV allows."""
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in reference.name)
    return f"source:{reference.kind}/{plain}"


def _bytes(content: bytes) -> dict[str, Any]:
    return {"cvl:sha256": sha256(content).hexdigest(), "cvl:size": len(content)}


def _told(reference: Reference) -> dict[str, Any]:
    told = {"prov:label": reference.name, **_known({"cvl:sha256": reference.sha256})}
    return told | {f"cvl:{key}": value for key, value in reference.detail.items()}


def _known(values: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}
