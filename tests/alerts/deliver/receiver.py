"""A partner's server on the loopback: it checks signatures, counts messages, and misbehaves."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SLOW_S = 30.0


class Receiver:
    """What arrived, and how to behave; ``moods`` are used up one a request, then all is well."""

    def __init__(self) -> None:
        self.url = ""
        self.moods: list[str] = []
        self.seen: Counter[str] = Counter()
        self.bodies: dict[str, bytes] = {}
        self.headers: list[dict[str, str]] = []
        self.answer: bytes = b"{}"
        self.checks_signature = True
        self.released = threading.Event()
        self._lock = threading.Lock()

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies.values()]

    def take(self, body: bytes, headers: dict[str, str]) -> tuple[str, int]:
        """Return the mood and the status of the answer."""
        with self._lock:
            mood = self.moods.pop(0) if self.moods else "ok"
            self.headers.append(headers)
            if mood not in {"ok", "drop_after", "cut_answer"}:
                return mood, int(mood) if mood.isdecimal() else 200
            if self.checks_signature:
                Webhook(SECRET).verify(body, headers)  # raises unless signed, now
            key = headers.get("webhook-id") or headers["idempotency-key"]
            self.seen[key] += 1
            assert self.bodies.setdefault(key, body) == body, "another body under the same key"
            return mood, 200


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            mood, status = receiver.take(body, headers)
            if mood == "slow":
                receiver.released.wait(SLOW_S)
            if mood in {"slow", "drop", "drop_after"}:
                self.close_connection = True
                return
            self.send_response_only(status)
            shift = 3600 if mood == "401" else 0
            self.send_header("Date", self.date_time_string(time.time() + shift))
            if status == 302:
                self.send_header("Location", receiver.url)
            if status == 429:
                self.send_header("Retry-After", "900")
            length = len(receiver.answer) + (10 if mood == "cut_answer" else 0)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(receiver.answer)
            self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/alerts"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
