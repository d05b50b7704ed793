# The programs of other people that the cells compare gitseal with: how each comes here, through the ordinary client of
# its registry, once, into a cache, at a version that is written down. Sourced by `run` and by `scripts/bench/run`.
#
# Each `need_*` function leaves its program ready and sets the variables named above it, or prints why it cannot and
# returns 1: then every cell that wants it is skipped on a user's machine and fails when CI=true.

CACHE=${GITSEAL_INTEROP_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/gitseal-interop}
INTEROP_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# One stable and one newest, as Debian ships them.
DEBIAN_STABLE_SUITE=trixie
DEBIAN_STABLE_PACKAGES="gitsign=0.13.0* cosign=2.5.0*"
DEBIAN_NEWEST_SUITE=sid
DEBIAN_NEWEST_PACKAGES="gitsign=0.16.1* cosign=3.1.1* sigstore-go=1.3.0*"
# The last release of gitsign.
GITSIGN_GO_VERSION=v0.17.1

say() { printf '%s\n' "$*" >&2; }

# Runs "$@" with a fresh folder as its last argument and moves that folder to $CACHE/$1 if it succeeds: a component is
# there whole or not at all, also when two runs fetch it at once.
cached() {
    local name=$1 fresh
    shift
    [ -e "$CACHE/$name/.complete" ] && return 0
    mkdir -p "$CACHE"
    exec 9>"$CACHE/$name.lock"
    flock 9
    if [ ! -e "$CACHE/$name/.complete" ]; then
        say "interop: fetching $name"
        fresh=$CACHE/$name
        rm -rf "$fresh"
        mkdir -p "$fresh"
        # A shell of its own: bash forgets `set -e` in anything that stands in a condition, and this does.
        if ! bash -euo pipefail -c '. "$0"; "$@"' "${BASH_SOURCE[0]}" "$@" "$fresh" >"$CACHE/$name.log" 2>&1; then
            exec 9>&-
            say "interop: could not fetch $name; the last lines of $CACHE/$name.log:"
            tail -n 5 "$CACHE/$name.log" | sed 's/^/    /' >&2
            return 1
        fi
        touch "$fresh/.complete"
    fi
    exec 9>&-
}

# --- Debian packages, unpacked beside the system: nothing is installed, the system's own sources stay as they are ------

fetch_debian() {
    local suite=$1 packages=$2 at=$3 mirror package
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || { echo "not a Debian system"; return 1; }
    mirror=$(apt-get indextargets --format '$(LABEL) $(SITE)' | sed -n 's/^Debian //p' | head -n 1)
    [ -n "$mirror" ] || { echo "apt knows no Debian mirror: run apt-get update once"; return 1; }
    mkdir -p "$at"/{lists/partial,cache/archives/partial,etc,state,debs,root}
    : >"$at/state/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$at/etc/sources.list"
    cat >"$at/apt.conf" <<CONF
Dir::Etc::sourcelist "$at/etc/sources.list"; Dir::Etc::sourceparts "/dev/null";
Dir::State "$at/state"; Dir::State::Lists "$at/lists"; Dir::State::status "$at/state/status"; Dir::Cache "$at/cache";
Acquire::Languages "none"; Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false"; APT::Sandbox::User "root";
CONF
    (
        export APT_CONFIG=$at/apt.conf
        apt-get -q update
        cd "$at/debs"
        for package in $packages; do
            # The suite may have moved on from the version that was written down: then the one it has now will do.
            apt-get -q download "$package" || apt-get -q download "${package%%=*}"
        done
        for package in *.deb; do dpkg -x "$package" "$at/root"; done
        rm -rf "$at"/{debs,lists,cache}
    )
}

# need_debian SUITE PACKAGES: sets DEBIAN_BIN
need_debian() {
    local name
    name=debian-$1-$(printf %s "$2" | sha256sum | cut -c 1-8)
    cached "$name" fetch_debian "$1" "$2" || return 1
    DEBIAN_BIN=$CACHE/$name/root/usr/bin
}

