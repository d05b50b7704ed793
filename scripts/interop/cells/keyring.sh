# Remembered logins in a real keyring: gnome-keyring on a session bus of its own, in every state that one can be in, and
# refresh tokens that the sandbox's issuer takes once and no second time (tests/remembered_logins).

# session COMMAND...: under a session bus, with a home where no keyring has ever been; BUS_CONFIG may name another
# configuration of the bus. There is no display, so nobody can be asked for a password.
session() {
    mkdir -p "$HOME" run
    chmod 700 run
    env -u DISPLAY -u WAYLAND_DISPLAY -u DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR="$PWD/run" \
        dbus-run-session ${BUS_CONFIG:+--config-file="$BUS_CONFIG"} -- bash -euo pipefail -c '"$@"' session "$@"
}

# unlock PASSWORD: the login keyring, made with that password if it is not there. A wrong one is not reported.
unlock() {
    printf %s "$1" | gnome-keyring-daemon --unlock --components=secrets >daemon.out
}

LOCK_KEYRING='dbus-send --session --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets
    org.freedesktop.Secret.Service.Lock array:objpath:/org/freedesktop/secrets/collection/login'

lock_keyring() {
    $LOCK_KEYRING >&2
}

# login WHAT...: what the driver says
login() {
    "$REMEMBERED_LOGINS" "${LOCKS:-$PWD/locks}" "$ISSUER" "$IDENTITY" "$@"
}

remember() {
    printf %s "$1" | login remember
}

# fails_as STATE SECONDS COMMAND...: within that time, with that error, and no word of a secret
fails_as() {
    local state=$1 seconds=$2 began=$EPOCHREALTIME
    shift 2
    refuses "$@" 2>errors
    cat errors
    [ $(((${EPOCHREALTIME/./} - ${began/./}) / 1000000)) -lt "$seconds" ]
    expect "$(grep -v '^must refuse' errors | grep -v '^dbus-daemon\|^$\|gcr-prompter' | head -n 1)" "$state"
    grep -q '^error: ' errors
    grep -q '^hint: ' errors
    refuses grep -q s3cret errors
}

# A refresh token of the sandbox, by its device flow.
first_token() {
    "$PYTHON3" - "$ISSUER" <<'PYTHON'
import json, sys, urllib.error, urllib.parse, urllib.request

def ask(path, **fields):
    body = urllib.parse.urlencode(fields).encode()
    try:
        return json.load(urllib.request.urlopen(sys.argv[1] + path, body))
    except urllib.error.HTTPError as error:
        return json.load(error)

device = ask("/device/code", client_id="sigstore")["device_code"]
grant = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": device, "client_id": "sigstore"}
ask("/token", **grant)
print(ask("/token", **grant)["refresh_token"], end="")
PYTHON
}

