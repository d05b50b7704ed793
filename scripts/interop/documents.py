"""What the cells need beside an instance's own documents, made from them: documents.py INSTANCE OUT

OUT/trust_config.v1.json, .v2.json   the ClientTrustConfig that sigstore-python wants: trusted root and signing configuration
OUT/fulcio.root.pem, fulcio.rest.pem the certificate authority's root, and what stands between it and a leaf
OUT/tsa.root.pem, tsa.rest.pem       the same for the timestamp authority
"""

import json
import pathlib
import ssl
import sys
from base64 import b64decode

instance, out = map(pathlib.Path, sys.argv[1:])
out.mkdir(exist_ok=True)
trusted_root = json.loads((instance / "trusted_root.json").read_text())

for generation in (1, 2):
    signing_config = instance / f"signing_config_rekor_v{generation}.json"
    if not signing_config.exists():
        continue
    trust_config = {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": trusted_root,
        "signingConfig": json.loads(signing_config.read_text()),
    }
    (out / f"trust_config.v{generation}.json").write_text(json.dumps(trust_config, indent=1))

for name, key in (("fulcio", "certificateAuthorities"), ("tsa", "timestampAuthorities")):
    roots, rest = [], []
    for authority in trusted_root[key]:
        chain = [b64decode(c["rawBytes"]) for c in authority["certChain"]["certificates"]]
        roots.append(chain[-1])
        rest += chain[:-1]
    for part, certificates in (("root", roots), ("rest", rest)):
        pem = "".join(ssl.DER_cert_to_PEM_cert(der) for der in certificates)
        (out / f"{name}.{part}.pem").write_text(pem)
