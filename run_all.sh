#!/usr/bin/env bash
# One command: set up, run, publish.
#   ./run_all.sh                      set up, run the default profile to a leaderboard
#   ./run_all.sh PROFILE [OPTIONS]    set up, then `fulora-bench run PROFILE OPTIONS`; with `--launcher podman` or
#                                     `--launcher docker` the images are built first (seconds when nothing changed)
#   ./run_all.sh tests [OPTIONS]      set up, check style and types, then `pytest OPTIONS`
#   ./run_all.sh setup                set up only
# PYTHON names the interpreter (default python3, 3.11 or newer); VENV the environment (default .venv);
# FULORA_BENCH_BASE the image that the images build on (default: the official slim Python image).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}

say() { printf '%s\n' "$*" >&2; }

setup() {
    local extra=$1 stamp wanted
    wanted=$(cat pyproject.toml constraints.txt | sha256sum | cut -c1-16)
    stamp="$VENV/.fulora-bench-ready${extra}"
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return
    fi
    if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        say "error: $PYTHON is not Python 3.11 or newer. Install one and name it: PYTHON=python3.12 ./run_all.sh"
        exit 2
    fi
    local started=$SECONDS
    say "setting up $VENV (once; some minutes, about 6 GB with the CUDA build of torch)"
    [ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
    UV_COMPILE_BYTECODE=1 VIRTUAL_ENV="$VENV" "$VENV/bin/uv" pip install --quiet -c constraints.txt -e ".${extra}"
    printf '%s' "$wanted" >"$stamp"
    say "set up in $((SECONDS - started)) s"
}

run_tests() {
    setup "[test]"
    "$VENV/bin/ruff" check .
    "$VENV/bin/ruff" format --check .
    "$VENV/bin/mypy"
    "$VENV/bin/lint-imports"
    exec "$VENV/bin/python" -m pytest "$@"
}

# The container engine that the options name, if they name one that has images to build.
engine_of() {
    local last="" option
    for option in "$@"; do
        case "$last" in --launcher) option="--launcher=$option" ;; esac
        case "$option" in --launcher=podman | --launcher=docker) printf '%s' "${option#*=}" ;; esac
        last=$option
    done
}

build_images() {
    local engine
    engine=$(engine_of "$@")
    if [ -z "$engine" ]; then return; fi
    "$VENV/bin/fulora-bench" containers build --engine "$engine" ${FULORA_BENCH_BASE:+--base "$FULORA_BENCH_BASE"}
}

command=phantom
if [ $# -gt 0 ] && { [ "${1#-}" = "$1" ] || [ "$1" = -h ] || [ "$1" = --help ]; }; then
    command=$1
    shift
fi
case "$command" in
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;;
    setup) setup "" ;;
    tests) run_tests "$@" ;;
    *)
        setup ""
        build_images "$@" >&2
        exec "$VENV/bin/fulora-bench" run "$command" "$@"
        ;;
esac
