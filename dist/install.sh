#!/bin/sh
# Finds or installs the ghswarm that this checkout was published with.
#
#     sh dist/install.sh
#
# The last line of stdout is the path of the program; in a workflow that is also the output `program`. Whatever else
# there is to say goes to stderr. On failure the exit code is not 0, stderr ends with one line that says what to do,
# and nothing is left behind.
#
# Where it comes from, the first that is set:
#   GHSWARM_INSTALL_FILE    an archive on this machine (.tar.gz), or a program, which is used where it stands
#   GHSWARM_MIRROR          a URL to which the name of the archive is added; nothing else is asked then
#   dist/manifest.json      the URL of the release
# No REST call is made, so none is counted.
#
# What it must be: the SHA-256 that dist/manifest.json has, so who pins this checkout by commit pins the program with it.
# An archive in GHSWARM_INSTALL_FILE may have its own in GHSWARM_INSTALL_SHA256; if neither knows one, whoever named
# the file answers for it. Nothing is unpacked or run before its hash is known to be right.
#
# Where it goes, the first that can be written to, has room, and lets programs run:
#   $RUNNER_TOOL_CACHE/ghswarm/VERSION/ARCH     stays for later jobs of a self-hosted runner
#   $RUNNER_TEMP/ghswarm-install/VERSION/ARCH   goes with the job
#   ~/.local/share/ghswarm/VERSION/ARCH
# What is already there is used, without asking anybody. Its hash is computed again each time: the jobs of a host share
# the directory, and what an earlier one put there must not run as ours. (Nothing helps against a process of this user
# that is still running.) An archive of one's own is unpacked anew for each job, and never into the tool cache.
#
# Also read: GHSWARM_VERSION (default: the manifest's), GHSWARM_INSTALL_TIMEOUT (seconds for all of the download, default
# 120), and the proxy variables of curl. Needed: tar, gzip, curl or wget, and sha256sum, shasum or openssl.
#
# shellcheck disable=SC2329 # `cleanup` is called by the trap, `fetch_with_...` by `attended`
set -u
umask 022
LC_ALL=C # what curl and wget say is read below
export LC_ALL

ATTEMPTS=3
here=$(cd "$(dirname "$0")" && pwd) || exit 1
temporary='' child='' file=''
newline='
'

notice() { printf 'ghswarm: %s\n' "$1" >&2; }

die() {
    printf 'ghswarm is not installed: %s\n' "$1" >&2
    exit "${2:-1}"
}

cleanup() {
    if [ -n "$child" ]; then
        kill "$child" 2>/dev/null
        wait "$child" 2>/dev/null # else it might write what is being removed
    fi
    [ -z "$temporary" ] || drop_temporary
}

# With the directories that were made for it, from `place` up to `made`: rmdir takes empty ones only.
drop_temporary() {
    [ -z "$temporary" ] || rm -rf "$temporary"
    temporary=
    set -- "$place"
    while rmdir "$1" 2>/dev/null && [ "$1" != "$made" ]; do set -- "${1%/*}"; done
}

trap cleanup EXIT
trap 'die "interrupted" 129' HUP
trap 'die "interrupted" 130' INT
trap 'die "interrupted" 143' TERM

have() { command -v "$1" >/dev/null 2>&1; }
is_sha256() { case $1 in *[!0-9a-f]*) false ;; *) [ ${#1} -eq 64 ] ;; esac }
is_number() { case $1 in '' | *[!0-9]*) false ;; esac }
first_line() { printf '%s\n' "${1%%"$newline"*}"; }

# Runs a command such that a signal ends both it and us: a shell hears none while it waits for the foreground.
attended() {
    "$@" &
    child=$!
    wait "$child"
    set -- $?
    child=
    return "$1"
}

# The last thing that happens.
report() {
    case $1 in *"$newline"*) die "the path of the program has a line break: $1" ;; esac
    if [ -n "${GITHUB_OUTPUT:-}" ]; then
        printf 'program=%s\n' "$1" >>"$GITHUB_OUTPUT" || die "the file of GITHUB_OUTPUT cannot be written: $GITHUB_OUTPUT"
    fi
    printf '%s\n' "$1"
    exit 0
}

