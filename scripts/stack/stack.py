"""Starts and stops the servers of the stack and tells about them: stack.py [--dir DIR] COMMAND, see README.md

The programs themselves come by the variables that scripts/interop/components.sh sets. Standard library only.
"""

import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
EMAIL = "dev@example.com"
WORKFLOW = "https://ci.example.com/dev/app/.ci/release.yml@refs/heads/main"
# A server that is not ready by then will not be. On a quiet machine each takes less than two seconds.
READY_SECONDS = 60
# Rekor finishes its queue before it goes; what has not gone by then is killed.
STOP_SECONDS = 15
LOG_LINES = 20
PORTS = (
    "oidc_email", "oidc_uri", "ct_log", "rekor_v2", "rekor_v2_grpc", "tsa", "fulcio", "fulcio_grpc", "tuf",
    "trillian_log", "trillian_log_http", "trillian_signer", "trillian_signer_http", "rekor_v1",
)  # fmt: skip


class StackError(Exception):
    """What went wrong, for a person."""


def component(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise StackError(f"{name} is not set: start this through scripts/stack/stack")
    return value


def services(top: pathlib.Path, port: dict) -> list[tuple[str, list, str]]:
    """Name, command line and the address that answers once it is ready; in the order in which they need each other."""
    at = {name: f"http://127.0.0.1:{number}" for name, number in port.items()}
    return (rekor_v1(top, port, at) if has_rekor_v1() else []) + [
        ("oidc", [
            "node", HERE / "oidc.mjs", top / "oidc/keys.json", port["oidc_email"], port["oidc_uri"],
        ], f"{at['oidc_uri']}/.well-known/openid-configuration"),
        ("ct_log", [
            component("STACK_TESSERACT"), f"--http_endpoint=127.0.0.1:{port['ct_log']}",
            "--origin=127.0.0.1", f"--storage_dir={top}/ct_log/log",
            f"--private_key={top}/ct_log/key.pem", f"--roots_pem_file={top}/fulcio/root.pem",
            # A certificate waits for this.
            "--checkpoint_interval=200ms",
        ], f"{at['ct_log']}/ct/v1/get-roots"),
        ("rekor_v2", [
            component("STACK_REKOR_V2"), "serve", "--hostname=127.0.0.1", "--http-address=127.0.0.1",
            f"--http-port={port['rekor_v2']}", "--http-metrics-port=0", "--grpc-address=127.0.0.1",
            f"--grpc-port={port['rekor_v2_grpc']}", f"--storage-dir={top}/rekor_v2/log",
            f"--signer-filepath={top}/rekor_v2/key.pem", "--persistent-antispam",
            # A signature waits for this.
            "--checkpoint-interval=200ms", "--batch-max-age=100ms",
        ], f"{at['rekor_v2']}/healthz"),
        ("tsa", [
            component("STACK_TSA"), "serve", f"--config={top}/tsa/settings.json", f"--port={port['tsa']}",
        ], f"{at['tsa']}/ping"),
        ("fulcio", [
            component("STACK_FULCIO"), "serve", f"--config={top}/fulcio/settings.json",
        ], f"{at['fulcio']}/api/v2/configuration"),
        ("tuf", [
            sys.executable, "-m", "http.server", port["tuf"], "--bind", "127.0.0.1", "--directory", top / "tuf",
        ], f"{at['tuf']}/timestamp.json"),
    ]  # fmt: skip


def has_rekor_v1() -> bool:
    return "STACK_REKOR_V1" in os.environ


def rekor_v1(top: pathlib.Path, port: dict, at: dict) -> list[tuple[str, list, str]]:
    """Rekor v1 and what it stands on. The database listens on a socket in the folder, so it asks nobody for a password."""
    own = top / "rekor_v1"
    trillian = ["--storage_system=mysql", f"--mysql_uri=root@unix({own}/socket)/trillian", "--quota_system=noop", "--logtostderr"]
    # A tree is made at the first start; at the next it is told which one that was.
    tree = own / "tree"
    return [
        ("database", database(top) + ["--skip-networking", f"--socket={own}/socket"], f"unix:{own}/socket"),
        ("trillian_log", [
            component("STACK_TRILLIAN_LOG"), *trillian, f"--rpc_endpoint=127.0.0.1:{port['trillian_log']}",
            f"--http_endpoint=127.0.0.1:{port['trillian_log_http']}",
        ], f"{at['trillian_log_http']}/healthz"),
        ("trillian_signer", [
            component("STACK_TRILLIAN_SIGNER"), *trillian, f"--rpc_endpoint=127.0.0.1:{port['trillian_signer']}",
            f"--http_endpoint=127.0.0.1:{port['trillian_signer_http']}", "--force_master",
            # A signature waits for this.
            "--sequencer_interval=100ms",
        ], f"{at['trillian_signer_http']}/healthz"),
        ("rekor_v1", [
            component("STACK_REKOR_V1"), "serve", "--rekor_server.hostname=127.0.0.1", "--rekor_server.address=127.0.0.1",
            f"--port={port['rekor_v1']}", f"--rekor_server.signer={own}/key.pem",
            "--trillian_log_server.address=127.0.0.1", f"--trillian_log_server.port={port['trillian_log']}",
            f"--trillian_log_server.tlog_id={tree.read_text() if tree.exists() else 0}",
            "--search_index.storage_provider=mysql", f"--search_index.mysql.dsn=root@unix({own}/socket)/rekor",
        ], f"{at['rekor_v1']}/api/v1/log"),
    ]  # fmt: skip


def database(top: pathlib.Path) -> list:
    """MariaDB, unpacked somewhere; without its own tables, which hold who may do what."""
    root = pathlib.Path(component("STACK_DATABASE"))
    user = ["--user=root"] if os.getuid() == 0 else []
    return [
        root / "usr/sbin/mariadbd", "--no-defaults", *user, "--skip-grant-tables", f"--datadir={top}/rekor_v1/data",
        f"--lc-messages-dir={root}/usr/share/mysql", f"--character-sets-dir={root}/usr/share/mysql/charsets",
        "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M",
    ]  # fmt: skip


def make_database(top: pathlib.Path) -> None:
    """The tables of Trillian and Rekor, once."""
    data = top / "rekor_v1/data"
    if data.exists():
        return
    data.mkdir()
    schema = (pathlib.Path(component("STACK_TRILLIAN_LOG")).parent / "storage.sql").read_text()
    statements = f"CREATE DATABASE trillian;\nCREATE DATABASE rekor;\nUSE trillian;\n{schema}"
    with open(top / "log/database.log", "ab") as log:
        made = subprocess.run(
            [str(word) for word in [*database(top), "--bootstrap"]], input=statements.encode(), stdout=log, stderr=log,
            env=server_environment(top), cwd=top / "run",
        )  # fmt: skip
    if made.returncode != 0:
        shutil.rmtree(data)
        raise StackError(f"the database could not be made: {top}/log/database.log")


def names(top: pathlib.Path) -> list[str]:
    """The servers that this stack was last started with."""
    try:
        return json.loads((top / "run/servers.json").read_text())
    except FileNotFoundError:
        return []


# --- Processes ---------------------------------------------------------------------------------------------------------


def born(pid: int) -> str | None:
    """When that process began, in the kernel's ticks: with it a process id is never somebody else's."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def running(top: pathlib.Path, name: str) -> int | None:
    """The process id of a server of this stack, if it runs."""
    try:
        pid, birth = (top / f"run/{name}.pid").read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if born(int(pid)) == birth else None


def answers(url: str) -> bool:
    if url.startswith("unix:"):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(url.removeprefix("unix:")) == 0
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def server_environment(top: pathlib.Path) -> dict:
    environment = {
        # What the caller has set must not reach the servers: they read variables named like their options.
        **{key: os.environ[key] for key in ("PATH", "LANG", "TZ") if key in os.environ},
        "HOME": str(top),
        "NODE_PATH": component("STACK_NODE_PATH"),
        # TesseraCT would send figures to a collector on this machine each minute.
        "OTEL_METRIC_EXPORT_INTERVAL": str(24 * 3600 * 1000),
    }
    if has_rekor_v1():
        # Last, so that it only adds what the system lacks.
        (libraries,) = pathlib.Path(component("STACK_DATABASE")).glob("usr/lib/*-linux-gnu")
        environment["LD_LIBRARY_PATH"] = str(libraries)
    return environment


def start(top: pathlib.Path, name: str, command: list, ready: str) -> None:
    log = top / f"log/{name}.log"
    with open(log, "ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=top / "run",
            env=server_environment(top), start_new_session=True,
        )  # fmt: skip
    (top / f"run/{name}.pid").write_text(f"{process.pid} {born(process.pid)}\n")
    deadline = time.monotonic() + READY_SECONDS
    while not answers(ready):
        if process.poll() is not None or time.monotonic() > deadline:
            how = "does not answer" if process.poll() is None else f"ended with status {process.returncode}"
            tail = "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-LOG_LINES:])
            raise StackError(f"{name} {how}; the end of {log}:\n{tail}")
        time.sleep(0.05)


def stop(top: pathlib.Path) -> None:
    started = [path.stem for path in (top / "run").glob("*.pid")]
    for name in started:
        pid = running(top, name)
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for name in started:
        while (pid := running(top, name)) is not None:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.02)
        (top / f"run/{name}.pid").unlink(missing_ok=True)


# --- The folder --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def alone(top: pathlib.Path):
    """Only one command at a time starts or stops the stack of a folder."""
    top.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(top / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def free_ports() -> dict:
    """Ports that nobody has now: taken all at once, so that no two are the same."""
    with contextlib.ExitStack() as held:
        taken = {}
        for name in PORTS:
            taken[name] = held.enter_context(socket.socket())
            taken[name].bind(("127.0.0.1", 0))
        return {name: one.getsockname()[1] for name, one in taken.items()}


def ports(top: pathlib.Path) -> dict:
    """The ports of this stack. They are in its documents, so they stay once they are chosen."""
    remembered = top / "ports.json"
    if not remembered.exists():
        remembered.write_text(json.dumps(free_ports(), indent=1) + "\n")
    found = json.loads(remembered.read_text())
    for name, number in found.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                raise StackError(
                    f"port {number}, which this stack's documents name for {name}, is taken by another program: "
                    f"stop that, or take another folder (--dir)"
                ) from None
    return found


def up(top: pathlib.Path) -> bool:
    """Starts what does not run. False if all of it ran already."""
    if names(top) and all(running(top, name) for name in names(top)):
        return False
    stop(top)
    port = ports(top)
    for name in ("run", "log"):
        (top / name).mkdir(exist_ok=True)
    subprocess.run([component("PEER_PYTHON"), HERE / "documents.py", top], check=True)
    if has_rekor_v1():
        make_database(top)
    servers = services(top, port)
    (top / "run/servers.json").write_text(json.dumps([name for name, *_ in servers]))
    try:
        for server in servers:
            start(top, *server)
        if has_rekor_v1():
            with urllib.request.urlopen(f"http://127.0.0.1:{port['rekor_v1']}/api/v1/log", timeout=20) as answer:
                (top / "rekor_v1/tree").write_text(json.load(answer)["treeID"])
        for kind, file in (("email", "id-token"), ("uri", "id-token.uri")):
            write_secret(top / file, token(top, kind))
    except BaseException:
        stop(top)
        raise
    return True


def write_secret(path: pathlib.Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.rename(path)


def token(top: pathlib.Path, kind: str, login: str | None = None) -> str:
    issuer = f"http://127.0.0.1:{json.loads((top / 'ports.json').read_text())[f'oidc_{kind}']}"
    login = login or {"email": EMAIL, "uri": WORKFLOW}[kind]
    got = subprocess.run([sys.executable, HERE / "login.py", issuer, login], stdout=subprocess.PIPE, check=True)
    return got.stdout.decode().strip()


def environment(top: pathlib.Path) -> dict:
    """The variables that DIR/env sets, as a shell reads them."""
    script = 'set -a; . "$1"; env -0'
    read = subprocess.run(["sh", "-c", script, "sh", top / "env"], stdout=subprocess.PIPE, check=True)
    return dict(pair.split("=", 1) for pair in read.stdout.decode().split("\0") if "=" in pair)


# --- Commands ----------------------------------------------------------------------------------------------------------


def show_status(top: pathlib.Path) -> int:
    if not (top / "ports.json").exists():
        print(f"no stack in {top}: scripts/stack/stack up makes one")
        return 1
    port = json.loads((top / "ports.json").read_text())
    down = 0
    for name in names(top):
        pid = running(top, name)
        down += pid is None
        at = f"127.0.0.1:{port['oidc_email' if name == 'oidc' else name]}" if name != "database" else ""
        print(f"{name:15} {'pid ' + str(pid) if pid else 'down':12} {at}")
    email, uri, tuf = (f"http://127.0.0.1:{port[name]}" for name in ("oidc_email", "oidc_uri", "tuf"))
    print(
        f"\nfolder:   {top}  (logs in log/, variables in env)"
        f"\nidentities: {EMAIL} of {email}, {WORKFLOW} of {uri}"
        f"\nvariables:  . {top}/env"
        f"\ninstance:   gitseal instance add stack --tuf {tuf} --root {top}/tuf/1.root.json --issuer {email} "
        "--client-id sigstore"
    )
    return 1 if down or not names(top) else 0


def run(top: pathlib.Path, command: list[str]) -> int:
    """`up`, COMMAND with the variables set, `down`; a stack that was up before stays up."""
    with alone(top):
        started = up(top)
    try:
        # Ctrl-C goes to the command, which is in the foreground with us; we wait for it and then clean up.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        child = subprocess.Popen(
            command, env=environment(top), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        )
        for ending in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, lambda number, _frame: child.send_signal(number))
        status = child.wait()
        return status if status >= 0 else 128 - status
    except FileNotFoundError:
        raise StackError(f"no such command: {command[0]}") from None
    finally:
        if started:
            with alone(top):
                stop(top)


def main() -> int:
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local/state")
    parser = argparse.ArgumentParser(prog="stack", description="The real Sigstore servers on loopback.")
    parser.add_argument("--dir", type=pathlib.Path, default=pathlib.Path(state) / "gitseal-stack", help="state folder")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start the servers")
    down = commands.add_parser("down", help="stop them")
    down.add_argument("--forget", action="store_true", help="and remove the folder: keys, logs of all signatures")
    commands.add_parser("status", help="say what runs and where")
    fetch = commands.add_parser("token", help="print an ID token of the provider")
    fetch.add_argument("kind", choices=("email", "uri"))
    fetch.add_argument("login", nargs="?", help=f"whose; {EMAIL} or {WORKFLOW}")
    execute = commands.add_parser("run", help="up, COMMAND with the variables set, down")
    execute.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    arguments = parser.parse_args()
    top = arguments.dir.absolute()

    def interrupted(number: int, _frame) -> None:
        raise SystemExit(128 + number)

    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, interrupted)
    if arguments.command == "up":
        with alone(top):
            up(top)
        return show_status(top)
    if arguments.command == "down":
        with alone(top):
            stop(top)
        if arguments.forget:
            shutil.rmtree(top)
        return 0
    if arguments.command == "status":
        return show_status(top)
    if arguments.command == "token":
        print(token(top, arguments.kind, arguments.login))
        return 0
    command = arguments.words[1:] if arguments.words[:1] == ["--"] else arguments.words
    if not command:
        parser.error("run wants a command")
    return run(top, command)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StackError as error:
        sys.exit(f"stack: error: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"stack: error: {pathlib.Path(str(error.cmd[1])).name} failed with status {error.returncode}")
    except KeyboardInterrupt:
        sys.exit(130)
