"""A time stamp authority on the loopback, by ``openssl ts``."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SETTINGS = """\
[req]
distinguished_name = dn
prompt = no
[dn]
CN = Test authority
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[stamping]
basicConstraints = CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = this
[this]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
"""


class Authority:
    """Its root certificate and what it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root.pem"
        self.url = ""
        self.status = 200
        (folder / "settings").write_text(SETTINGS)
        (folder / "serial").write_text("01")
        key = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-config",
            "settings",
        ]
        self._openssl(
            "req", "-x509", *key, "-keyout", "root.key", "-out", "root.pem", "-days", "2",
            "-extensions", "root", "-subj", "/CN=Test root",
        )  # fmt: skip
        self._openssl("req", *key, "-keyout", "tsa.key", "-out", "tsa.csr")
        self._openssl(
            "x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key",
            "-CAcreateserial", "-days", "2", "-extfile", "settings", "-extensions", "stamping",
            "-out", "tsa.pem",
        )  # fmt: skip

    def answer(self, query: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            asked, answered = Path(folder, "q.tsq"), Path(folder, "r.tsr")
            asked.write_bytes(query)
            self._openssl(
                "ts", "-reply", "-queryfile", asked, "-config", "settings", "-section", "this",
                "-signer", "tsa.pem", "-inkey", "tsa.key", "-out", answered,
            )  # fmt: skip
            return answered.read_bytes()

    def _openssl(self, *arguments: object) -> None:
        command = ["openssl", *map(str, arguments)]
        subprocess.run(command, cwd=self.folder, capture_output=True, check=True)


@contextmanager
def running_authority(folder: Path) -> Iterator[Authority]:
    authority = Authority(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            content = authority.answer(query) if authority.status == 200 else b"busy"
            self.send_response(authority.status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    authority.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield authority
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
