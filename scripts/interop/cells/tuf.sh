# The sandbox's TUF repository as other people's clients read it, from its first root on.

python_tuf_reads() {
    first_root
    "$PEER_PYTHON" "$INTEROP_DIR/cells/tuf_client.py" "$TUF_MIRROR" 1.root.json client trusted_root.json \
        signing_config.v0.2.json
    cmp client/targets/trusted_root.json "$INSTANCE/trusted_root.json"
}

sigstore_python_reads() {
    first_root
    commit_bundle 1
    "$SIGSTORE_PYTHON" --instance "$TUF_MIRROR" trust-instance 1.root.json
    "$SIGSTORE_PYTHON" --instance "$TUF_MIRROR" verify identity --bundle commit.sigstore.json \
        --cert-identity "$IDENTITY" --cert-oidc-issuer "$ISSUER" attributes
}

sigstore_js_reads() {
    first_root
    mkdir cache
    node "$INTEROP_DIR/cells/sigstore_js_tuf.js" "$TUF_MIRROR" 1.root.json cache
}

# `initialize` of cosign and gitsign: what it keeps must be what the sandbox published. (Verifying a bundle by that cache
# is another matter: without --trusted-root cosign 2.5 asks the public repository all the same, and 3.1 asks for the file.)
client_initializes() {
    local client=${!1} kept
    first_root
    export TUF_ROOT=$PWD/tuf
    "$client" initialize --mirror "$TUF_MIRROR" --root 1.root.json
    kept=$(find tuf -name '*trusted_root.json' | head -n 1)
    cmp "$kept" "$INSTANCE/trusted_root.json"
}

cell "python-tuf reads the sandbox's TUF repository" python python_tuf_reads
cell "sigstore-python trusts the sandbox by its TUF repository and verifies a commit" python sigstore_python_reads
cell "sigstore-js reads the sandbox's TUF repository" node sigstore_js_reads
cell "cosign 2.5 initialize" debian_stable client_initializes COSIGN_STABLE
cell "cosign 3.1 initialize" debian_newest client_initializes COSIGN_NEWEST
cell "gitsign 0.13 initialize" debian_stable client_initializes GITSIGN_STABLE
cell "gitsign 0.16 initialize" debian_newest client_initializes GITSIGN_NEWEST
cell "gitsign 0.17 initialize" go_gitsign client_initializes GITSIGN_GO
