# The test bed: a scratch folder, a home without anybody's settings, and the instances that all cells share: the sandbox,
# and, for those that want it, the real servers of scripts/stack. Sourced by `run` and by `scripts/bench/run`.

# Sets GITSEAL, BED and the sandbox's environment; takes all of it away again when the shell ends.
make_bed() {
    if [ -z "${GITSEAL:-}" ]; then
        (cd "$TOP" && cargo build --quiet)
        GITSEAL=$TOP/target/debug/gitseal
    fi
    GITSEAL=$(realpath "$GITSEAL")
    export GITSEAL
    BED=$(mktemp -d "${TMPDIR:-/tmp}/gitseal-interop.XXXXXX")
    trap take_bed_away EXIT
    unset_foreign_settings
    start_sandbox
}

# Settings of the person who runs this must not decide what a cell sees.
unset_foreign_settings() {
    local name
    for name in $(compgen -e); do
        case $name in
        GIT_* | GNUPGHOME | GITSIGN_* | SIGSTORE_* | COSIGN_* | TUF_* | GITSEAL_* | ACTIONS_ID_TOKEN_* | SPIFFE_* | \
            GITHUB_ACTIONS | GITLAB_CI | BUILDKITE* | CIRCLE* | GCE_METADATA_HOST | GOOGLE_SERVICE_ACCOUNT_NAME)
            case $name in GITSEAL_INTEROP_* | GITSEAL_BENCH_*) ;; *) unset "$name" ;; esac
            ;;
        esac
    done
    export GIT_CONFIG_GLOBAL=$BED/gitconfig GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
    # The interpreter itself: what `python3` is may be a front that looks into the home that cells do not have.
    PYTHON3=$(python3 -c 'import sys; print(sys.executable)')
    export PYTHON3
    git config --global user.name "Interop"
    git config --global user.email "dev@example.com"
    git config --global init.defaultBranch main
    git config --global gc.auto 0
    git config --global gpg.format x509
}

# Gives the cell that calls it an empty home: no remembered login, pinned entry, TUF cache or setting of another cell.
enter_empty_home() {
    export HOME=$1
    mkdir -p "$HOME"
    cp "$GIT_CONFIG_GLOBAL" "$HOME/gitconfig"
    export GIT_CONFIG_GLOBAL=$HOME/gitconfig
    unset XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME XDG_STATE_HOME
}

start_sandbox() {
    local waited=0
    SANDBOX=$BED/sandbox
    "$GITSEAL" sandbox serve --dir "$SANDBOX" --request-log "$BED/requests" >"$BED/sandbox.log" 2>&1 &
    SANDBOX_PID=$!
    until [ -e "$SANDBOX/ready" ]; do
        if ! kill -0 "$SANDBOX_PID" 2>/dev/null || [ $((waited += 1)) -gt 200 ]; then
            say "interop: the sandbox did not start:"
            tail -n 20 "$BED/sandbox.log" >&2
            exit 1
        fi
        sleep 0.1
    done
    python3 "$INTEROP_DIR/documents.py" "$SANDBOX" "$BED/sandbox.documents"
    use_instance sandbox
}

# STACK: the folder of the real servers, which run from here on until the bed is taken away.
need_running_stack() {
    need_stack || return 1
    STACK=$BED/stack
    "$INTEROP_DIR/../stack/stack" --dir "$STACK" up >"$BED/stack.log" 2>&1 || {
        tail -n 30 "$BED/stack.log" >&2
        return 1
    }
    python3 "$INTEROP_DIR/documents.py" "$STACK" "$BED/stack.documents"
}

need_rekor_v1_in_stack() {
    [ -e "${STACK:-}/signing_config_rekor_v1.json" ]
}

# use_instance sandbox|stack: from here on every program is at home there. Sets INSTANCE (its folder), DOCUMENTS (what
# documents.py made of that), IDENTITY and ISSUER (who a token of it names).
use_instance() {
    local name
    if [ -n "${INSTANCE:-}" ]; then
        for name in $(sed -n 's/^export \([A-Z_]*\)=.*/\1/p' "$INSTANCE/env"); do unset "$name"; done
    fi
    case $1 in
    sandbox) INSTANCE=$SANDBOX ;;
    stack) INSTANCE=$STACK ;;
    esac
    DOCUMENTS=$BED/$1.documents
    . "$INSTANCE/env"
    fresh_token
    IDENTITY=$(token_claim email)
    ISSUER=$(token_claim iss)
    export INSTANCE DOCUMENTS IDENTITY ISSUER
}

# on INSTANCE COMMAND...: a cell's command, there
on() {
    use_instance "$1"
    shift
    "$@"
}

take_bed_away() {
    local status=$?
    if [ -n "${SANDBOX_PID:-}" ]; then
        kill "$SANDBOX_PID" 2>/dev/null || true
        wait "$SANDBOX_PID" 2>/dev/null || true
    fi
    if [ -n "${STACK:-}" ]; then
        "$INTEROP_DIR/../stack/stack" --dir "$STACK" down || true
    fi
    [ -z "${GNUPGHOME:-}" ] || gpgconf --kill gpg-agent || true
    if [ "$status" -eq 0 ]; then
        rm -rf "$BED"
    else
        say "interop: what was made is kept in $BED"
    fi
    return "$status"
}

# A token lives for minutes and a run may last longer: the sandbox keeps the one in the file fresh. The stack's lasts.
fresh_token() {
    SIGSTORE_ID_TOKEN=$(cat "$GITSEAL_ID_TOKEN_FILE")
    export SIGSTORE_ID_TOKEN
}

token_claim() {
    local body
    body=$(printf %s "$SIGSTORE_ID_TOKEN" | cut -d. -f2 | tr '_-' '/+')
    while [ $((${#body} % 4)) -ne 0 ]; do body="$body="; done
    printf %s "$body" | base64 -d | sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"
}

# Leaves the first root of the instance's TUF repository in ./1.root.json, as its users are given it.
first_root() {
    "$PYTHON3" -c 'import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1]).read())' \
        "$TUF_MIRROR/1.root.json" >1.root.json
}

# without_network COMMAND...: in a network namespace of its own, where not even loopback is up.
without_network() {
    case ${NO_NETWORK:=$(
        if unshare -n true 2>/dev/null; then echo root; elif unshare -rn true 2>/dev/null; then echo user; else echo no; fi
    )} in
    root) unshare -n "$@" ;;
    user) unshare -rn "$@" ;;
    no)
        echo "note: no network namespace here: not shown that no network was needed"
        "$@"
        ;;
    esac
}
