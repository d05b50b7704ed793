"""Attacks on our TUF client, each with a twin that differs in the attack alone and must succeed.

tuf_attacks.py CLIENT GROUP: CLIENT speaks the command line of the tuf-conformance suite.

An attack is a function of a trial and of whether it is evil. It makes a repository say something; then both clients
refresh, or download what `wanted` names. The twin must succeed, and what our client trusts is what is served. The evil
one must end with exit code 1; our client trusts exactly what the attack says that it `keeps`, has stored no other target,
and wrote nowhere else. python-tuf is asked the same: it `agrees`, or it `accepts` the evil one, or `refuses` the twin too;
of names it has its own mind.
"""

import functools
import json
import pathlib
import random
import sys
import tempfile
import time
import traceback

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import MetaFile, TargetFile

from tuf_repository import (
    TOP_LEVEL, CutShort, OurClient, PeerClient, Repository, Server, days, edited, seconds,
)

# (group, title, keeps, peer, options of the repository, function)
ATTACKS = []
ONE = dict.fromkeys(TOP_LEVEL, 1)
# After `publish("targets", "snapshot", "timestamp")`, and one file of it refused.
NEW_ROLES = {"root": 1, "timestamp": 2, "snapshot": 2, "targets": 2}
# Our client reads no more of an endless answer than this: the largest bound of any file, and what sockets hold.
MOST_READ = 24 << 20


def attack(group, title, keeps, peer="agrees", **options):
    """`keeps`: the versions that our client trusts afterwards. `options` are those of the repository."""

    def register(function):
        ATTACKS.append((group, title, keeps, peer, options, function))
        return function

    return register


class Trial:
    """One run of one attack, evil or not. It has all that its repository has."""

    def __init__(self, program, server, folder, name, options):
        self.repository = Repository(server, name, **options)
        self.ours = OurClient(program, folder / f"{name}-ours", self.repository)
        self.peer = PeerClient(folder / f"{name}-peer", self.repository)
        # What to download at the end; None refreshes.
        self.wanted = None

    def __getattr__(self, name):
        return getattr(self.repository, name)

    def accepted(self, path=None):
        """All until now was good, and both clients take it in."""
        for client in (self.ours, self.peer):
            assert end(client, path) == 0, f"before the attack: {client.said}"


def wait_until(moment):
    time.sleep(max(0, moment.timestamp() - time.time()) + 0.1)


def end(client, path):
    return client.download(path) if path else client.refresh()


def check(program, server, folder, number, entry):
    _, title, keeps, peer, options, function = entry
    for evil in (False, True):
        trial = Trial(program, server, folder, f"{number}-{'evil' if evil else 'twin'}", options)
        function(trial, evil)
        ours = trial.ours
        before = ours.contents()
        code, peer_code = end(ours, trial.wanted), end(trial.peer, trial.wanted)
        said = f"ours: {ours.said or 'accepts'}; python-tuf: {trial.peer.said or 'accepts'}"
        assert not ours.strays(), f"files elsewhere: {ours.strays()}"
        if evil:
            print(f"{title}: {said}")
            assert code == 1, f"exit {code}; {said}"
            assert "panicked" not in ours.said, said
            assert keeps is None or ours.versions() == keeps, f"keeps {ours.versions()}; {said}"
            assert ours.contents() == before, f"a target was stored; {said}"
            assert peer is None or peer_code == (0 if peer == "accepts" else 1), said
        else:
            assert code == 0, f"the twin is refused; {said}"
            held = {role: ours.versions()[role] for role in TOP_LEVEL}
            assert held == trial.versions(TOP_LEVEL), f"the twin trusts {held}; {said}"
            assert not trial.wanted or trial.artifacts[trial.wanted] in ours.contents(), f"no target; {said}"
            assert peer is None or peer_code == (1 if peer == "refuses" else 0), said


# --- Signatures ---------------------------------------------------------------------------------------------------------


def before(role):
    """What a client that had root 1 alone trusts when everything is version 2 and this role is refused."""
    return {name: 2 for name in TOP_LEVEL[: TOP_LEVEL.index(role)]} or {"root": 1}


def publish_all(t):
    t.publish("root", "targets", "snapshot", "timestamp")


def signed_by_none(t, evil, role):
    if evil:
        t.keys[role] = []
    publish_all(t)


def signed_by_a_stranger(t, evil, role):
    if evil:
        stranger = t.new_key()
        stranger.public_key.keyid = t.keys[role][0].public_key.keyid
        t.keys[role] = [stranger]
    publish_all(t)


def signed_by_another_role(t, evil, role):
    if evil:
        t.keys[role] = t.keys["timestamp" if role != "timestamp" else "snapshot"]
    publish_all(t)


def signed_by_one_of_two(t, evil, role):
    t.give_key(role)
    t.root.roles[role].threshold = 2
    if evil:
        t.keys[role] = t.keys[role][:1]
    publish_all(t)


