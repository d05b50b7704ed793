# Everybody's signatures judged by everybody: {gitseal, gitsign, cosign, sigstore-python, sigstore-js} sign x verify, on
# each instance with each generation of its log. Commits where both sides know commits, else bundles of a file; what a
# signer of commits signed becomes a bundle by `gitseal show --bundle`. Judged where there is no network.
#
# A signer makes its thing once an instance and generation, in the first cell that wants it. A cell whose signer or judge
# cannot do it asserts just how that fails and says whose limit it is: it fails on the day the limit is gone.

# The program of a party: gitsign-0.17 -> the value of GITSIGN_GO
program() {
    case $1 in
    gitseal) echo "$GITSEAL" ;;
    gitsign-0.13) echo "$GITSIGN_STABLE" ;;
    gitsign-0.16) echo "$GITSIGN_NEWEST" ;;
    gitsign-0.17) echo "$GITSIGN_GO" ;;
    cosign-2.5) echo "$COSIGN_STABLE" ;;
    cosign-3.1) echo "$COSIGN_NEWEST" ;;
    esac
}

# The component that brings a party here.
component_of() {
    case $1 in
    gitseal) ;;
    gitsign-0.17) echo go_gitsign ;;
    gitsign-0.13 | cosign-2.5) echo debian_stable ;;
    gitsign-0.16 | cosign-3.1 | sigstore-go) echo debian_newest ;;
    sigstore-python) echo python ;;
    sigstore-js) echo node ;;
    esac
}

# cannot WHOSE_LIMIT COMMAND...: asserts that COMMAND fails, and says with what word in it ($MARK)
cannot() {
    local limit=$1
    shift
    refuses "$@" >refusal 2>&1 || { cat refusal; return 1; }
    cat refusal
    grep -qi -e "$MARK" refusal || { echo "it failed, but not with: $MARK"; return 1; }
    echo "cannot: $limit"
}

# --- Signers: each leaves artifact and bundle.sigstore.json in this folder, a signer of commits ./repo too --------------

signs_gitseal() {
    log_generation "$GENERATION"
    signing_repository "$GITSEAL"
    # A log's very first entry, number 0, cosign 2.5 takes for none.
    signed_commit "first"
    signed_commit "by gitseal"
}

# service_url tsaUrls: the first of that kind in the signing configuration
service_url() {
    "$PYTHON3" -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]][0]["url"])' \
        "$INSTANCE/signing_config_rekor_v$GENERATION.json" "$1"
}

# What those are told by variables who know no signing configuration: the log, and, for one of the second generation, an
# authority for the time.
told_by_variables() {
    GITSIGN_REKOR_URL=$(service_url rekorTlogUrls)
    [ ! -e "$INSTANCE/rekor_v$GENERATION" ] || SIGSTORE_REKOR_PUBLIC_KEY=$INSTANCE/rekor_v$GENERATION/public.pem
    unset GITSIGN_REKOR_VERSION GITSIGN_TIMESTAMP_SERVER_URL GITSIGN_TIMESTAMP_CERT_CHAIN
    if [ "$GENERATION" = 2 ]; then
        export GITSIGN_REKOR_VERSION=2 GITSIGN_TIMESTAMP_CERT_CHAIN=$SIGSTORE_TSA_CERTIFICATE_FILE
        GITSIGN_TIMESTAMP_SERVER_URL=$(service_url tsaUrls)
        export GITSIGN_TIMESTAMP_SERVER_URL
    fi
}

gitsign_at_home() {
    export TUF_ROOT=$PWD/tuf GITSIGN_REKOR_MODE=offline
    told_by_variables
    first_root
    "$1" initialize --mirror "$TUF_MIRROR" --root 1.root.json
}

signs_gitsign() {
    gitsign_at_home "$1"
    signing_repository "$1"
    signed_commit "by gitsign"
}

# cosign takes a token by itself only when it names RS256, else for a file's name, and takes the file's newline with it.
signs_cosign() {
    local how=(--signing-config "$INSTANCE/signing_config_rekor_v$GENERATION.json" --trusted-root "$INSTANCE/trusted_root.json")
    if [ "$SIGNER" = cosign-2.5 ]; then
        told_by_variables
        how=(--new-bundle-format --fulcio-url "$GITSIGN_FULCIO_URL" --rekor-url "$GITSIGN_REKOR_URL")
    fi
    printf %s "$SIGSTORE_ID_TOKEN" >token
    "$1" sign-blob --yes "${how[@]}" --identity-token token --bundle bundle.sigstore.json artifact
}

signs_sigstore-python() {
    "$SIGSTORE_PYTHON" --trust-config "$DOCUMENTS/trust_config.v$GENERATION.json" sign --identity-token "$SIGSTORE_ID_TOKEN" \
        --bundle bundle.sigstore.json artifact
}

