"""An HTTP server of files on loopback that misbehaves on request."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

HTML = b"<html><body>Your session has expired, please log in</body></html>"


@dataclass(frozen=True)
class Fault:
    """What a request gets instead of its answer."""

    status: int = 200
    body: bytes | None = None
    pause_s: float = 0.0
    """Wait before the answer."""
    cut_after: int | None = None
    """Bytes of the body after which the connection is dropped."""


class FileServer:
    """Serves a folder with ranges, as object storage does; use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: dict[str, deque[Fault | None]] = {}
        self.requests: Counter[str] = Counter()
        self.queries: set[str] = set()
        self.most_in_flight = 0
        self.allows: Callable[[str], bool] = lambda query: True
        """Whether a request with this query may read; the others get 403."""
        self.replies: dict[str, Callable[[], bytes]] = {}
        """Answers that are no files, by path."""
        self.in_flight = 0
        self.lock = threading.Lock()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fail(self, pattern: str, *faults: Fault | None) -> None:
        """Let the next requests of paths that match a pattern fail.

        The faults befall one request after the other, None is a right answer; the last one stays.
        """
        self.faults[pattern] = deque(faults)

    def next_fault(self, path: str) -> Fault:
        """Return what befalls the next request of a path."""
        for pattern, waiting in self.faults.items():
            if re.search(pattern, path):
                return (waiting.popleft() if len(waiting) > 1 else waiting[0]) or Fault()
        return Fault()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, files: FileServer) -> None:
        self.files = files
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_HEAD(self) -> None:
        files = self.server.files
        with files.lock:
            files.in_flight += 1
            files.most_in_flight = max(files.most_in_flight, files.in_flight)
        try:
            with suppress(ConnectionError):  # the client may have given up
                self._answer(files)
        finally:
            with files.lock:
                files.in_flight -= 1

    def do_GET(self) -> None:
        self.do_HEAD()

    def _answer(self, files: FileServer) -> None:
        url = urlsplit(self.path)
        with files.lock:
            files.requests[url.path] += 1
            files.queries.add(url.query)
            fault = files.next_fault(url.path)
        time.sleep(fault.pause_s)
        if url.path in files.replies:
            self._send(fault, 200, files.replies[url.path]())
        elif fault.status != 200 or fault.body is not None:
            self._send(fault, fault.status, fault.body or b"")
        elif not files.allows(url.query):
            self._send(fault, 403, b"<Error>AuthenticationFailed</Error>")
        else:
            self._send_file(fault, files.folder / url.path.lstrip("/"))

    def _send_file(self, fault: Fault, path: Path) -> None:
        if not path.is_file():
            self._send(fault, 404, b"")
            return
        content = path.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not asked:
            self._send(fault, 200, content, {"Accept-Ranges": "bytes"})
            return
        start = int(asked[1])
        stop = min(len(content), int(asked[2]) + 1 if asked[2] else len(content))
        span = f"bytes {start}-{stop - 1}/{len(content)}"
        self._send(fault, 206, content[start:stop], {"Content-Range": span})

    def _send(
        self, fault: Fault, status: int, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault.cut_after is not None:
            self.wfile.write(body[: fault.cut_after])
            self.close_connection = True
            return
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Keep quiet."""
