//! The one table of everything that can be written into a file or a variable: what the older documents
//! know, and our own names. `config schema`, `config check` and the reading itself go by it.

mod cache_file;
mod inputs;
mod peer_file;
mod value;
mod variables;

use std::sync::LazyLock;
use std::time::Duration;

use super::setting::Setting;
use super::units;

pub use value::{Kind, Value};

/// One key of a file, or one variable.
#[derive(Debug, Clone)]
pub struct Row {
    /// Where it is written: `cache.max_size`, or the variable `CACHE_DIR`.
    pub name: String,
    /// Whether it is a key or a variable.
    pub place: Place,
    /// What a value looks like.
    pub kind: Kind,
    /// What the older documents call its default, in the form of [`Kind::read`]; a list with commas.
    pub default: &'static str,
    /// What becomes of it.
    pub status: Status,
}

/// Where a row is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Into `cache-config.yml`, `p2p-config.yml` or the file of `--config`: the three take the same keys.
    File,
    /// Into the environment or an env file.
    Variable,
}

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does something.
    Effect(Effect),
    /// It belongs to a part that is not built; a notice, if it asks for anything.
    NotBuilt,
    /// It is not done, for this reason; a notice, unless it asks for what is done anyway.
    Refused {
        /// Why, and what to do instead.
        reason: &'static str,
        /// The value that asks for nothing.
        unless: &'static str,
    },
}

/// What a value does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// What the setting of this name does.
    Same(Setting),
    /// Room in memory for so many entries. Bytes are what is bounded here: the documents' default of
    /// 5000 entries stands for the default of `--memory-limit`, other numbers for their share of it.
    Entries,
    /// The lifetime of one operation.
    Lifetime(&'static str),
    /// `false`: `--no-disk`.
    Persistence,
    /// `false`: `--no-cache`.
    Enabled,
    /// `false`: `--no-p2p`.
    Peers,
    /// `false`: `--no-mdns`.
    Mdns,
    /// The port where peers connect, over TCP and QUIC. 9000, the documents' default, is what is tried
    /// first anyway.
    PeerPort,
    /// The variable of this name has the secret.
    SecretIn(&'static str),
    /// Nothing here: another command reads it, or only people do.
    Elsewhere,
}

/// Which files may set something. A variable may set whatever it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Flags and variables alone.
    Nowhere,
    /// Files that somebody named with `--config`.
    Named,
    /// Files of the workspace, too, which the author of a pull request writes: lifetimes, sizes, whether
    /// something is kept, log levels; nothing that says where to, with whom, or whom to trust. Bounded
    /// by [`bounded`].
    Workspace,
}

impl Effect {
    /// Which files may have it.
    pub fn reach(self) -> Reach {
        match self {
            Self::Same(setting) => setting.reach(),
            Self::Entries | Self::Lifetime(_) | Self::Persistence | Self::Enabled | Self::Peers => {
                Reach::Workspace
            }
            Self::Mdns | Self::PeerPort | Self::SecretIn(_) | Self::Elsewhere => Reach::Named,
        }
    }

    /// The settings that `value` (in the form of [`Kind::read`]) makes.
    pub fn settings(self, value: &[String]) -> Vec<(Setting, Vec<String>)> {
        let text = value.first().map_or("", String::as_str);
        let one = |setting, text: String| vec![(setting, vec![text])];
        match self {
            Self::Same(setting) => vec![(setting, value.to_vec())],
            Self::Entries => one(Setting::MemoryLimit, room_for(text)),
            Self::Lifetime(operation) => one(Setting::Lifetime, format!("{operation}={text}")),
            Self::Persistence => one(Setting::NoDisk, (text == "false").to_string()),
            Self::Enabled => one(Setting::NoCache, (text == "false").to_string()),
            Self::Peers => one(Setting::NoP2p, (text == "false").to_string()),
            Self::Mdns => one(Setting::NoMdns, (text == "false").to_string()),
            Self::PeerPort if text == USUAL_PORT => Vec::new(),
            Self::PeerPort => {
                let tcp = format!("/ip4/0.0.0.0/tcp/{text}");
                let quic = format!("/ip4/0.0.0.0/udp/{text}/quic-v1");
                vec![(Setting::P2pListen, vec![tcp, quic])]
            }
            Self::SecretIn(variable) => one(Setting::SecretEnv, variable.to_owned()),
            Self::Elsewhere => Vec::new(),
        }
    }
}

/// The port that the documents name.
const USUAL_PORT: &str = "9000";

/// The number of entries that the documents' default asks for.
const USUAL_ENTRIES: u128 = 5000;

/// Bytes for as many entries as `text` says. A number that is too large was refused when it was read.
fn room_for(text: &str) -> String {
    let entries: u128 = text.parse().unwrap_or(USUAL_ENTRIES);
    let bytes = entries * u128::from(crate::tiered::Config::default().memory_limit) / USUAL_ENTRIES;
    units::show_size(u64::try_from(bytes).unwrap_or(u64::MAX))
}

/// The longest lifetime that a workspace gets.
pub const LONGEST_FROM_WORKSPACE: Duration = Duration::from_secs(24 * 60 * 60);

