#!/usr/bin/env bash
# Measures ghswarm beside nginx and varnish, in interleaved rounds: see README.md.
#
#   benches/run.sh [hits|misses|spawn]...        all three without an argument
#   ROUNDS=5 BURST=400 PORT=19100 GHSWARM=target/release/ghswarm benches/run.sh
#
# Installs nothing, listens on loopback alone, and ends what it has started.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly ROUNDS=${ROUNDS:-5} BURST=${BURST:-400} PORT=${PORT:-19100}
readonly PARTS=${*:-hits misses spawn}
readonly SERVER_CPU=1 OTHER_CPU=0
readonly ACCEPT='application/vnd.github+json' TOKEN='ghp_0123456789abcdefghijklmnopqrstuvwxyz'
readonly FIELDS=(--field "Accept: $ACCEPT" --field "Authorization: token $TOKEN"
    --field 'User-Agent: ghswarm-load')

die() { printf '%s\n' "$*" >&2; exit 1; }

missing=()
for program in nginx:nginx-light chrt:util-linux taskset:util-linux sha256sum:coreutils; do
    command -v "${program%:*}" >/dev/null || missing+=("${program#*:}")
done
[ ${#missing[@]} -eq 0 ] || die "missing; on Debian:
    apt-get install --no-install-recommends ${missing[*]}
(It may start services; a /usr/sbin/policy-rc.d that exits with 101 keeps it from that.)"
for program in varnishd hyperfine gh; do
    command -v "$program" >/dev/null || echo "without $program, its rows are left out" >&2
done
[ "$(nproc)" -ge 2 ] || die "two processors are needed: one for servers, one for load"

if [ -z "${GHSWARM:-}" ]; then
    nice cargo build --release --locked --bin ghswarm
    GHSWARM=target/release/ghswarm
fi
GHSWARM=$(realpath "$GHSWARM")
nice cargo build --release --locked -p ghswarm-lab --bin load
LOAD=$(realpath "${CARGO_TARGET_DIR:-target}/release/load")

# Neighbours on the machine would be most of what is measured at normal priority.
realtime=(chrt -r 1)
"${realtime[@]}" true 2>/dev/null || { realtime=(); echo "no SCHED_RR here: expect noise" >&2; }

work=$(mktemp -d)
pids=()
finish() {
    local pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT

# Starts a server on its processor; what it says goes to $work/NAME.log.
serve() {
    local name=$1
    shift
    taskset -c "$SERVER_CPU" "${realtime[@]}" "$@" >"$work/$name.log" 2>&1 &
    pids+=($!)
}

readonly STATIC=$PORT CACHE=$((PORT + 1)) PASS=$((PORT + 2)) SWARM=$((PORT + 3))
readonly HELLO=$((PORT + 4)) VARNISH=$((PORT + 5))

# The address of server $1 over $2 (tcp or unix).
address() {
    if [ "$2" = unix ]; then echo "$work/$1.sock"; return; fi
    case $1 in
        static) echo "127.0.0.1:$STATIC" ;;
        cache) echo "127.0.0.1:$CACHE" ;;
        pass) echo "127.0.0.1:$PASS" ;;
        swarm) echo "127.0.0.1:$SWARM" ;;
        hello) echo "127.0.0.1:$HELLO" ;;
        varnish) echo "127.0.0.1:$VARNISH" ;;
    esac
}

# ---- the origin: two bodies, GitHub's fields, GitHub's validator -------------------------------