# Sets `hash` to the SHA-256 of a file. OpenSSL first: with the processor's own instructions it takes a quarter of the
# time of sha256sum. All read stdin, since a name with a backslash would be printed in another way.
hash_file() {
    for digest in 'openssl dgst -sha256 -r' sha256sum 'shasum -a 256'; do
        # shellcheck disable=SC2086 # a program and its arguments
        hash=$($digest <"$1" 2>/dev/null)
        hash=${hash%% *}
        if is_sha256 "$hash"; then return; fi
    done
    die "the SHA-256 of $1 cannot be computed: openssl, sha256sum or shasum is needed, install one of them"
}

# Runs program $1 once, for what cannot run must not be found by a later step. $2: the version it has to be, if known.
try_program() {
    said=$("$1" --version 2>/dev/null) || die "$1 does not run here ($(first_line "$("$1" --version 2>&1)")): \
is it built for $target? 'cargo install --path .' builds one for this machine; name it in GHSWARM_INSTALL_FILE"
    said="$(first_line "$said") "
    case $said in
    "ghswarm ${2:+$2 }"*) ;;
    *) die "$1 is not ghswarm${2:+ $2}: it calls itself $said" ;;
    esac
}

find_target() {
    machine=$(uname -sm)
    case $machine in
    'Linux x86_64' | 'Linux amd64') target=x86_64-unknown-linux-musl arch=x64 ;;
    'Linux aarch64' | 'Linux arm64') target=aarch64-unknown-linux-musl arch=arm64 ;;
    'Darwin x86_64') target=x86_64-apple-darwin arch=x64 ;;
    'Darwin arm64') target=aarch64-apple-darwin arch=arm64 ;;
    MINGW* | MSYS* | CYGWIN*) die "this is Windows: run dist/install.ps1 with pwsh" ;;
    *) die "nothing is built for $machine: build it with 'cargo install --path .', and name the program in \
GHSWARM_INSTALL_FILE" ;;
    esac
}

# What dist/manifest.json says of our version and target. dist/package.py writes one line per target, in this very
# layout, so that no program is needed that reads JSON.
read_manifest() {
    manifest=$here/manifest.json
    [ -r "$manifest" ] || die "$manifest cannot be read: is all of the repository there?"
    version=${GHSWARM_VERSION:-} entry='' inside=''
    version=${version#v}
    while IFS= read -r line; do
        case $line in
        '  "version": "'*)
            line=${line#*'": "'}
            version=${version:-${line%%'"'*}}
            ;;
        '    "'"$version"'": {') inside=yes ;;
        '    }'*) inside= ;;
        '      "'"$target"'": {'*) [ -z "$inside" ] || entry=$line ;;
        esac
    done <"$manifest"
    case $version in
    '' | .* | *[!0-9A-Za-z.+-]*) die "'$version' is no version: GHSWARM_VERSION takes one such as 0.1.0" ;;
    esac
    size=0 program_size=0 program_sha256=''
    [ -n "$entry" ] || return 0
    url=$(field url) size=$(field size) sha256=$(field sha256)
    program_size=$(field program_size) program_sha256=$(field program_sha256)
    if ! { is_number "$size" && is_number "$program_size" && is_sha256 "$sha256" && is_sha256 "$program_sha256"; }; then
        die "$manifest is damaged where it names $version for $target: check out the repository again"
    fi
}

# A field of the manifest's entry, or nothing.
field() {
    case $entry in *"\"$1\": "*) ;; *) return ;; esac
    set -- "${entry#*"\"$1\": "}"
    set -- "${1#\"}"
    printf '%s\n' "${1%%[\",\}]*}"
}

