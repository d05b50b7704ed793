"""Makes what the servers of the stack need and what their users are given: documents.py DIR

DIR/ports.json says where each server will listen. Keys, certificates and the TUF repository are made once, the rest is
written again each time. Everything secret is readable by its owner alone.
"""

import base64
import datetime
import hashlib
import json
import os
import pathlib
import secrets
import shutil
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

OPERATOR = "gitseal stack"
CLIENT_ID = "sigstore"
AUTHORITY_YEARS = 10
# A stack that was down for longer has a new timestamp anyway: `up` writes one.
TUF_TIMESTAMP_DAYS = 30
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def write(path: pathlib.Path, contents: bytes | str | dict, secret: bool = False) -> None:
    """Writes a whole file or none."""
    if isinstance(contents, dict):
        contents = json.dumps(contents, indent=1) + "\n"
    if isinstance(contents, str):
        contents = contents.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644), "wb") as file:
        file.write(contents)
    fresh.rename(path)


def private_pem(key, password: str | None = None) -> bytes:
    if password is None:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # RFC 1423, the form that Fulcio asks for.
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(password.encode()))


def public_pem(key) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


# --- Keys and certificates ---------------------------------------------------------------------------------------------


def authority(name: str, key, issuer=None, usage=None) -> x509.Certificate:
    """A certificate of an authority, or, with `issuer` None, of a root."""
    subject = x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, OPERATOR), x509.NameAttribute(NameOID.COMMON_NAME, name)
    ])  # fmt: skip
    issuer_certificate, issuer_key = issuer or (None, key)
    is_ca = usage is None or name.endswith("intermediate")
    parent_key_id = x509.SubjectKeyIdentifier.from_public_key(issuer_key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_certificate.subject if issuer_certificate else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(minutes=1))
        .not_valid_after(NOW + datetime.timedelta(days=365 * AUTHORITY_YEARS))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(not is_ca, False, False, False, False, is_ca, is_ca, False, False), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(parent_key_id), critical=False
        )
    )
    if usage is not None:
        # RFC 3161, section 2.3: critical in the one that stamps.
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=not is_ca)
    return builder.sign(issuer_key, hashes.SHA384())