def signed_by_one_key_with_two_ids(t, evil, role):
    second = t.new_key()
    if evil:
        first = t.keys[role][0]
        second = CryptoSigner(first._private_key)
        second.public_key.keyid = "f" * 64
    t.give_key(role, second)
    t.root.roles[role].threshold = 2
    publish_all(t)


def edited_after_signing(t, evil, role):
    publish_all(t)
    if evil:
        t.replace(role, edited(t.served(role), lambda file: file["signed"].update(note="mine")))


def signed_twice_with_one_id(t, evil, role):
    publish_all(t)
    if evil:
        t.replace(role, edited(t.served(role), lambda file: file["signatures"].append(file["signatures"][0])))


for ROLE in TOP_LEVEL:
    for KIND, PEER in (
        (signed_by_none, "agrees"),
        (signed_by_a_stranger, "agrees"),
        (signed_by_another_role, "agrees"),
        (signed_by_one_of_two, "agrees"),
        # It counts key ids.
        (signed_by_one_key_with_two_ids, "accepts"),
        (edited_after_signing, "agrees"),
        (signed_twice_with_one_id, "agrees"),
    ):
        attack("signatures", f"{ROLE} {KIND.__name__.replace('_', ' ')}", before(ROLE), PEER)(
            lambda t, evil, role=ROLE, kind=KIND: kind(t, evil, role)
        )


# --- Keys ---------------------------------------------------------------------------------------------------------------


def old_name():
    """ECDSA as Sigstore's first roots name it."""
    key = CryptoSigner.generate_ecdsa()
    key.public_key.keytype = "ecdsa-sha2-nistp256"
    return key


def old_point():
    """ECDSA as Sigstore's very first roots write it: the point in hexadecimal."""
    key = old_name()
    numbers = key._private_key.public_key().public_numbers()
    key.public_key.keyval["public"] = f"04{numbers.x:064x}{numbers.y:064x}"
    return key


KEY_TYPES = {
    "ecdsa": CryptoSigner.generate_ecdsa,
    "ecdsa-sha2-nistp256": old_name,
    "ecdsa-sha2-nistp256 in hexadecimal": old_point,
    "ed25519": CryptoSigner.generate_ed25519,
    "rsassa-pss-sha256": CryptoSigner.generate_rsa,
    "rsa-pkcs1v15-sha256": functools.partial(CryptoSigner.generate_rsa, scheme="rsa-pkcs1v15-sha256"),
    "ml-dsa-44": functools.partial(CryptoSigner.generate_mldsa, scheme="ml-dsa-44/1"),
    "ml-dsa-65": functools.partial(CryptoSigner.generate_mldsa, scheme="ml-dsa-65/1"),
    "ml-dsa-87": functools.partial(CryptoSigner.generate_mldsa, scheme="ml-dsa-87/1"),
}

for NAME, MAKE in KEY_TYPES.items():

    @attack("keys", f"timestamp signed by another {NAME} key", before("timestamp"), "refuses" if "hex" in NAME else "agrees")
    def _(t, evil, make=MAKE):
        t.take_keys("timestamp")
        key = t.give_key("timestamp", make())
        if evil:
            other = make()
            other.public_key.keyid = key.public_key.keyid
            t.keys["timestamp"] = [other]
        publish_all(t)


for KEYTYPE, SCHEME in (
    ("rsa", "rsassa-pss-sha256"),
    ("ed25519", "ed25519"),
    ("ecdsa", "ecdsa-sha2-nistp384"),
    ("ecdsa", "ed25519"),
    ("rsa", "ecdsa-sha2-nistp256"),
    ("ml-dsa", "ml-dsa-44/1"),
    ("unheard-of", "unheard-of"),
):

    @attack("keys", f"a P-256 key that is called {KEYTYPE}/{SCHEME}", before("timestamp"))
    def _(t, evil, keytype=KEYTYPE, scheme=SCHEME):
        t.take_keys("timestamp")
        key = CryptoSigner.generate_ecdsa()
        if evil:
            key.public_key.keytype, key.public_key.scheme = keytype, scheme
        t.give_key("timestamp", key)
        publish_all(t)


# --- Roots --------------------------------------------------------------------------------------------------------------


def rotation(t, seed, broken_at, keep_old):
    """A chain of five roots with keys and thresholds drawn by `seed`. Each is signed by its own keys and by those of the
    one before; at `broken_at` half of that is left out: the signatures of the old keys or those of the new ones."""
    draw = random.Random(seed)
    makers = [CryptoSigner.generate_ecdsa, CryptoSigner.generate_ed25519, old_name]
    pool = [draw.choice(makers)() for _ in range(8)]
    old = list(t.keys["root"])
    for version in range(2, 7):
        # At a break nothing is shared, so that neither half can stand for the other.
        fresh = [key for key in pool if key not in old] if version == broken_at else pool
        new = draw.sample(fresh, draw.randint(1, min(4, len(fresh))))
        t.take_keys("root")
        for key in new:
            t.give_key("root", key)
        t.root.roles["root"].threshold = draw.randint(1, len(new))
        signers = new + [key for key in old if key not in new]
        if version == broken_at and keep_old is not None:
            signers = old if keep_old else new
        t.publish("root", keys=signers)
        old = new
    t.publish("targets", "snapshot", "timestamp")


