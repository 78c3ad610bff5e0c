"""Receives what sinks send and prints it as it is understood by parsers that are not Odin's: the protobuf classes of
OpenTelemetry, and the line protocol parser of the package line-protocol-parser. One JSON object a line; the first is the
port."""

import gzip
import http.server
import json
import sys

from google.protobuf.json_format import MessageToDict
from line_protocol_parser import parse_line
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace

OTLP = {
    "/v1/traces": (trace.ExportTraceServiceRequest, trace.ExportTraceServiceResponse),
    "/v1/metrics": (metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse),
    "/v1/logs": (logs.ExportLogsServiceRequest, logs.ExportLogsServiceResponse),
}


def lines(text):
    """The lines of line protocol: a newline inside of a text's quotes belongs to the text. Quotes are marks in the
    fields only, which begin at the first space that has no backslash."""
    line, in_fields, quoted, escaped = "", False, False, False
    for char in text:
        if char == "\n" and not quoted:
            yield line
            line, in_fields = "", False
            continue
        line += char
        in_fields |= char == " " and not escaped
        quoted ^= in_fields and char == '"' and not escaped
        escaped = char == "\\" and not escaped
    assert not line, f"no end of a line: {line!r}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers["content-encoding"] == "gzip":
            body = gzip.decompress(body)
        path = self.path.split("?")[0]
        if path in OTLP:
            asked, answered = OTLP[path]
            assert self.headers["content-type"] == "application/x-protobuf"
            understood = MessageToDict(asked.FromString(body))
            answer = answered().SerializeToString()
        else:
            understood = [parse_line(line) for line in lines(body.decode())]
            answer = b""
        print(json.dumps({"path": self.path, "is": understood}), flush=True)
        self.send_response(200 if path in OTLP else 204)
        if path in OTLP:
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(json.dumps(server.server_address[1]), flush=True)
server.serve_forever()
