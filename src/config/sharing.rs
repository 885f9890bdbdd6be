//! Whether and with whom entries are shared: the settings about peers put together.

use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::origin::{Origin, Problem};
use super::setting::Setting;
use super::settings::{Admission, Settings, Trust};
use super::{Environment, Error, env, env_file, workspace};
use crate::seal::{Cost, SharedSecret};
use crate::swarm::{self, Secret};

/// No secret is as long as this.
const LONGEST: u64 = 64 << 10;
/// How tokens of installations begin; every job's is one.
const JOB_TOKEN: &[u8] = b"ghs_";
/// How tokens begin that somebody made by hand, and that may stay the same for long.
const MADE_BY_HAND: [&[u8]; 2] = [b"ghp_", b"github_pat_"];

const ANOTHER_IN_EVERY_JOB: &str = "a job's token is different for every job, so no two members of the pool would have the same; \
     make a secret with `openssl rand -hex 32` and keep it as a secret of the repository or organisation";

/// What becomes of the settings about peers.
#[derive(Debug)]
pub enum Sharing {
    /// `--no-p2p`.
    Off,
    /// Nobody says with whom.
    NoPool {
        /// Whether something else was said about peers, so that somebody waits for them.
        wanted: bool,
    },
    /// With the members of a pool.
    With(Box<swarm::Config>),
}

impl Sharing {
    /// What `settings` say. The secret is read from its file or variable.
    pub fn find(settings: &Settings, environment: &Environment) -> Result<Self, Error> {
        if settings.no_p2p == Some(true) {
            return Ok(Self::Off);
        }
        let ways = ways(settings);
        let secret = secret(settings, environment)?;
        let secret = secret.filter(|_| ways.secret);
        let problem = |setting, reason: &str| Err(problem(setting, reason).into());
        if secret.is_none() && !ways.ticket {
            return problem(
                Setting::Admission,
                "secret alone lets nobody in without --secret-file or --secret-env",
            );
        }
        if secret.is_none() && settings.trust == Some(Trust::Swarm) {
            return problem(
                Setting::Trust,
                "swarm takes the word of peers that were admitted by the secret, and there is none; \
                 give --secret-file or --secret-env, or --trust github",
            );
        }
        let Some(pool) = settings.pool.clone() else {
            let wanted = secret.is_some()
                || !settings.p2p_listen.is_empty()
                || !settings.bootstrap.is_empty();
            return Ok(Self::NoPool { wanted });
        };
        Ok(Self::With(Box::new(swarm::Config {
            secret: secret.map(|secret| Secret::Raw(secret, Cost::DEFAULT)),
            tickets: ways.ticket,
            share_private: settings.share_private == Some(true),
            listen: settings.p2p_listen.clone(),
            bootstrap: settings.bootstrap.clone(),
            mdns: settings.no_mdns != Some(true),
            ..swarm::Config::new(pool)
        })))
    }

    /// How a daemon is to share.
    pub fn into_config(self) -> Option<swarm::Config> {
        match self {
            Self::Off | Self::NoPool { .. } => None,
            Self::With(config) => Some(*config),
        }
    }

    /// What people should know about it.
    pub fn notice(&self) -> Option<&'static str> {
        matches!(self, Self::NoPool { wanted: true }).then_some(
            "nothing is shared with peers: no pool is named; give --pool OWNER/REPO (in a job it is the \
             repository)",
        )
    }
}

/// The ways of admission: a secret that is given is used, unless somebody leaves it out.
fn ways(settings: &Settings) -> Admission {
    settings.admission.unwrap_or(Admission::BOTH)
}

fn problem(setting: Setting, reason: impl Into<String>) -> Problem {
    Problem {
        origin: Origin::Flag(setting.flag()),
        reason: reason.into(),
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problems(vec![problem])
    }
}

/// The secret of the pool, if there is to be one.
fn secret(settings: &Settings, environment: &Environment) -> Result<Option<SharedSecret>, Problem> {
    let (setting, bytes) = match (&settings.secret_file, &settings.secret_env) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            let reason = "the secret is in a file and in a variable; keep one of --secret-file and \
                          --secret-env";
            return Err(problem(Setting::SecretFile, reason));
        }
        (Some(path), None) => {
            let read = read(path).map_err(|error| {
                let reason = format!("{} cannot be read: {error}", path.display());
                problem(Setting::SecretFile, reason)
            });
            (Setting::SecretFile, read?)
        }
        (None, Some(name)) => (
            Setting::SecretEnv,
            of_variable(name, settings, environment)?,
        ),
    };
    if is_of_a_job(&bytes, environment) {
        return Err(problem(setting, ANOTHER_IN_EVERY_JOB));
    }
    let secret = SharedSecret::new(&bytes);
    secret
        .map(Some)
        .map_err(|error| problem(setting, error.to_string()))
}

