# A program that reports with the commands of `odin`, in the way that its argument names.
set -e
PROCESSES=20

say() {
    for n in "${@:2}"; do "$ODIN" watch n $(($1 * 6 + n)); done
}

types() {
    "$ODIN" watch 'a price' 101.5
    "$ODIN" watch big 9223372036854775808
    "$ODIN" watch least -- -9223372036854775808
    "$ODIN" watch nan NaN
    "$ODIN" watch text $'a,b\n"c" 🙂'
    "$ODIN" watch list '[1, {"a": null}]'
    "$ODIN" watch deep "$(printf '[%.0s' {1..100})1$(printf ']%.0s' {1..100})"
    # Linux passes arguments of up to 128 KiB.
    "$ODIN" watch long "$(head -c 100000 /dev/zero | tr '\0' x)"
    "$ODIN" watch $'a,b\n"c"\\ 🙂\xe2\x80\xae\e[2J' 1
    "$ODIN" watch '' 'no name'
    "$ODIN" condition holds true
    if "$ODIN" condition 'is empty' ''; then exit 9; fi
    "$ODIN" result 'three rows were missing' 404
}

all() {
    local pids=()
    for ((process = 0; process < PROCESSES; process++)); do
        say $process "$@" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
}

halves() {
    all 0 1 2
    echo seen >> "$HERE/half"
    # Opening a pipe waits for who writes to it.
    cat "$HERE/go"
    all 3 4 5
    echo seen >> "$HERE/all"
    "$ODIN" result "$((PROCESSES * 6)) values" 200
}

endless() {
    echo $$ >> "$HERE/pid"
    for ((n = 0; ; n++)); do
        "$ODIN" watch n $n
        echo $((n + 1)) >> "$HERE/acknowledged"
    done
}

"$1"
