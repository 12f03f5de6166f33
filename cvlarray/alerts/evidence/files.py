"""The files of an evidence package, sealed."""

from __future__ import annotations

from cvlarray.alerts.evidence.manifest import (
    CHECKSUMS,
    MANIFEST,
    PUBLIC_KEY,
    SIGNATURE,
    TIMESTAMP,
    checksums,
    make_manifest,
)
from cvlarray.alerts.evidence.provenance import prov_json
from cvlarray.alerts.evidence.report import report_pdf
from cvlarray.alerts.evidence.report_words import LANGUAGES
from cvlarray.alerts.evidence.seal import Signer, fingerprint, public_pem
from cvlarray.alerts.evidence.timestamp import request_timestamp
from cvlarray.alerts.package import Dossier, package_files
from cvlarray.alerts.route import PackageFormat

__all__ = ["evidence_files"]

INPUTS = "inputs"

README = """\
ESPAÑOL
Paquete de evidencia de una alerta. Para comprobar que ningún byte ha cambiado:
    cvlarray verify CARPETA --key CLAVE.pem
o, sin cvlarray, con las herramientas de cualquier sistema:
    sha256sum -c SHA256SUMS
    openssl pkeyutl -verify -pubin -inkey CLAVE.pem -rawin -in manifest.json -sigfile manifest.sig
CLAVE.pem es la clave pública del firmante, obtenida por otro camino que este paquete
(la que viene aquí, signer.pem, solo prueba que el paquete concuerda consigo mismo).

ENGLISH
Evidence package of an alert. To check that no byte has changed:
    cvlarray verify FOLDER --key KEY.pem
or, without cvlarray, with the tools of any system:
    sha256sum -c SHA256SUMS
    openssl pkeyutl -verify -pubin -inkey KEY.pem -rawin -in manifest.json -sigfile manifest.sig
KEY.pem is the signer's public key, had by another way than this package
(the one in it, signer.pem, only proves that the package agrees with itself).
"""


def evidence_files(dossier: Dossier, signer: Signer) -> dict[str, bytes]:
    """Return the files of an evidence package, by their path in it.

    What any package has; the alert's inputs; a report in Spanish and in English; the provenance;
    the hashes of all, signed and, if the signer names an authority, time-stamped. But for the time
    stamp, the same alert and key give the same bytes.

    Raises
    ------
    PackageError
        If the time stamp authority can't be reached or refuses.
    """
    inputs = {f"{INPUTS}/{name}": content for name, content in sorted(dossier.inputs.items())}
    files = {
        **package_files(dossier, PackageFormat.EVIDENCE),
        **inputs,
        **{f"report_{code}.pdf": report_pdf(dossier, words) for code, words in LANGUAGES.items()},
        "README.txt": README.encode(),
    }
    files["prov.json"] = prov_json(dossier, files, inputs=inputs, signer=signer.name)
    files[CHECKSUMS] = checksums(files)
    if signer.timestamp_url:
        files[TIMESTAMP] = request_timestamp(signer.timestamp_url, files[CHECKSUMS])
    manifest = make_manifest(
        dossier, files, inputs=inputs, signer=signer.name, key_sha256=fingerprint(signer.public)
    )
    return {
        **files,
        MANIFEST: manifest,
        SIGNATURE: signer.sign(manifest),
        PUBLIC_KEY: public_pem(signer.public),
    }
