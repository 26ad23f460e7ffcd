#!/usr/bin/env bash
# A working container engine and the small base image that tests build on. Does only what is missing.
# Sourced by .ci/run, so that what it exports reaches the tests:
#   CONTAINERS_CONF               limits that this host lets podman set
#   FULORA_BENCH_TEST_BASE        the base image of the tests
#   FULORA_BENCH_BASE             the base image of `fulora-bench containers build`
#   FULORA_BENCH_ROOTLESS_USER    an ordinary user for the tests of rootless podman, where this is root
#   FULORA_BENCH_REQUIRE_ENGINE   engine tests fail instead of skip
set -euo pipefail

PULLED=docker.io/library/python:3.11-slim-bookworm
MADE=localhost/python:bookworm
DOCKERD_LOG=${DOCKERD_LOG:-/var/log/dockerd.log}

say() { printf 'ci: %s\n' "$*" >&2; }

step() {
    local started=$SECONDS
    "${@:2}"
    say "$1: $((SECONDS - started)) s"
}

answers() { command -v "$1" >/dev/null && timeout 60 "$1" info >/dev/null 2>&1; }

may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

install() {
    if [ -z "${APT_UPDATED:-}" ]; then
        apt-get -qq update
        APT_UPDATED=1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

# A root without CAP_SYS_RESOURCE (bit 24) may not raise limits: podman must ask for none that it cannot set.
fit_podman_to_host() {
    local held
    held=$(awk '/^CapEff:/ {print $2}' /proc/self/status)
    if [ "$(id -u)" = 0 ] && [ $((16#$held >> 24 & 1)) = 0 ]; then
        export CONTAINERS_CONF=${CONTAINERS_CONF:-$PWD/.ci/containers.conf}
    fi
}

start_dockerd() {
    setsid dockerd </dev/null >>"$DOCKERD_LOG" 2>&1 &
    for _ in $(seq 60); do
        if answers docker; then return; fi
        sleep 0.5
    done
    say "dockerd does not answer: $(tail -n 1 "$DOCKERD_LOG")"
    return 1
}

ensure_podman() { answers podman || install podman runc netavark catatonit uidmap slirp4netns fuse-overlayfs; }

ensure_docker() {
    if answers docker; then return; fi
    command -v dockerd >/dev/null || install docker.io
    start_dockerd
}

ensure_rootless_user() { id "$FULORA_BENCH_ROOTLESS_USER" >/dev/null 2>&1 || useradd -m "$FULORA_BENCH_ROOTLESS_USER"; }

holds() { "$1" image inspect "$2" >/dev/null 2>&1; }

# No registry is needed where the packages of Debian are: a minimal Debian with Python is the base.
make_base() {
    local archive
    archive=$(mktemp --suffix=.tar)
    command -v mmdebstrap >/dev/null || install mmdebstrap
    mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates bookworm "$archive"
    for engine in "$@"; do
        "$engine" import - "$MADE" <"$archive" >/dev/null 2>&1 || {
            say "error: $engine does not import $archive, which is kept"
            return 1
        }
    done
    rm -f "$archive"
}

ensure_base() {
    local lacking=() engine
    for engine in "$@"; do
        holds "$engine" "$FULORA_BENCH_TEST_BASE" || lacking+=("$engine")
    done
    if [ ${#lacking[@]} = 0 ]; then return; fi
    if [ "$FULORA_BENCH_TEST_BASE" = "$MADE" ]; then
        make_base "${lacking[@]}"
        return
    fi
    for engine in "${lacking[@]}"; do
        "$engine" pull --quiet "$FULORA_BENCH_TEST_BASE" >/dev/null
    done
}

fit_podman_to_host
if may_install; then
    step "podman" ensure_podman
    step "docker" ensure_docker
    export FULORA_BENCH_ROOTLESS_USER=${FULORA_BENCH_ROOTLESS_USER:-fulora-bench}
    step "rootless user" ensure_rootless_user
fi
ENGINES=()
for engine in podman docker; do
    if answers "$engine"; then ENGINES+=("$engine"); fi
done
if [ ${#ENGINES[@]} = 0 ]; then
    say "error: neither podman nor docker works here, and only root on Debian can be helped. Install one of them."
    exit 1
fi
if [ -n "${GITHUB_ACTIONS:-}" ] || ! may_install; then base=$PULLED; else base=$MADE; fi
export FULORA_BENCH_TEST_BASE=${FULORA_BENCH_TEST_BASE:-$base}
export FULORA_BENCH_BASE=${FULORA_BENCH_BASE:-$FULORA_BENCH_TEST_BASE}
export FULORA_BENCH_REQUIRE_ENGINE=1
step "base image $FULORA_BENCH_TEST_BASE for ${ENGINES[*]}" ensure_base "${ENGINES[@]}"
