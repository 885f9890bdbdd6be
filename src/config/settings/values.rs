//! Each setting as text: read from variables and files, shown to people and to the next process.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum;

use super::super::setting::Setting;
use super::super::{Config, DISK_LIMIT, units};
use super::Settings;

impl Settings {
    /// Sets `setting` to what `texts` say; only a setting that is repeatable takes more than one.
    pub(in crate::config) fn put(
        &mut self,
        setting: Setting,
        texts: &[String],
    ) -> Result<(), String> {
        use Setting as S;
        let text = texts.first().map_or("", String::as_str);
        match setting {
            S::Listen => self.listen = Some(units::loopback(text)?),
            S::Origin => self.origin = Some(units::origin(text)?),
            S::OriginFor => self.origin_for.extend(each(texts, units::origin_for)?),
            S::Owner => self.owner = Some(one_of(text)?),
            S::Strict => self.strict = Some(units::boolean(text)?),
            S::TtlPolicy => self.ttl_policy = Some(one_of(text)?),
            S::Lifetime => self.lifetime.extend(each(texts, units::lifetime)?),
            S::GrantTtl => self.grant_ttl = Some(units::time(text)?),
            S::NoCache => self.no_cache = Some(units::boolean(text)?),
            S::MemoryLimit => self.memory_limit = Some(units::size(text)?),
            S::DiskLimit => self.disk_limit = Some(units::size(text)?),
            S::NoDisk => self.no_disk = Some(units::boolean(text)?),
            S::BodyLimit => self.body_limit = Some(units::size(text)?),
            S::OnExhausted => self.on_exhausted = Some(one_of(text)?),
            S::MaxWait => self.max_wait = Some(units::time(text)?),
            S::UpstreamConcurrency => self.upstream_concurrency = Some(concurrency(text)?),
            S::WarningThreshold => self.warning_threshold = Some(units::count(text)?),
            S::AggressiveThreshold => self.aggressive_threshold = Some(units::count(text)?),
            S::RewriteBodies => self.rewrite_bodies = Some(one_of(text)?),
            S::NoP2p => self.no_p2p = Some(units::boolean(text)?),
            S::Pool => self.pool = Some(units::pool(text)?),
            S::P2pListen => self.p2p_listen.extend(each(texts, units::listening)?),
            S::Bootstrap => self.bootstrap.extend(each(texts, units::dialable)?),
            S::NoMdns => self.no_mdns = Some(units::boolean(text)?),
            S::Trust => self.trust = Some(one_of(text)?),
            S::Admission => self.admission = Some(units::admission(&texts.join(","))?),
            S::SecretEnv => self.secret_env = Some(units::variable(text)?),
            S::SharePrivate => self.share_private = Some(units::boolean(text)?),
            S::LogFormat => self.log_format = Some(one_of(text)?),
            S::LogLevel => self.log_level = Some(units::level(text)?),
            S::Socket | S::StateDir | S::CacheDir | S::ReadyFile | S::SecretFile => {
                self.put_path(setting, PathBuf::from(text));
            }
        }
        Ok(())
    }

    /// Sets a setting that is a path, whatever its bytes.
    pub(in crate::config) fn put_path(&mut self, setting: Setting, path: PathBuf) {
        match setting {
            Setting::Socket => self.socket = Some(path),
            Setting::StateDir => self.state_dir = Some(path),
            Setting::CacheDir => self.cache_dir = Some(path),
            Setting::ReadyFile => self.ready_file = Some(path),
            Setting::SecretFile => self.secret_file = Some(path),
            _ => {}
        }
    }