for SEED in range(20):
    BREAK = 2 + SEED % 5

    @attack("roots", f"rotation {SEED}: root {BREAK} without {'new' if SEED % 2 else 'old'} keys", {"root": BREAK - 1})
    def _(t, evil, seed=SEED, broken_at=BREAK):
        rotation(t, seed, broken_at, bool(seed % 2) if evil else None)


@attack("roots", "version 3 in the place of version 2", {"root": 1})
def _(t, evil):
    t.publish("root", "root")
    if evil:
        t.replace("root", t.served("root"), version=2)
        t.lose("root")
    t.publish("targets", "snapshot", "timestamp")


@attack("roots", "version 2 is not there, and version 3 has other keys for all", {"root": 1})
def _(t, evil):
    for role in ("timestamp", "snapshot", "targets"):
        t.rotate(role)
    t.publish("root", "root", "targets", "snapshot", "timestamp")
    if evil:
        t.lose("root", 2)


@attack("roots", "version 1 again in the place of version 2", {"root": 1})
def _(t, evil):
    publish_all(t)
    if evil:
        t.replace("root", t.served("root", 1))


@attack("roots", "a new root that takes the keys away from those who signed the rest", {"root": 2})
def _(t, evil):
    if evil:
        t.rotate("timestamp")
        t.keys["timestamp"] = [t.new_key()]
    publish_all(t)


# --- Going back ---------------------------------------------------------------------------------------------------------


@attack("rollback", "an older timestamp", {**ONE, "timestamp": 3})
def _(t, evil):
    t.publish("timestamp", "timestamp")
    t.accepted()
    if evil:
        t.timestamp.version = 1
    t.publish("timestamp")


@attack("rollback", "a timestamp that names an older snapshot", {"root": 1, "timestamp": 2, "snapshot": 2, "targets": 1})
def _(t, evil):
    t.publish("snapshot", "timestamp")
    t.accepted()
    if evil:
        t.timestamp.snapshot_meta = MetaFile(1)
    t.publish("timestamp")


@attack("rollback", "an older snapshot under the new name", {**ONE, "timestamp": 2})
def _(t, evil):
    t.accepted()
    t.publish("snapshot", "timestamp")
    if evil:
        t.replace("snapshot", t.served("snapshot", 1))


@attack("rollback", "a snapshot that names older targets", {**NEW_ROLES, "timestamp": 3})
def _(t, evil):
    t.publish("targets", "snapshot", "timestamp")
    t.accepted()
    if evil:
        t.start_again("targets")
    t.publish("targets", "snapshot", "timestamp")


@attack("rollback", "older targets under the new name", {**NEW_ROLES, "targets": 1})
def _(t, evil):
    t.accepted()
    t.publish("targets", "snapshot", "timestamp")
    if evil:
        t.replace("targets", t.served("targets", 1))


@attack("rollback", "a snapshot that forgets a role", {**NEW_ROLES, "timestamp": 3})
def _(t, evil):
    t.delegate("targets", "A")
    t.publish("A", "targets", "snapshot", "timestamp")
    t.accepted()
    if evil:
        del t.snapshot.meta["A.json"]
    t.publish("snapshot", "timestamp")


@attack("rollback", "a snapshot that names an older delegated role", {**NEW_ROLES, "timestamp": 3})
def _(t, evil):
    t.delegate("targets", "A")
    t.publish("A", "A", "targets", "snapshot", "timestamp")
    t.accepted()
    if evil:
        t.start_again("A")
    t.publish("A", "snapshot", "timestamp")


@attack("rollback", "an older timestamp after the one at hand has expired", {**ONE, "timestamp": 3})
def _(t, evil):
    t.publish("timestamp")
    t.timestamp.expires = seconds(3)
    t.publish("timestamp")
    t.accepted()
    wait_until(t.timestamp.expires)
    t.timestamp.expires = days(30)
    if evil:
        t.timestamp.version = 1
    t.publish("timestamp")


# A version that somebody drove up comes down again only with new keys (section 5.3.11).
for ROLES in (("timestamp",), ("snapshot", "timestamp"), ("targets", "snapshot")):

    @attack("rollback", f"versions of {' and '.join(ROLES)} start again without new keys", None)
    def _(t, evil, roles=ROLES):
        t.publish(*["targets"] * 9, *["snapshot"] * 9, *["timestamp"] * 9)
        t.accepted()
        for role in roles:
            if not evil and role != "targets":
                t.rotate(role)
            if role != "snapshot" or "timestamp" in roles:
                t.start_again(role)
        publish_all(t)


# --- Standing still -----------------------------------------------------------------------------------------------------

for ROLE in TOP_LEVEL:

    @attack("freeze", f"{ROLE} has expired", before(ROLE) if ROLE != "root" else {"root": 2})
    def _(t, evil, role=ROLE):
        if evil:
            t.metadata[role].signed.expires = seconds(-1)
        publish_all(t)


