//! What can be set, by one name everywhere: `memory_limit` is the flag `--memory-limit`, the variable
//! `GHSWARM_MEMORY_LIMIT` and the key `ghswarm.memory_limit` of a file.

use super::env;
use super::table::{Kind, Reach};

/// A setting of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// `--listen`
    Listen,
    /// `--socket`
    Socket,
    /// `--origin`
    Origin,
    /// `--origin-for`
    OriginFor,
    /// `--state-dir`
    StateDir,
    /// `--cache-dir`
    CacheDir,
    /// `--ready-file`
    ReadyFile,
    /// `--owner`
    Owner,
    /// `--strict`
    Strict,
    /// `--ttl-policy`
    TtlPolicy,
    /// `--lifetime`
    Lifetime,
    /// `--grant-ttl`
    GrantTtl,
    /// `--no-cache`
    NoCache,
    /// `--memory-limit`
    MemoryLimit,
    /// `--disk-limit`
    DiskLimit,
    /// `--no-disk`
    NoDisk,
    /// `--body-limit`
    BodyLimit,
    /// `--on-exhausted`
    OnExhausted,
    /// `--max-wait`
    MaxWait,
    /// `--upstream-concurrency`
    UpstreamConcurrency,
    /// `--warning-threshold`
    WarningThreshold,
    /// `--aggressive-threshold`
    AggressiveThreshold,
    /// `--rewrite-bodies`
    RewriteBodies,
    /// `--no-p2p`
    NoP2p,
    /// `--pool`
    Pool,
    /// `--p2p-listen`
    P2pListen,
    /// `--bootstrap`
    Bootstrap,
    /// `--no-mdns`
    NoMdns,
    /// `--trust`
    Trust,
    /// `--admission`
    Admission,
    /// `--secret-file`
    SecretFile,
    /// `--secret-env`
    SecretEnv,
    /// `--share-private`
    SharePrivate,
    /// `--log-format`
    LogFormat,
    /// `--log-level`
    LogLevel,
}

struct Spec {
    setting: Setting,
    name: &'static str,
    variable: &'static str,
    kind: Kind,
    reach: Reach,
}

const fn spec(
    setting: Setting,
    name: &'static str,
    variable: &'static str,
    kind: Kind,
    reach: Reach,
) -> Spec {
    Spec {
        setting,
        name,
        variable,
        kind,
        reach,
    }
}

