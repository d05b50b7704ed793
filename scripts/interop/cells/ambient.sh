# Tokens that platforms give: gitseal asks other people's servers, and other people's programs ask what gitseal asks.

WORKLOAD=spiffe://example.org/build

# Leaves a workload's token in ./token.
workload_token() {
    "$PYTHON3" -c 'import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1]).read())' \
        "$GITSEAL_SANDBOX_URL/token?identity=$WORKLOAD" >token
}

# background FILE COMMAND...: runs until the cell ends; FILE appears when it listens
background() {
    local file=$1 waited=0
    shift
    "$@" &
    BACKGROUND="${BACKGROUND:-} $!"
    trap 'kill $BACKGROUND' EXIT
    until [ -e "$file" ]; do
        [ $((waited += 1)) -lt 100 ] || { echo "it does not listen"; return 1; }
        sleep 0.1
    done
}

# An agent that behaves as ./mode says; from here on everybody's token comes from it.
spiffe_agent() {
    workload_token
    echo good >mode
    background agent.sock "$PEER_PYTHON" "$INTEROP_DIR/cells/spiffe_agent.py" agent.sock token mode
    unset SIGSTORE_ID_TOKEN GITSEAL_ID_TOKEN_FILE GITSIGN_TOKEN_PROVIDER
    export SPIFFE_ENDPOINT_SOCKET=$PWD/agent.sock
}

# The last commit's signer is the workload.
signed_by_workload() {
    (cd repo && without_network "$GITSEAL" verify --certificate-identity "$WORKLOAD" --certificate-oidc-issuer "$ISSUER" HEAD)
}

gitseal_asks_agent() {
    local mode
    spiffe_agent
    signing_repository "$GITSEAL"
    signed_commit "by an agent's token"
    signed_by_workload
    SPIFFE_ENDPOINT_SOCKET=unix://$SPIFFE_ENDPOINT_SOCKET signed_commit "the specification's spelling"
    signed_by_workload
    echo several >mode
    signed_commit "by the first of several"
    signed_by_workload
    for mode in denied empty huge; do
        echo "$mode" >mode
        refuses signed "$mode"
    done
    grep -q "spiffe: refused with gRPC status 7: no identity issued: 100 % sure" said.denied
    grep -q "spiffe: answered with something else than a JWT-SVID" said.empty
    grep -q "spiffe: the answer is larger than" said.huge
    echo slow >mode
    refuses signed slow
    grep -q "spiffe: no answer within 10 s" said.slow
    echo good >mode
    cp "$GITSEAL_SANDBOX_DIR/trusted_root.json" token
    refuses signed no-token
    grep -q "spiffe: the ID token is malformed" said.no-token
}

# signed NAME: as git would have it signed, but what gitseal says is left in ./said.NAME
signed() {
    echo payload | "$GITSEAL" -bsau "$WORKLOAD" 2>"said.$1"
}

# The real gitsign, whose SPIFFE and gRPC are Go's, gets what gitseal got: the agent is one.
gitsign_asks_agent() {
    spiffe_agent
    export GITSIGN_TOKEN_PROVIDER=spiffe
    signing_repository "$GITSIGN_GO"
    git -C repo config gitsign.rekorMode offline
    signed_commit "by gitsign"
    signed_by_workload
}

# What Python's `id` asks, gitseal asks, and both get the token.
like_id() {
    workload_token
    background port "$PYTHON3" "$INTEROP_DIR/cells/github_service.py" token port asked
    unset SIGSTORE_ID_TOKEN GITSEAL_ID_TOKEN_FILE GITSIGN_TOKEN_PROVIDER
    export GITHUB_ACTIONS=true ACTIONS_ID_TOKEN_REQUEST_TOKEN=s3cret
    ACTIONS_ID_TOKEN_REQUEST_URL="http://127.0.0.1:$(cat port)/token?api-version=2.0"
    export ACTIONS_ID_TOKEN_REQUEST_URL
    expect "$("$PEER_PYTHON" -m id sigstore)" "$(cat token)"
    signing_repository "$GITSEAL"
    signed_commit "by a job's token"
    signed_by_workload
    cat asked
    expect "$(wc -l <asked)" 2
    expect "$(sed -n 2p asked)" "$(sed -n 1p asked)"
}

cell "gitseal signs with the token of a SPIFFE agent of other people's gRPC, and of no other answer" python gitseal_asks_agent
cell "gitsign 0.17 signs with the token of the same agent" "python go_gitsign" gitsign_asks_agent
cell "gitseal asks GitHub's service what the Python library id asks" python like_id