@attack("freeze", "a delegated role has expired", NEW_ROLES)
def _(t, evil):
    t.delegate("targets", "A")
    t.add_target("A", "file")
    if evil:
        t.A.expires = seconds(-1)
    t.publish("A", "targets", "snapshot", "timestamp")
    t.wanted = "file"


for ROLE in ("timestamp", "snapshot", "targets"):

    @attack("freeze", f"{ROLE} was good and is not renewed", {**NEW_ROLES})
    def _(t, evil, role=ROLE):
        signed = t.metadata[role].signed
        signed.expires = seconds(3)
        t.publish("targets", "snapshot", "timestamp")
        t.accepted()
        wait_until(signed.expires)
        if not evil:
            signed.expires = days(30)
            t.publish("targets", "snapshot", "timestamp")


# --- Mix and match ------------------------------------------------------------------------------------------------------


# Its signatures all have one length: it is the digest that must tell.
ED25519 = {"new_key": CryptoSigner.generate_ed25519}


def described(t):
    t.repository.describes_files = True
    t.publish("targets", "snapshot", "timestamp")


@attack("mixed", "another snapshot of the same version than the timestamp describes", {"root": 1, "timestamp": 2}, **ED25519)
def _(t, evil):
    described(t)
    if evil:
        t.snapshot.expires = days(29)
        t.replace("snapshot", t.signed_file("snapshot"))


@attack("mixed", "other targets of the same version than the snapshot describes", {"root": 1, "timestamp": 2, "snapshot": 2}, **ED25519)
def _(t, evil):
    described(t)
    if evil:
        t.targets.expires = days(29)
        t.replace("targets", t.signed_file("targets"))


@attack("mixed", "another delegated role of the same version than the snapshot describes", NEW_ROLES, **ED25519)
def _(t, evil):
    t.delegate("targets", "A")
    t.add_target("A", "file")
    t.repository.describes_files = True
    t.publish("A", "targets", "snapshot", "timestamp")
    if evil:
        t.A.expires = days(29)
        t.replace("A", t.signed_file("A"))
    t.wanted = "file"


for ROLE, KEEPS in (("snapshot", {"root": 1, "timestamp": 2}), ("targets", {"root": 1, "timestamp": 2, "snapshot": 2})):

    @attack("mixed", f"a {ROLE} longer than it is described", KEEPS)
    def _(t, evil, role=ROLE):
        described(t)
        if evil:
            t.replace(role, t.served(role) + b"\n")


for ROLE, KEEPS in (("snapshot", {"root": 1, "timestamp": 2}), ("targets", {"root": 1, "timestamp": 2, "snapshot": 2})):

    @attack("mixed", f"a {ROLE} of a later version than is named", KEEPS)
    def _(t, evil, role=ROLE):
        t.publish("targets", "snapshot", "timestamp")
        if evil:
            version = t.metadata[role].signed.version
            t.metadata[role].signed.version = version + 1
            t.replace(role, t.signed_file(role), version)
            t.metadata[role].signed.version = version


@attack("mixed", "a snapshot without the targets", {"root": 1, "timestamp": 2, "snapshot": 2})
def _(t, evil):
    if evil:
        del t.snapshot.meta["targets.json"]
    t.publish("snapshot", "timestamp")


@attack("mixed", "a snapshot without the delegated role", NEW_ROLES)
def _(t, evil):
    t.delegate("targets", "A")
    t.add_target("A", "file")
    t.publish("A", "targets")
    if evil:
        del t.snapshot.meta["A.json"]
    t.publish("snapshot", "timestamp")
    t.wanted = "file"


@attack("mixed", "a snapshot, signed by the key of the timestamp, in the place of the timestamp", {"root": 2})
def _(t, evil):
    # One key for both, and a snapshot whose `meta` would do for a timestamp.
    t.give_key("snapshot", t.keys["timestamp"][0])
    publish_all(t)
    if evil:
        t.snapshot.meta["snapshot.json"] = MetaFile(2)
        t.replace("timestamp", t.signed_file("snapshot"))


@attack("mixed", "the delegated role in the place of the targets", {"root": 1, "timestamp": 2, "snapshot": 2})
def _(t, evil):
    t.delegate("targets", "A")
    t.publish("A", "targets")
    t.publish("snapshot", "timestamp")
    if evil:
        t.A.version = t.targets.version
        t.replace("targets", t.signed_file("A"))


# --- Data that does not end, or ends early ------------------------------------------------------------------------------

for ROLE in TOP_LEVEL:

    @attack("endless", f"{ROLE} without an end", before(ROLE))
    def _(t, evil, role=ROLE):
        publish_all(t)
        if evil:
            t.replace(role, t.flood(t.served(role)))

    @attack("endless", f"{ROLE} that breaks off", before(ROLE))
    def _(t, evil, role=ROLE):
        publish_all(t)
        if evil:
            t.replace(role, CutShort(t.served(role)))


