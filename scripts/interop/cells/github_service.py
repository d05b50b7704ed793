"""Plays the service that gives tokens to jobs of GitHub Actions: github_service.py TOKEN PORT ASKED

It answers as GitHub documents, writes its port to PORT, and each request that it was asked to ASKED.
"""

import http.server
import json
import os
import pathlib
import sys

token, port, asked = map(pathlib.Path, sys.argv[1:4])


class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        scheme, _, secret = self.headers.get("Authorization", "").partition(" ")
        with asked.open("a") as file:
            print(self.command, self.path, scheme.lower(), secret, file=file)
        body = json.dumps({"count": 1, "value": token.read_text().strip()}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
fresh = port.with_name("fresh.port")
fresh.write_text(str(server.server_address[1]))
os.rename(fresh, port)
server.serve_forever()
