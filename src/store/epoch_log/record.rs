//! Records of the log: 256 bytes each, with a checksum.

use crate::api::{Key, Namespace};
use crate::digest::Digest;
use crate::secret::CredentialId;
use crate::time::Timestamp;

/// Bytes of a record; divides a page.
pub(super) const RECORD: usize = 256;

const CHECK: usize = 8;
/// Where the host and the name stand, one behind the other.
const TEXT: usize = 64;
const HOST_MAX: usize = 48;
/// GitHub's longest: an owner of 39, a slash, a repository of 100.
const NAME_MAX: usize = RECORD - TEXT - HOST_MAX;

/// Something that all daemons of a host have to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A generation of the log begins. Told as [`Event::Everything`].
    Began {
        /// Which.
        generation: u32,
        /// When, or the epoch if there was nothing before.
        at: Timestamp,
    },
    /// Something was sent to GitHub that may have changed this namespace, or was answered.
    Written {
        /// What.
        namespace: Namespace,
        /// The repository's number, if it is known.
        id: Option<u64>,
        /// When.
        at: Timestamp,
    },
    /// GitHub does not show this namespace to this credential.
    Refused {
        /// Whom.
        credential: CredentialId,
        /// On which host.
        host: Box<str>,
        /// What.
        namespace: Namespace,
        /// When.
        at: Timestamp,
    },
    /// GitHub does not know this credential (any more).
    Unauthorized {
        /// Which.
        credential: CredentialId,
    },
    /// Somebody removed what is held under this key.
    Removed {
        /// Which.
        key: Key,
    },
    /// Somebody removed everything.
    Cleared,
    /// This generation is over; what follows is in the next one.
    Ended,
    /// Nobody knows what happened.
    Everything {
        /// When.
        at: Timestamp,
    },
}

impl Event {
    /// The record: check (8), kind, namespace's kind, length of host, length of name, 4 free, time (8), number (8),
    /// key or credential (32), host, name.
    pub(super) fn to_record(&self) -> [u8; RECORD] {
        let mut fields = Fields::default();
        match self {
            Self::Began { generation, at } => {
                fields.kind = 1;
                fields.at = *at;
                fields.id = u64::from(*generation);
            }
            Self::Written { namespace, id, at } => {
                fields.kind = 2;
                fields.at = *at;
                fields.set_namespace(namespace);
                if let Some(id) = id {
                    fields.id = *id;
                }
            }
            Self::Refused {
                credential,
                host,
                namespace,
                at,
            } => {
                fields.kind = 3;
                fields.at = *at;
                fields.set_namespace(namespace);
                fields.name_of[..16].copy_from_slice(credential.as_bytes());
                fields.host = host;
                if host.len() > HOST_MAX {
                    // No place for it: everywhere, then.
                    (fields.kind, fields.host) = (4, "");
                }
            }
            Self::Unauthorized { credential } => {
                fields.kind = 4;
                fields.name_of[..16].copy_from_slice(credential.as_bytes());
            }
            Self::Removed { key } => {
                fields.kind = 5;
                fields.name_of.copy_from_slice(key.as_bytes());
            }
            Self::Cleared => fields.kind = 6,
            Self::Ended => fields.kind = 8,
            Self::Everything { at } => {
                fields.kind = 7;
                fields.at = *at;
            }
        }
        fields.write()
    }

    /// Reads a record; `None` if it is none.
    pub(super) fn from_record(record: &[u8; RECORD]) -> Option<Self> {
        let fields = Fields::read(record)?;
        let credential = || {
            let bytes: [u8; 16] = fields.name_of[..16].try_into().ok()?;
            Some(CredentialId::from_bytes(bytes))
        };
        Some(match fields.kind {
            1 => Self::Began {
                generation: u32::try_from(fields.id).ok()?,
                at: fields.at,
            },
            2 => Self::Written {
                namespace: fields.namespace()?,
                id: (fields.id > 0).then_some(fields.id),
                at: fields.at,
            },
            3 => Self::Refused {
                credential: credential()?,
                host: fields.host.into(),
                namespace: fields.namespace()?,
                at: fields.at,
            },
            4 => Self::Unauthorized {
                credential: credential()?,
            },
            5 => Self::Removed {
                key: Key::from_bytes(fields.name_of),
            },
            6 => Self::Cleared,
            7 => Self::Everything { at: fields.at },
            8 => Self::Ended,
            _ => return None,
        })
    }
}

/// The parts of a record.
#[derive(Default)]
struct Fields<'a> {
    kind: u8,
    space: u8,
    at: Timestamp,
    id: u64,
    /// A key, or a credential's 16 bytes.
    name_of: [u8; 32],
    host: &'a str,
    name: &'a str,
}

