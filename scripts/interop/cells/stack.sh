# The session of a person who works against the real servers (scripts/stack): commit, tag, push certificate, with the
# e-mail identity of a person and the URI identity of a CI job. Everything is verified where there is no network.

# expects IDENTITY ISSUER: whom gitseal shall demand from here on
expects() {
    git config --global gitseal.certificateIdentity "$1"
    git config --global gitseal.certificateOidcIssuer "$2"
}

# git_verifies verify-commit|verify-tag NAME: says yes to the name, and no to it under each wrong expectation
git_verifies() {
    local verify=(without_network git -C repo "$@")
    expects "$SIGNER" "$SIGNER_ISSUER"
    "${verify[@]}"
    expects "x$SIGNER" "$SIGNER_ISSUER"
    refuses "${verify[@]}"
    expects "$SIGNER" "$SIGNER_ISSUER/x"
    refuses "${verify[@]}"
    expects "$SIGNER" "$SIGNER_ISSUER"
    # What the real servers vouched for means nothing to who trusts another instance.
    refuses trusting "$SANDBOX/trusted_root.json" "${verify[@]}"
}

# trusting TRUSTED_ROOT COMMAND...
trusting() {
    local -x GITSEAL_TRUSTED_ROOT=$1
    shift
    "$@"
}

# as_email, as_uri: who signs
as_email() {
    SIGNER=$IDENTITY SIGNER_ISSUER=$ISSUER
}

as_uri() {
    export GITSEAL_ID_TOKEN_FILE=$INSTANCE/id-token.uri
    fresh_token
    SIGNER=$(token_claim workflow_uri) SIGNER_ISSUER=$(token_claim iss)
    expect "$SIGNER_ISSUER" "$GITSEAL_STACK_URI_ISSUER"
}

# Prints that object of ./repo with one word of its text changed, as a new object's name.
forged() {
    git -C repo cat-file "$1" "$2" | sed 's/pay 10/pay 99/' | git -C repo hash-object -t "$1" -w --stdin
}

commits() {
    "$1"
    signing_repository "$GITSEAL"
    signed_commit "pay 10"
    git_verifies verify-commit HEAD
    refuses git -C repo verify-commit "$(forged commit HEAD)"
    # The certificate came from the real CA, the entry is in the real log, the time is the real authority's.
    (cd repo && "$GITSEAL" show HEAD) | tee shown
    grep -q "^issuer  *$SIGNER_ISSUER\$" shown
    grep -q "^logged .*$GITSIGN_REKOR_URL\$" shown
    grep -q "^stamped .*${GITSIGN_TIMESTAMP_SERVER_URL%/api/v1/timestamp}\$" shown
}

tags() {
    "$1"
    signing_repository "$GITSEAL"
    git -C repo commit -q --allow-empty -m one
    git -C repo tag -s v1 -m "pay 10"
    git_verifies verify-tag v1
    git -C repo tag forged "$(forged tag v1)"
    refuses git -C repo verify-tag forged
}

# The server's hook sees who signed the push, and refuses another.
pushes() {
    "$1"
    signing_repository "$GITSEAL"
    git -C repo commit -q --allow-empty -m one
    git init -q --bare server.git
    git -C server.git config receive.certNonceSeed seed
    git -C server.git config gpg.x509.program "$GITSEAL"
    cat >server.git/hooks/pre-receive <<'HOOK'
#!/bin/sh
echo "$GIT_PUSH_CERT_STATUS $GIT_PUSH_CERT_NONCE_STATUS $GIT_PUSH_CERT_SIGNER"
test "$GIT_PUSH_CERT_STATUS $GIT_PUSH_CERT_NONCE_STATUS" = "G OK"
HOOK
    chmod +x server.git/hooks/pre-receive
    expects "$SIGNER" "$SIGNER_ISSUER"
    git -C repo push --signed ../server.git main 2>&1 | tee pushed
    grep -qF "remote: G OK $SIGNER" pushed
    expects "x$SIGNER" "$SIGNER_ISSUER"
    git -C repo commit -q --allow-empty -m two
    refuses git -C repo push --signed ../server.git main
    refuses git -C repo push --no-signed ../server.git main
}

# A home where nobody has set anything: none of the variables that the other cells work with.
nobody_has_set_anything() {
    local name
    for name in $(compgen -e | grep -E '^(GITSEAL|GITSIGN|SIGSTORE|TUF|COSIGN)_'); do
        case $name in GITSEAL_INTEROP_* | GITSEAL_STACK_DIR) ;; *) unset "$name" ;; esac
    done
    git config --global gpg.x509.program "$GITSEAL"
    git config --global gitseal.idTokenFile "$INSTANCE/id-token"
    PATH=$(dirname "$GITSEAL"):$PATH
}