# The source that is a file: a program as it stands, or an archive whose hash is right, if one is known.
use_file() {
    case $1 in /*) file=$1 ;; *) file=$PWD/$1 ;; esac
    [ -f "$file" ] || die "GHSWARM_INSTALL_FILE names no file: $file"
    wanted=${GHSWARM_INSTALL_SHA256:-} hash=''
    [ -z "$wanted$entry" ] || hash_file "$file"
    [ -z "$wanted" ] || [ "$hash" = "$wanted" ] ||
        die "$file has the SHA-256 $hash, and GHSWARM_INSTALL_SHA256 is $wanted: one of the two is wrong"
    case $file in
    *.tar.gz | *.tgz) ;;
    *)
        [ -x "$file" ] || die "$file is neither an archive (.tar.gz) nor a program: if it is one, chmod +x it"
        try_program "$file" ''
        report "$file"
        ;;
    esac
    [ -z "$entry" ] || [ "$hash" != "$sha256" ] || return 0
    [ -z "$entry" ] || [ -n "$wanted" ] || die "$file has the SHA-256 $hash, and $version for $target has $sha256: \
it is damaged or another one. For a build of your own set GHSWARM_INSTALL_SHA256 to its hash"
    version=local size=0 program_size=0 program_sha256=''
}

# Uses what an earlier run left in one of the places, if it is what it must be.
use_installed() {
    [ -n "$program_sha256" ] || return 0
    for place in "$@"; do
        [ -f "$place/ghswarm" ] && [ -x "$place/ghswarm" ] || continue
        hash_file "$place/ghswarm"
        [ "$hash" != "$program_sha256" ] || report "$place/ghswarm"
        notice "$place/ghswarm is not what was installed there (damaged or changed): it is installed anew"
    done
}

# Takes the first place where something can be installed: `place`, and a new directory in it, `temporary`.
choose_place() {
    problem="set RUNNER_TEMP or HOME to a directory for programs"
    for place in "$@"; do
        if takes_programs; then return; fi
        drop_temporary
        notice "$place $problem"
        problem="no place for it. $place $problem. Set RUNNER_TEMP to a directory that has room and lets programs run"
    done
    die "$problem"
}

# Whether a program can be put into `place`; else `problem` says why not.
takes_programs() {
    made=$place
    while [ "${made%/*}" ] && [ ! -d "${made%/*}" ]; do made=${made%/*}; done
    # Twice: another run that failed may take the directory away between the two commands.
    for _ in 1 2; do
        mkdir -p "$place" 2>/dev/null
        temporary=$(mktemp -d "$place/.install.XXXXXX" 2>/dev/null) && break
        temporary=
    done
    problem='cannot be written to'
    [ -n "$temporary" ] && [ ! -d "$place/ghswarm" ] || return 1
    # What runs that were killed left.
    find "$place" -name '.install.*' -prune -mmin +60 -exec rm -rf {} + 2>/dev/null
    needed=$(((size + program_size) / 1024 + 64))
    free=$(df -Pk "$temporary" 2>/dev/null | { read -r _ && read -r _ _ _ free _ && printf '%s\n' "$free"; })
    problem="has no room: $needed KiB are needed, ${free:-no} KiB are free"
    if is_number "$free" && [ "$free" -lt "$needed" ]; then return 1; fi
    if ! { printf '#!/bin/sh\n' >"$temporary/try"; } 2>/dev/null; then return 1; fi
    chmod 755 "$temporary/try"
    problem='lets no program run (is it mounted noexec?)'
    "$temporary/try" 2>/dev/null
}

# Where the archive is to be had.
find_url() {
    [ -n "$entry" ] || die "there is no release $version for $target in dist/manifest.json. Name a version that is \
released in GHSWARM_VERSION, or a program in GHSWARM_INSTALL_FILE ('cargo install --path .' builds one)"
    mirror=${GHSWARM_MIRROR:-}
    [ -n "$mirror" ] || return 0
    # It is shown in messages and in the list of processes: no secret may be in it.
    case $mirror in
    *[!]A-Za-z0-9._~:/%+=,[-]*) die "GHSWARM_MIRROR may have no user, password, query or blank in it: \
a login for the mirror belongs into ~/.netrc" ;;
    http://* | https://*) url=${mirror%/}/${url##*/} ;;
    *) die "GHSWARM_MIRROR has to be a URL that begins with https:// or http://" ;;
    esac
}

# Downloads `url` to `archive`, in a few attempts and a bounded time.
download() {
    limit=${GHSWARM_INSTALL_TIMEOUT:-120}
    is_number "$limit" || die "GHSWARM_INSTALL_TIMEOUT takes a number of seconds, not '$limit'"
    have curl || have wget || die "curl or wget is needed to download it: install one, or name an archive in \
GHSWARM_INSTALL_FILE"
    deadline=$(($(date +%s) + limit)) attempt=1 left=$limit
    until fetch; do
        explain
        left=$((deadline - $(date +%s) - attempt))
        if [ "$again" = no ] || [ "$attempt" -ge "$ATTEMPTS" ] || [ "$left" -le 0 ]; then die "$problem"; fi
        attended sleep "$attempt"
        attempt=$((attempt + 1))
    done
}