def pem_chain(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def make_fulcio(folder: pathlib.Path) -> None:
    root_key, key = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    root = authority("fulcio root", root_key)
    intermediate = authority("fulcio intermediate", key, (root, root_key), ExtendedKeyUsageOID.CODE_SIGNING)
    password = secrets.token_urlsafe(24)
    write(folder / "key.pem", private_pem(key, password), secret=True)
    write(folder / "password", password, secret=True)
    write(folder / "root.pem", pem_chain(root))
    write(folder / "chain.pem", pem_chain(intermediate, root))


def make_tsa(folder: pathlib.Path) -> None:
    root_key, between_key = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    key = ec.generate_private_key(ec.SECP256R1())
    stamping = ExtendedKeyUsageOID.TIME_STAMPING
    root = authority("tsa root", root_key)
    between = authority("tsa intermediate", between_key, (root, root_key), stamping)
    leaf = authority("tsa", key, (between, between_key), stamping)
    password = secrets.token_urlsafe(24)
    write(folder / "key.pem", private_pem(key, password), secret=True)
    write(folder / "password", password, secret=True)
    write(folder / "chain.pem", pem_chain(leaf, between, root))


def make_key(folder: pathlib.Path, key, private: bytes) -> None:
    write(folder / "key.pem", private, secret=True)
    write(folder / "public.pem", public_pem(key))


def make_ct_log(folder: pathlib.Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    make_key(folder, key, key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))


def make_rekor_v1(folder: pathlib.Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    make_key(folder, key, private_pem(key))


def make_rekor_v2(folder: pathlib.Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    make_key(folder, key, private_pem(key))


def make_oidc(folder: pathlib.Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    numbers = key.private_numbers()

    def number(value: int) -> str:
        return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()

    jwk = {
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": secrets.token_hex(8),
        "n": number(numbers.public_numbers.n), "e": number(numbers.public_numbers.e), "d": number(numbers.d),
        "p": number(numbers.p), "q": number(numbers.q), "dp": number(numbers.dmp1), "dq": number(numbers.dmq1),
        "qi": number(numbers.iqmp),
    }  # fmt: skip
    write(folder / "keys.json", {"keys": [jwk]}, secret=True)


# --- What the servers read ---------------------------------------------------------------------------------------------


def fulcio_settings(top: pathlib.Path, port: dict) -> None:
    """Fulcio's own settings, and which issuers it believes. The password is not for its command line."""
    email, uri = (f"http://127.0.0.1:{port[name]}" for name in ("oidc_email", "oidc_uri"))
    write(top / "fulcio/settings.json", {
        "ca": "fileca",
        "fileca-cert": str(top / "fulcio/chain.pem"),
        "fileca-key": str(top / "fulcio/key.pem"),
        "fileca-key-passwd": (top / "fulcio/password").read_text(),
        "fileca-watch": False,
        "config-path": str(top / "fulcio/issuers.json"),
        "ct-log-url": f"http://127.0.0.1:{port['ct_log']}",
        "ct-log-public-key-path": str(top / "ct_log/public.pem"),
        "host": "127.0.0.1", "port": str(port["fulcio"]),
        "grpc-host": "127.0.0.1", "grpc-port": str(port["fulcio_grpc"]),
        "metrics-port": "0",
        # A name of Linux's abstract space: no file, and another for each stack.
        "legacy-unix-domain-socket": f"@gitseal-stack-{port['fulcio']}",
    }, secret=True)  # fmt: skip
    write(top / "fulcio/issuers.json", {
        "OIDCIssuers": {
            email: {"IssuerURL": email, "ClientID": CLIENT_ID, "Type": "email"},
            uri: {"IssuerURL": uri, "ClientID": CLIENT_ID, "Type": "ci-provider", "CIProvider": "stack"},
        },
        "CIIssuerMetadata": {"stack": {
            "SubjectAlternativeNameTemplate": "{{.workflow_uri}}",
            "ExtensionTemplates": {
                "BuildSignerURI": "workflow_uri",
                "BuildSignerDigest": "sha",
                "RunnerEnvironment": "runner_environment",
                "SourceRepositoryURI": "{{.server}}/{{.repository}}",
                "SourceRepositoryDigest": "sha",
                "SourceRepositoryRef": "ref",
                "SourceRepositoryIdentifier": "repository_id",
                "SourceRepositoryOwnerURI": "{{.server}}/{{.repository_owner}}",
                "SourceRepositoryOwnerIdentifier": "repository_owner_id",
                "BuildConfigURI": "workflow_uri",
                "BuildConfigDigest": "sha",
                "BuildTrigger": "event_name",
                "RunInvocationURI": "{{.server}}/{{.repository}}/runs/{{.run_id}}",
                "SourceRepositoryVisibilityAtSigning": "repository_visibility",
            },
        }},
    })  # fmt: skip


def tsa_settings(top: pathlib.Path, port: dict) -> None:
    write(top / "tsa/settings.json", {
        "timestamp-signer": "file",
        "file-signer-key-path": str(top / "tsa/key.pem"),
        "file-signer-passwd": (top / "tsa/password").read_text(),
        "certificate-chain-path": str(top / "tsa/chain.pem"),
        # It would ask time servers on the Internet.
        "disable-ntp-monitoring": True,
        "host": "127.0.0.1", "port": port["tsa"],
    }, secret=True)  # fmt: skip


# --- What users are given ----------------------------------------------------------------------------------------------


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def created(top: pathlib.Path) -> str:
    """When this stack was made: its keys are good from then on."""
    root = x509.load_pem_x509_certificate((top / "fulcio/root.pem").read_bytes())
    return root.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ")


def chain_document(path: pathlib.Path) -> dict:
    certificates = x509.load_pem_x509_certificates(path.read_bytes())
    return {"certificates": [{"rawBytes": b64(c.public_bytes(Encoding.DER))} for c in certificates]}


def trusted_root(top: pathlib.Path, port: dict) -> dict:
    start = created(top)

    def log(url: str, public: pathlib.Path) -> dict:
        key = load_pem_public_key(public.read_bytes())
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if isinstance(key, ed25519.Ed25519PublicKey):
            # C2SP signed-note: the key id of an Ed25519 key names the log too. Here it is not cut to four bytes.
            raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
            details, log_id = "PKIX_ED25519", hashlib.sha256(b"127.0.0.1\n\x01" + raw).digest()
        else:
            details, log_id = "PKIX_ECDSA_P256_SHA_256", hashlib.sha256(spki).digest()
        return {
            "baseUrl": url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": {"rawBytes": b64(spki), "keyDetails": details, "validFor": {"start": start}},
            "logId": {"keyId": b64(log_id)},
        }

    def authority_document(name: str) -> dict:
        return {
            "subject": {"organization": OPERATOR, "commonName": name},
            "uri": f"http://127.0.0.1:{port[name]}",
            "certChain": chain_document(top / name / "chain.pem"),
            "validFor": {"start": start},
        }

    return {
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [
            log(f"http://127.0.0.1:{port[name]}", top / name / "public.pem") for name in ("rekor_v1", "rekor_v2")
        ],
        "certificateAuthorities": [authority_document("fulcio")],
        "ctlogs": [log(f"http://127.0.0.1:{port['ct_log']}", top / "ct_log/public.pem")],
        "timestampAuthorities": [authority_document("tsa")],
    }


def signing_config(top: pathlib.Path, port: dict, generation: int) -> dict:
    """For one generation of the log: a client would take the newest of several."""

    def service(url: str, version: int) -> list:
        start = created(top)
        return [{"url": url, "majorApiVersion": version, "validFor": {"start": start}, "operator": OPERATOR}]

    config = {
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": service(f"http://127.0.0.1:{port['fulcio']}", 1),
        "oidcUrls": service(f"http://127.0.0.1:{port['oidc_email']}", 1),
        "rekorTlogUrls": service(f"http://127.0.0.1:{port[f'rekor_v{generation}']}", generation),
        "rekorTlogConfig": {"selector": "ANY"},
    }
    # The first generation promises a time itself, and what knows only that one cannot read stamps.
    if generation == 2:
        config["tsaUrls"] = service(f"http://127.0.0.1:{port['tsa']}/api/v1/timestamp", 1)
        config["tsaConfig"] = {"selector": "ANY"}
    return config


def make_tuf(folder: pathlib.Path, targets: dict[str, pathlib.Path], keys: pathlib.Path) -> None:
    """A repository as the public one is: consistent snapshots, a first root and a second that replaced its key."""
    far = NOW + datetime.timedelta(days=365 * AUTHORITY_YEARS)
    signers = {name: CryptoSigner.generate_ecdsa() for name in ("root", "next root", "targets", "snapshot", "timestamp")}
    as_json = JSONSerializer(compact=False)
    root = Root(expires=far, consistent_snapshot=True)
    for role in ("root", "targets", "snapshot", "timestamp"):
        root.add_key(signers[role].public_key, role)
    signed_root = Metadata(root)
    signed_root.sign(signers["root"])
    signed_root.to_file(str(folder / "1.root.json"), as_json)
    root.version = 2
    root.add_key(signers["next root"].public_key, "root")
    root.revoke_key(signers["root"].public_key.keyid, "root")
    signed_root.signatures.clear()
    signed_root.sign(signers["root"], append=True)
    signed_root.sign(signers["next root"], append=True)
    signed_root.to_file(str(folder / "2.root.json"), as_json)

    signed_targets = Metadata(Targets(expires=far))
    (folder / "targets").mkdir()
    for name, path in targets.items():
        target = TargetFile.from_file(name, str(path))
        signed_targets.signed.targets[name] = target
        shutil.copyfile(path, folder / "targets" / f"{target.hashes['sha256']}.{name}")
    signed_targets.sign(signers["targets"])
    signed_targets.to_file(str(folder / "1.targets.json"), as_json)
    signed_snapshot = Metadata(Snapshot(expires=far, meta={"targets.json": MetaFile(1)}))
    signed_snapshot.sign(signers["snapshot"])
    signed_snapshot.to_file(str(folder / "1.snapshot.json"), as_json)
    write(keys, signers["timestamp"].private_bytes, secret=True)


def freshen_tuf(folder: pathlib.Path, key: pathlib.Path) -> None:
    """The next timestamp: the one piece of a TUF repository that must not be old."""
    current = folder / "timestamp.json"
    root = Metadata[Root].from_file(str(folder / "2.root.json")).signed
    (key_id,) = root.roles["timestamp"].keyids
    signer = CryptoSigner(load_pem_private_key(key.read_bytes(), None), root.keys[key_id])
    version = Metadata[Timestamp].from_file(str(current)).signed.version + 1 if current.exists() else 1
    expires = NOW + datetime.timedelta(days=TUF_TIMESTAMP_DAYS)
    signed = Metadata(Timestamp(version=version, expires=expires, snapshot_meta=MetaFile(1)))
    signed.sign(signer)
    write(current, signed.to_bytes(JSONSerializer(compact=False)))


def environment(top: pathlib.Path, port: dict) -> str:
    """The variables by which programs find this instance, the same that `gitseal sandbox` writes."""
    fulcio, rekor, tsa, oidc = (f"http://127.0.0.1:{port[name]}" for name in ("fulcio", "rekor_v2", "tsa", "oidc_email"))
    variables = {
        "GITSEAL_STACK_DIR": top,
        "GITSEAL_TRUSTED_ROOT": top / "trusted_root.json",
        "GITSEAL_SIGNING_CONFIG": top / "signing_config.json",
        "GITSEAL_ID_TOKEN_FILE": top / "id-token",
        "GITSIGN_FULCIO_URL": fulcio,
        "GITSIGN_REKOR_URL": rekor,
        "GITSIGN_REKOR_VERSION": "2",
        "GITSIGN_TIMESTAMP_SERVER_URL": f"{tsa}/api/v1/timestamp",
        "GITSIGN_TIMESTAMP_CERT_CHAIN": top / "tsa/chain.pem",
        "GITSIGN_OIDC_ISSUER": oidc,
        "GITSIGN_OIDC_CLIENT_ID": CLIENT_ID,
        "GITSIGN_TOKEN_PROVIDER": "envvar",
        "SIGSTORE_ROOT_FILE": top / "fulcio/chain.pem",
        "SIGSTORE_REKOR_PUBLIC_KEY": top / "rekor_v2/public.pem",
        "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": top / "ct_log/public.pem",
        "SIGSTORE_TSA_CERTIFICATE_FILE": top / "tsa/chain.pem",
        "TUF_ROOT": top / "tuf-cache",
        "TUF_MIRROR": f"http://127.0.0.1:{port['tuf']}",
        "TUF_ROOT_JSON": top / "tuf/1.root.json",
        "GITSEAL_STACK_EMAIL_ISSUER": oidc,
        "GITSEAL_STACK_URI_ISSUER": f"http://127.0.0.1:{port['oidc_uri']}",
    }
    quote = "'\\''"
    lines = [f"export {name}='{str(value).replace(chr(39), quote)}'\n" for name, value in variables.items()]
    return "".join(lines) + 'export SIGSTORE_ID_TOKEN="$(cat "$GITSEAL_ID_TOKEN_FILE")"\n'


def main() -> None:
    top = pathlib.Path(sys.argv[1])
    port = json.loads((top / "ports.json").read_text())
    for name, make in (
        ("fulcio", make_fulcio), ("tsa", make_tsa), ("ct_log", make_ct_log), ("oidc", make_oidc),
        ("rekor_v1", make_rekor_v1), ("rekor_v2", make_rekor_v2),
    ):  # fmt: skip
        if not (top / name).exists():
            fresh = top / f"{name}.new"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(mode=0o700)
            make(fresh)
            fresh.rename(top / name)
    fulcio_settings(top, port)
    tsa_settings(top, port)
    documents = {
        "trusted_root.json": trusted_root(top, port),
        "signing_config.json": signing_config(top, port, 2),
        # By the names under which the sandbox has its own for each generation of the log.
        "signing_config_rekor_v2.json": signing_config(top, port, 2),
    }
    if "STACK_REKOR_V1" in os.environ:
        documents["signing_config_rekor_v1.json"] = signing_config(top, port, 1)
    for name, document in documents.items():
        write(top / name, document)
    if not (top / "tuf").exists():
        fresh = top / "tuf.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        targets = {"trusted_root.json": "trusted_root.json", "signing_config.v0.2.json": "signing_config.json"}
        make_tuf(fresh, {name: top / file for name, file in targets.items()}, top / "tuf-timestamp-key.pem")
        fresh.rename(top / "tuf")
    freshen_tuf(top / "tuf", top / "tuf-timestamp-key.pem")
    write(top / "env", environment(top, port))


main()
