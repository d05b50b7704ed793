"""A client of the agent, written from gitseal-protocol(7) and nothing else: agent_client.py SOCKET COUNT <PAYLOAD

Has the payload signed COUNT times, one request after the other, by whomever the agent holds a credential of. Prints the
last signature on standard output and, on standard error, when each request began and ended, in microseconds.
"""

import hashlib
import json
import os
import socket
import struct
import sys
import time

# What decides what an instance's name means, in the order of the page: variables, the one that counts most last.
SETTINGS = (
    ("GITSEAL_TRUSTED_ROOT",),
    ("GITSEAL_SIGNING_CONFIG",),
    ("SIGSTORE_FULCIO_URL", "GITSIGN_FULCIO_URL"),
    ("SIGSTORE_ROOT_FILE", "SIGSTORE_FULCIO_ROOT", "GITSIGN_FULCIO_ROOT"),
    ("SIGSTORE_REKOR_URL", "GITSIGN_REKOR_URL"),
    ("SIGSTORE_REKOR_PUBLIC_KEY",),
    ("SIGSTORE_CT_LOG_PUBLIC_KEY_FILE",),
    ("SIGSTORE_TIMESTAMP_SERVER_URL", "GITSIGN_TIMESTAMP_SERVER_URL"),
    ("SIGSTORE_TSA_CERTIFICATE_FILE", "SIGSTORE_TIMESTAMP_CERT_CHAIN", "GITSIGN_TIMESTAMP_CERT_CHAIN"),
    ("SIGSTORE_OIDC_ISSUER", "GITSIGN_OIDC_ISSUER", "GITSEAL_OIDC_ISSUER"),
    ("TUF_MIRROR",),
    ("TUF_ROOT_JSON",),
    ("SSL_CERT_FILE", "GITSEAL_SSL_CAINFO"),
    ("SIGSTORE_OIDC_CLIENT_ID", "GITSIGN_OIDC_CLIENT_ID", "GITSEAL_OIDC_CLIENT_ID"),
)


def settings() -> str:
    written = hashlib.sha256()
    for names in SETTINGS:
        values = [os.environ[name] for name in names if os.environ.get(name)]
        # A TUF repository counts only where nothing else says whom to believe.
        if names[0].startswith("TUF_") and os.environ.get("GITSEAL_TRUSTED_ROOT"):
            values = []
        value = values[-1].encode() if values else None
        written.update(struct.pack(">Q", 2**64 - 1 if value is None else len(value)) + (value or b""))
    return written.hexdigest()


class Agent:
    def __init__(self, path: str):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        greeting = self.ask({"hello": {"version": 1}})["hello"]
        if greeting["version"] != 1:
            raise SystemExit(f"agent_client: the agent speaks version {greeting['version']}")

    def read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise SystemExit("agent_client: the agent has gone")
            data += part
        return data

    def ask(self, request: dict) -> dict:
        body = json.dumps(request).encode()
        self.socket.sendall(struct.pack(">I", len(body)) + body)
        (length,) = struct.unpack(">I", self.read(4))
        response = json.loads(self.read(length))
        if "error" in response:
            error = response["error"]
            raise SystemExit(f"agent_client: {error['code']}: {error['message']}")
        return response


def main() -> None:
    path, count = sys.argv[1], int(sys.argv[2])
    digest = hashlib.sha256(sys.stdin.buffer.read()).hexdigest()
    request = {
        "sign": {
            "scope": {"instance": "public", "settings": settings()},
            "payloads": [{"digest": digest}],
            "context": {"kind": "commit", "repository": os.getcwd()},
        }
    }
    agent = Agent(path)
    signed = None
    for _ in range(count):
        began = time.time_ns()
        signed = agent.ask(request)["signed"]
        print(began // 1000, time.time_ns() // 1000, file=sys.stderr)
    sys.stdout.write(signed[0]["armour"])


main()
