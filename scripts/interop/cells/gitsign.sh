# gitsign's online mode, three versions of it: the entry is not in the commit, but in the log under the commit's name, and
# gitseal finds it there. (Signing with the entry embedded is in the matrix.)

gitsign_looks_up() {
    local gitsign=${!1}
    export TUF_ROOT=$PWD/tuf GITSIGN_REKOR_MODE=online
    first_root
    "$gitsign" initialize --mirror "$TUF_MIRROR" --root 1.root.json
    signing_repository "$gitsign"
    signed_commit "by gitsign, entry to be looked up"
    (cd repo && "$gitsign" verify --certificate-identity "$IDENTITY" --certificate-oidc-issuer "$ISSUER" HEAD)
    git -C repo config gpg.x509.program "$GITSEAL"
    git config --global gitseal.onlineLookup never
    expect "$(gitseal_verdict env)" undecided
    git config --global gitseal.onlineLookup always
    expect "$(gitseal_verdict env)" good
    git -C repo verify-commit HEAD
    # Found once, pinned: the next time needs no network.
    expect "$(gitseal_verdict without_network)" good
}

cell "gitseal judges good, by look-up, what gitsign 0.13 signed online" debian_stable gitsign_looks_up GITSIGN_STABLE
cell "gitseal judges good, by look-up, what gitsign 0.16 signed online" debian_newest gitsign_looks_up GITSIGN_NEWEST
cell "gitseal judges good, by look-up, what gitsign 0.17 signed online" go_gitsign gitsign_looks_up GITSIGN_GO
