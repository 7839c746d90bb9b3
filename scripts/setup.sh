#!/usr/bin/env bash
# Brings a Debian or Ubuntu machine to the point where .venv/bin/tunggal runs: system packages through apt, a virtual
# environment from requirements.lock (hashes checked), buf from package-lock.json. Everything that is there already is left
# alone, so a second run takes a moment. Nothing is started: Debian's pcscd comes with a socket-activated system service,
# which stays as the package sets it up; the demo and the tests run a pcscd of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
ROOT=$PWD
PYTHONS=(python3 /usr/bin/python3 python3.13 python3.12 python3.11 python3.14)

say() { if [ -t 1 ]; then printf '\033[1mset-up: %s\033[0m\n' "$*"; else echo "set-up: $*"; fi; }
fail() { printf 'set-up: %s\n' "$@" >&2; exit 1; }

# ---- system packages ------------------------------------------------------------------------------------------------

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; }

# A usable Python can make environments and build extensions (pyscard has no wheel for Linux).
usable() {
    supported "$1" && "$1" - 2>/dev/null <<'PY'
import ensurepip, os, sys, sysconfig, venv
sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))
PY
}

find_python() {
    local candidate
    for candidate in "${PYTHONS[@]}"; do
        if command -v "$candidate" >/dev/null && usable "$candidate"; then command -v "$candidate"; return; fi
    done
    return 1
}

# The packages that give a usable Python, a line each; needs an up-to-date package list where there is none at all.
python_packages() {
    local version minor
    if [ -x /usr/bin/python3 ] && supported /usr/bin/python3; then printf '%s\n' python3-venv python3-dev; return; fi
    version=$(apt-cache policy python3 | sed -n 's/^  Candidate: \(3\.[0-9]*\).*/\1/p')
    case $version in 3.11 | 3.12 | 3.13 | 3.14) printf '%s\n' python3 python3-venv python3-dev; return ;; esac
    for minor in 13 12 11; do
        if [ -n "$(apt-cache policy "python3.$minor-venv" | sed -n 's/^  Candidate: [0-9]/&/p')" ]; then
            printf '%s\n' "python3.$minor" "python3.$minor-venv" "python3.$minor-dev"
            return
        fi
    done
    echo "python3.11-or-newer"
}

# One line per missing thing: the package, then what it is for.
missing() {
    command -v gcc >/dev/null || echo "gcc: builds pyscard"
    [ -e /usr/include/stdlib.h ] || echo "libc6-dev: builds pyscard"
    command -v swig >/dev/null || echo "swig: builds pyscard"
    command -v pkg-config >/dev/null || echo "pkg-config: builds pyscard"
    { command -v pkg-config >/dev/null && pkg-config --exists libpcsclite; } || echo "libpcsclite-dev: talks to smart card readers"
    [ -x /usr/sbin/pcscd ] || command -v pcscd >/dev/null || echo "pcscd: the PC/SC daemon"
    [ -e /usr/lib/pcsc/drivers/serial/libifdvpcd.so ] || echo "vsmartcard-vpcd: virtual smart card readers for the demo and the tests"
    [ -e /usr/include/cups/cups.h ] || echo "libcups2-dev: builds pycups"
    [ -x /usr/sbin/cupsd ] || echo "cups-daemon: a print service of their own for the tests of card printers"
    [ -x /usr/sbin/lpadmin ] || echo "cups-client: sets up the printer of those tests"
    [ -e /usr/lib/softhsm/libsofthsm2.so ] || echo "softhsm2: a software HSM for the tests of the key stores"
    command -v opensc-tool >/dev/null || echo "opensc: a card tool of others, which talks to the virtual card in the tests"
    command -v node >/dev/null || echo "nodejs: runs buf, which checks the contracts"
    command -v npm >/dev/null || echo "npm: installs buf"
    find_python >/dev/null || echo "python: Python 3.11 to 3.14 with venv and headers"
}

