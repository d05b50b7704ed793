# The sandbox's TUF repository as other people's clients read it, from its first root on.

python_tuf_reads() {
    first_root
    "$PEER_PYTHON" "$INTEROP_DIR/cells/tuf_client.py" "$TUF_MIRROR" 1.root.json client trusted_root.json \
        signing_config.v0.2.json
    cmp client/targets/trusted_root.json "$SANDBOX/trusted_root.json"
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

cosign_reads() {
    local cosign=${!1}
    first_root
    export TUF_ROOT=$PWD/tuf
    "$cosign" initialize --mirror "$TUF_MIRROR" --root 1.root.json
    commit_bundle 1
    "$cosign" verify-blob --bundle commit.sigstore.json --new-bundle-format --certificate-identity "$IDENTITY" \
        --certificate-oidc-issuer "$ISSUER" attributes
}

gitsign_reads() {
    local gitsign=${!1}
    first_root
    export TUF_ROOT=$PWD/tuf
    "$gitsign" initialize --mirror "$TUF_MIRROR" --root 1.root.json
    find tuf -name '*trusted_root.json' | grep -q .
}

cell "python-tuf reads the sandbox's TUF repository" python python_tuf_reads
cell "sigstore-python trusts the sandbox by its TUF repository and verifies a commit" python sigstore_python_reads
cell "sigstore-js reads the sandbox's TUF repository" node sigstore_js_reads
cell "cosign 2.5 initialize, then verifies a commit" debian_stable cosign_reads COSIGN_STABLE
cell "cosign 3.1 initialize, then verifies a commit" debian_newest cosign_reads COSIGN_NEWEST
cell "gitsign 0.13 initialize" debian_stable gitsign_reads GITSIGN_STABLE
cell "gitsign 0.16 initialize" debian_newest gitsign_reads GITSIGN_NEWEST
cell "gitsign 0.17 initialize" go_gitsign gitsign_reads GITSIGN_GO
