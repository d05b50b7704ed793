# The table: runs one cell after the other, remembers how each went, prints all at the end. Sourced by `run`.

CELLS_PASSED=0
CELLS_FAILED=0
CELLS_SKIPPED=0
CELL_ROWS=()
# What was found missing is looked for once and told once.
declare -A COMPONENT_STATE=()

# cell TITLE NEEDS COMMAND...: COMMAND (a function) proves what TITLE says; it wants the components NEEDS (words, each a
# `need_*` of components.sh). It runs in a folder of its own, and its last line of the form `note: ...` or `their defect:
# ...` goes into the table. A cell whose peer has a defect asserts exactly that defect, so that it fails on the day the
# peer is mended.
cell() {
    local title=$1 needs=$2 missing="" need status began seconds log folder note
    shift 2
    for need in $needs; do
        if [ -z "${COMPONENT_STATE[$need]:-}" ]; then
            if "need_$need"; then COMPONENT_STATE[$need]=here; else COMPONENT_STATE[$need]=missing; fi
        fi
        [ "${COMPONENT_STATE[$need]}" = here ] || missing="$missing $need"
    done
    if [ -n "$missing" ]; then
        if [ "${CI:-}" = true ]; then
            record FAIL "$title" "" "missing:$missing"
        else
            record SKIP "$title" "" "missing:$missing"
        fi
        return 0
    fi
    folder=$(mktemp -d "$BED/cell.XXXXXX")
    log=$folder.log
    began=${EPOCHREALTIME/./}
    # Not in a condition: there `set -e` would be forgotten and a cell would pass over its failures.
    set +e
    (
        set -euo pipefail
        fresh_token
        enter_empty_home "$folder/home"
        cd "$folder"
        "$@"
    ) >"$log" 2>&1 </dev/null
    status=$?
    set -e
    seconds=$(((${EPOCHREALTIME/./} - began) / 100000))
    seconds=$((seconds / 10)).$((seconds % 10))
    note=$(sed -n -e 's/^note: //p' -e '/^their defect: /p' "$log" | tail -n 1)
    if [ "$status" -eq 0 ]; then
        record pass "$title" "$seconds" "$note"
        rm -rf "$folder"
    else
        record FAIL "$title" "$seconds" "exit $status; $log"
        say "interop: FAILED: $title; the end of its output:"
        tail -n 30 "$log" | sed 's/^/    /' >&2
    fi
}

record() {
    case $1 in
    pass) CELLS_PASSED=$((CELLS_PASSED + 1)) ;;
    FAIL) CELLS_FAILED=$((CELLS_FAILED + 1)) ;;
    SKIP) CELLS_SKIPPED=$((CELLS_SKIPPED + 1)) ;;
    esac
    CELL_ROWS+=("$(printf '%-4s %6s  %s%s' "$1" "$3" "$2" "${4:+  [$4]}")")
    say "${CELL_ROWS[-1]}"
}

print_table() {
    echo
    printf '%-4s %6s  %s\n' cell seconds "what was proved"
    [ "${#CELL_ROWS[@]}" -eq 0 ] || printf '%s\n' "${CELL_ROWS[@]}"
    echo
    echo "$CELLS_PASSED passed, $CELLS_FAILED failed, $CELLS_SKIPPED skipped"
    [ "$CELLS_FAILED" -eq 0 ]
}

# refuses COMMAND...: succeeds if COMMAND runs and says no. A cell that only ever hears yes has proved nothing.
refuses() {
    local status=0
    echo "must refuse: $*"
    "$@" || status=$?
    [ "$status" -ne 0 ] && [ "$status" -lt 125 ] || { echo "not refused (exit $status): $*"; return 1; }
}
