# The real cosign signs files in the sandbox, the old way (service addresses by flag) and the new one (signing
# configuration), and gitseal verifies its bundles.

# cosign takes a token by itself only when it names RS256, else for a file's name, and takes the file's newline with it.
token_file() {
    printf %s "$SIGSTORE_ID_TOKEN" >token
}

cosign_3_signs() {
    echo "a file" >file
    token_file
    "$COSIGN_NEWEST" sign-blob --yes --signing-config "$INSTANCE/signing_config_rekor_v$1.json" \
        --trusted-root "$INSTANCE/trusted_root.json" --identity-token token --bundle file.sigstore.json file
    gitseal_accepts file.sigstore.json file
}

cosign_2_signs() {
    echo "a file" >file
    token_file
    "$COSIGN_STABLE" sign-blob --yes --new-bundle-format --fulcio-url "$GITSIGN_FULCIO_URL" --rekor-url "$GITSIGN_REKOR_URL" \
        --identity-token token --bundle file.sigstore.json file
    gitseal_accepts file.sigstore.json file
}

cell "gitseal verifies what cosign 2.5 signed (service addresses by flag)" debian_stable cosign_2_signs
cell "gitseal verifies what cosign 3.1 signed (signing configuration, Rekor v1)" debian_newest cosign_3_signs 1
cell "gitseal verifies what cosign 3.1 signed (signing configuration, Rekor v2)" debian_newest cosign_3_signs 2
