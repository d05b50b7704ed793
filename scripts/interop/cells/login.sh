# Logging in as people do, at a real OpenID provider (oidc-provider), with a real Chromium and with a stand-in for it:
# `git commit -S` opens the page, somebody logs in, and there is a commit. Then the same with a code, on a terminal.
#
# GITSEAL_INTEROP_SHOTS names a folder that keeps what the browser showed.

# nobody_gave_a_token: from here on somebody must log in
nobody_gave_a_token() {
    unset SIGSTORE_ID_TOKEN GITSEAL_ID_TOKEN_FILE GITSIGN_TOKEN_PROVIDER SIGSTORE_TOKEN_PROVIDER CI BROWSER
    export GITSEAL_AGENT=off
    git config --global gitseal.issuer "$ISSUER"
    # The person knows already what becomes public.
    git config --global --add gitseal.acknowledged "$IDENTITY"
    SHOTS=${GITSEAL_INTEROP_SHOTS:-$PWD}
    signing_repository "$GITSEAL"
}

# The words of a shell that start whoever sits in front of the browser.
chromium_person() {
    echo "env NODE_PATH='$CHROMIUM_NODE_PATH' node '$INTEROP_DIR/browser/person.mjs'"
}

script_person() {
    echo "'$PYTHON3' '$INTEROP_DIR/browser/person.py'"
}

# logs_in_with_browser KIND: KIND is chromium or script
logs_in_with_browser() {
    local shots
    nobody_gave_a_token
    shots=$SHOTS/browser-$1
    cat >browser <<BROWSER
#!/bin/sh
echo noise that belongs in no signature
exec $("$1_person") '$IDENTITY' '$shots' "\$1" >'$PWD/browser.log' 2>&1
BROWSER
    chmod +x browser
    git config --global gitseal.urlOpener "'$PWD/browser' {{.URL}}"
    signed_commit "logged in with $1" || { cat browser.log; return 1; }
    expect "$(gitseal_verdict env)" good
    wait_for "$shots/page.txt"
    grep -q 'You are logged in' "$shots/page.txt"
    grep -q "$IDENTITY" "$shots/page.txt"
    [ "$1" != chromium ] || expect "$(cat "$shots/refused.txt")" ""
}

# The browser may still be at its screenshots when git is done.
wait_for() {
    local waited=0
    until [ -s "$1" ]; do
        [ $((waited += 1)) -lt 200 ] || { cat browser.log; return 1; }
        sleep 0.1
    done
    sleep 0.2
}

# logs_in_with_code KIND
logs_in_with_code() {
    local shots waited=0 terminal
    nobody_gave_a_token
    unset DISPLAY WAYLAND_DISPLAY GIT_TERMINAL_PROMPT
    shots=$SHOTS/device-$1
    # The terminal is one of its own; standard output of git, and so of gitseal, goes elsewhere.
    export TERM=dumb
    script --quiet --return --flush --command "timeout 60 git -C repo commit -q -S --allow-empty -m device >output" /dev/null \
        </dev/null >seen 2>&1 &
    terminal=$!
    until grep -q 'waiting for the login' seen 2>/dev/null; do
        [ $((waited += 1)) -lt 200 ] || { cat seen; return 1; }
        sleep 0.1
    done
    read -r url code < <(tr -d '\r' <seen | awk '/open this page/ { getline; url = $1 } /enter the code/ { getline; print url, $1; exit }')
    eval "$("$1_person") '$IDENTITY' '$shots' '$url' '$code'"
    wait "$terminal" || { cat seen; return 1; }
    cat seen
    expect "$(cat output)" ""
    expect "$(gitseal_verdict env)" good
    refuses grep -q 'enter the code' <(git -C repo cat-file commit HEAD)
}

# The agent keeps the credential: who has logged in signs on without it.
logs_in_once() {
    nobody_gave_a_token
    unset GITSEAL_AGENT
    export GITSEAL_AGENT_DIR=$PWD/agent
    cat >browser <<BROWSER
#!/bin/sh
echo opened >>'$PWD/opened'
exec $(script_person) '$IDENTITY' '$PWD/shots' "\$1" >'$PWD/browser.log' 2>&1
BROWSER
    chmod +x browser
    git config --global gitseal.urlOpener "'$PWD/browser' {{.URL}}"
    signed_commit "the first" || { cat browser.log; return 1; }
    signed_commit "the second"
    expect "$(gitseal_verdict env)" good
    expect "$(wc -l <opened)" 1
    "$GITSEAL" agent status
    "$GITSEAL" agent stop
}

# A person who does not agree: the provider's own page for that leads back with its reason.
is_refused() {
    nobody_gave_a_token
    cat >browser <<BROWSER
#!/bin/sh
exec '$PYTHON3' '$INTEROP_DIR/browser/person.py' --abort '$PWD/shots' "\$1" >'$PWD/browser.log' 2>&1
BROWSER
    chmod +x browser
    git config --global gitseal.urlOpener "'$PWD/browser' {{.URL}}"
    echo payload >payload
    if "$GITSEAL" --status-fd=2 -bsau somebody <payload >signature 2>errors; then return 1; fi
    cat errors
    grep -q 'the login was refused: .*(access_denied)' errors
    expect "$(cat signature)" ""
    wait_for shots/page.txt
    grep -q 'You are not logged in' shots/page.txt
    refuses signed_commit refused
    refuses git -C repo rev-parse -q --verify HEAD
}

cell "login: git commit -S, oidc-provider, a person on plain HTTP" "running_stack" on stack logs_in_with_browser script
cell "login: git commit -S, oidc-provider, Chromium" "running_stack chromium" on stack logs_in_with_browser chromium
cell "login: device code on a terminal, oidc-provider, plain HTTP" "running_stack" on stack logs_in_with_code script
cell "login: device code on a terminal, oidc-provider, Chromium" "running_stack chromium" on stack logs_in_with_code chromium
cell "login: the second commit within ten minutes opens nothing" "running_stack" on stack logs_in_once
cell "login: a person who says no" "running_stack" on stack is_refused
