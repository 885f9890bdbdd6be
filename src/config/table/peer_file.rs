//! The keys of `p2p-config.yml`.

use super::{Effect, Key, Kind, Place, Row, Setting, Status, refused, same};

pub(super) const TOKENS_DIFFER: &str =
    "every job has a GITHUB_TOKEN of its own, so no two jobs would have the same key";

const ALWAYS_CHECKED: &str = "what a peer sends is always checked, and dropped if it is wrong";

pub(super) fn rows() -> Vec<Row> {
    super::of(Place::File, KEYS)
}

/// Below this a password of a person is guessed too fast; 600,000 is what OWASP asks for today.
const ITERATIONS: Kind = Kind::Count {
    least: 100_000,
    most: 1_000_000_000,
};

const KEYS: &[Key] = {
    use Kind as K;
    use Status::{Effect as E, NotBuilt};
    &[
        ("network.protocol_version", K::Text, "1.0.0", NotBuilt),
        (
            "network.network_id",
            K::Text,
            "ipfs-accelerate-py-cache",
            NotBuilt,
        ),
        (
            "network.listen.addresses",
            K::List,
            "0.0.0.0",
            refused(
                "an address is of no use without its port; ghswarm.p2p_listen takes both",
                "0.0.0.0",
            ),
        ),
        (
            "network.listen.port_range.start",
            K::PORT,
            "9000",
            E(Effect::PeerPort),
        ),
        (
            "network.listen.port_range.end",
            K::PORT,
            "9010",
            refused(
                "the ports from 9000 to 9010 are tried, then any; p2p.listen_port names one",
                "9010",
            ),
        ),
        (
            "network.listen.transports",
            K::List,
            "tcp",
            refused(
                "TCP and QUIC are both listened on; ghswarm.p2p_listen names others",
                "tcp",
            ),
        ),
        (
            "network.connections.max_peers",
            K::ANY_COUNT,
            "20",
            NotBuilt,
        ),
        ("network.connections.min_peers", K::ANY_COUNT, "2", NotBuilt),
        ("network.connections.timeout", K::Time, "30s", NotBuilt),
        (
            "network.connections.keepalive_interval",
            K::Time,
            "60s",
            NotBuilt,
        ),
        ("discovery.enabled", K::Boolean, "true", NotBuilt),
        (
            "discovery.methods.github_cache_api",
            K::Boolean,
            "true",
            NotBuilt,
        ),
        (
            "discovery.methods.mdns",
            K::Boolean,
            "true",
            E(Effect::Mdns),
        ),
        ("discovery.methods.dht", K::Boolean, "true", NotBuilt),
        ("discovery.methods.bootstrap", K::Boolean, "true", NotBuilt),
        (
            "discovery.methods.circuit_relay",
            K::Boolean,
            "true",
            NotBuilt,
        ),
        ("discovery.methods.autonat", K::Boolean, "true", NotBuilt),
        (
            "discovery.methods.hole_punching",
            K::Boolean,
            "true",
            NotBuilt,
        ),
        ("discovery.github.repository", K::Text, "", NotBuilt),
        (
            "discovery.github.peer_cache_key",
            K::Text,
            "p2p-peers",
            NotBuilt,
        ),
        (
            "discovery.github.peer_ttl_minutes",
            K::ANY_COUNT,
            "15",
            NotBuilt,
        ),
        (
            "discovery.github.discovery_interval",
            K::Time,
            "300s",
            NotBuilt,
        ),
        (
            "discovery.github.max_peers_per_query",
            K::ANY_COUNT,
            "10",
            NotBuilt,
        ),
        (
            "discovery.bootstrap_peers",
            K::List,
            "",
            same(Setting::Bootstrap),
        ),
        ("discovery.mdns.interval", K::Time, "5s", NotBuilt),
        ("discovery.mdns.ttl", K::Time, "120s", NotBuilt),
        ("discovery.dht.bucket_size", K::ANY_COUNT, "20", NotBuilt),
        ("discovery.dht.query_timeout", K::Time, "60s", NotBuilt),
        ("discovery.relay.hop_limit", K::ANY_COUNT, "3", NotBuilt),
        ("discovery.relay.timeout", K::Time, "30s", NotBuilt),
        ("discovery.relay.relay_addrs", K::List, "", NotBuilt),
        (
            "discovery.autonat.enable_server",
            K::Boolean,
            "true",
            NotBuilt,
        ),
        ("discovery.autonat.timeout", K::Time, "30s", NotBuilt),
        (
            "security.encryption.enabled",
            K::Boolean,
            "true",
            refused("what peers exchange is always encrypted", "true"),
        ),
        (
            "security.encryption.algorithm",
            K::Text,
            "AES-256-GCM",
            refused(
                "peers speak Noise, and AES-256-GCM seals what is stored",
                "AES-256-GCM",
            ),
        ),
        (
            "security.encryption.key_derivation.use_github_token",
            K::Boolean,
            "true",
            refused(TOKENS_DIFFER, "false"),
        ),
        (
            "security.encryption.key_derivation.pbkdf2_iterations",
            ITERATIONS,
            "100000",
            refused(
                "all members of a pool derive their keys with the same 600,000 rounds",
                "100000",
            ),
        ),
        (
            "security.encryption.key_derivation.key_size",
            K::ANY_COUNT,
            "256",
            refused("keys have 256 bits, no more and no less", "256"),
        ),
        (
            "security.access_control.verify_repository_access",
            K::Boolean,
            "true",
            refused(
                "GitHub is asked with each caller's own token, always",
                "true",
            ),
        ),
        (
            "security.content_verification.verify_hashes",
            K::Boolean,
            "true",
            refused(ALWAYS_CHECKED, "true"),
        ),
        (
            "security.content_verification.reject_invalid",
            K::Boolean,
            "true",
            refused(ALWAYS_CHECKED, "true"),
        ),
        (
            "security.access_control.trust_bootstrap",
            K::Boolean,
            "true",
            NotBuilt,
        ),
        (
            "security.access_control.peer_allowlist",
            K::List,
            "",
            NotBuilt,
        ),
        (
            "security.access_control.peer_blocklist",
            K::List,
            "",
            NotBuilt,
        ),
        (
            "security.content_verification.max_content_size",
            K::Size,
            "100MiB",
            NotBuilt,
        ),
        (
            "cache_protocol.protocol_id",
            K::Text,
            "/github-cache/1.0.0",
            NotBuilt,
        ),
        (
            "cache_protocol.message_types",
            K::List,
            "cache_entry,cache_request,cache_response,peer_info",
            NotBuilt,
        ),
        (
            "cache_protocol.broadcast.enabled",
            K::Boolean,
            "true",
            NotBuilt,
        ),
        (
            "cache_protocol.broadcast.strategy",
            K::OneOf(&["all", "random", "closest"]),
            "all",
            NotBuilt,
        ),
        (
            "cache_protocol.broadcast.peer_count",
            K::ANY_COUNT,
            "5",
            NotBuilt,
        ),
        (
            "cache_protocol.broadcast.retry_count",
            K::ANY_COUNT,
            "3",
            NotBuilt,
        ),
        ("cache_protocol.sync.enabled", K::Boolean, "true", NotBuilt),
        ("cache_protocol.sync.interval", K::Time, "600s", NotBuilt),
        ("cache_protocol.sync.max_age", K::Time, "3600s", NotBuilt),
        (
            "performance.buffers.read_buffer",
            K::Size,
            "64KiB",
            NotBuilt,
        ),
        (
            "performance.buffers.write_buffer",
            K::Size,
            "64KiB",
            NotBuilt,
        ),
        (
            "performance.compression.enabled",
            K::Boolean,
            "true",
            NotBuilt,
        ),
        (
            "performance.compression.algorithm",
            K::Text,
            "gzip",
            NotBuilt,
        ),
        ("performance.compression.level", K::ANY_COUNT, "6", NotBuilt),
        (
            "performance.throttling.max_messages_per_sec",
            K::ANY_COUNT,
            "100",
            NotBuilt,
        ),
        (
            "performance.throttling.max_bandwidth_per_peer",
            K::Size,
            "10MiB",
            NotBuilt,
        ),
        ("ipfs_accelerate.enabled", K::Boolean, "true", NotBuilt),
        (
            "ipfs_accelerate.accept_accelerate_peers",
            K::Boolean,
            "true",
            NotBuilt,
        ),
        (
            "ipfs_accelerate.shared_network_id",
            K::Text,
            "ipfs-github-cache",
            NotBuilt,
        ),
        (
            "ipfs_accelerate.compatible_protocols",
            K::List,
            "/github-cache/1.0.0,/ipfs-accelerate/cache/1.0.0",
            NotBuilt,
        ),
        ("logging.log_connections", K::Boolean, "true", NotBuilt),
        ("logging.log_cache_ops", K::Boolean, "true", NotBuilt),
        ("logging.log_messages", K::Boolean, "false", NotBuilt),
        (
            "monitoring.metrics",
            K::List,
            "peer_count,message_count,bytes_sent,bytes_received,cache_entries_shared,\
             cache_entries_received",
            NotBuilt,
        ),
        ("logging.level", K::Level, "info", same(Setting::LogLevel)),
    ]
};