fn read(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    std::fs::File::open(path)?
        .take(LONGEST)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The value of a variable: of the environment, or of the env file.
fn of_variable(
    name: &str,
    settings: &Settings,
    environment: &Environment,
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    // The daemon does not get them, so this would work in the foreground alone.
    if env::TOKENS.contains(&name) {
        let reason = format!("{name} is kept from the daemon; {ANOTHER_IN_EVERY_JOB}");
        return Err(problem(Setting::SecretEnv, reason));
    }
    if let Some(value) = environment.os(name) {
        return Ok(Zeroizing::new(value.as_encoded_bytes().to_vec()));
    }
    let in_file = settings.env_file.as_deref().and_then(|path| {
        let bytes = Zeroizing::new(workspace::read_named(path).ok()?);
        let (lines, _) = env_file::read(&bytes);
        let mut lines = lines.into_iter().rev();
        let line = lines.find(|line| line.name == name && !line.value.is_empty())?;
        Some(Zeroizing::new(line.value.into_bytes()))
    });
    in_file.ok_or_else(|| {
        problem(
            Setting::SecretEnv,
            format!("the variable {name} is not set"),
        )
    })
}

/// Whether `secret` is the token of a job.
fn is_of_a_job(secret: &[u8], environment: &Environment) -> bool {
    let secret = secret.trim_ascii();
    let is = |name| {
        let token = environment.os(name);
        token.is_some_and(|token| token.as_encoded_bytes().trim_ascii() == secret)
    };
    let by_hand = MADE_BY_HAND.iter().any(|start| secret.starts_with(start));
    secret.starts_with(JOB_TOKEN)
        || (!by_hand && [env::GITHUB_TOKEN, env::GH_TOKEN].into_iter().any(is))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::Pool;

    const SECRET: &str = "0123456789abcdef-hunter2";

    fn pooled() -> Settings {
        Settings {
            pool: Some(Pool::new("octo-org/app").unwrap()),
            ..Settings::default()
        }
    }

    fn by_env() -> Settings {
        Settings {
            secret_env: Some("POOL_SECRET".to_owned()),
            ..pooled()
        }
    }

    fn find(settings: &Settings, pairs: &[(&str, &str)]) -> Result<Sharing, String> {
        Sharing::find(settings, &Environment::from_pairs(pairs)).map_err(|error| error.to_string())
    }

    fn with(settings: &Settings, pairs: &[(&str, &str)]) -> swarm::Config {
        find(settings, pairs).unwrap().into_config().unwrap()
    }

    #[test]
    fn without_a_pool_nothing_is_shared_and_no_p2p_ends_it() {
        let sharing = find(&Settings::default(), &[]).unwrap();
        assert!(sharing.notice().is_none() && sharing.into_config().is_none());
        let lost = Settings {
            pool: None,
            ..by_env()
        };
        let sharing = find(&lost, &[("POOL_SECRET", SECRET)]).unwrap();
        assert!(sharing.notice().unwrap().contains("--pool"));
        let off = Settings {
            no_p2p: Some(true),
            ..pooled()
        };
        assert!(matches!(find(&off, &[]), Ok(Sharing::Off)));
    }

    #[test]
    fn a_pool_alone_shares_by_ticket() {
        let config = with(&pooled(), &[]);
        assert!(config.tickets && config.secret.is_none() && config.mdns);
        assert!(!config.share_private && config.listen.is_empty());
    }

    #[test]
    fn a_secret_comes_from_its_variable_its_file_or_the_env_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        crate::files::write_atomic(&file, format!("{SECRET}\n").as_bytes()).unwrap();
        let by_file = Settings {
            secret_file: Some(file.clone()),
            ..pooled()
        };
        let line = format!("POOL_SECRET={SECRET}\n");
        let lines = dir.path().join("env");
        crate::files::write_atomic(&lines, line.as_bytes()).unwrap();
        let by_line = Settings {
            env_file: Some(lines),
            ..by_env()
        };
        for (settings, pairs) in [
            (by_env(), &[("POOL_SECRET", SECRET)][..]),
            (by_file, &[]),
            (by_line, &[]),
        ] {
            let config = with(&settings, pairs);
            assert!(matches!(config.secret, Some(Secret::Raw(..))));
            assert!(!format!("{config:?}").contains("hunter2"));
        }
        let tickets = Settings {
            admission: Some(Admission {
                ticket: true,
                secret: false,
            }),
            ..by_env()
        };
        assert!(with(&tickets, &[("POOL_SECRET", SECRET)]).secret.is_none());
    }

    #[test]
    fn what_cannot_work_is_refused_with_what_to_do() {
        let job = "ghs_0123456789abcdefghij";
        let old = "v1.0123456789abcdef0123";
        let both = Settings {
            secret_file: Some("/f".into()),
            ..by_env()
        };
        let secret_only = Settings {
            admission: Some(Admission {
                ticket: false,
                secret: true,
            }),
            ..pooled()
        };
        let trusting = Settings {
            trust: Some(Trust::Swarm),
            ..pooled()
        };
        let token = Settings {
            secret_env: Some("GITHUB_TOKEN".to_owned()),
            ..pooled()
        };
        for (settings, pairs, word) in [
            (by_env(), &[][..], "POOL_SECRET is not set"),
            (by_env(), &[("POOL_SECRET", "short")], "openssl rand"),
            (by_env(), &[("POOL_SECRET", job)], "different for every job"),
            (
                by_env(),
                &[("POOL_SECRET", old), ("GITHUB_TOKEN", old)],
                "different for every job",
            ),
            (token, &[("GITHUB_TOKEN", "x")], "different for every job"),
            (both, &[("POOL_SECRET", SECRET)], "keep one of"),
            (secret_only, &[], "--secret-file"),
            (trusting, &[], "--secret-file"),
        ] {
            let error = find(&settings, pairs).unwrap_err();
            assert!(error.contains(word), "{error}");
            assert!(!error.contains(job) && !error.contains(old), "{error}");
        }
    }

    #[test]
    fn a_token_made_by_hand_may_be_the_secret() {
        let token = format!("ghp_{}", "0".repeat(36));
        let pairs = [("POOL_SECRET", token.as_str()), ("GH_TOKEN", &token)];
        assert!(with(&by_env(), &pairs).secret.is_some());
    }
}