    /// What `setting` says: nothing if it is not set, several values if it is repeatable. Each can be
    /// read again by its flag.
    pub fn values(&self, setting: Setting) -> Vec<OsString> {
        use Setting as S;
        let size = |bytes: Option<u64>| bytes.map(units::show_size);
        let time = |time: Option<_>| time.map(units::show_time);
        let text = match setting {
            S::OriginFor => {
                let pair = |(host, url): &(String, url::Url)| format!("{host}={url}").into();
                return self.origin_for.iter().map(pair).collect();
            }
            S::Lifetime => {
                let pair = |(operation, lasts): &(crate::api::Operation, _)| {
                    format!("{}={}", operation.name(), units::show_time(*lasts)).into()
                };
                return self.lifetime.iter().map(pair).collect();
            }
            S::Socket => return path(self.socket.as_ref()),
            S::StateDir => return path(self.state_dir.as_ref()),
            S::CacheDir => return path(self.cache_dir.as_ref()),
            S::ReadyFile => return path(self.ready_file.as_ref()),
            S::SecretFile => return path(self.secret_file.as_ref()),
            S::P2pListen => return addresses(&self.p2p_listen),
            S::Bootstrap => return addresses(&self.bootstrap),
            S::NoP2p => self.no_p2p.map(|yes| yes.to_string()),
            S::Pool => self.pool.as_ref().map(|pool| pool.name().to_owned()),
            S::NoMdns => self.no_mdns.map(|yes| yes.to_string()),
            S::Trust => self.trust.as_ref().map(name),
            S::Admission => self.admission.map(|ways| ways.to_string()),
            S::SecretEnv => self.secret_env.clone(),
            S::SharePrivate => self.share_private.map(|yes| yes.to_string()),
            S::Listen => self.listen.map(|address| address.to_string()),
            S::Origin => self.origin.as_ref().map(ToString::to_string),
            S::Owner => self.owner.as_ref().map(name),
            S::Strict => self.strict.map(|yes| yes.to_string()),
            S::TtlPolicy => self.ttl_policy.as_ref().map(name),
            S::GrantTtl => time(self.grant_ttl),
            S::NoCache => self.no_cache.map(|yes| yes.to_string()),
            S::MemoryLimit => size(self.memory_limit),
            S::DiskLimit => size(self.disk_limit),
            S::NoDisk => self.no_disk.map(|yes| yes.to_string()),
            S::BodyLimit => size(self.body_limit),
            S::OnExhausted => self.on_exhausted.as_ref().map(name),
            S::MaxWait => time(self.max_wait),
            S::UpstreamConcurrency => self.upstream_concurrency.map(|n| n.to_string()),
            S::WarningThreshold => self.warning_threshold.map(|calls| calls.to_string()),
            S::AggressiveThreshold => self.aggressive_threshold.map(|calls| calls.to_string()),
            S::RewriteBodies => self.rewrite_bodies.as_ref().map(name),
            S::LogFormat => self.log_format.as_ref().map(name),
            S::LogLevel => self.log_level.clone(),
        };
        text.into_iter().map(OsString::from).collect()
    }

    /// What holds where nothing is set, as far as it does not depend on the environment: the lifetimes of
    /// operations that leave theirs to GitHub's `Cache-Control` are not in it either.
    pub fn defaults() -> Self {
        let Config {
            listen,
            github,
            budget,
            tiered,
            ..
        } = Config::default();
        let lifetime = units::operations();
        Self {
            listen: Some(listen),
            origin: Some(github.origin),
            strict: Some(false),
            ttl_policy: Some(super::TtlPolicy::Operation),
            lifetime: lifetime
                .filter_map(|operation| Some((operation, operation.lifetime()?)))
                .collect(),
            grant_ttl: Some(tiered.grant_ttl),
            no_cache: Some(false),
            memory_limit: Some(tiered.memory_limit),
            disk_limit: Some(DISK_LIMIT),
            no_disk: Some(false),
            body_limit: Some(tiered.body_limit as u64),
            on_exhausted: Some(super::OnExhausted::Wait),
            max_wait: Some(tiered.max_wait),
            upstream_concurrency: Some(github.concurrency),
            warning_threshold: Some(budget.warning),
            aggressive_threshold: Some(budget.aggressive),
            rewrite_bodies: Some(super::Rewrite::Auto),
            no_p2p: Some(false),
            no_mdns: Some(false),
            trust: Some(super::Trust::Github),
            admission: Some(units::Admission::BOTH),
            share_private: Some(false),
            log_format: Some(super::LogFormat::Text),
            log_level: Some("info".to_owned()),
            ..Self::default()
        }
    }
}

fn path(path: Option<&PathBuf>) -> Vec<OsString> {
    path.map(|path| path.clone().into_os_string())
        .into_iter()
        .collect()
}

fn addresses(addresses: &[crate::swarm::Multiaddr]) -> Vec<OsString> {
    let text = |address: &crate::swarm::Multiaddr| address.to_string().into();
    addresses.iter().map(text).collect()
}

fn each<T>(texts: &[String], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    texts.iter().map(|text| read(text)).collect()
}

fn name<T: ValueEnum>(value: &T) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

fn one_of<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, true).map_err(|_| {
        let names: Vec<_> = T::value_variants().iter().map(name).collect();
        format!("not one of {}", names.join(", "))
    })
}

pub(super) fn concurrency(text: &str) -> Result<usize, String> {
    match usize::try_from(units::count(text)?) {
        Ok(0) | Err(_) => Err(format!("{text:?} is not a number of requests, 1 or more")),
        Ok(number) => Ok(number),
    }
}