install_packages() {
    local wanted=("$@") sudo=() package
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "not root and no sudo. Have these installed, then run this again:" \
            "  apt-get install ${wanted[*]/#python/python3 python3-venv python3-dev}"
        sudo=(sudo)
    fi
    say "installs with apt: ${wanted[*]}"
    "${sudo[@]}" apt-get update -qq || say "apt-get update had errors; going on with the lists there are"
    # Which packages make a Python is known only now that the lists are fresh.
    local packages
    mapfile -t packages < <(for package in "${wanted[@]}"; do
        if [ "$package" = python ]; then python_packages; else echo "$package"; fi
    done)
    for package in "${packages[@]}"; do
        [ -n "$(apt-cache policy "$package" | sed -n 's/^  Candidate: [0-9]/&/p')" ] || fail \
            "apt knows no package '$package' here." \
            "  Ubuntu keeps vsmartcard-vpcd in 'universe': sudo add-apt-repository universe" \
            "  Debian 12, Ubuntu 24.04 and newer have everything."
    done
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}" \
        >.setup/apt.log 2>&1 || fail "apt failed:" "$(tail -n 15 .setup/apt.log)"
}

install_system() {
    [ "$(uname -s)" = Linux ] || fail "this runs on Linux (pcscd, virtual readers); found $(uname -s)." \
        "  Use a Debian or Ubuntu machine, virtual machine or container."
    local lacking=()
    mapfile -t lacking < <(missing)
    [ ${#lacking[@]} -eq 0 ] && return
    say "missing on this machine:"
    printf '  %s\n' "${lacking[@]}"
    command -v apt-get >/dev/null || fail "there is no apt here. Install the above with the package manager of this system" \
        "  (the names are Debian's; vsmartcard-vpcd: https://frankmorgner.github.io/vsmartcard), then run this again."
    install_packages "${lacking[@]%%:*}"
    mapfile -t lacking < <(missing)
    [ ${#lacking[@]} -eq 0 ] || fail "still missing after apt:" "${lacking[@]/#/  }"
}

# ---- what the repository pins ---------------------------------------------------------------------------------------

# Runs "$3..." unless the file "$1" says that it was done for the key "$2".
once() {
    local stamp=$1 key=$2
    shift 2
    [ "$(cat "$stamp" 2>/dev/null)" = "$key" ] && return
    "$@"
    echo "$key" >"$stamp"
}

key() { cat "$@" | sha256sum | cut -c1-16; }

make_environment() {
    # An environment holds absolute paths: one that was moved, or whose Python is gone, is made anew.
    if ! grep -qsF "$ROOT/.venv" .venv/bin/activate || ! .venv/bin/python -c '' 2>/dev/null; then
        local python
        python=$(find_python)
        say "makes .venv with $("$python" --version)"
        "$python" -m venv --clear .venv
    fi
}

pip() { .venv/bin/python -m pip --disable-pip-version-check -qq "$@"; }

install_requirements() {
    say "installs requirements.lock into .venv (a few minutes the first time)"
    # setuptools first: pyscard is then built with the pinned one, not with whatever an isolated build would fetch.
    sed -n '/^setuptools==/,/# via/p' requirements.lock >.venv/setuptools.lock
    pip install --require-hashes --no-deps -r .venv/setuptools.lock
    pip install --require-hashes --no-build-isolation -r requirements.lock
}

install_project() {
    say "installs tunggal and tunggal-protos from this directory"
    # compat: this directory goes on the path as it is, so that new packages need no new install.
    pip install --no-deps --no-build-isolation --config-settings editable_mode=compat -e ./protos -e .
}

install_buf() {
    say "installs buf"
    npm ci --loglevel=error >/dev/null
    local binary=(node_modules/@bufbuild/buf-linux-*/bin/buf)
    ln -sfn "../../${binary[0]}" .setup/bin/buf
}

# promtool tests the alert rules. Debian's package would start a Prometheus server, so only the binary is taken out of it;
# without it those tests are skipped.
install_promtool() {
    command -v promtool >/dev/null && return
    local scratch
    scratch=$(mktemp -d)
    say "fetches promtool (tests of the alert rules)"
    if (cd "$scratch" && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb .) >/dev/null 2>&1; then
        cp "$scratch/usr/bin/promtool" .setup/bin/
    else
        say "no promtool to be had; the tests of the alert rules will be skipped"
    fi
    rm -rf "$scratch"
}

main() {
    mkdir -p .setup/bin
    install_system
    exec 9>.setup/lock # two makes at once: the second waits for the first
    flock 9
    make_environment
    once .venv/.requirements "$(key requirements.lock)" install_requirements
    once .venv/.project "$(key pyproject.toml protos/pyproject.toml)" install_project
    once node_modules/.setup "$(key package-lock.json)" install_buf
    once .setup/promtool-tried 1 install_promtool
}

main
