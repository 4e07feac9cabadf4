"""An authorization server's token introspection endpoint (RFC 7662), for the OAuth mechanisms."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class TokenEndpoint:
    """Knows of each token whose it is; `tokens` may be changed while it runs."""

    def __init__(self, tokens: dict[str, str]) -> None:
        self.tokens = dict(tokens)
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                endpoint.answer(self, parse_qs(body).get("token", [""])[0])

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Where to ask."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/introspect"

    def answer(self, request: BaseHTTPRequestHandler, token: str) -> None:
        """Tell whether `token` is good, and whose it is."""
        user = self.tokens.get(token)
        told = {"active": False} if user is None else {"active": True, "username": user}
        body = json.dumps(told).encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