# One attempt. Says by `code`, `status` (HTTP), `tunnel` (what a proxy answered to CONNECT) and `said` what came of it.
fetch() {
    : >"$temporary/status"
    if have curl; then
        attended fetch_with_curl
        code=$? said=$(cat "$temporary/errors")
        read -r status tunnel <"$temporary/status" || status='' tunnel=''
    else
        attended fetch_with_wget
        code=$? said=$(cat "$temporary/errors")
        # "ERROR 404: Not Found." of GNU, "server returned error: HTTP/1.1 404 Not Found" of busybox
        status=$(sed -n -e 's/.*ERROR \([45][0-9][0-9]\).*/\1/p' -e 's/.*HTTP\/1.[01] \([45][0-9][0-9]\).*/\1/p' \
            "$temporary/errors" | tail -n 1)
        case $said in *'tunneling failed'*) tunnel=4xx ;; *) tunnel= ;; esac
    fi
    [ "$code" -eq 0 ] || return 1
    received=$(wc -c <"$archive")
    received=$((received)) said=size
    [ "$received" -eq "$size" ]
}

# Whatever is sent, no more is written than about the archive's length. In blocks of 512 bytes, and without a core file.
bound_size() {
    # shellcheck disable=SC3045 # dash, bash and busybox know it; elsewhere there is a core file
    ulimit -c 0 2>/dev/null
    ulimit -f $((size / 512 + 64))
}

fetch_with_curl() {
    case $url in https:*) schemes='=https' ;; *) schemes='=http,https' ;; esac
    [ -z "$mirror" ] || set -- --netrc-optional
    bound_size
    exec curl --fail --silent --show-error --location --max-redirs 5 --proto "$schemes" --globoff "$@" \
        --connect-timeout 20 --max-time "$left" --speed-limit 1024 --speed-time 30 --max-filesize "$size" \
        --write-out '%{http_code} %{http_connect}\n' --output "$archive" "$url" \
        >"$temporary/status" 2>"$temporary/errors" </dev/null
}

# GNU wget, which by itself would try 20 times, or busybox, some of which die of these options. Neither reads proxies in
# capitals.
fetch_with_wget() {
    export https_proxy="${https_proxy:-${HTTPS_PROXY:-}}" http_proxy="${http_proxy:-}" no_proxy="${no_proxy:-${NO_PROXY:-}}"
    if have timeout; then set -- timeout "$left"; fi
    set -- "$@" wget
    case $(wget --version 2>/dev/null) in 'GNU Wget'*) set -- "$@" -t 1 -T 20 ;; esac
    bound_size
    exec "$@" -O "$archive" "$url" >"$temporary/errors" 2>&1 </dev/null
}

