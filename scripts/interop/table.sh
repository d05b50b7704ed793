# The table: runs one cell after the other, remembers how each went, prints all at the end. Sourced by `run`.

CELLS_PASSED=0
CELLS_FAILED=0
CELLS_SKIPPED=0
CELL_ROWS=()
# The grid of pairs: one row a pair, one column an instance and generation of its log.
declare -A GRID=()
GRID_ROWS=()
GRID_COLUMNS=()
GRID_LIMITS=()
# What was found missing is looked for once and told once.
declare -A COMPONENT_STATE=()

# cell TITLE NEEDS COMMAND...: COMMAND (a function) proves what TITLE says; it wants the components NEEDS (words, each a
# `need_*` of components.sh or bed.sh). It runs in a folder of its own, and its last line of the form `note: ...` or `their
# defect: ...` goes into the table. A cell whose peer has a defect, or cannot do it at all (`cannot: whose limit`), asserts
# exactly that, so that it fails on the day the peer is mended.
cell() {
    local title=$1 needs=$2 missing="" need status began seconds log folder
    shift 2
    CELL_NOTE=
    for need in $needs; do
        if [ -z "${COMPONENT_STATE[$need]:-}" ]; then
            if "need_$need"; then COMPONENT_STATE[$need]=here; else COMPONENT_STATE[$need]=missing; fi
        fi
        [ "${COMPONENT_STATE[$need]}" = here ] || missing="$missing $need"
    done
    if [ -n "$missing" ]; then
        CELL_NOTE="missing:$missing"
        if [ "${CI:-}" = true ]; then
            record FAIL "$title" ""
        else
            record SKIP "$title" ""
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
    CELL_NOTE=$(sed -n -e 's/^note: //p' -e '/^their defect: /p' -e '/^cannot: /p' "$log" | tail -n 1)
    if [ "$status" -ne 0 ]; then
        CELL_NOTE="exit $status; $log"
        record FAIL "$title" "$seconds"
        say "interop: FAILED: $title; the end of its output:"
        tail -n 30 "$log" | sed 's/^/    /' >&2
        return 0
    fi
    rm -rf "$folder"
    case $CELL_NOTE in
    "cannot: "*) record cannot "$title" "$seconds" ;;
    *) record pass "$title" "$seconds" ;;
    esac
}

# record STATE TITLE SECONDS: a cell's outcome. What cannot be and was shown so has been proved too.
record() {
    CELL_STATE=$1
    case $1 in
    pass | cannot) CELLS_PASSED=$((CELLS_PASSED + 1)) ;;
    FAIL) CELLS_FAILED=$((CELLS_FAILED + 1)) ;;
    SKIP) CELLS_SKIPPED=$((CELLS_SKIPPED + 1)) ;;
    esac
    CELL_ROWS+=("$(printf '%-6s %6s  %s%s' "$1" "$3" "$2" "${CELL_NOTE:+  [$CELL_NOTE]}")")
    say "${CELL_ROWS[-1]}"
}

# grid_cell ROW COLUMN NEEDS COMMAND...: a cell whose place at the end is in the grid
grid_cell() {
    local row=$1 column=$2
    shift 2
    cell "$row, $column" "$@"
    unset "CELL_ROWS[-1]"
    case "; ${GRID_ROWS[*]/%/;} " in *"; $row; "*) ;; *) GRID_ROWS+=("$row") ;; esac
    case "; ${GRID_COLUMNS[*]/%/;} " in *"; $column; "*) ;; *) GRID_COLUMNS+=("$column") ;; esac
    GRID[$row, $column]=$CELL_STATE
    [ "$CELL_STATE" = cannot ] || return 0
    # Each limit stands once below the grid, under a number.
    local limit=${CELL_NOTE#cannot: } at
    for at in "${!GRID_LIMITS[@]}"; do
        [ "${GRID_LIMITS[$at]}" != "$limit" ] || break
        at=
    done
    [ -n "${at:-}" ] || { at=${#GRID_LIMITS[@]}; GRID_LIMITS+=("$limit"); }
    GRID[$row, $column]="cannot $((at + 1))"
}

print_table() {
    local row column at
    echo
    if [ "${#CELL_ROWS[@]}" -ne 0 ]; then
        printf '%-6s %6s  %s\n' cell seconds "what was proved"
        printf '%s\n' "${CELL_ROWS[@]}"
        echo
    fi
    if [ "${#GRID_ROWS[@]}" -ne 0 ]; then
        printf '%-36s' "signer -> judge"
        printf '%-12s' "${GRID_COLUMNS[@]}"
        echo
        for row in "${GRID_ROWS[@]}"; do
            printf '%-36s' "$row"
            for column in "${GRID_COLUMNS[@]}"; do printf '%-12s' "${GRID[$row, $column]:--}"; done
            echo
        done
        echo
        for at in "${!GRID_LIMITS[@]}"; do echo "cannot $((at + 1)): ${GRID_LIMITS[$at]}"; done
        echo
    fi
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
