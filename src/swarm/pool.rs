//! The pool: the set of runners that may share, and the names under which they speak of what they share.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::api::{Key, Namespace};
use crate::digest::Digest;
use crate::seal::{Cost, Purpose, SALT, Sealer, SharedSecret};

/// The longest name.
const NAME_MAX: usize = 200;

/// The runners that may share. By default those of one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    name: Arc<str>,
}

/// Why a name is none for a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pool's name has 1 to {NAME_MAX} visible ASCII characters, as OWNER/REPO has")]
pub struct BadName;

impl Pool {
    /// The pool called `name`. Upper and lower case are one, as in names of repositories.
    pub fn new(name: &str) -> Result<Self, BadName> {
        let visible = name.bytes().all(|byte| byte.is_ascii_graphic());
        if name.is_empty() || name.len() > NAME_MAX || !visible {
            return Err(BadName);
        }
        Ok(Self {
            name: name.to_ascii_lowercase().into(),
        })
    }

    /// The name, in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands for the name where strangers might look.
    pub fn tag(&self) -> Digest {
        Digest::of([b"ghswarm/1/pool\0", self.name.as_bytes()])
    }

    /// Whether the pool is that of the repository `namespace`: its members know that name anyway.
    pub fn is_of(&self, namespace: &Namespace) -> bool {
        matches!(namespace, Namespace::Repo(name) if **name == *self.name)
    }
}

/// What a shared secret gives the members of a pool. Slow to make: once, and kept.
#[derive(Clone)]
pub struct PoolSecret(Arc<Keys>);

struct Keys {
    cost: Cost,
    admission: Zeroizing<[u8; 32]>,
    names: Zeroizing<[u8; 32]>,
    entries: Sealer,
}

impl PoolSecret {
    /// Derives the keys. Takes as long as `cost` says: not on a thread that others wait for.
    pub fn derive(secret: &SharedSecret, pool: &Pool, cost: Cost) -> Self {
        let mut salt = [0; SALT];
        salt.copy_from_slice(&pool.tag().as_bytes()[..SALT]);
        let master = secret.master(&salt, cost);
        Self(Arc::new(Keys {
            cost,
            admission: master.key(Purpose::Admission),
            names: master.key(Purpose::Names),
            entries: master.sealer(Purpose::Entry),
        }))
    }

    /// The rounds that it cost.
    pub fn cost(&self) -> Cost {
        self.0.cost
    }

    /// What proves to another member that we are one.
    pub fn admission(&self) -> &[u8; 32] {
        &self.0.admission
    }

    /// What entries are sealed with.
    pub fn entries(&self) -> &Sealer {
        &self.0.entries
    }
}

impl fmt::Debug for PoolSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A key as it travels: HMAC(pool, key). With a secret, nobody without it can tell what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WireKey(pub [u8; 32]);

/// What turns keys into [`WireKey`]s. All members with the secret have the same one, and all without.
#[derive(Clone)]
pub struct Names(Zeroizing<[u8; 32]>);

impl Names {
    /// Those of `pool`: of its members with the secret if there is one, else of everybody.
    pub fn of(pool: &Pool, secret: Option<&PoolSecret>) -> Self {
        Self(secret.map_or_else(
            || Zeroizing::new(*Digest::keyed(pool.tag().as_bytes(), b"ghswarm/1/names").as_bytes()),
            |secret| secret.0.names.clone(),
        ))
    }

    /// The name of `key`.
    pub fn name(&self, key: &Key) -> WireKey {
        WireKey(*Digest::keyed(&self.0, key.as_bytes()).as_bytes())
    }

    /// What they talk about among themselves. Whoever does not have the same names cannot guess it.
    pub fn topic(&self) -> String {
        let hex = Digest::keyed(&self.0, b"ghswarm/1/topic").hex();
        format!("ghswarm/1/{}", &hex[..16])
    }

    /// The name of a credential's budget, from what identifies the credential.
    pub fn budget(&self, credential: &[u8]) -> [u8; 16] {
        let message = [b"budget\0", credential].concat();
        let mut short = [0; 16];
        short.copy_from_slice(&Digest::keyed(&self.0, &message).as_bytes()[..16]);
        short
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