/// What a workspace gets that asks for `text`, if that is less: of sizes and limits no more than the
/// default, so that a pull request fills neither the memory nor the disk of a shared host; a lifetime of a
/// day, so that nothing wrong outlives its cause by weeks; a log between errors and `info`, so that
/// it neither hides what happens nor floods the disk.
pub fn bounded(setting: Setting, text: &str) -> Option<String> {
    let at_most = |most: u64| {
        let asked = units::size(text).ok()?;
        (asked > most).then(|| units::show_size(most))
    };
    let usual = crate::tiered::Config::default();
    match setting {
        Setting::MemoryLimit => at_most(usual.memory_limit),
        Setting::BodyLimit => at_most(usual.body_limit as u64),
        Setting::DiskLimit => at_most(super::DISK_LIMIT),
        Setting::Lifetime => {
            let (operation, lasts) = units::lifetime(text).ok()?;
            let longest = units::show_time(LONGEST_FROM_WORKSPACE);
            (lasts > LONGEST_FROM_WORKSPACE).then(|| format!("{}={longest}", operation.name()))
        }
        Setting::LogLevel => {
            let plain = ["error", "warn", "info"].contains(&text);
            (!plain).then(|| "info".to_owned())
        }
        _ => None,
    }
}

/// Every row: the keys of the two files, the variables, and our own names in both forms.
pub fn rows() -> &'static [Row] {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
        let mut rows = cache_file::rows();
        rows.extend(peer_file::rows());
        rows.extend(variables::rows());
        rows.extend(inputs::rows());
        for setting in Setting::all() {
            let status = Status::Effect(Effect::Same(setting));
            if setting.reach() != Reach::Nowhere {
                let name = format!("{SECTION}.{}", setting.name());
                rows.push(row(Place::File, name, setting.kind(), "", status));
            }
            let variable = setting.variable();
            rows.push(row(Place::Variable, variable, setting.kind(), "", status));
        }
        rows
    });
    &ROWS
}

/// The section of a file that takes our own settings.
pub const SECTION: &str = "ghswarm";

/// The row of a key or variable.
pub fn find(place: Place, name: &str) -> Option<&'static Row> {
    rows()
        .iter()
        .find(|row| row.place == place && row.name == name)
}

fn row(
    place: Place,
    name: impl Into<String>,
    kind: Kind,
    default: &'static str,
    status: Status,
) -> Row {
    Row {
        name: name.into(),
        place,
        kind,
        default,
        status,
    }
}

/// A row as the tables write it: name, kind, default, status.
type Key = (&'static str, Kind, &'static str, Status);

fn of(place: Place, keys: &[Key]) -> Vec<Row> {
    let row = |&(name, kind, default, status): &Key| row(place, name, kind, default, status);
    keys.iter().map(row).collect()
}

/// A number of entries. None at all is `cache.enabled: false`.
const ENTRIES: Kind = Kind::Count {
    least: 1,
    most: 1_000_000_000,
};

const fn refused(reason: &'static str, unless: &'static str) -> Status {
    Status::Refused { reason, unless }
}

const fn same(setting: Setting) -> Status {
    Status::Effect(Effect::Same(setting))
}

const fn lifetime(operation: &'static str) -> Status {
    Status::Effect(Effect::Lifetime(operation))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_stands_once_and_a_default_is_a_value() {
        let mut names = BTreeSet::new();
        for row in rows() {
            assert!(names.insert(&row.name), "{} stands twice", row.name);
            if !row.default.is_empty() {
                let read = row.kind.read_text(row.default);
                let shown = read.map(|texts| texts.join(","));
                assert_eq!(shown.as_deref(), Ok(row.default), "{}", row.name);
            }
        }
    }

    #[test]
    fn every_operation_can_be_given_a_lifetime() {
        for operation in units::operations() {
            let row = find(Place::File, &format!("operation_ttls.{}", operation.name()));
            let status = row.map(|row| row.status);
            assert_eq!(status, Some(lifetime(operation.name())));
        }
    }

    #[test]
    fn what_is_refused_or_not_built_does_nothing_and_says_why() {
        for row in rows() {
            if let Status::Refused { reason, unless } = row.status {
                assert!(reason.len() > 20, "{}", row.name);
                assert!(
                    unless.is_empty() || row.kind.read_text(unless).is_ok(),
                    "{}",
                    row.name
                );
            }
        }
    }

    #[test]
    fn entries_are_their_share_of_the_memory_limit() {
        let room = |entries: &str| Effect::Entries.settings(&[entries.to_owned()]);
        let limit = |text: &str| vec![(Setting::MemoryLimit, vec![text.to_owned()])];
        assert_eq!(room("5000"), limit("64MiB"));
        assert_eq!(room("10000"), limit("128MiB"));
        assert_eq!(room("1"), limit("13421"));
    }

    #[test]
    fn a_workspace_gets_less_than_it_asks_for() {
        let got = |setting, text| bounded(setting, text);
        assert_eq!(got(Setting::MemoryLimit, "1MiB"), None);
        assert_eq!(got(Setting::MemoryLimit, "1TiB").as_deref(), Some("64MiB"));
        assert_eq!(got(Setting::BodyLimit, "1TiB").as_deref(), Some("10MiB"));
        assert_eq!(got(Setting::DiskLimit, "1TiB").as_deref(), Some("1GiB"));
        let year = got(Setting::Lifetime, "list_repos=365d");
        assert_eq!(year.as_deref(), Some("list_repos=86400s"));
        assert_eq!(got(Setting::Lifetime, "list_repos=1d"), None);
        assert_eq!(got(Setting::LogLevel, "warn"), None);
        for level in ["debug", "trace", "off", "ghswarm=trace"] {
            assert_eq!(got(Setting::LogLevel, level).as_deref(), Some("info"));
        }
    }

    #[test]
    fn a_workspace_reaches_only_what_cannot_point_anywhere() {
        let reached: Vec<_> = Setting::all()
            .filter(|setting| setting.reach() == Reach::Workspace)
            .map(Setting::name)
            .collect();
        let expected = [
            "lifetime",
            "no_cache",
            "memory_limit",
            "disk_limit",
            "no_disk",
            "body_limit",
            "no_p2p",
            "log_level",
        ];
        assert_eq!(reached, expected);
    }
}