# A JSON object of exactly $1 bytes.
body() {
    local head='{"id":1,"name":"b","full_name":"a/b","private":true,"description":"' row='lorem ipsum '
    local room=$(($1 - ${#head} - 2)) text=''
    while [ ${#text} -lt "$room" ]; do text+=$row; done
    printf '%s%s"}' "$head" "${text:0:$room}"
}

mkdir -p "$work/root/repos/a"
body 4096 >"$work/root/repos/a/b4"
body 54712 >"$work/root/repos/a/b54"
etag() { { printf '%s:token %s:' "$ACCEPT" "$TOKEN"; cat "$work/root$1"; } | sha256sum | cut -c1-64; }

location() {
    cat <<CONF
        location = $1 {
            etag off;
            default_type "application/json; charset=utf-8";
            add_header ETag '"$(etag "$1")"';
            add_header Cache-Control "private, max-age=60, s-maxage=60";
            add_header Vary "Accept, Authorization, Cookie, X-GitHub-OTP";
            add_header X-OAuth-Scopes "repo, workflow";
            add_header X-Accepted-OAuth-Scopes "repo";
            add_header GitHub-Authentication-Token-Expiration "2030-01-01 00:00:00 UTC";
            add_header X-GitHub-Media-Type "github.v3; format=json";
            add_header X-GitHub-Api-Version-Selected "2022-11-28";
            add_header X-RateLimit-Limit 5000;
            add_header X-RateLimit-Remaining 4987;
            add_header X-RateLimit-Reset $(($(date +%s) + 3000));
            add_header X-RateLimit-Used 13;
            add_header X-RateLimit-Resource core;
            add_header Access-Control-Expose-Headers "ETag, Link, Location, Retry-After, X-GitHub-OTP, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Used, X-RateLimit-Resource, X-RateLimit-Reset, X-OAuth-Scopes, X-Accepted-OAuth-Scopes, X-Poll-Interval, X-GitHub-Media-Type, X-GitHub-SSO, X-GitHub-Request-Id, Deprecation, Sunset";
            add_header Access-Control-Allow-Origin "*";
            add_header Strict-Transport-Security "max-age=31536000; includeSubdomains; preload";
            add_header X-Frame-Options deny;
            add_header X-Content-Type-Options nosniff;
            add_header X-XSS-Protection 0;
            add_header Referrer-Policy "origin-when-cross-origin, strict-origin-when-cross-origin";
            add_header Content-Security-Policy "default-src 'none'";
            add_header X-GitHub-Request-Id "0A0A:0A0A0A:0A0A0A0:0A0A0A0:0A0A0A0A";
        }
CONF
}

nginx_common() {
    [ "$(id -u)" != 0 ] || echo "user root;"
    cat <<CONF
daemon off;
worker_processes 1;
pid $work/$1.pid;
error_log $work/$1.error.log;
events { worker_connections 4096; multi_accept on; }
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_requests 100000000;
    client_body_temp_path $work/$1.tmp;
    proxy_temp_path $work/$1.tmp;
    fastcgi_temp_path $work/$1.tmp;
    uwsgi_temp_path $work/$1.tmp;
    scgi_temp_path $work/$1.tmp;
    open_file_cache max=20000 inactive=600s;
    open_file_cache_valid 600s;
CONF
}

{
    nginx_common static
    echo "    server { listen 127.0.0.1:$STATIC; listen unix:$work/static.sock; root $work/root;"
    location /repos/a/b4
    location /repos/a/b54
    echo "    }"
    echo "}"
} >"$work/static.conf"

{
    nginx_common cache
    cat <<CONF
    proxy_cache_path $work/store levels=1:2 keys_zone=c:20m max_size=1g inactive=60m use_temp_path=off;
    upstream origin { server 127.0.0.1:$STATIC; keepalive 16; }
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    server {
        listen 127.0.0.1:$CACHE;
        listen unix:$work/cache.sock;
        location / {
            proxy_pass http://origin;
            proxy_cache c;
            proxy_cache_key "\$request_method \$request_uri \$http_accept \$http_authorization";
            proxy_ignore_headers Cache-Control Vary;
            proxy_cache_valid 200 60m;
            proxy_cache_lock on;
            proxy_cache_revalidate on;
            add_header X-Cache \$upstream_cache_status;
        }
    }
    server { listen 127.0.0.1:$PASS; location / { proxy_pass http://origin; } }
}
CONF
} >"$work/cache.conf"

# ---- servers -----------------------------------------------------------------------------------

# One request to server $1 over $2 for path $3; further arguments go to `load`.
request() {
    local server=$1 over=$2 path=$3 command=$4
    shift 4
    local host=()
    [ "$over" != unix ] || host=(--host api.github.com)
    "$LOAD" "$command" --to "$(address "$server" "$over")" "${host[@]}" --path "$path" \
        "${FIELDS[@]}" "$@"
}

await() {
    local attempt
    for attempt in $(seq 100); do
        if request "$1" tcp /repos/a/b4 raw >"$work/answer" 2>/dev/null; then return; fi
        sleep 0.05
    done
    cat "$work/$1.log" "$work/$1.error.log" >&2 2>/dev/null || true
    die "$1 does not answer after $attempt attempts"
}

serve static nginx -c "$work/static.conf" -e "$work/static.error.log"
await static
serve cache nginx -c "$work/cache.conf" -e "$work/cache.error.log"
await cache
serve swarm "$GHSWARM" serve --listen "127.0.0.1:$SWARM" --socket "$work/swarm.sock" \
    --origin "http://127.0.0.1:$STATIC" --state-dir "$work/state" --cache-dir "$work/kept"
await swarm
request static tcp /repos/a/b4 raw >"$work/small"
request static tcp /repos/a/b54 raw >"$work/large"
serve hello "$LOAD" hello --tcp "127.0.0.1:$HELLO" --unix "$work/hello.sock" \
    --small "$work/small" --large "$work/large"
await hello
varnish=()
if command -v varnishd >/dev/null; then
    cat >"$work/varnish.vcl" <<VCL
vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "$STATIC"; }
sub vcl_recv { return (hash); }
sub vcl_hash {
    hash_data(req.url); hash_data(req.http.Accept); hash_data(req.http.Authorization);
    return (lookup);
}
sub vcl_backend_response { unset beresp.http.Vary; set beresp.ttl = 60m; return (deliver); }
VCL
    serve varnish varnishd -F -j none -n "$work/varnish" -f "$work/varnish.vcl" -s malloc,256m \
        -a "127.0.0.1:$VARNISH" -p thread_pools=1 -p thread_pool_min=80
    await varnish
    varnish=(varnish)
fi

# Every server has both bodies, and gives the same ones.
for server in static cache swarm "${varnish[@]}"; do
    for path in /repos/a/b4 /repos/a/b54; do
        request "$server" tcp "$path" raw >/dev/null
        request "$server" tcp "$path" raw >"$work/answer"
        tail -c "$(stat -c %s "$work/root$path")" "$work/answer" | cmp - "$work/root$path"
        [ "$server" != swarm ] || grep -q 'ghswarm; hit' "$work/answer" || die "no hit for $path"
    done
done

# ---- bursts ------------------------------------------------------------------------------------

# burst ROW SERVER OVER PATH CPU [load's arguments]: adds "ROW SERVER rate p50 p99" to the results.
burst() {
    local row=$1 server=$2 over=$3 path=$4 cpu=$5 result
    shift 5
    local host=()
    [ "$over" != unix ] || host=(--host api.github.com)
    result=$(taskset -c "$cpu" "${realtime[@]}" "$LOAD" ask \
        --to "$(address "$server" "$over")" "${host[@]}" --path "$path" "${FIELDS[@]}" \
        --millis "$BURST" "$@") || die "$row on $server failed"
    printf '%s %s %s\n' "$row" "$server" "$result" >>"$work/results"
    sleep 0.1 # real-time tasks may have 95 % of a second; neighbours get the rest
}

same() { burst "$1" "$2" "$3" "$4" "$SERVER_CPU" "${@:5}"; }
split() { burst "$1" "$2" "$3" "$4" "$OTHER_CPU" --connections 32 "${@:5}"; }

hits() {
    local server
    for server in static cache swarm hello; do
        same tcp4 $server tcp /repos/a/b4
        same unix4 $server unix /repos/a/b4
        same close4 $server unix /repos/a/b4 --close true
        split tcp4x32 $server tcp /repos/a/b4
        split unix4x32 $server unix /repos/a/b4
        split tcp54x32 $server tcp /repos/a/b54
        split unix54x32 $server unix /repos/a/b54
    done
    for server in cache swarm; do
        split cond4x32 $server tcp /repos/a/b4 --status 304 \
            --field "If-None-Match: \"$(etag /repos/a/b4)\""
    done
    for server in "${varnish[@]}"; do split tcp4x32 "$server" tcp /repos/a/b4; done
}

# Few requests, and a minute between the rounds: the budget allows 900 reads a minute.
misses() {
    local server size
    [ "$1" = 1 ] || sleep 40
    for size in 4 54; do
        for server in static pass swarm; do
            same "miss$size" $server tcp "/repos/a/b$size" --requests 200 \
                --field 'Cache-Control: no-cache'
        done
    done
}

spawned() {
    local row=$1
    shift
    taskset -c "$SERVER_CPU" "${realtime[@]}" hyperfine -N --warmup 3 --runs 25 --style none \
        --export-json "$work/spawned" "$*" >/dev/null 2>&1
    printf 'spawn %s 0 %s 0\n' "$row" "$(sed -n 's/.*"median": \([0-9.e-]*\),.*/\1/p' "$work/spawned" |
        awk '{ print $1 * 1e6 }')" >>"$work/results"
}

# From the call of `ghswarm start` until it says that clients can connect.
start() {
    local began ended
    began=$(date +%s%N)
    "$GHSWARM" start --state-dir "$work/started" --cache-dir "$work/kept" \
        --origin "http://127.0.0.1:$STATIC" >/dev/null
    ended=$(date +%s%N)
    "$GHSWARM" stop --state-dir "$work/started" >/dev/null 2>&1
    printf 'start swarm 0 %s 0\n' $(((ended - began) / 1000)) >>"$work/results"
}

spawn() {
    start
    command -v hyperfine >/dev/null || return 0
    spawned true /bin/true
    GHSWARM_SOCKET="$work/swarm.sock" GH_TOKEN=$TOKEN spawned swarm "$GHSWARM" api /repos/a/b4
    if command -v gh >/dev/null; then
        mkdir -p "$work/gh"
        echo "http_unix_socket: $work/swarm.sock" >"$work/gh/config.yml"
        GH_CONFIG_DIR="$work/gh" GH_TOKEN=$TOKEN GH_NO_UPDATE_NOTIFIER=1 \
            spawned gh gh api /repos/a/b4
    fi
}

for round in $(seq "$ROUNDS"); do
    printf 'round %d of %d\n' "$round" "$ROUNDS" >&2
    for part in $PARTS; do
        case $part in
            hits) hits ;;
            misses) misses "$round" ;;
            spawn) spawn ;;
            *) die "no part is called $part" ;;
        esac
    done
done

# ---- the table ---------------------------------------------------------------------------------

awk -f benches/table.awk "$work/results"
if [ -n "${KEEP:-}" ]; then cp "$work/results" "$KEEP"; fi