# The command that `stack status` prints, and one setting: nothing else makes a private Sigstore known.
one_command_and_one_setting() {
    local add issuer=$ISSUER
    as_email
    nobody_has_set_anything
    add=$("$INTEROP_DIR/../stack/stack" --dir "$INSTANCE" status | sed -n 's/^instance: *//p')
    echo "$add" | grep -q "^gitseal instance add stack --tuf .* --issuer $issuer "
    eval "$add"
    git config --global gitseal.instance stack
    signing_repository "$GITSEAL"
    signed_commit "pay 10"
    git_verifies verify-commit HEAD
    without_network gitseal trust show | tee shown
    grep -q "^Its root has version 2" shown
    without_network gitseal doctor | tee shown
    grep -q "no fault found" shown
    # Their root was rotated: what ours follows is what theirs signed.
    cmp "$HOME/.cache/gitseal/tuf/stack/root_history/2.root.json" "$INSTANCE/tuf/2.root.json"

    # Another repository brings an instance of its own: it is reported and does not count.
    cp "$INSTANCE/signing_config.json" evil.json
    git -C repo config gitseal.trustedRoot "$SANDBOX/trusted_root.json"
    git -C repo config gitseal.instance.stack.tuf http://127.0.0.1:1
    git -C repo verify-commit HEAD 2>said
    cat said
    grep -q "gitseal.trustedRoot is set by the repository itself and does not count there" said
    grep -q "^Good signature by $SIGNER" said
}

# What is believed travels as one file to a home that has never seen the repository, and no network.
exported_and_imported() {
    as_email
    nobody_has_set_anything
    gitseal instance add stack --tuf "http://127.0.0.1:$(sed -n 's/.*TUF_MIRROR=.*127.0.0.1:\([0-9]*\).*/\1/p' "$INSTANCE/env")" \
        --root "$INSTANCE/tuf/1.root.json" --client-id sigstore
    git config --global gitseal.instance stack
    signing_repository "$GITSEAL"
    signed_commit "pay 10"
    expects "$SIGNER" "$SIGNER_ISSUER"
    gitseal trust export trust.json | tee exported
    export HOME=$PWD/elsewhere
    mkdir "$HOME"
    refuses without_network git -C repo verify-commit HEAD
    eval "$(sed -n 's/^elsewhere: gitseal/without_network gitseal/p' exported)"
    without_network git -C repo verify-commit HEAD
    [ ! -e "$HOME/.cache/gitseal/tuf" ]
    # A file that was changed on the way is not taken.
    sed 's/"validFor"/"validFrom"/' trust.json >changed.json
    refuses without_network gitseal trust import changed.json --as other
}

# Fulcio is the one who checks tokens: one that the provider did not sign, or made for somebody else, gives no certificate.
false_token() {
    signing_repository "$GITSEAL"
    printf '%s' "$SIGSTORE_ID_TOKEN" | sed 's/.\{12\}$/AAAAAAAAAAAA/' >token
    chmod 600 token
    export GITSEAL_ID_TOKEN_FILE=$PWD/token
    refuses signed_commit "with a token that nobody signed"
    refuses git -C repo rev-parse -q --verify HEAD
    tail -n 1 "$INSTANCE/log/fulcio.log" | tee said
    grep -q "error processing the identity token" said
}

# `run` starts a stack, hands the command's exit code on, and leaves no process behind.
runs_and_leaves_nothing() {
    local status=0
    "$INTEROP_DIR/../stack/stack" --dir "$PWD/other" run -- sh -c '
        test "$GITSEAL_STACK_DIR" = "$1" && curl -sf "$GITSIGN_FULCIO_URL/api/v2/configuration" >/dev/null && exit 7
    ' sh "$PWD/other" || status=$?
    expect "$status" 7
    refuses "$INTEROP_DIR/../stack/stack" --dir "$PWD/other" status >status
    cat status
    grep -q '^fulcio *down ' status
    refuses grep ' pid ' status
}

for who in email uri; do
    cell "stack: commit by $who identity: good, tampered with and wrong identity refused" running_stack on stack commits as_$who
    cell "stack: tag by $who identity: good, tampered with and wrong identity refused" running_stack on stack tags as_$who
    cell "stack: push certificate by $who identity: seen good by the server, else refused" running_stack on stack pushes as_$who
done
cell "stack: instance add and one setting, on a fresh home: signs and verifies" running_stack on stack one_command_and_one_setting
cell "stack: trust export, import in another home without network and cache: verifies" running_stack on stack exported_and_imported
cell "stack: Fulcio refuses a token that its issuer did not sign" running_stack on stack false_token
cell "stack: run hands the exit code on and leaves nothing running" running_stack on stack runs_and_leaves_nothing
