# The real gitsign, three versions of it: each signs in the sandbox and gitseal judges, gitseal signs there and each
# judges. gitseal judges without a network, except where it has to look an entry up.

# Gives this cell a gitsign that trusts the sandbox: gitsign keeps that in a TUF cache, filled by `initialize`.
gitsign_at_home() {
    export TUF_ROOT=$PWD/tuf
    first_root
    "$1" initialize --mirror "$TUF_MIRROR" --root 1.root.json
}

gitsign_verifies() {
    (cd repo && "$1" verify --certificate-identity "$2" --certificate-oidc-issuer "$ISSUER" HEAD)
}

gitsign_embeds() {
    local gitsign=${!1}
    gitsign_at_home "$gitsign"
    export GITSIGN_REKOR_MODE=offline
    signing_repository "$gitsign"
    signed_commit "by gitsign, entry embedded"
    gitsign_verifies "$gitsign" "$IDENTITY"
    expect "$(gitseal_verdict without_network)" good
    git -C repo config gpg.x509.program "$GITSEAL"
    without_network git -C repo verify-commit HEAD
}

gitsign_looks_up() {
    local gitsign=${!1}
    gitsign_at_home "$gitsign"
    export GITSIGN_REKOR_MODE=online
    signing_repository "$gitsign"
    signed_commit "by gitsign, entry to be looked up"
    gitsign_verifies "$gitsign" "$IDENTITY"
    git -C repo config gpg.x509.program "$GITSEAL"
    git config --global gitseal.onlineLookup never
    expect "$(gitseal_verdict env)" undecided
    git config --global gitseal.onlineLookup always
    expect "$(gitseal_verdict env)" good
    git -C repo verify-commit HEAD
    # Found once, pinned: the next time needs no network.
    expect "$(gitseal_verdict without_network)" good
}

gitsign_accepts() {
    local gitsign=${!1}
    log_generation 1
    signing_repository "$GITSEAL"
    signed_commit "by gitseal, for gitsign"
    gitsign_at_home "$gitsign"
    export GITSIGN_REKOR_MODE=offline
    gitsign_verifies "$gitsign" "$IDENTITY"
    refuses gitsign_verifies "$gitsign" "x$IDENTITY"
    git -C repo config gpg.x509.program "$gitsign"
    git -C repo verify-commit HEAD
}

for version in "0.13 debian_stable GITSIGN_STABLE" "0.16 debian_newest GITSIGN_NEWEST" "0.17 go_gitsign GITSIGN_GO"; do
    read -r number component variable <<<"$version"
    cell "gitseal judges good what gitsign $number signed with the entry embedded" $component gitsign_embeds $variable
    cell "gitseal judges good, by look-up, what gitsign $number signed online" $component gitsign_looks_up $variable
    cell "gitsign $number and git with it accept a commit that gitseal signed" $component gitsign_accepts $variable
done
