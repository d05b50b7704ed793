"""Takes a git signature apart with none of gitseal's code: signature.py REPO REV OUT

OUT/payload      what was signed, as git pipes it
OUT/cms.der      the CMS SignedData
OUT/signature    the signature value of its one SignerInfo, which a timestamp is about
OUT/stamp.der    the RFC 3161 token among the unsigned attributes, if there is one
OUT/entry        the protobuf of the log entry among them, if there is one
"""

import base64
import pathlib
import subprocess
import sys

STAMP = bytes.fromhex("060b2a864886f70d010910020e")  # 1.2.840.113549.1.9.16.2.14
ENTRY = bytes.fromhex("060a2b0601040183bf300301")  # 1.3.6.1.4.1.57264.3.1


def elements(der: bytes) -> list[tuple[int, bytes, bytes]]:
    """The elements of a DER string: (tag, contents, whole)."""
    found = []
    while der:
        head, length = 2, der[1]
        if length & 0x80:
            head = 2 + (length & 0x7F)
            length = int.from_bytes(der[2:head], "big")
        found.append((der[0], der[head : head + length], der[: head + length]))
        der = der[head + length :]
    return found


def contents(der: bytes) -> list[tuple[int, bytes, bytes]]:
    """The elements inside the one element that `der` is."""
    return elements(elements(der)[0][1])


repo, rev, out = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
out.mkdir(exist_ok=True)
commit = subprocess.run(["git", "-C", repo, "cat-file", "commit", rev], check=True, capture_output=True).stdout
headers, message = commit.split(b"\n\n", 1)
payload, armour = [], []
inside = False
for line in headers.split(b"\n"):
    inside = line.startswith(b"gpgsig ") or (inside and line.startswith(b" "))
    if inside:
        armour.append(line.removeprefix(b"gpgsig").removeprefix(b" "))
    else:
        payload.append(line)
(out / "payload").write_bytes(b"\n".join(payload) + b"\n\n" + message)
assert armour[0] == b"-----BEGIN SIGNED MESSAGE-----", armour[:1]
cms = base64.b64decode(b"".join(armour[1 : armour.index(b"-----END SIGNED MESSAGE-----")]))
(out / "cms.der").write_bytes(cms)

signed_data = contents(contents(cms)[1][2])[0][2]  # ContentInfo, [0], SignedData
signer_info = contents(contents(signed_data)[-1][2])[0][2]
fields = contents(signer_info)
(out / "signature").write_bytes(next(value for tag, value, _ in reversed(fields) if tag == 0x04))
for tag, value, _ in fields:
    if tag != 0xA1:
        continue
    for _, _, attribute in elements(value):
        name, values = contents(attribute)
        (_, value, whole) = elements(values[1])[0]
        if name[2] == STAMP:
            (out / "stamp.der").write_bytes(whole)
        if name[2] == ENTRY:
            (out / "entry").write_bytes(value)