@attack("endless", "a target without an end", NEW_ROLES)
def _(t, evil):
    target = t.add_target("targets", "file")
    t.publish("targets", "snapshot", "timestamp")
    if evil:
        t.server.files[t.path_of_target(target)] = t.flood(b"the content")
    t.wanted = "file"


# python-tuf stops after as many, and goes on with the last.
@attack("endless", "more roots than anybody makes", None, "accepts")
def _(t, evil):
    for _ in range(300 if evil else 10):
        t.publish("root")


# --- What no metadata may say -------------------------------------------------------------------------------------------


def signed_anew(t, role, change):
    """Sign what `change` makes of the role's metadata, though python-tuf would not make it so."""
    document = json.loads(t.signed_file(role))
    change(document["signed"])
    payload = encode_canonical(document["signed"]).encode()
    document["signatures"] = [key.sign(payload).to_dict() for key in t.keys[role]]
    return json.dumps(document).encode()


for WHAT, CHANGE, PEER in (
    ("version 0", lambda signed: signed.update(version=0), "agrees"),
    ("a negative version", lambda signed: signed.update(version=-2), "agrees"),
    ("a version as text", lambda signed: signed.update(version="2"), "agrees"),
    ("a version beyond all numbers", lambda signed: signed.update(version=10**30), "accepts"),
    ("no expiry", lambda signed: signed.pop("expires"), "agrees"),
    ("an expiry that is no time", lambda signed: signed.update(expires="never"), "agrees"),
    ("another generation of the specification", lambda signed: signed.update(spec_version="2.0.0"), "agrees"),
    ("no type", lambda signed: signed.pop("_type"), "agrees"),
    ("the type of another role", lambda signed: signed.update(_type="snapshot"), "agrees"),
    ("no snapshot", lambda signed: signed.update(meta={}), "agrees"),
    ("a negative length", lambda signed: signed["meta"]["snapshot.json"].update(length=-1), "agrees"),
    ("a digest that is none", lambda signed: signed["meta"]["snapshot.json"].update(hashes={"sha256": "0"}), "agrees"),
):

    @attack("format", f"a timestamp with {WHAT}", {"root": 1}, PEER)
    def _(t, evil, change=CHANGE):
        t.timestamp.version = 2
        if evil:
            t.replace("timestamp", signed_anew(t, "timestamp", change))
        else:
            t.replace("timestamp", signed_anew(t, "timestamp", lambda signed: signed.update(unheard_of={"a": [1]})))


