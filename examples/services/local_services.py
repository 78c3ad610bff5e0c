"""A token service and a timetable page on loopback, for the examples: `python3 local_services.py [PORT]`.

POST /token      form `grant_type=client_credentials`, `client_id=demo`, `client_secret=demo-secret`
                 -> 200 {"access_token": …, "token_type": "Bearer", "expires_in": 15}; a wrong client: 401
GET  /timetable  -> the file timetable.html beside this program, read anew each time

Port 0 picks a free one. The first line printed names the address.
"""

import http.server
import json
import pathlib
import secrets
import sys
import urllib.parse

PORT_DEFAULT = 8931
FORM_BYTES_MAX = 16 * 1024
TOKEN_SECONDS = 15
PAGE = pathlib.Path(__file__).with_name("timetable.html")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self):
        if self.path == "/timetable":
            self.answer(200, "text/html; charset=utf-8", PAGE.read_bytes())
        else:
            self.answer_json(404, {"error": "not_found"})

    def do_POST(self):
        try:
            length = int(self.headers.get("Content-Length", "0"))
        except ValueError:
            length = -1
        if not 0 <= length <= FORM_BYTES_MAX:
            self.close_connection = True
            self.answer_json(413, {"error": "invalid_request"})
            return
        form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode("utf-8", "replace")))
        if self.path != "/token":
            self.answer_json(404, {"error": "not_found"})
        elif form.get("grant_type") != "client_credentials":
            self.answer_json(400, {"error": "unsupported_grant_type"})
        elif (form.get("client_id"), form.get("client_secret")) != ("demo", "demo-secret"):
            self.answer_json(401, {"error": "invalid_client"})
        else:
            token = {"access_token": secrets.token_urlsafe(32), "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
            self.answer_json(200, token)

    def answer_json(self, status, value):
        self.answer(status, "application/json", json.dumps(value).encode())

    def answer(self, status, content_type, body):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        print(f"{self.command} {self.path} {args[1] if len(args) > 1 else ''}", file=sys.stderr)


def start(port):
    """A bound server, on loopback only."""
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main():
    server = start(int(sys.argv[1]) if len(sys.argv) > 1 else PORT_DEFAULT)
    host, port = server.server_address
    print(f"serving http://{host}:{port}/token and http://{host}:{port}/timetable", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
