# Bundles travel both ways: others verify the one that `gitseal show --bundle` makes of a commit, and gitseal verifies
# the ones that others sign in the sandbox. Verifying is done where there is no network.

sigstore_python() {
    local generation=$1
    shift
    without_network "$SIGSTORE_PYTHON" --trust-config "$DOCUMENTS/trust_config.v$generation.json" verify identity --offline \
        --cert-identity "$IDENTITY" --cert-oidc-issuer "$ISSUER" "$@"
}

python_verifies() {
    commit_bundle "$1"
    sigstore_python "$1" --bundle commit.sigstore.json attributes
    refuses sigstore_python "$1" --bundle commit.sigstore.json altered
}

sigstore_js() {
    without_network node "$INTEROP_DIR/cells/sigstore_js.js" "$INSTANCE/trusted_root.json" "$@" "$IDENTITY" "$ISSUER"
}

js_verifies() {
    commit_bundle "$1"
    sigstore_js commit.sigstore.json attributes
    refuses sigstore_js commit.sigstore.json altered
}

# cosign_verifies_blob COSIGN BUNDLE FILE [FLAG...]
cosign_verifies_blob() {
    local cosign=$1 bundle=$2 file=$3
    shift 3
    without_network "$cosign" verify-blob --bundle "$bundle" --trusted-root "$INSTANCE/trusted_root.json" \
        --certificate-identity "$IDENTITY" --certificate-oidc-issuer "$ISSUER" "$@" "$file"
}

cosign_verifies() {
    local time=()
    # The second generation of the log vouches for no time.
    [ "$1" = 1 ] || time=(--use-signed-timestamps)
    commit_bundle "$1"
    cosign_verifies_blob "$COSIGN_NEWEST" commit.sigstore.json attributes "${time[@]}"
    refuses cosign_verifies_blob "$COSIGN_NEWEST" commit.sigstore.json altered "${time[@]}"
}

sigstore_go() {
    without_network "$SIGSTORE_GO" -trustedrootJSONpath "$INSTANCE/trusted_root.json" -expectedIssuer "$ISSUER" \
        -expectedSAN "$IDENTITY" -artifact "$@"
}

go_verifies() {
    commit_bundle "$1"
    sigstore_go attributes commit.sigstore.json
    refuses sigstore_go altered commit.sigstore.json
}

python_signs() {
    echo "a file" >file
    "$SIGSTORE_PYTHON" --trust-config "$DOCUMENTS/trust_config.v$1.json" sign --identity-token "$SIGSTORE_ID_TOKEN" \
        --bundle file.sigstore.json file
    gitseal_accepts file.sigstore.json file
}

for generation in 1 2; do
    cell "sigstore-python verifies the bundle of a commit (Rekor v$generation)" python python_verifies $generation
    cell "sigstore-js verifies the bundle of a commit (Rekor v$generation)" node js_verifies $generation
    cell "sigstore-go verifies the bundle of a commit (Rekor v$generation)" debian_newest go_verifies $generation
    cell "cosign 3 verifies the bundle of a commit (Rekor v$generation)" debian_newest cosign_verifies $generation
    cell "gitseal verifies what sigstore-python signed (Rekor v$generation)" python python_signs $generation
done
