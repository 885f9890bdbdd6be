//! The inputs of the actions. A composite action hands them to its steps as variables: `cache-size` as
//! `GHSWARM_INPUT_CACHE_SIZE`. What has a default there is always given, so here the default says nothing, and
//! what a workflow's `env:` says holds.

use super::{ENTRIES, Effect, Key, Kind, Place, Row, Setting, Status, lifetime, same};

/// What `--secret-env` names when a job has the input `pool-secret`.
const POOL_SECRET: &str = "GHSWARM_INPUT_POOL_SECRET";

const INPUTS: &[Key] = {
    use Kind as K;
    use Status::Effect as E;
    &[
        (
            "GHSWARM_INPUT_ENABLE_P2P",
            K::Boolean,
            "true",
            E(Effect::Peers),
        ),
        (
            "GHSWARM_INPUT_CACHE_SIZE",
            ENTRIES,
            "5000",
            E(Effect::Entries),
        ),
        (
            "GHSWARM_INPUT_CACHE_TTL",
            K::Time,
            "300s",
            lifetime("key_value"),
        ),
        (
            "GHSWARM_INPUT_P2P_PORT",
            K::PORT,
            "9000",
            E(Effect::PeerPort),
        ),
        // And no record is taken or left; `job start` looks at that itself.
        (
            "GHSWARM_INPUT_ENABLE_PEER_DISCOVERY",
            K::Boolean,
            "true",
            E(Effect::Mdns),
        ),
        (
            "GHSWARM_INPUT_SHARE_PRIVATE",
            K::Boolean,
            "",
            same(Setting::SharePrivate),
        ),
        (POOL_SECRET, K::Secret, "", E(Effect::SecretIn(POOL_SECRET))),
        (
            "GHSWARM_INPUT_STRICT",
            K::Boolean,
            "",
            same(Setting::Strict),
        ),
        (
            "GHSWARM_INPUT_TRUST",
            K::OneOf(&["github", "swarm"]),
            "",
            same(Setting::Trust),
        ),
        ("GHSWARM_INPUT_POOL", K::Text, "", same(Setting::Pool)),
        // For the steps of the action, not for the daemon.
        (
            "GHSWARM_INPUT_CACHE",
            K::Boolean,
            "false",
            E(Effect::Elsewhere),
        ),
        (
            "GHSWARM_INPUT_GITHUB_TOKEN",
            K::Secret,
            "",
            E(Effect::Elsewhere),
        ),
        ("GHSWARM_INPUT_VERSION", K::Text, "", E(Effect::Elsewhere)),
        ("GHSWARM_INPUT_MIRROR", K::Text, "", E(Effect::Elsewhere)),
    ]
};

pub(super) fn rows() -> Vec<Row> {
    super::of(Place::Variable, INPUTS)
}
