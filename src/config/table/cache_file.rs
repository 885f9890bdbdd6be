//! The keys of `cache-config.yml`.

use super::super::units;
use super::{
    ENTRIES, Effect, Key, Kind, Place, Row, Setting, Status, lifetime, refused, row, same,
};

const AGREED: &str =
    "every body is checked against GitHub's own validators; nothing switches that off";

const KEYS: &[Key] = {
    use Kind as K;
    use Setting as S;
    use Status::{Effect as E, NotBuilt};
    &[
        ("cache.enabled", K::Boolean, "true", E(Effect::Enabled)),
        ("cache.max_size", ENTRIES, "5000", E(Effect::Entries)),
        // Of the key-value interface: what GitHub answers lives as long as its operation says.
        ("cache.default_ttl", K::Time, "300s", lifetime("key_value")),
        (
            "cache.directory",
            K::Path,
            "~/.cache/github-api-p2p",
            same(S::CacheDir),
        ),
        (
            "cache.persistence",
            K::Boolean,
            "true",
            E(Effect::Persistence),
        ),
        ("p2p.enabled", K::Boolean, "true", E(Effect::Peers)),
        ("p2p.listen_port", K::PORT, "9000", E(Effect::PeerPort)),
        ("p2p.peer_discovery", K::Boolean, "true", NotBuilt),
        ("p2p.bootstrap_peers", K::List, "", same(S::Bootstrap)),
        (
            "p2p.encryption.enabled",
            K::Boolean,
            "true",
            refused("what peers exchange is always encrypted", "true"),
        ),
        (
            "p2p.encryption.token_based",
            K::Boolean,
            "true",
            refused(super::peer_file::TOKENS_DIFFER, "false"),
        ),
        (
            "content_addressing.enabled",
            K::Boolean,
            "true",
            refused(AGREED, "true"),
        ),
        (
            "content_addressing.validation.repos",
            K::Boolean,
            "true",
            refused(AGREED, "true"),
        ),
        (
            "content_addressing.validation.workflows",
            K::Boolean,
            "true",
            refused(AGREED, "true"),
        ),
        (
            "content_addressing.validation.runners",
            K::Boolean,
            "true",
            refused(AGREED, "true"),
        ),
        (
            "rate_limiting.warning_threshold",
            K::ANY_COUNT,
            "100",
            same(S::WarningThreshold),
        ),
        (
            "rate_limiting.aggressive_threshold",
            K::ANY_COUNT,
            "50",
            same(S::AggressiveThreshold),
        ),
        (
            "rate_limiting.cache_first_mode",
            K::Boolean,
            "true",
            refused(
                "under the aggressive threshold stored answers come first; \
                 aggressive_threshold: 0 ends that",
                "true",
            ),
        ),
        // `monitoring.enabled` and `monitoring.metrics` stand in both files.
        (
            "monitoring.enabled",
            K::Boolean,
            "true",
            refused(
                "statistics are always counted, and go nowhere by themselves",
                "true",
            ),
        ),
        (
            "monitoring.log_stats",
            K::Boolean,
            "true",
            refused(
                "the log ends with the statistics; log_level: warn leaves them out",
                "true",
            ),
        ),
        (
            "monitoring.export_metrics",
            K::Boolean,
            "false",
            refused(
                "nothing is exported by itself; use `ghswarm stats` or read /metrics",
                "false",
            ),
        ),
        (
            "monitoring.metrics_format",
            K::OneOf(&["json", "prometheus"]),
            "json",
            refused(
                "each reader chooses: `ghswarm stats --format prometheus`",
                "json",
            ),
        ),
        (
            "ipfs_accelerate_integration.enabled",
            K::Boolean,
            "true",
            NotBuilt,
        ),
        (
            "ipfs_accelerate_integration.use_compatible_formats",
            K::Boolean,
            "true",
            NotBuilt,
        ),
        (
            "ipfs_accelerate_integration.share_with_accelerate",
            K::Boolean,
            "true",
            NotBuilt,
        ),
        (
            "ipfs_accelerate_integration.accept_from_accelerate",
            K::Boolean,
            "true",
            NotBuilt,
        ),
    ]
};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = super::of(Place::File, KEYS);
    // The documents name eight; every other operation has a lifetime as well.
    rows.extend(units::operations().map(|operation| {
        let name = format!("operation_ttls.{}", operation.name());
        let default = match operation.name() {
            "list_repos" => "600s",
            "get_repo_info" | "list_workflows" | "list_runners" => "300s",
            "get_workflow_runs" => "120s",
            "get_workflow_run" | "get_runner_status" => "60s",
            "copilot_completion" => "3600s",
            _ => "",
        };
        row(
            Place::File,
            name,
            Kind::Time,
            default,
            lifetime(operation.name()),
        )
    }));
    rows
}