# GITSIGN_STABLE, COSIGN_STABLE: gitsign 0.13 and cosign 2.5
need_debian_stable() {
    need_debian "$DEBIAN_STABLE_SUITE" "$DEBIAN_STABLE_PACKAGES" || return 1
    export GITSIGN_STABLE=$DEBIAN_BIN/gitsign COSIGN_STABLE=$DEBIAN_BIN/cosign
}

# GITSIGN_NEWEST, COSIGN_NEWEST: gitsign 0.16 and cosign 3.1; SIGSTORE_GO: the verifier that comes with sigstore-go 1.3
need_debian_newest() {
    need_debian "$DEBIAN_NEWEST_SUITE" "$DEBIAN_NEWEST_PACKAGES" || return 1
    export GITSIGN_NEWEST=$DEBIAN_BIN/gitsign COSIGN_NEWEST=$DEBIAN_BIN/cosign SIGSTORE_GO=$DEBIAN_BIN/sigstore-go-verification
}

# --- The Go module proxy ----------------------------------------------------------------------------------------------

# `go install PATH@VERSION` asks for the list of all versions first, which not every proxy serves. A module of our own
# that requires the one version needs no list.
fetch_go_gitsign() {
    local at=$1
    command -v go >/dev/null || { echo "no go"; return 1; }
    mkdir -p "$at/module"
    cat >"$at/module/go.mod" <<MOD
module gitseal.invalid/interop

go 1.26.0

require github.com/sigstore/gitsign $GITSIGN_GO_VERSION
MOD
    printf 'package interop\n\nimport _ "github.com/sigstore/gitsign"\n' >"$at/module/interop.go"
    (cd "$at/module" && GOFLAGS="-mod=mod -trimpath" nice -n 10 go build -ldflags "-s -w" -o "$at/gitsign" \
        github.com/sigstore/gitsign)
}

# GITSIGN_GO: gitsign 0.17
need_go_gitsign() {
    cached "go-gitsign-$GITSIGN_GO_VERSION" fetch_go_gitsign || return 1
    GITSIGN_GO=$CACHE/go-gitsign-$GITSIGN_GO_VERSION/gitsign
    export GITSIGN_GO
}

# --- PyPI and npm -----------------------------------------------------------------------------------------------------

fetch_python() {
    python3 -m venv "$1/venv"
    "$1/venv/bin/pip" install --disable-pip-version-check -q -r "$INTEROP_DIR/requirements.txt"
}

# PEER_PYTHON: a Python with sigstore-python and python-tuf; SIGSTORE_PYTHON: its command
need_python() {
    local name
    command -v python3 >/dev/null || { say "interop: no python3"; return 1; }
    name=python-$(sha256sum "$INTEROP_DIR/requirements.txt" | cut -c 1-12)
    cached "$name" fetch_python || return 1
    PEER_PYTHON=$CACHE/$name/venv/bin/python
    SIGSTORE_PYTHON=$CACHE/$name/venv/bin/sigstore
    export PEER_PYTHON SIGSTORE_PYTHON
}

fetch_node() {
    cp "$INTEROP_DIR/package.json" "$1/"
    (cd "$1" && npm install --no-audit --no-fund --no-package-lock --omit=dev --loglevel=error)
}

# NODE_PATH: the folder from which Node finds sigstore-js
need_node() {
    local name
    command -v node >/dev/null && command -v npm >/dev/null || { say "interop: no node or no npm"; return 1; }
    name=node-$(sha256sum "$INTEROP_DIR/package.json" | cut -c 1-12)
    cached "$name" fetch_node || return 1
    NODE_PATH=$CACHE/$name/node_modules
    export NODE_PATH
}

# --- Our own TUF client on the command line of the tuf-conformance suite ------------------------------------------------

# need_tuf_client: sets TUF_CLIENT
need_tuf_client() {
    local top
    top=$(cd "$INTEROP_DIR/../.." && pwd)
    (cd "$top" && cargo build --quiet --locked --example tuf-client) || return 1
    TUF_CLIENT=${CARGO_TARGET_DIR:-$top/target}/debug/examples/tuf-client
    export TUF_CLIENT
}

# --- What a system has anyway -----------------------------------------------------------------------------------------

need_openssl() {
    command -v openssl >/dev/null || { say "interop: no openssl"; return 1; }
}