signs_sigstore-js() {
    node "$INTEROP_DIR/cells/sigstore_js_sign.js" "$INSTANCE/signing_config_rekor_v$GENERATION.json" artifact \
        bundle.sigstore.json
}

# Which generation of the log has the entry in a bundle.
entry_generation() {
    "$PYTHON3" -c 'import json, sys
for entry in json.load(open(sys.argv[1]))["verificationMaterial"]["tlogEntries"]:
    print({"0.0.1": 1, "0.0.2": 2}[entry["kindVersion"]["version"]])' "$1"
}

# Makes $SIGNED, the folder with what SIGNER signed; a line in $SIGNED/limit says why it is nothing that can be judged.
signed() {
    [ ! -e "$SIGNED" ] || return 0
    rm -rf "$SIGNED.new"
    mkdir -p "$SIGNED.new"
    (
        cd "$SIGNED.new"
        echo "a file" >artifact
        case $SIGNER-$GENERATION in
        gitsign-0.17-2) signs_what_nobody_can_judge ;;
        gitsign-0.1[36]-2 | cosign-2.5-2) signs_by_another_log ;;
        *)
            sign
            expect "$(entry_generation)" "$GENERATION"
            ;;
        esac
    )
    mv "$SIGNED.new" "$SIGNED"
}

sign() {
    case $SIGNER in
    gitsign-*) signs_gitsign "$(program "$SIGNER")" ;;
    cosign-*) signs_cosign "$(program "$SIGNER")" ;;
    *) "signs_$SIGNER" ;;
    esac || return 1
    [ ! -e repo ] || (cd repo && "$GITSEAL" show HEAD --bundle --artifact ../artifact >../bundle.sigstore.json)
}

# Which generation of the log has the entry in the bundle.
entry_generation() {
    "$PYTHON3" -c 'import json, sys
for entry in json.load(open(sys.argv[1]))["verificationMaterial"]["tlogEntries"]:
    print({"0.0.1": 1, "0.0.2": 2}[entry["kindVersion"]["version"]])' bundle.sigstore.json
}

# gitsign 0.17 logs in Rekor v2, and then writes into the commit that the entry is one of Rekor v1, which makes its body
# another: neither gitsign itself nor anybody else can find the one that was logged.
signs_what_nobody_can_judge() {
    local gitsign
    gitsign=$(program "$SIGNER")
    signs_gitsign "$gitsign"
    MARK="not enough verified log entries" cannot "" gitsign_says "$gitsign" "$IDENTITY" HEAD
    MARK="lacks its InclusionPromise" cannot "" gitseal_says
    echo "cannot: gitsign 0.17 labels a Rekor v2 entry as one of Rekor v1, and cannot verify it itself" >limit
}

gitseal_says() {
    (cd repo && "$GITSEAL" verify HEAD)
}

# What knows Rekor v1 alone asks for that at the address it is given: the sandbox has both there, the stack has not.
signs_by_another_log() {
    case $INSTANCE in
    "$SANDBOX")
        sign
        expect "$(entry_generation)" 1
        ;;
    *)
        export GITSIGN_LOG=$PWD/log
        touch log
        MARK="/api/v1/log/entries.*404" cannot "" sign_and_say
        ;;
    esac
    echo "cannot: ${SIGNER/-/ } signs with Rekor v1 alone" >limit
}

# git keeps to itself what a signer said.
sign_and_say() {
    (sign) || { cat log && return 1; }
}

# --- Judges ------------------------------------------------------------------------------------------------------------

# judges_X BUNDLE FILE IDENTITY: with the issuer ISSUER
judges_cosign() {
    local time=()
    # The second generation of the log vouches for no time.
    [ "$GENERATION" = 1 ] || time=(--use-signed-timestamps)
    without_network "$(program "$JUDGE")" verify-blob --new-bundle-format --bundle "$1" \
        --trusted-root "$INSTANCE/trusted_root.json" --certificate-identity "$3" --certificate-oidc-issuer "$ISSUER" \
        "${time[@]}" "$2"
}

judges_sigstore-python() {
    without_network "$SIGSTORE_PYTHON" --trust-config "$DOCUMENTS/trust_config.v$GENERATION.json" verify identity --offline \
        --cert-identity "$3" --cert-oidc-issuer "$ISSUER" --bundle "$1" "$2"
}

judges_sigstore-js() {
    without_network node "$INTEROP_DIR/cells/sigstore_js.js" "$INSTANCE/trusted_root.json" "$1" "$2" "$3" "$ISSUER"
}

