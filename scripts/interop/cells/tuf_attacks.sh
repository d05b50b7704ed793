# Attacks on our TUF client by repositories made with python-tuf, and what it makes of honest ones (tuf_attacks.py).

tuf_attacks() {
    "$PEER_PYTHON" "$INTEROP_DIR/cells/tuf_attacks.py" "$TUF_CLIENT" "$1"
}

cell "ours reads python-tuf's repositories, and holds what python-tuf holds" "python tuf_client" tuf_attacks read
cell "ours refuses metadata that the right keys did not sign" "python tuf_client" tuf_attacks signatures
cell "ours refuses keys that are not what they are called" "python tuf_client" tuf_attacks keys
cell "ours refuses roots that do not follow, in 20 rotations and more" "python tuf_client" tuf_attacks roots
cell "ours refuses to go back" "python tuf_client" tuf_attacks rollback
cell "ours refuses what has expired" "python tuf_client" tuf_attacks freeze
cell "ours refuses metadata that does not belong together" "python tuf_client" tuf_attacks mixed
cell "ours refuses data without an end" "python tuf_client" tuf_attacks endless
cell "ours refuses what no metadata may say" "python tuf_client" tuf_attacks format
cell "ours refuses what roles may not sign" "python tuf_client" tuf_attacks delegations
cell "ours refuses targets that are not as they are listed" "python tuf_client" tuf_attacks targets
cell "ours leaves its folders for no name" "python tuf_client" tuf_attacks names
cell "ours believes no cache" "python tuf_client" tuf_attacks cache