impl<'a> Fields<'a> {
    fn set_namespace(&mut self, namespace: &'a Namespace) {
        (self.space, self.id, self.name) = match namespace {
            Namespace::Host => (1, 0, ""),
            Namespace::Owner(name) => (2, 0, &**name),
            Namespace::OwnerId(id) => (3, *id, ""),
            Namespace::Repo(name) => (4, 0, &**name),
            Namespace::RepoId(id) => (5, *id, ""),
        };
        if self.name.len() > NAME_MAX {
            // No place for the name: the whole host covers it.
            (self.space, self.name) = (1, "");
        }
    }

    fn namespace(&self) -> Option<Namespace> {
        Some(match self.space {
            1 => Namespace::Host,
            2 => Namespace::Owner(self.name.into()),
            3 => Namespace::OwnerId(self.id),
            4 => Namespace::Repo(self.name.into()),
            5 => Namespace::RepoId(self.id),
            _ => return None,
        })
    }

    fn write(&self) -> [u8; RECORD] {
        let mut record = [0; RECORD];
        let text = [self.host.as_bytes(), self.name.as_bytes()].concat();
        // Both fit: their setters see to it.
        let [host, name] = [self.host, self.name].map(|text| u8::try_from(text.len()).unwrap_or(0));
        record[CHECK..CHECK + 4].copy_from_slice(&[self.kind, self.space, host, name]);
        let numbers = [self.at.as_millis().to_le_bytes(), self.id.to_le_bytes()].concat();
        record[16..32].copy_from_slice(&numbers);
        record[32..TEXT].copy_from_slice(&self.name_of);
        record[TEXT..TEXT + text.len()].copy_from_slice(&text);
        let check = check(&record);
        record[..CHECK].copy_from_slice(&check);
        record
    }

    fn read(record: &'a [u8; RECORD]) -> Option<Self> {
        if record[..CHECK] != check(record) {
            return None;
        }
        let number = |at: usize| {
            let bytes = record.get(at..at + 8)?.try_into().ok()?;
            Some(u64::from_le_bytes(bytes))
        };
        let (host, name) = (usize::from(record[10]), usize::from(record[11]));
        let text = |at: usize, length: usize| {
            std::str::from_utf8(record.get(at..at.checked_add(length)?)?).ok()
        };
        Some(Self {
            kind: record[8],
            space: record[9],
            at: Timestamp::from_millis(number(16)?),
            id: number(24)?,
            name_of: record[32..TEXT].try_into().ok()?,
            host: text(TEXT, host)?,
            name: text(TEXT + host, name)?,
        })
    }
}

/// Tells a record from garbage and from one in which a bit has flipped.
fn check(record: &[u8; RECORD]) -> [u8; CHECK] {
    let mut check = [0; CHECK];
    check.copy_from_slice(&Digest::of([&record[CHECK..]]).as_bytes()[..CHECK]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Authorization, LocalSecret};

    fn events() -> Vec<Event> {
        let credential =
            LocalSecret::new([1; 32]).identify(&Authorization::new(Some(b"token ghp_x")));
        let at = Timestamp::from_millis(1_800_000_000_123);
        let written = |namespace, id| Event::Written { namespace, id, at };
        vec![
            Event::Began { generation: 7, at },
            written(Namespace::Host, None),
            written(Namespace::Owner("o".into()), None),
            written(Namespace::OwnerId(3), Some(3)),
            written(Namespace::Repo("o/r".into()), Some(9)),
            written(
                Namespace::Repo(format!("{}/{}", "o".repeat(39), "r".repeat(100)).into()),
                None,
            ),
            Event::Refused {
                credential,
                host: "api.github.com".into(),
                namespace: Namespace::RepoId(5),
                at,
            },
            Event::Unauthorized { credential },
            Event::Removed {
                key: Key::from_bytes([9; 32]),
            },
            Event::Cleared,
            Event::Ended,
            Event::Everything { at },
        ]
    }

    #[test]
    fn an_event_is_read_as_it_was_written() {
        for event in events() {
            assert_eq!(Event::from_record(&event.to_record()), Some(event));
        }
    }

    #[test]
    fn a_record_with_one_bit_flipped_is_none() {
        for event in events() {
            let record = event.to_record();
            for bit in 0..RECORD * 8 {
                let mut flipped = record;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Event::from_record(&flipped), None, "{event:?}, bit {bit}");
            }
        }
    }

    #[test]
    fn what_has_no_place_in_a_record_covers_more() {
        let at = Timestamp::EPOCH;
        let long = Event::Written {
            namespace: Namespace::Owner("o".repeat(NAME_MAX + 1).into()),
            id: None,
            at,
        };
        let namespace = Namespace::Host;
        let id = None;
        assert_eq!(
            Event::from_record(&long.to_record()),
            Some(Event::Written { namespace, id, at })
        );
        let credential = CredentialId::ANONYMOUS;
        let far = Event::Refused {
            credential,
            host: "h".repeat(HOST_MAX + 1).into(),
            namespace: Namespace::Host,
            at,
        };
        assert_eq!(
            Event::from_record(&far.to_record()),
            Some(Event::Unauthorized { credential })
        );
    }
}