/// In the order of the enum. Which daemon is meant (`state_dir`, `socket`) is never said by a file:
/// the commands that talk to a daemon would have to read the same file to find it.
const SPECS: [Spec; 35] = {
    use Kind as K;
    use Reach as R;
    use Setting as S;
    [
        spec(S::Listen, "listen", env::LISTEN, K::Text, R::Named),
        spec(S::Socket, "socket", env::SOCKET, K::Path, R::Nowhere),
        spec(S::Origin, "origin", env::ORIGIN, K::Text, R::Named),
        spec(
            S::OriginFor,
            "origin_for",
            env::ORIGIN_FOR,
            K::List,
            R::Named,
        ),
        spec(
            S::StateDir,
            "state_dir",
            env::STATE_DIR,
            K::Path,
            R::Nowhere,
        ),
        spec(S::CacheDir, "cache_dir", env::CACHE_DIR, K::Path, R::Named),
        spec(
            S::ReadyFile,
            "ready_file",
            env::READY_FILE,
            K::Path,
            R::Named,
        ),
        spec(
            S::Owner,
            "owner",
            env::OWNER,
            K::OneOf(&["job", "user", "host"]),
            R::Named,
        ),
        spec(S::Strict, "strict", env::STRICT, K::Boolean, R::Named),
        spec(
            S::TtlPolicy,
            "ttl_policy",
            env::TTL_POLICY,
            K::OneOf(&["operation", "origin"]),
            R::Named,
        ),
        spec(
            S::Lifetime,
            "lifetime",
            env::LIFETIME,
            K::List,
            R::Workspace,
        ),
        spec(S::GrantTtl, "grant_ttl", env::GRANT_TTL, K::Time, R::Named),
        spec(
            S::NoCache,
            "no_cache",
            env::NO_CACHE,
            K::Boolean,
            R::Workspace,
        ),
        spec(
            S::MemoryLimit,
            "memory_limit",
            env::MEMORY_LIMIT,
            K::Size,
            R::Workspace,
        ),
        spec(
            S::DiskLimit,
            "disk_limit",
            env::DISK_LIMIT,
            K::Size,
            R::Workspace,
        ),
        spec(S::NoDisk, "no_disk", env::NO_DISK, K::Boolean, R::Workspace),
        spec(
            S::BodyLimit,
            "body_limit",
            env::BODY_LIMIT,
            K::Size,
            R::Workspace,
        ),
        spec(
            S::OnExhausted,
            "on_exhausted",
            env::ON_EXHAUSTED,
            K::OneOf(&["wait", "stale", "fail"]),
            R::Named,
        ),
        spec(S::MaxWait, "max_wait", env::MAX_WAIT, K::Time, R::Named),
        spec(
            S::UpstreamConcurrency,
            "upstream_concurrency",
            env::UPSTREAM_CONCURRENCY,
            K::Count {
                least: 1,
                most: u32::MAX as u64,
            },
            R::Named,
        ),
        spec(
            S::WarningThreshold,
            "warning_threshold",
            env::WARNING_THRESHOLD,
            K::ANY_COUNT,
            R::Named,
        ),
        spec(
            S::AggressiveThreshold,
            "aggressive_threshold",
            env::AGGRESSIVE_THRESHOLD,
            K::ANY_COUNT,
            R::Named,
        ),
        spec(
            S::RewriteBodies,
            "rewrite_bodies",
            env::REWRITE_BODIES,
            K::OneOf(&["auto", "always", "never"]),
            R::Named,
        ),
        spec(S::NoP2p, "no_p2p", env::NO_P2P, K::Boolean, R::Workspace),
        spec(S::Pool, "pool", env::POOL, K::Text, R::Named),
        spec(
            S::P2pListen,
            "p2p_listen",
            env::P2P_LISTEN,
            K::List,
            R::Named,
        ),
        spec(S::Bootstrap, "bootstrap", env::BOOTSTRAP, K::List, R::Named),
        spec(S::NoMdns, "no_mdns", env::NO_MDNS, K::Boolean, R::Named),
        spec(
            S::Trust,
            "trust",
            env::TRUST,
            K::OneOf(&["github", "swarm"]),
            R::Named,
        ),
        spec(S::Admission, "admission", env::ADMISSION, K::List, R::Named),
        spec(
            S::SecretFile,
            "secret_file",
            env::SECRET_FILE,
            K::Path,
            R::Named,
        ),
        spec(
            S::SecretEnv,
            "secret_env",
            env::SECRET_ENV,
            K::Text,
            R::Named,
        ),
        spec(
            S::SharePrivate,
            "share_private",
            env::SHARE_PRIVATE,
            K::Boolean,
            R::Named,
        ),
        spec(
            S::LogFormat,
            "log_format",
            env::LOG_FORMAT,
            K::OneOf(&["text", "json"]),
            R::Named,
        ),
        spec(
            S::LogLevel,
            "log_level",
            env::LOG_LEVEL,
            K::Text,
            R::Workspace,
        ),
    ]
};

impl Setting {
    /// Every setting.
    pub fn all() -> impl Iterator<Item = Self> {
        SPECS.iter().map(|spec| spec.setting)
    }

    fn spec(self) -> &'static Spec {
        &SPECS[self as usize]
    }

    /// `memory_limit`
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// `--memory-limit`
    pub fn flag(self) -> String {
        format!("--{}", self.name().replace('_', "-"))
    }

    /// `GHSWARM_MEMORY_LIMIT`
    pub fn variable(self) -> &'static str {
        self.spec().variable
    }

    /// What a value of it looks like.
    pub fn kind(self) -> Kind {
        self.spec().kind
    }

    /// Which files may set it.
    pub fn reach(self) -> Reach {
        self.spec().reach
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_has_its_own_row_and_one_name() {
        for (place, spec) in SPECS.iter().enumerate() {
            assert_eq!(spec.setting as usize, place, "{}", spec.name);
            let variable = format!("{}{}", env::PREFIX, spec.name.to_uppercase());
            assert_eq!(spec.variable, variable);
        }
    }
}
