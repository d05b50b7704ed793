# openssl reads what gitseal writes: the CMS of a commit (RFC 5652) and the timestamp in it (RFC 3161).

openssl_reads_cms() {
    log_generation "$1"
    signing_repository "$GITSEAL"
    signed_commit "for openssl"
    "$PYTHON3" "$INTEROP_DIR/cells/signature.py" repo HEAD parts
    # A git signature carries the leaf alone, and openssl looks for the rest of the chain in the file of authorities.
    cat "$DOCUMENTS/fulcio.root.pem" "$DOCUMENTS/fulcio.rest.pem" >authorities.pem
    # The leaf lives ten minutes; `any` because openssl before 3.2 knows no purpose for a code-signing leaf.
    local verify=(openssl cms -verify -binary -inform DER -in parts/cms.der -CAfile authorities.pem
        -purpose any -attime "$(date +%s)" -out /dev/null)
    "${verify[@]}" -content parts/payload
    sed 's/for openssl/for OpenSSL/' parts/payload >other
    refuses "${verify[@]}" -content other
}

openssl_reads_stamp() {
    log_generation 2
    signing_repository "$GITSEAL"
    signed_commit "for openssl"
    "$PYTHON3" "$INTEROP_DIR/cells/signature.py" repo HEAD parts
    local verify=(openssl ts -verify -token_in -in parts/stamp.der -CAfile "$DOCUMENTS/tsa.root.pem"
        -untrusted "$DOCUMENTS/tsa.rest.pem")
    "${verify[@]}" -data parts/signature
    refuses "${verify[@]}" -data parts/payload
}

cell "openssl cms accepts a commit that gitseal signed (Rekor v1)" openssl openssl_reads_cms 1
cell "openssl cms accepts a commit that gitseal signed (Rekor v2)" openssl openssl_reads_cms 2
cell "openssl ts accepts the timestamp in it" openssl openssl_reads_stamp