# What `renew` runs, in the shell of the system: the refresh grant, after $BEFORE and followed by $AFTER.
REDEEM='cat >token.$$; eval "${BEFORE:-}"; "$PYTHON3" -c "
import json, sys, urllib.error, urllib.parse, urllib.request
fields = dict(grant_type=\"refresh_token\", refresh_token=open(sys.argv[2]).read(), client_id=\"sigstore\")
try:
    answer = urllib.request.urlopen(sys.argv[1] + \"/token\", urllib.parse.urlencode(fields).encode())
except urllib.error.HTTPError as error:
    answer = error
print(answer.read().decode())
" "$ISSUER" token.$$; ${AFTER:-:} >&2'

is_id_token() {
    [[ $1 == ey*.ey*.* ]] || { echo "no ID token: $1"; return 1; }
}

# --- The states of a keyring -------------------------------------------------------------------------------------------

stores_and_finds() {
    unlock pw
    expect "$(login knows)" no
    expect "$(login forget)" nothing
    expect "$(remember s3cret-1)" remembered
    expect "$(login knows)" yes
    # Other programs see it under our name.
    expect "$(secret-tool lookup service gitseal)" s3cret-1
    expect "$(remember s3cret-2)" remembered
    secret-tool search --all service gitseal >found 2>&1
    expect "$(grep -c '^secret = ' found)" 1
    grep -q '^secret = s3cret-2$' found
    grep -q "^label = gitseal: login of $IDENTITY at $ISSUER\$" found
    # Another person's login is another one.
    expect "$("$REMEMBERED_LOGINS" locks "$ISSUER" other@example.com knows)" no
    expect "$("$REMEMBERED_LOGINS" locks "$ISSUER" "" knows)" no
    expect "$(login forget)" forgotten
    expect "$(login knows)" no
    refuses secret-tool lookup service gitseal
    # Nothing of it is in a file of ours.
    refuses grep -rq s3cret locks
}

survives_a_restart() {
    session eval 'unlock pw; remember s3cret'
    session eval 'unlock pw; expect "$(login knows)" yes; expect "$(login forget)" forgotten'
}

is_locked() {
    unlock pw
    remember s3cret
    lock_keyring
    fails_as Locked 3 login knows
    fails_as Locked 3 remember s3cret
    fails_as Locked 3 login forget
    fails_as Locked 3 login renew 'touch spent'
    [ ! -e spent ]
}

was_never_unlocked() {
    session eval 'unlock pw; remember s3cret'
    session eval 'gnome-keyring-daemon --start --components=secrets >daemon.out; fails_as Locked 3 login knows'
    session eval 'unlock wrong; fails_as Locked 3 login knows; fails_as Locked 3 remember s3cret'
}

# A window for the password that nobody sees: its program starts and never says anything.
asks_for_its_password_for_ever() {
    mkdir services
    printf '[D-BUS Service]\nName=org.gnome.keyring.SystemPrompter\nExec=/bin/sleep 60\n' >services/prompter.service
    bus_of services
    session eval 'unlock pw; remember s3cret; lock_keyring; fails_as TimedOut 5 login knows'
}

# bus_of [FOLDER]: a bus that starts what is in that folder, and nothing else
bus_of() {
    BUS_CONFIG=$PWD/bus.conf
    cat >bus.conf <<XML
<busconfig>
  <type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>${1:+<servicedir>$PWD/$1</servicedir>}
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
XML
}

has_no_bus() {
    export XDG_RUNTIME_DIR=$PWD/run
    unset DBUS_SESSION_BUS_ADDRESS
    fails_as NoBus 3 remember s3cret
    fails_as NoBus 3 login knows
    export DBUS_SESSION_BUS_ADDRESS=unix:path=$PWD/nothing
    fails_as NoBus 3 login forget
}

has_no_service() {
    bus_of
    session eval 'fails_as NoService 3 remember s3cret; fails_as NoService 3 login knows'
}

has_no_collection() {
    gnome-keyring-daemon --start --components=secrets >daemon.out
    fails_as NoCollection 3 remember s3cret
    expect "$(login knows)" no
}

holds_something_else() {
    unlock pw
    printf 'no\ntoken' | secret-tool store --label=x service gitseal username "$ISSUER sigstore $IDENTITY"
    fails_as Content 3 login knows
    expect "$(login forget)" forgotten
    printf 1 | secret-tool store --label=x service gitseal username "$ISSUER sigstore $IDENTITY" x 1
    printf 2 | secret-tool store --label=x service gitseal username "$ISSUER sigstore $IDENTITY" x 2
    fails_as Ambiguous 3 login knows
}

# --- Renewal: each refresh token is good once -----------------------------------------------------------------------------

renews() {
    local first second
    unlock pw
    expect "$(login renew "$REDEEM")" nothing
    first=$(first_token)
    remember "$first"
    is_id_token "$(login renew "$REDEEM")"
    second=$(secret-tool lookup service gitseal)
    [ "$second" != "$first" ]
    is_id_token "$(login renew "$REDEEM")"
    # One that the issuer does not take is worth nothing and goes.
    remember "$first"
    expect "$(login renew "$REDEEM")" nothing
    expect "$(login knows)" no
}

# Eight at once: each gets a token of its own. With locks of their own they trip over each other, so it is the lock.
renews_for_many_at_once() {
    local i
    export BEFORE='sleep 0.1'
    unlock pw
    remember "$(first_token)"
    for i in 1 2 3 4 5 6 7 8; do login renew "$REDEEM" >"tokens.$i" & done
    wait
    for i in 1 2 3 4 5 6 7 8; do is_id_token "$(cat "tokens.$i")"; done
    for i in 1 2 3 4 5 6 7 8; do LOCKS=$PWD/locks.$i login renew "$REDEEM" >"tokens.$i" 2>&1 & done
    wait || true
    refuses bash -c 'for i in 1 2 3 4 5 6 7 8; do grep -q "^ey" "tokens.$i" || exit 1; done'
}

# The new refresh token is in the keyring before the ID token is anywhere: whoever dies over that one can renew again.
loses_nothing_when_killed() {
    local status=0
    unlock pw
    remember "$(first_token)"
    # While the issuer has not been asked.
    BEFORE='kill -9 $PPID; exit' login renew "$REDEEM" || status=$?
    expect "$status" 137
    # When the ID token cannot be handed on.
    refuses eval 'login renew "$REDEEM" >/dev/full'
    is_id_token "$(login renew "$REDEEM")"
}

# The keyring goes away between the issuer's answer and the writing: the tokens are good once, and a person hears why.
goes_on_without_the_keyring() {
    export AFTER=$LOCK_KEYRING
    unlock pw
    remember "$(first_token)"
    is_id_token "$(login renew "$REDEEM" 2>errors)"
    grep -q '^warning: the keyring is locked' errors
}

# An issuer that is down has refused nothing.
waits_for_the_issuer() {
    unlock pw
    remember "$(first_token)"
    login renew 'exit 1' | grep -q '^no answer'
    is_id_token "$(login renew "$REDEEM")"
}

# --- Whole sessions: a person logs in once, and the keyring does the rest ---------------------------------------------------

# somebody_with_a_browser COMMAND: whose login is to be remembered in an open keyring. The browser is COMMAND and the address
# as its last word; ./logins has a line for each time that it was opened. Makes ./repo too.
somebody_with_a_browser() {
    unlock pw
    cat >browser <<BROWSER
#!/bin/sh
echo >>'$PWD/logins'
$1 "\$1" >'$PWD/browser.log' 2>&1
BROWSER
    chmod +x browser
    : >logins
    signing_repository "$GITSEAL"
    git config --global gitseal.urlOpener "'$PWD/browser' {{.URL}}"
    git config --global gitseal.rememberLogin true
    git config --global gitseal.acknowledged "$IDENTITY"
    git config --global gitseal.certificateIdentity "$IDENTITY"
}

# in_short_sandbox COMMAND...: in a sandbox whose certificates live for 20 seconds; nothing but the browser gives a token
in_short_sandbox() {
    somebody_with_a_browser 'curl -sL -o /dev/null'
    git config --global gitseal.certificateOidcIssuerRegexp '^http://127\.0\.0\.1:[0-9]+/oidc$'
    env -u SIGSTORE_ID_TOKEN "$GITSEAL" sandbox run --identity "$IDENTITY" --certificate-lifetime 20 -- bash -euo pipefail -c '
        # Here a person logs in, also where CI runs this.
        unset GITSEAL_ID_TOKEN_FILE SIGSTORE_ID_TOKEN GITSIGN_TOKEN_PROVIDER CI
        "$@"' session "$@"
}

logins() {
    wc -l <logins
}

all_are_good() {
    refuses grep -qv '^G' <(git -C repo log --format='%G? %s')
}

wait_until_nothing_is_held() {
    local waited=0
    until [ "$("$GITSEAL" agent status)" = "the agent holds nothing" ]; do
        [ $((waited += 1)) -lt 90 ]
        sleep 0.5
    done
}

commits_without_another_login() {
    signed_commit one
    expect "$(logins)" 1
    secret-tool lookup service gitseal >/dev/null
    signed_commit two
    # Without the agent each commit has a certificate of its own, and the keyring gives the login.
    GITSEAL_AGENT=off signed_commit three
    expect "$(logins)" 1
    # The agent renews what is in use before it is over, and lets go what is not.
    sleep 21
    "$GITSEAL" agent status >said
    grep -q "^$IDENTITY, " said
    wait_until_nothing_is_held
    signed_commit four
    expect "$(logins)" 1
    "$GITSEAL" logout >said
    grep -q '^the keyring has forgotten the login, and so has http' said
    refuses secret-tool lookup service gitseal
    expect "$("$GITSEAL" logout)" "logged out"
    signed_commit five
    expect "$(logins)" 2
    all_are_good
}

signs_without_a_keyring() {
    DBUS_SESSION_BUS_ADDRESS=unix:path=$PWD/nothing signed_commit one
    expect "$(logins)" 1
    refuses secret-tool lookup service gitseal
    printf 'tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n' >payload
    DBUS_SESSION_BUS_ADDRESS=unix:path=$PWD/nothing GITSEAL_AGENT=off \
        "$GITSEAL" --status-fd=2 -bsau x <payload >/dev/null 2>said
    grep -q '^gitseal: warning: no login is remembered: there is no keyring here' said
    grep -q '^\[GNUPG:\] SIG_CREATED' said
    lock_keyring
    GITSEAL_AGENT=off "$GITSEAL" --status-fd=2 -bsau x <payload >/dev/null 2>said
    grep -q '^gitseal: warning: no login is remembered: the keyring is locked' said
    grep -q '^\[GNUPG:\] SIG_CREATED' said
    all_are_good
}

# The same at a provider that takes a spent refresh token for a theft.
is_remembered_by_oidc_provider() {
    unset SIGSTORE_ID_TOKEN GITSEAL_ID_TOKEN_FILE GITSIGN_TOKEN_PROVIDER CI
    export GITSEAL_AGENT=off
    somebody_with_a_browser "exec '$PYTHON3' '$INTEROP_DIR/browser/person.py' '$IDENTITY' '$PWD/shots'"
    git config --global gitseal.issuer "$ISSUER"
    git config --global gitseal.certificateOidcIssuer "$ISSUER"
    signed_commit one || { cat browser.log; return 1; }
    secret-tool lookup service gitseal >first
    signed_commit two
    signed_commit three
    expect "$(logins)" 1
    refuses cmp -s first <(secret-tool lookup service gitseal)
    "$GITSEAL" logout >said
    grep -q '^the keyring has forgotten the login, and so has http' said
    refuses secret-tool lookup service gitseal
    signed_commit four
    expect "$(logins)" 2
    all_are_good
}

export INTEROP_DIR
export -f somebody_with_a_browser is_remembered_by_oidc_provider
export -f in_short_sandbox logins all_are_good wait_until_nothing_is_held signing_repository signed_commit \
    commits_without_another_login signs_without_a_keyring
export -f session unlock lock_keyring login remember fails_as refuses expect first_token is_id_token \
    stores_and_finds is_locked has_no_collection holds_something_else renews renews_for_many_at_once \
    loses_nothing_when_killed goes_on_without_the_keyring waits_for_the_issuer
export LOCK_KEYRING REDEEM

KEYRING="keyring remembered_logins"
cell "a login is stored, found, replaced and removed, and other programs see it" "$KEYRING" session stores_and_finds
cell "it is there after the session has ended" "$KEYRING" survives_a_restart
cell "a locked keyring is said to be locked, at once" "$KEYRING" session is_locked
cell "so is one that was never unlocked, or with a wrong password" "$KEYRING" was_never_unlocked
cell "one that asks nobody for its password is given up after three seconds" "$KEYRING" asks_for_its_password_for_ever
cell "without a session bus it says so" "$KEYRING" has_no_bus
cell "without a service on the bus it says so" "$KEYRING" has_no_service
cell "without a default keyring it says so" "$KEYRING" session has_no_collection
cell "what is no refresh token, or there twice, is not used" "$KEYRING" session holds_something_else
cell "a login is renewed with each refresh token once" "$KEYRING" session renews
cell "eight processes renew one login at once" "$KEYRING" session renews_for_many_at_once
cell "a process that dies loses no login" "$KEYRING" session loses_nothing_when_killed
cell "a keyring that is locked meanwhile costs the next login and not this one" "$KEYRING" session goes_on_without_the_keyring
cell "an issuer that is down costs no login" "$KEYRING" session waits_for_the_issuer
cell "one login is enough for certificate after certificate, until logout" "$KEYRING" \
    session in_short_sandbox commits_without_another_login
cell "without a keyring, or with a locked one, it says so and signs" "$KEYRING" session in_short_sandbox signs_without_a_keyring
cell "oidc-provider's login is remembered, its refresh tokens rotate, and logout revokes them" "$KEYRING running_stack" \
    on stack session is_remembered_by_oidc_provider
