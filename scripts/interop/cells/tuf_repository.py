"""A TUF repository under our hand, made with python-tuf, served on loopback, and two clients that read it: ours and
python-tuf's own. It can publish what no honest repository would."""

import http.server
import json
import subprocess
import threading
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot, SuccinctRoles, TargetFile,
    Targets, Timestamp,
)
from tuf.ngclient import Updater

TOP_LEVEL = ("root", "timestamp", "snapshot", "targets")
# A client that takes more than this of an answer without an end has no bound (sockets hold a few megabytes themselves).
ENDLESS = 64 << 20


class Endless:
    """An answer that begins with `start` and then never ends."""

    def __init__(self, start=b""):
        self.start = start
        self.sent = 0


class CutShort:
    """An answer that says it is longer than it is."""

    def __init__(self, content):
        self.content = content


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` by the very path that was asked for: nothing is decoded or resolved."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.floods = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        if isinstance(content, Endless):
            self.end_headers()
            self.send_endless(content)
            return
        length = len(content.content) + 1000 if isinstance(content, CutShort) else len(content)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content.content if isinstance(content, CutShort) else content)
        self.close_connection = True

    def send_endless(self, content):
        self.close_connection = True
        block = b" " * 65536
        try:
            self.wfile.write(content.start)
            # White space after a document changes nothing in it: only a bound ends this.
            while content.sent < ENDLESS:
                self.wfile.write(block)
                content.sent += len(block)
        except OSError:
            pass

    def log_message(self, *_):
        pass


class Repository:
    """Metadata, the keys of each role, and what of it is served. Versions rise by one at each `publish`."""

    def __init__(self, server, name, consistent=True, new_key=CryptoSigner.generate_ecdsa):
        self.server = server
        self.base = f"/{name}"
        self.new_key = new_key
        expires = days(30)
        self.metadata = {
            "root": Metadata(Root(expires=expires, consistent_snapshot=consistent)),
            "timestamp": Metadata(Timestamp(expires=expires)),
            "snapshot": Metadata(Snapshot(expires=expires)),
            "targets": Metadata(Targets(expires=expires)),
        }
        self.keys = {}
        self.published = set()
        self.artifacts = {}
        # Whether the timestamp and the snapshot give the digest and length of what they name.
        self.describes_files = False
        for role in TOP_LEVEL:
            self.give_key(role)
        self.publish("targets", "snapshot", "timestamp", "root")

    def __getattr__(self, role):
        try:
            return self.metadata[role].signed
        except KeyError:
            raise AttributeError(role) from None

    def give_key(self, role, key=None, delegator="root"):
        """One key more for the role; it signs from now on."""
        key = key or self.new_key()
        signed = self.metadata[delegator].signed
        signed.add_key(key.public_key, role)
        self.keys.setdefault(role, []).append(key)
        return key

    def take_keys(self, role):
        """Nobody may sign for the role any more."""
        for keyid in list(self.root.roles[role].keyids):
            self.root.revoke_key(keyid, role)
        self.keys[role] = []

    def rotate(self, role):
        self.take_keys(role)
        return self.give_key(role)

    def start_again(self, role):
        """The next `publish` of the role is version 1."""
        self.metadata[role].signed.version = 1
        self.published.discard(role)

    def signed_file(self, role, keys=None):
        metadata = self.metadata[role]
        metadata.signatures.clear()
        for key in self.keys[role] if keys is None else keys:
            metadata.sign(key, append=True)
        return metadata.to_bytes()

    def publish(self, *roles, keys=None):
        """Sign and serve the next version of each role, one after the other, and put it into what names it."""
        for role in roles:
            signed = self.metadata[role].signed
            if role in self.published:
                signed.version += 1
            self.published.add(role)
            self.serve(role, self.signed_file(role, keys))

    def serve(self, role, content):
        """Serve `content` as the role's metadata, as it is; what names it is told."""
        signed = self.metadata[role].signed
        self.replace(role, content)
        described = {}
        if self.describes_files and isinstance(content, bytes):
            file = TargetFile.from_data(role, content, ["sha256"])
            described = {"length": file.length, "hashes": file.hashes}
        if role == "snapshot":
            self.timestamp.snapshot_meta = MetaFile(signed.version, **described)
        elif role not in ("root", "timestamp"):
            self.snapshot.meta[f"{role}.json"] = MetaFile(signed.version, **described)

    def flood(self, start):
        """An answer without an end; how much of it was taken is looked at in the end."""
        self.server.floods.append(Endless(start))
        return self.server.floods[-1]

    def replace(self, role, content, version=None):
        """Serve `content` in the place of the role's metadata; nobody is told."""
        self.server.files[self.path_of(role, version or self.metadata[role].signed.version)] = content

    def served(self, role, version=None):
        return self.server.files[self.path_of(role, version or self.metadata[role].signed.version)]

    def lose(self, role, version=None):
        del self.server.files[self.path_of(role, version or self.metadata[role].signed.version)]

    def path_of(self, role, version):
        versioned = role == "root" or (self.root.consistent_snapshot and role != "timestamp")
        return f"{self.base}/metadata/{f'{version}.' if versioned else ''}{quote(role, '')}.json"

    def add_target(self, role, path, content=b"the content"):
        target = TargetFile.from_data(path, content, ["sha256"])
        self.metadata[role].signed.targets[path] = target
        self.artifacts[path] = content
        self.server.files[self.path_of_target(target)] = content
        return target

    def path_of_target(self, target):
        *folders, name = target.path.split("/")
        prefix = f"{target.hashes['sha256']}." if self.root.consistent_snapshot else ""
        return f"{self.base}/targets/" + "".join(quote(folder, "") + "/" for folder in folders) + prefix + quote(name, "")

    def delegate(self, delegator, role, paths=("*",), terminating=False, key=None):
        """The role answers for the paths, with a key of its own."""
        signed = self.metadata[delegator].signed
        if signed.delegations is None:
            signed.delegations = Delegations({}, roles={})
        signed.delegations.roles[role] = DelegatedRole(role, [], 1, terminating, list(paths))
        if role not in self.metadata:
            self.metadata[role] = Metadata(Targets(expires=days(30)))
        return self.give_key(role, key, delegator)

    def delegate_bins(self, bits):
        """The targets share all paths among bins, which have one key for all."""
        key = self.new_key()
        bins = SuccinctRoles([], 1, bits, "bin")
        self.targets.delegations = Delegations({}, None, bins)
        self.targets.add_key(key.public_key)
        for role in bins.get_roles():
            self.metadata[role] = Metadata(Targets(expires=days(30)))
            self.keys[role] = [key]

    def versions(self, roles):
        return {role: self.metadata[role].signed.version for role in roles}


class OurClient:
    """The executable that speaks the command line of the tuf-conformance suite."""

    def __init__(self, program, folder, repository):
        self.program, self.folder, self.repository = program, folder, repository
        self.metadata, self.targets = folder / "metadata", folder / "targets"
        for made in (folder, self.metadata, self.targets):
            made.mkdir()
        first = folder / "first.json"
        first.write_bytes(repository.server.files[repository.path_of("root", 1)])
        assert self.run("init", str(first)) == 0, "init refused a good root"

    def run(self, *arguments):
        server = self.repository.server.url + self.repository.base
        options = ["--metadata-dir", self.metadata, "--metadata-url", server + "/metadata/"]
        done = subprocess.run([self.program, *options, *arguments], capture_output=True, text=True, timeout=120)
        self.said = done.stderr.strip()
        return done.returncode

    def refresh(self):
        return self.run("refresh")

    def download(self, path):
        server = self.repository.server.url + self.repository.base
        # A name may begin with a dash.
        options = [f"--target-name={path}", "--target-base-url", server + "/targets/", "--target-dir", self.targets]
        return self.run(*options, "download")

    def versions(self):
        """The metadata that it trusts, by role."""
        kept = {}
        for file in self.metadata.glob("*.json"):
            kept[file.name.removesuffix(".json")] = json.loads(file.read_bytes())["signed"]["version"]
        return kept

    def contents(self):
        return sorted(file.read_bytes() for file in self.targets.rglob("*") if file.is_file())

    def strays(self):
        """What it wrote where nothing of its is."""
        expected = {"metadata", "targets", "first.json"}
        return sorted(file.name for file in self.folder.iterdir() if file.name not in expected)


class PeerClient:
    """python-tuf's, in this process."""

    def __init__(self, folder, repository):
        self.folder, self.repository = folder, repository
        self.metadata, self.targets = folder / "metadata", folder / "targets"
        for made in (folder, self.metadata, self.targets):
            made.mkdir()
        self.first = repository.server.files[repository.path_of("root", 1)]
        self.said = ""

    def updater(self):
        server = self.repository.server.url + self.repository.base
        return Updater(
            str(self.metadata), server + "/metadata/", str(self.targets), server + "/targets/", bootstrap=self.first
        )

    def attempt(self, step):
        try:
            step(self.updater())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a refusal
            self.said = f"{type(error).__name__}: {error}"
            return 1
        return 0

    def refresh(self):
        return self.attempt(lambda updater: updater.refresh())

    def download(self, path):
        def step(updater):
            info = updater.get_targetinfo(path)
            if info is None:
                raise LookupError(path)
            updater.download_target(info)

        return self.attempt(step)


def days(number):
    return (datetime.now(timezone.utc) + timedelta(days=number)).replace(microsecond=0)


def seconds(number):
    return (datetime.now(timezone.utc) + timedelta(seconds=number)).replace(microsecond=0)


def edited(content, change):
    """The file with `change` made to its parsed form. Its signatures stay as they are."""
    document = json.loads(content)
    change(document)
    return json.dumps(document).encode()