for WHAT, MAKE, PEER in (
    ("nothing", lambda file: b"", "agrees"),
    ("half of it", lambda file: file[: len(file) // 2], "agrees"),
    ("something behind it", lambda file: file + b"{}", "agrees"),
    ("a byte that is no UTF-8", lambda file: file.replace(b"signed", b"si\xffned"), "agrees"),
    ("brackets without an end", lambda file: b"[" * 12_000, "agrees"),
    ("the version twice", lambda file: file.replace(b'"version":2', b'"version":1,"version":2'), "accepts"),
    ("a number that is none", lambda file: file.replace(b'"version":2', b'"version":2,"x":NaN'), "agrees"),
):

    @attack("format", f"a timestamp file that is {WHAT}", {"root": 1}, PEER)
    def _(t, evil, make=MAKE):
        t.publish("timestamp")
        if evil:
            changed = make(t.served("timestamp"))
            assert changed != t.served("timestamp")
            t.replace("timestamp", changed)


@attack("format", "a root without a threshold for its role", {"root": 1})
def _(t, evil):
    t.root.roles["timestamp"].threshold = 1
    t.publish("root")
    if evil:
        t.replace("root", signed_anew(t, "root", lambda signed: signed["roles"]["timestamp"].update(threshold=0)))


@attack("format", "a root without a role", {"root": 1})
def _(t, evil):
    t.publish("root")
    if evil:
        t.replace("root", signed_anew(t, "root", lambda signed: signed["roles"].pop("snapshot")))


# --- Delegations --------------------------------------------------------------------------------------------------------


def released(t, *roles):
    t.publish(*roles, "targets", "snapshot", "timestamp")


for PATTERN, INSIDE, OUTSIDE in (
    ("release/*", "release/x", "release/secret/x"),
    ("*", "x", "a/x"),
    ("release/*/x", "release/1/x", "release/1/2/x"),
    ("release/?", "release/x", "release/xy"),
    ("release?x", "release-x", "release/x"),
    ("release/x", "release/x", "release/x/y"),
    ("RELEASE/*", "RELEASE/x", "release/x"),
    ("release/*.zip", "release/a.zip", "release/a.zip.txt"),
    ("release/*", "release/x", "/release/x"),
):

    @attack("delegations", f"{PATTERN} lets a role sign {OUTSIDE}", {**NEW_ROLES})
    def _(t, evil, pattern=PATTERN, inside=INSIDE, outside=OUTSIDE):
        t.delegate("targets", "A", [pattern])
        t.add_target("A", inside, b"inside")
        t.add_target("A", outside, b"outside")
        released(t, "A")
        t.wanted = outside if evil else inside


@attack("delegations", "a role gives away more than it was given", {**NEW_ROLES, "A": 1})
def _(t, evil):
    t.delegate("targets", "A", ["a/*"])
    t.delegate("A", "B", ["a/*", "b/*"])
    t.add_target("B", "a/file")
    t.add_target("B", "b/file")
    released(t, "A", "B")
    if evil:
        # So that A is visited: for what it may sign.
        assert t.ours.download("a/none") == 1
        t.ours.metadata.joinpath("B.json").unlink()
    t.wanted = "b/file" if evil else "a/file"


@attack("delegations", "a role after a terminating one", {**NEW_ROLES, "A": 1})
def _(t, evil):
    t.delegate("targets", "A", terminating=evil)
    t.delegate("targets", "B")
    t.add_target("B", "file")
    released(t, "A", "B")
    t.wanted = "file"


@attack("delegations", "a role further up after a terminating one", {**NEW_ROLES, "A": 1, "C": 1})
def _(t, evil):
    t.delegate("targets", "A")
    t.delegate("A", "C", terminating=evil)
    t.delegate("targets", "B")
    t.add_target("B", "file")
    released(t, "A", "B", "C")
    t.wanted = "file"


@attack("delegations", "roles in a circle", {**NEW_ROLES, "A": 1, "B": 1})
def _(t, evil):
    t.delegate("targets", "A")
    t.delegate("A", "B")
    t.delegate("B", "A", key=t.keys["A"][0])
    if not evil:
        t.add_target("B", "file")
    released(t, "A", "B")
    t.wanted = "file"


# A search asks 32 roles, the top level with them, as python-tuf's does.
ASKED = {**NEW_ROLES, **{f"role{n}": 1 for n in range(31)}}


@attack("delegations", "a chain without an end", ASKED)
def _(t, evil):
    names = [f"role{n}" for n in range(120 if evil else 20)]
    key = t.new_key()
    for above, name in zip(["targets", *names], names):
        t.delegate(above, name, key=key)
    t.add_target(names[-1], "file")
    released(t, *names)
    t.wanted = "file"


@attack("delegations", "roles without number side by side", ASKED)
def _(t, evil):
    names = [f"role{n}" for n in range(400 if evil else 20)]
    key = t.new_key()
    for name in names:
        t.delegate("targets", name, key=key)
    t.add_target(names[-1], "file")
    released(t, *names)
    t.wanted = "file"


@attack("delegations", "one role for two, signed for one of them", {**NEW_ROLES, "B": 1})
def _(t, evil):
    t.delegate("targets", "A", ["a/*"])
    t.delegate("targets", "B", ["b/*"])
    t.delegate("A", "C", ["*/*"])
    key_of_a = t.keys["C"][0]
    t.delegate("B", "C", ["*/*"])
    if evil:
        t.keys["C"] = [key_of_a]
    t.add_target("C", "b/file")
    released(t, "A", "B", "C")
    t.wanted = "b/file"


@attack("delegations", "a role signed by the key of the targets", NEW_ROLES)
def _(t, evil):
    t.delegate("targets", "A")
    if evil:
        t.keys["A"] = t.keys["targets"]
    t.add_target("A", "file")
    released(t, "A")
    t.wanted = "file"


@attack("delegations", "a target that nobody lists", NEW_ROLES)
def _(t, evil):
    t.add_target("targets", "file")
    t.add_target("targets", "other")
    if evil:
        del t.targets.targets["file"]
    released(t)
    t.wanted = "file"


# The bin of a path is the first bits of its SHA-256: "bar" belongs to bin-3 of four (TAP 15).
@attack("delegations", "a target in a bin that is not its own", {**NEW_ROLES, "bin-3": 1})
def _(t, evil):
    t.delegate_bins(2)
    t.add_target("bin-2" if evil else "bin-3", "bar")
    released(t, *(f"bin-{n}" for n in range(4)))
    t.wanted = "bar"


@attack("delegations", "a bin that a stranger signed", NEW_ROLES)
def _(t, evil):
    t.delegate_bins(2)
    if evil:
        t.keys["bin-3"] = [t.new_key()]
    t.add_target("bin-3", "bar")
    released(t, *(f"bin-{n}" for n in range(4)))
    t.wanted = "bar"


for NAME in TOP_LEVEL:

    @attack("delegations", f"a role called {NAME}", {"root": 1, "timestamp": 2, "snapshot": 2})
    def _(t, evil, name=NAME):
        t.delegate("targets", "A")
        t.add_target("A", "file")
        t.wanted = "file"
        released(t, "A")
        if evil:
            # A file of that name in the cache would be that of the top level.
            change = lambda signed: signed["delegations"]["roles"][0].update(name=name)  # noqa: E731
            t.replace("targets", signed_anew(t, "targets", change))


# --- Targets ------------------------------------------------------------------------------------------------------------

for WHAT, CONTENT in (
    ("another content of the same length", b"the kontent"),
    ("a longer content", b"the content and more"),
    ("a shorter content", b"the"),
    ("no content", b""),
):
    for CONSISTENT in (True, False):

        @attack("targets", f"{WHAT}, consistent snapshots {CONSISTENT}", NEW_ROLES, consistent=CONSISTENT)
        def _(t, evil, content=CONTENT):
            target = t.add_target("targets", "a/file")
            t.publish("targets", "snapshot", "timestamp")
            if evil:
                t.server.files[t.path_of_target(target)] = content
            t.wanted = "a/file"


@attack("targets", "the content of another target", NEW_ROLES)
def _(t, evil):
    target = t.add_target("targets", "file")
    other = t.add_target("targets", "other", b"something else")
    t.publish("targets", "snapshot", "timestamp")
    if evil:
        t.server.files[t.path_of_target(target)] = t.server.files[t.path_of_target(other)]
    t.wanted = "file"


@attack("targets", "a digest by an unknown algorithm alone", None)
def _(t, evil):
    target = t.add_target("targets", "file")
    if evil:
        target.hashes["sha256x"] = target.hashes.pop("sha256")
        t.server.files[f"{t.base}/targets/{target.hashes['sha256x']}.file"] = b"the content"
    t.publish("targets", "snapshot", "timestamp")
    t.wanted = "file"


@attack("targets", "one of two digests is wrong", NEW_ROLES)
def _(t, evil):
    target = t.add_target("targets", "file")
    target.hashes["sha512"] = TargetFile.from_data("file", b"other" if evil else b"the content", ["sha512"]).hashes["sha512"]
    t.publish("targets", "snapshot", "timestamp")
    for digest in target.hashes.values():
        t.server.files[f"{t.base}/targets/{digest}.file"] = b"the content"
    t.wanted = "file"


# Names that lead elsewhere are refused; python-tuf quotes them whole for its files, and asks for what they resolve to.
for PATH in ("../file", "a/../../file", "..", ".", "/file", "//file", "a//file", "a/./file", "a/", "/etc/passwd"):

    @attack("names", f"the target {PATH}", NEW_ROLES, None)
    def _(t, evil, path=PATH):
        t.add_target("targets", "file")
        t.add_target("targets", path)
        t.publish("targets", "snapshot", "timestamp")
        t.wanted = path if evil else "file"


# Names that are only unusual are asked for as they are, quoted once, and stay inside; evil is what is served.
for PATH in ("%2e%2e/file", "%2fetc%2fpasswd", "..%2ffile", "a%00b", "a\\..\\..\\b", "a b", "a?b#c", "\u00e9\u4e2d", "a\nb",
             "x" * 200, "a;b&c=d", "-rf", "C:\\file", "a:b@c", "...", ".hidden"):

    @attack("names", f"the target {PATH[:40]!r}", NEW_ROLES, None)
    def _(t, evil, path=PATH):
        target = t.add_target("targets", path)
        t.publish("targets", "snapshot", "timestamp")
        if evil:
            t.server.files[t.path_of_target(target)] = b"the kontent"
        t.wanted = path


@attack("names", "a target of five thousand letters", NEW_ROLES, None)
def _(t, evil):
    t.add_target("targets", "x" * 5000)
    t.add_target("targets", "file")
    t.publish("targets", "snapshot", "timestamp")
    t.wanted = "x" * 5000 if evil else "file"


# The names of roles are file names and addresses too. Evil is a role that is signed by nobody.
for NAME in ("../../A", "..", ".", "/A", "A/B", "%2e%2e%2fA", "A?B#C", "A\x00B", "A\\B", "a.b", "2.root", "\u00e9", "A B"):

    @attack("names", f"the role {NAME!r}", NEW_ROLES, None)
    def _(t, evil, name=NAME):
        t.delegate("targets", name)
        t.add_target(name, "file")
        if evil:
            t.keys[name] = []
        released(t, name)
        t.wanted = "file"


# --- The cache ----------------------------------------------------------------------------------------------------------


def tampered(t, role, change):
    """Change the role's file in both caches."""
    for client in (t.ours, t.peer):
        file = client.metadata / f"{role}.json"
        content = change(file.read_bytes())
        file.unlink()
        file.write_bytes(content)


WAYS = {
    "edited": lambda file: edited(file, lambda document: document["signed"].update(note="mine")),
    "with another signature": lambda file: edited(file, lambda document: document["signatures"][0].update(sig="00" * 70)),
    "cut": lambda file: file[: len(file) // 2],
    "emptied": lambda file: b"",
}

for ROLE in ("snapshot", "targets", "A"):
    for WAY, CHANGE in WAYS.items():

        @attack("cache", f"{ROLE} {WAY}, and the repository has lost it", None)
        def _(t, evil, role=ROLE, change=CHANGE):
            t.delegate("targets", "A")
            t.add_target("A", "file")
            t.add_target("A", "other", b"other content")
            released(t, "A")
            t.accepted("other")
            if evil:
                tampered(t, role, change)
            t.lose(role)
            t.wanted = "file"


# A client that believed the version in its cache would refuse the repository from now on. Evil is that it is unsigned too.
for ROLE in ("timestamp", "snapshot", "targets"):

    @attack("cache", f"{ROLE} with a version from the future, unsigned here and there", None)
    def _(t, evil, role=ROLE):
        t.publish("targets", "snapshot", "timestamp")
        t.accepted()
        tampered(t, role, lambda file: edited(file, lambda document: document["signed"].update(version=1000)))
        if evil:
            t.replace("timestamp", edited(t.served("timestamp"), lambda file: file["signed"].update(version=1000)))


@attack("cache", "all of it, the roots too, is the attacker's, and so is the repository", None)
def _(t, evil):
    t.publish("root", "targets", "snapshot", "timestamp")
    t.accepted()
    t.wanted = "file"
    attacker = t.repository
    if evil:
        attacker = Repository(t.server, t.base[1:])
        attacker.publish("root")
    attacker.add_target("targets", "file")
    attacker.publish("targets", "snapshot", "timestamp")
    if evil:
        other = PeerClient(t.ours.folder.parent / f"{t.base[1:]}-attacker", attacker)
        assert other.download("file") == 0, other.said
        for client in (t.ours, t.peer):
            for file in client.metadata.rglob("*.root.json"):
                file.write_bytes(attacker.served("root"))
            for role in TOP_LEVEL:
                file = client.metadata / f"{role}.json"
                file.unlink()
                file.write_bytes((other.metadata / f"{role}.json").read_bytes())


@attack("cache", "a stored target was changed, and the repository has another one", NEW_ROLES)
def _(t, evil):
    target = t.add_target("targets", "file")
    t.publish("targets", "snapshot", "timestamp")
    t.accepted("file")
    for client in (t.ours, t.peer):
        for file in client.targets.rglob("*"):
            if file.is_file():
                file.write_bytes(b"the kontent")
    if evil:
        t.server.files[t.path_of_target(target)] = b"the kontent"
    t.wanted = "file"


# --- Reading --------------------------------------------------------------------------------------------------------------


def reading(t, keys):
    """A repository with three levels of roles, rotated keys and several targets."""
    for role in TOP_LEVEL:
        t.give_key(role, keys())
    t.publish("root")
    t.rotate("timestamp")
    t.root.roles["root"].threshold = 2
    t.publish("root")
    t.delegate("targets", "releases", ["v?/*"])
    t.delegate("targets", "people", ["people/*/*"])
    t.delegate("people", "anna", ["people/anna/*"], terminating=True, key=keys())
    t.add_target("targets", "top", b"top")
    t.add_target("releases", "v1/release.tar.gz", b"release" * 1000)
    t.add_target("anna", "people/anna/key", b"")
    released(t, "releases", "people", "anna")
    return ["top", "v1/release.tar.gz", "people/anna/key"]


def read(program):
    """Both clients read the same repositories, and hold the same bytes afterwards."""
    server = Server()
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, keys) in enumerate(KEY_TYPES.items()):
            for consistent in (True, False):
                for describes in (True, False):
                    if "hex" in name:
                        continue
                    options = {"consistent": consistent}
                    t = Trial(program, server, pathlib.Path(folder), f"{number}{consistent}{describes}", options)
                    t.repository.describes_files = describes
                    for path in reading(t, keys):
                        t.accepted(path)
                    assert t.ours.contents() == sorted(t.artifacts.values())
                    held = {file.name: file.read_bytes() for file in t.ours.metadata.glob("*.json")}
                    theirs = {file.name: file.read_bytes() for file in t.peer.metadata.glob("*.json")}
                    assert held == theirs, f"{sorted(held)} and {sorted(theirs)}"
                    assert len(held) == 7
                    print(f"{name}, consistent snapshots {consistent}, files described {describes}: both hold the same")
    return 0


def main(program, group):
    if group == "read":
        return read(str(pathlib.Path(program).resolve()))
    program = str(pathlib.Path(program).resolve())
    chosen = [(number, entry) for number, entry in enumerate(ATTACKS) if entry[0] == group]
    assert chosen, f"no attacks in {group}; there are {sorted({entry[0] for entry in ATTACKS})}"
    server = Server()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, entry in chosen:
            try:
                check(program, server, pathlib.Path(folder), number, entry)
            except Exception as error:  # noqa: BLE001 - each is told, and the others go on
                failed += 1
                print(f"FAILED: {entry[1]}: {error}" if isinstance(error, AssertionError) else traceback.format_exc())
                print(f"    in: {entry[1]}")
    most = max((flood.sent for flood in server.floods), default=0)
    if most > MOST_READ:
        failed += 1
        print(f"FAILED: {most} bytes of an endless answer were read")
    print(f"{len(chosen) - failed} attacks refused and their twins accepted, {failed} failed")
    print(f"note: {len(chosen)} attacks")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