# Sets `problem` to what went wrong and what to do, and `again` to whether another attempt may help.
explain() {
    host=${url#*://} again=yes via=''
    host=${host%%/*}
    case $url in
    https:*) [ -z "${https_proxy:-${HTTPS_PROXY:-${all_proxy:-${ALL_PROXY:-}}}}" ] || via='https_proxy' ;;
    *) [ -z "${http_proxy:-${all_proxy:-${ALL_PROXY:-}}}" ] || via='http_proxy' ;;
    esac
    case $tunnel in
    [45]??)
        again=no
        problem="the proxy${via:+ that $via names} answers HTTP $tunnel for $host: have it allowed there, put it into no_proxy, \
or set GHSWARM_MIRROR"
        return
        ;;
    esac
    case $status in
    404 | 410) again=no problem="$url is not there (HTTP $status): is the version released, does the mirror have it?" ;;
    401 | 403 | 407) again=no problem="$host refuses $url (HTTP $status)${via:+; that may be the proxy that $via names}: \
a login belongs into ~/.netrc, or set GHSWARM_MIRROR" ;;
    [45]??) problem="$host answers HTTP $status for $url, after $attempt attempts: try again later, or set GHSWARM_MIRROR" ;;
    *) explain_connection ;;
    esac
}

explain_connection() {
    case $code:$said in
    0:size)
        problem="$url was truncated: $received of $size bytes arrived. Try again; if it stays so, $host has a damaged file"
        [ "$received" -lt "$size" ] || again=no problem="$url is not the archive: it has $received bytes instead of $size. \
Is there a proxy or login page in between?"
        ;;
    *'esolve proxy'* | 5:*'esolve'*) problem="the proxy${via:+ that $via names} is not known here (DNS): is the variable right?" ;;
    *'esolve host'* | *'unable to resolve'* | *'bad address'*) problem="the name $host is not known here: \
check DNS, set https_proxy if this network has a proxy, or GHSWARM_MIRROR" ;;
    *'imed out'* | *'too slow'* | 124:* | 143:*) problem="$host was too slow: $url did not arrive within $limit s. \
GHSWARM_INSTALL_TIMEOUT gives it more, GHSWARM_MIRROR another server" ;;
    *'o space left'* | 23:*) again=no problem="the archive cannot be written to $temporary: is the disk full?" ;;
    63:* | 153:* | *'ile too large'*) again=no problem="$url is larger than the archive's $size bytes: it is something else" ;;
    *efused* | *'ailed to connect'*) problem="no connection to $host${via:+ (through the proxy that $via names)}: \
is it up, and does this network let you reach it?" ;;
    *ertificate* | *SSL* | *TLS*) again=no problem="TLS with $host failed ($(first_line "$said")): if a proxy opens it, \
its CA belongs into the certificates of this machine" ;;
    *closed* | *'mpty reply'* | *reset* | *'end of file'* | *'o data received'* | *prematurely* | *'hort read'*)
        problem="$host ended the connection before $url was complete, after $attempt attempts: try again later" ;;
    *) problem="$url cannot be downloaded (exit code $code, $(first_line "$said"))" ;;
    esac
}

# Unpacks `archive`, and tries the program before anybody else can find it. Renaming it is one act: another job that does
# the same, or runs the one that is replaced, notices nothing.
install() {
    mkdir "$temporary/unpacked" 2>/dev/null
    if ! { have tar && have gzip; }; then die "tar and gzip are needed to unpack it: install them"; fi
    said=$(tar -xzf "$archive" -C "$temporary/unpacked" 2>&1) || case $said in
    *'o space left'* | *'Wrote only'* | *'rite error'* | *'hort write'*) die "there is no room to unpack it in $place: free some, or set RUNNER_TEMP to another disk" ;;
    *) die "$archive cannot be unpacked: is it truncated? ($(first_line "$said"))" ;;
    esac
    for unpacked in "$temporary"/unpacked/ghswarm "$temporary"/unpacked/*/ghswarm; do
        if [ -f "$unpacked" ] && [ ! -L "$unpacked" ]; then break; fi
    done
    [ -f "$unpacked" ] || die "there is no ghswarm in the archive${file:+ $file}: dist/package.py makes such archives"
    chmod 755 "$unpacked"
    if [ -n "$program_sha256" ]; then
        hash_file "$unpacked"
        [ "$hash" = "$program_sha256" ] || die "the archive is right and its program is not: dist/manifest.json is wrong"
        try_program "$unpacked" "$version"
    else
        try_program "$unpacked" ''
    fi
    mv -f "$unpacked" "$place/ghswarm" || die "the program cannot be moved to $place"
    # By this the official tools know that a directory of the tool cache is whole.
    case $place in "${RUNNER_TOOL_CACHE:-//}"/*) : >"$place.complete" ;; esac
}

find_target
read_manifest
[ -z "${GHSWARM_INSTALL_FILE:-}" ] || use_file "$GHSWARM_INSTALL_FILE"
set --
[ -z "${RUNNER_TOOL_CACHE:-}" ] || [ "$version" = local ] || set -- "$RUNNER_TOOL_CACHE/ghswarm/$version/$arch"
[ -z "${RUNNER_TEMP:-}" ] || set -- "$@" "$RUNNER_TEMP/ghswarm-install/$version/$arch"
[ -z "${HOME:-}" ] || set -- "$@" "${XDG_DATA_HOME:-$HOME/.local/share}/ghswarm/$version/$arch"
use_installed "$@"
[ -n "$file" ] || find_url
choose_place "$@"
archive=$file
if [ -z "$file" ]; then
    archive=$temporary/archive.tar.gz
    download
    hash_file "$archive"
    [ "$hash" = "$sha256" ] || die "$url has the SHA-256 $hash, and it must be $sha256: it is not what was published. \
Do not use it; tell who runs ${mirror:+the mirror }$url"
fi
install
report "$place/ghswarm"
