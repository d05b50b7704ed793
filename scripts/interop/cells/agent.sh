# The agent asked by others: a client written from gitseal-protocol(7), and its second socket through the real sshd, which
# `ssh -R` carries to another home, where a commit is signed with the credential that is held here.

# serve_ssh: an sshd of our own on loopback, for whoever runs this; sets SSH (the client and all its options)
serve_ssh() {
    local sshd port waited=0
    sshd=$(PATH=$PATH:/usr/sbin:/sbin command -v sshd)
    # Root's sshd wants this folder for its unprivileged half.
    [ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f host
    ssh-keygen -q -t ed25519 -N '' -f user
    port=$("$PYTHON3" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    cat >sshd_config <<CONF
ListenAddress 127.0.0.1:$port
HostKey $PWD/host
AuthorizedKeysFile $PWD/user.pub
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
CONF
    "$sshd" -D -e -f "$PWD/sshd_config" 2>sshd.log &
    SSHD_PID=$!
    trap 'kill "$SSHD_PID"; "$GITSEAL" agent stop' EXIT
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        [ $((waited += 1)) -lt 100 ] || { cat sshd.log; return 1; }
        sleep 0.1
    done
    printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d ' ' -f 1,2 host.pub)" >known_hosts
    SSH=(ssh -F none -i "$PWD/user" -p "$port" -o UserKnownHostsFile="$PWD/known_hosts" -o IdentitiesOnly=yes
        -o BatchMode=yes -o ExitOnForwardFailure=yes -R "$PWD/far.sock:$("$GITSEAL" agent forward-socket)" 127.0.0.1)
}

SIGN="printf 'tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\\n' | $GITSEAL --status-fd=2 -bsau x"

# far TEXT: shell text at the other end, in a home that knows nothing but the socket. One connection: what it listens on
# there is taken away first, as it would not be by itself.
far() {
    rm -f far.sock
    printf '%s\n' "$1" >far.txt
    "${SSH[@]}" env -i PATH="$(printf %q "$PATH")" HOME="$PWD/far" GITSEAL_AGENT_SOCK="$PWD/far.sock" \
        GITSEAL_AGENT=require bash -euo pipefail <far.txt
}

signs_through_sshd() {
    export GITSEAL_AGENT_DIR=$PWD/agent
    git config --global --add gitseal.forwardInstance public
    mkdir far
    serve_ssh
    cat >far/.gitconfig <<CONF
[user]
	name = Far
	email = $IDENTITY
[gpg]
	format = x509
[gpg "x509"]
	program = $GITSEAL
CONF
    far "git init -q $PWD/repo"
    # Nobody has logged in here, and there nobody can.
    refuses far "$SIGN" 2>errors
    grep -q "log in on the agent's machine" errors
    refuses far "cd $PWD/repo && git commit -q -S --allow-empty -m one || exit 1"
    # A login here: the first signature brings it.
    bash -c "$SIGN" >/dev/null
    far "cd $PWD/repo && git commit -q -S --allow-empty -m two && git log --oneline"
    expect "$(gitseal_verdict env)" good
    "$GITSEAL" agent log | tail -n 1 >last
    grep -q ', forwarded$' last
    # Nothing else is to be had there.
    refuses far "$GITSEAL agent list"
    refuses far "$GITSEAL agent forget"
    refuses far "$GITSEAL agent stop"
    "$GITSEAL" agent status
    # Nor for long: without the connection there is no agent.
    refuses env -i PATH="$PATH" HOME="$PWD/far" GITSEAL_AGENT_SOCK="$PWD/far.sock" GITSEAL_AGENT=require \
        bash -c 'cd repo && git commit -q -S --allow-empty -m three || exit 1'
    # What is not allowed any more is not signed for.
    git config --global --unset-all gitseal.forwardInstance
    sleep 11
    refuses far "cd $PWD/repo && git commit -q -S --allow-empty -m four || exit 1"
}

# A program that knows the manual and nothing else.
signs_for_a_client_of_the_manual() {
    export GITSEAL_AGENT_DIR=$PWD/agent
    "$GITSEAL" login --token-file <(printf %s "$SIGSTORE_ID_TOKEN")
    printf 'tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nx\n' >payload
    "$PYTHON3" "$INTEROP_DIR/agent_client.py" agent/agent.sock 2 <payload >signature
    (cat payload && printf x) >altered
    "$GITSEAL" --status-fd=1 --verify signature payload | grep '^\[GNUPG:\] GOODSIG '
    refuses "$GITSEAL" --status-fd=1 --verify signature altered
    "$GITSEAL" agent forget
    refuses "$PYTHON3" "$INTEROP_DIR/agent_client.py" agent/agent.sock 1 <payload 2>said
    "$GITSEAL" agent stop
    grep -q '^agent_client: no-credential: ' said
}

cell "a client that was written from the manual has something signed" "" signs_for_a_client_of_the_manual
cell "a commit is signed through sshd with a credential that is held at home, and nothing else is to be had there" "sshd" \
    signs_through_sshd
