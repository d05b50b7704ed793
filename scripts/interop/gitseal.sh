# gitseal as the cells use it: it signs commits, makes bundles, judges. Sourced by `run`.

# log_generation 1|2: from here on gitseal signs with that generation of the log.
log_generation() {
    # The instance's environment may name the other one.
    unset GITSIGN_REKOR_VERSION
    export GITSEAL_SIGNING_CONFIG=$INSTANCE/signing_config_rekor_v$1.json
}

# signing_repository PROGRAM: makes ./repo, whose commits PROGRAM signs.
signing_repository() {
    git init -q repo
    git -C repo config gpg.x509.program "$1"
}

# git's own word for a signer that failed is 128, which to `refuses` is no answer.
signed_commit() {
    git -C repo commit -q -S --allow-empty -m "$1" || return 1
}

# Leaves ./commit.sigstore.json and the bytes it is about, ./attributes, of a commit signed with that generation of log.
commit_bundle() {
    log_generation "$1"
    signing_repository "$GITSEAL"
    signed_commit "for a bundle"
    (cd repo && "$GITSEAL" show HEAD --bundle --artifact ../attributes >../commit.sigstore.json)
    (cat attributes && printf x) >altered
}

# gitseal_accepts BUNDLE FILE: and refuses another file, another signer, another issuer
gitseal_accepts() {
    local verify=(without_network "$GITSEAL" verify-bundle --trusted-root "$INSTANCE/trusted_root.json" --bundle "$1")
    local signer=(--certificate-identity "$IDENTITY" --certificate-oidc-issuer "$ISSUER")
    "${verify[@]}" "${signer[@]}" "$2"
    "${verify[@]}" "${signer[@]}" "sha256:$(sha256sum "$2" | cut -c 1-64)"
    (cat "$2" && printf x) >"$2.altered"
    refuses "${verify[@]}" "${signer[@]}" "$2.altered"
    refuses "${verify[@]}" --certificate-identity "x$IDENTITY" --certificate-oidc-issuer "$ISSUER" "$2"
    refuses "${verify[@]}" --certificate-identity "$IDENTITY" --certificate-oidc-issuer "$ISSUER/x" "$2"
}

# gitseal_verdict PREFIX...: what gitseal says of HEAD in ./repo, run under the command PREFIX (`env`, `without_network`)
gitseal_verdict() {
    local finding
    finding=$(cd repo && "$@" "$GITSEAL" verify --json --certificate-identity "$IDENTITY" \
        --certificate-oidc-issuer "$ISSUER" HEAD) || true
    printf '%s\n' "$finding" >&2
    printf '%s' "$finding" | "$PYTHON3" -c 'import json, sys; print(json.load(sys.stdin)["verdict"])'
}

expect() {
    [ "$1" = "$2" ] || { echo "expected $2, got $1"; return 1; }
}