judges_sigstore-go() {
    without_network "$SIGSTORE_GO" -trustedrootJSONpath "$INSTANCE/trusted_root.json" -expectedIssuer "$ISSUER" \
        -expectedSAN "$3" -artifact "$2" "$1"
}

# Good, and neither of another file nor by another signer.
judges_bundle() {
    "$1" bundle.sigstore.json artifact "$IDENTITY"
    (cat artifact && printf x) >altered
    refuses "$1" bundle.sigstore.json altered "$IDENTITY"
    refuses "$1" bundle.sigstore.json artifact "x$IDENTITY"
}

commit_by_gitseal() {
    expect "$(gitseal_verdict without_network)" good
    git -C repo config gpg.x509.program "$GITSEAL"
    without_network git -C repo verify-commit HEAD
    refuses git -C repo verify-commit "$(altered_commit)"
}

commit_by_gitsign() {
    local gitsign
    gitsign=$(program "$JUDGE")
    gitsign_at_home "$gitsign"
    gitsign_says "$gitsign" "$IDENTITY" HEAD
    refuses gitsign_says "$gitsign" "x$IDENTITY" HEAD
    refuses gitsign_says "$gitsign" "$IDENTITY" "$(altered_commit)"
    git -C repo config gpg.x509.program "$gitsign"
    git -C repo verify-commit HEAD
}

gitsign_says() {
    (cd repo && "$1" verify --certificate-identity "$2" --certificate-oidc-issuer "$ISSUER" "$3")
}

altered_commit() {
    git -C repo cat-file commit HEAD | sed 's/^by git/By git/' | git -C repo hash-object -t commit -w --stdin
}

# gitsign as gpg's stand-in is given a signature and what it signs.
gitsign_reads_bundle() {
    gitsign_at_home "$(program "$JUDGE")" >/dev/null
    "$(program "$JUDGE")" --verify bundle.sigstore.json artifact || return 1
}

# --- The pairs ---------------------------------------------------------------------------------------------------------

pair() {
    SIGNER=$1 JUDGE=$2 GENERATION=$3 SIGNED=$BED/signed/$1-$(basename "$INSTANCE")-$3
    signed
    if [ -e "$SIGNED/limit" ]; then
        cat "$SIGNED/limit"
        return
    fi
    cp -r "$SIGNED"/. .
    case $JUDGE in
    gitseal)
        [ ! -e repo ] || commit_by_gitseal
        gitseal_accepts bundle.sigstore.json artifact
        ;;
    gitsign-*)
        if [ ! -e repo ]; then
            MARK="signature" cannot "gitsign reads git signatures, not bundles" gitsign_reads_bundle
        elif [ "$GENERATION" = 2 ]; then
            gitsign_at_home "$(program "$JUDGE")"
            # Where it gives up differs with the version, and with whether the stamp is of the certificate's first second.
            MARK="not enough verified log entries\|failed to verify detached signature\|failed to validate rekor entry" \
                cannot "${JUDGE/-/ } takes every entry for one of Rekor v1" gitsign_says "$(program "$JUDGE")" "$IDENTITY" HEAD
        else
            commit_by_gitsign
        fi
        ;;
    cosign-2.5)
        if [ "$GENERATION" = 2 ]; then
            MARK="nil value in transaction log entry" cannot "cosign 2.5 reads entries of Rekor v1 alone" \
                judges_cosign bundle.sigstore.json artifact "$IDENTITY"
        else
            judges_bundle judges_cosign
        fi
        ;;
    cosign-*) judges_bundle judges_cosign ;;
    *) judges_bundle "judges_$JUDGE" ;;
    esac
}

matrix() {
    local signer judge where running
    for judge in gitseal gitsign-0.17 cosign-3.1 sigstore-python sigstore-js sigstore-go gitsign-0.16 gitsign-0.13 cosign-2.5; do
        for signer in gitseal gitsign-0.17 cosign-3.1 sigstore-python sigstore-js gitsign-0.16 gitsign-0.13 cosign-2.5; do
            # The older versions meet gitseal; what they make of each other is their own affair.
            case $signer-$judge in
            gitseal-* | *-gitseal) ;;
            *0.16* | *0.13* | *2.5*) continue ;;
            esac
            for where in "sandbox 1" "sandbox 2" "stack 1" "stack 2"; do
                set -- $where
                case $where in
                sandbox*) running= ;;
                "stack 1") running="running_stack rekor_v1_in_stack" ;;
                "stack 2") running=running_stack ;;
                esac
                grid_cell "$signer -> $judge" "$1 v$2" "$running $(component_of "$signer") $(component_of "$judge")" \
                    on "$1" pair "$signer" "$judge" "$2"
            done
        done
    done
}

matrix
