//! The variables of the older documents and programs. Our own begin with `GHSWARM_` and win over them.

use super::{ENTRIES, Effect, Key, Kind, Place, Row, Setting, Status, lifetime, refused, same};

const ANOTHER_PROGRAMS: &str =
    "it names the files of another program; ours go where GHSWARM_CACHE_DIR says";

/// The older programs' variable for what `--secret-env` names.
const SHARED_SECRET: &str = "CACHE_P2P_SHARED_SECRET";

const VARIABLES: &[Key] = {
    use Kind as K;
    use Status::{Effect as E, NotBuilt};
    &[
        // The one that stands first wins over the other.
        (
            "P2P_CACHE_DIR",
            K::Path,
            "~/.cache/github-api-p2p",
            same(Setting::CacheDir),
        ),
        (
            "CACHE_DIR",
            K::Path,
            "~/.github-cache",
            same(Setting::CacheDir),
        ),
        ("CACHE_DEFAULT_TTL", K::Time, "300s", lifetime("key_value")),
        ("CACHE_MAX_ENTRIES", ENTRIES, "1000", E(Effect::Entries)),
        ("GITHUB_CACHE_SIZE", ENTRIES, "5000", E(Effect::Entries)),
        ("GH_CACHE_ENABLED", K::Boolean, "true", E(Effect::Enabled)),
        (
            "CODEQL_CACHE_TTL",
            K::Time,
            "86400s",
            lifetime("codeql_results"),
        ),
        // `ghswarm api` reads these; the daemon never sees a token but its clients'.
        ("GH_TOKEN", K::Secret, "", E(Effect::Elsewhere)),
        ("GITHUB_TOKEN", K::Secret, "", E(Effect::Elsewhere)),
        ("GITHUB_REPOSITORY", K::Text, "", E(Effect::Elsewhere)),
        // What the old setup script wrote down for people.
        ("GH_TOKEN_SET", K::Text, "", E(Effect::Elsewhere)),
        ("GITHUB_TOKEN_SET", K::Text, "", E(Effect::Elsewhere)),
        ("API_RATE_LIMIT", K::Text, "", E(Effect::Elsewhere)),
        ("API_RATE_LIMIT_TOTAL", K::Text, "", E(Effect::Elsewhere)),
        ("ENABLE_P2P_CACHE", K::Boolean, "true", E(Effect::Peers)),
        ("ENABLE_PEER_DISCOVERY", K::Boolean, "true", NotBuilt),
        ("P2P_LISTEN_PORT", K::PORT, "9000", E(Effect::PeerPort)),
        ("CACHE_LISTEN_PORT", K::PORT, "9000", E(Effect::PeerPort)),
        ("CACHE_ENABLE_P2P", K::Boolean, "false", E(Effect::Peers)),
        (
            "CACHE_BOOTSTRAP_PEERS",
            K::List,
            "",
            same(Setting::Bootstrap),
        ),
        (
            SHARED_SECRET,
            K::Secret,
            "",
            E(Effect::SecretIn(SHARED_SECRET)),
        ),
        (
            "CACHE_P2P_NAMESPACE",
            K::Text,
            "ipfs-accelerate-cache",
            NotBuilt,
        ),
        (
            "CACHE_DISCOVERY_REFRESH_INTERVAL",
            K::Time,
            "120s",
            NotBuilt,
        ),
        ("CACHE_MIN_CONNECTED_PEERS", K::ANY_COUNT, "1", NotBuilt),
        (
            "CACHE_DISCOVERY_CONNECT_ATTEMPTS",
            K::ANY_COUNT,
            "3",
            NotBuilt,
        ),
        ("CODEQL_CACHE_DIR", K::Path, "~/.cache/codeql", NotBuilt),
        (
            "IPFS_ACCELERATE_CACHE_DIR",
            K::Path,
            "",
            refused(ANOTHER_PROGRAMS, ""),
        ),
        ("IPFS_ACCELERATE_GITHUB_REPO", K::Text, "", NotBuilt),
        (
            "IPFS_ACCELERATE_P2P_PORT_SEARCH_LIMIT",
            K::ANY_COUNT,
            "20",
            NotBuilt,
        ),
        ("IPFS_ACCELERATE_PUBLIC_IP", K::Text, "", NotBuilt),
        (
            "IPFS_ACCELERATE_P2P_FORCE_LOCALHOST",
            K::Boolean,
            "false",
            NotBuilt,
        ),
        (
            "IPFS_ACCELERATE_P2P_NAMESPACE",
            K::Text,
            "ipfs-accelerate-cache",
            NotBuilt,
        ),
        ("IPFS_ACCELERATE_P2P_RENDEZVOUS_PEER", K::Text, "", NotBuilt),
        (
            "IPFS_ACCELERATE_P2P_CACHE_DIR",
            K::Path,
            "~/.cache/p2p_peers",
            NotBuilt,
        ),
        (
            "IPFS_ACCELERATE_ENABLE_PUBLIC_BOOTSTRAP",
            K::Boolean,
            "false",
            NotBuilt,
        ),
        (
            "IPFS_ACCELERATE_PY_TASK_P2P_CACHE_DIR",
            K::Path,
            "",
            refused(ANOTHER_PROGRAMS, ""),
        ),
        (
            "IPFS_ACCELERATE_PY_TASK_P2P_ENABLE_CACHE",
            K::Boolean,
            "false",
            NotBuilt,
        ),
        (
            "IPFS_ACCELERATE_PY_TASK_P2P_REMOTE_MULTIADDR",
            K::Text,
            "",
            NotBuilt,
        ),
        (
            "IPFS_ACCELERATE_PY_TASK_P2P_REMOTE_PEER_ID",
            K::Text,
            "",
            NotBuilt,
        ),
        (
            "IPFS_ACCELERATE_PY_GITHUB_CACHE_TASK_P2P_DISCOVERY",
            K::Boolean,
            "false",
            NotBuilt,
        ),
        (
            "IPFS_ACCELERATE_PY_TASK_P2P_CACHE_REPLICATE",
            K::Boolean,
            "false",
            NotBuilt,
        ),
        (
            "IPFS_ACCELERATE_PY_TASK_P2P_ENCRYPTION_KEY",
            K::Secret,
            "",
            NotBuilt,
        ),
        ("GH_CACHE_IPFS", K::Boolean, "false", NotBuilt),
        ("GH_CACHE_P2P", K::Boolean, "false", NotBuilt),
        ("GH_CACHE_DIR", K::Path, "", refused(ANOTHER_PROGRAMS, "")),
        (
            "GH_CACHE_DEBUG",
            K::Text,
            "",
            refused("GHSWARM_LOG_LEVEL=debug is for that", ""),
        ),
    ]
};

pub(super) fn rows() -> Vec<Row> {
    super::of(Place::Variable, VARIABLES)
}
