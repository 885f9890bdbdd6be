//! The directory: which database is the current one, and what takes the place of one that is damaged.
//!
//! ```text
//! current            names the database
//! lock               held by whoever makes another one current
//! <name>.db          a database, with SQLite's <name>.db-wal and <name>.db-shm
//! bodies/xx/<name>   large bodies, one file each
//! ```
//!
//! A database that other processes have open must not be replaced under its name: the last of them to
//! close it would remove the *new* write-ahead log, since SQLite does that by name
//! (<https://www.sqlite.org/howtocorrupt.html>, 1.4 and 2.4). So each has a random name that is never used
//! again, and the small file `current` is replaced in one step. Processes look at it now and then.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::bodies::Bodies;
use super::rows;
use super::schema;
use super::trouble::Trouble;
use crate::clock::Clock;
use crate::files;
use crate::store::record::MacKey;

/// How long to wait for another process that is making a database; that takes milliseconds.
const LOCK_WAIT: Duration = Duration::from_secs(5);
const LOCK_LOOK: Duration = Duration::from_millis(5);
/// How often to try when others keep replacing the database under us.
const ATTEMPTS: usize = 4;

/// The directory of the store.
#[derive(Debug)]
pub(super) struct Place {
    directory: PathBuf,
    pub(super) bodies: Bodies,
    pub(super) mac: MacKey,
}

/// The name of a database: 16 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Generation(String);

/// What the files of a generation were when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    generation: Generation,
    current: (u64, i64, i64),
    database: (u64, u64),
}

/// An open database.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) writer: Connection,
    /// Until it is given to those who read.
    pub(super) reader: Option<Connection>,
    pub(super) seen: Seen,
    /// The database whose place this one took, by our hand: what can be read of it can be copied.
    pub(super) left_behind: Option<Generation>,
}

impl Seen {
    pub(super) const fn generation(&self) -> &Generation {
        &self.generation
    }
}

impl Place {
    pub(super) fn new(directory: PathBuf, mac: MacKey) -> Self {
        let bodies = Bodies::new(directory.join("bodies"));
        Self {
            directory,
            bodies,
            mac,
        }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    fn current(&self) -> PathBuf {
        self.directory.join("current")
    }

    pub(super) fn database(&self, generation: &Generation) -> PathBuf {
        self.directory.join(format!("{}.db", generation.0))
    }

    /// The current database, if `current` names one.
    fn generation(&self) -> Result<Option<Generation>, Trouble> {
        let name = match fs::read_to_string(self.current()) {
            Ok(name) => name,
            Err(error) => {
                return match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::InvalidData => Ok(None),
                    _ => Err(error.into()),
                };
            }
        };
        let is_name = name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        Ok(is_name.then_some(Generation(name)))
    }

    /// Opens the current database, or makes one where there is none of any use. `may_replace_foreign`: take
    /// the place of one that was written under another secret, too. While we run that would be a quarrel
    /// with another process about whose it is.
    pub(super) fn enter(&self, may_replace_foreign: bool) -> Result<Opened, Trouble> {
        let mut left_behind = None;
        let mut last = Trouble::Gone;
        for _ in 0..ATTEMPTS {
            files::private_dir(&self.directory)?;
            let found = self.generation()?;
            last = match &found {
                None => Trouble::Gone,
                Some(generation) => match self.open(generation) {
                    Ok(mut opened) => {
                        opened.left_behind = left_behind;
                        return Ok(opened);
                    }
                    Err(trouble) => trouble,
                },
            };
            if !last.is_final() || (matches!(last, Trouble::Foreign) && !may_replace_foreign) {
                return Err(last);
            }
            if let Some(old) = self.renew(found.as_ref())? {
                if matches!(last, Trouble::Older) {
                    self.remove(&old);
                } else {
                    left_behind = Some(old);
                }
            }
        }
        Err(last)
    }

    fn open(&self, generation: &Generation) -> Result<Opened, Trouble> {
        let path = self.database(generation);
        let seen = self.look(generation).ok_or(Trouble::Gone)?;
        let writer = schema::writer(&path)?;
        schema::check(&writer, &self.mac)?;
        let reader = schema::reader(&path)?;
        Ok(Opened {
            writer,
            reader: Some(reader),
            seen,
            left_behind: None,
        })
    }

    /// Another connection to the current database, for long work.
    pub(super) fn browse(&self) -> Result<Connection, Trouble> {
        let generation = self.generation()?.ok_or(Trouble::Gone)?;
        let connection = schema::writer(&self.database(&generation))?;
        schema::check(&connection, &self.mac)?;
        Ok(connection)
    }

    /// Whether what was `seen` is still the current database, and its file where it was.
    pub(super) fn is_current(&self, seen: &Seen) -> bool {
        self.look(&seen.generation).as_ref() == Some(seen)
    }

    fn look(&self, generation: &Generation) -> Option<Seen> {
        let current = fs::metadata(self.current()).ok()?;
        let database = fs::metadata(self.database(generation)).ok()?;
        Some(Seen {
            generation: generation.clone(),
            current: (current.ino(), current.mtime(), current.mtime_nsec()),
            database: (database.dev(), database.ino()),
        })
    }

    /// Makes a new database current in place of `bad`, unless somebody else just did. Returns the database
    /// that was left behind.
    pub(super) fn renew(&self, bad: Option<&Generation>) -> Result<Option<Generation>, Trouble> {
        files::private_dir(&self.directory)?;
        let _lock = self.lock()?;
        let now = self.generation()?;
        if now.is_some() && now.as_ref() != bad {
            return Ok(None);
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(files::Error::Random)?;
        let new = Generation(format!("{:016x}", u64::from_ne_bytes(random)));
        // Ours before SQLite opens it: the files that it puts beside it get the same mode.
        drop(files::open_append_private(&self.database(&new))?);
        let made = schema::create(&self.database(&new), &self.mac)
            .and_then(|()| Ok(files::write_atomic(&self.current(), new.0.as_bytes())?));
        if let Err(trouble) = made {
            self.remove(&new);
            return Err(trouble);
        }
        let old = match bad {
            Some(bad) => Some(bad.clone()),
            None => self
                .databases()
                .into_iter()
                .filter(|(_, generation)| *generation != new)
                .max_by_key(|(modified, _)| *modified)
                .map(|(_, generation)| generation),
        };
        Ok(old)
    }

    fn lock(&self) -> Result<files::Lock, Trouble> {
        let path = self.directory.join("lock");
        let end = Instant::now() + LOCK_WAIT;
        loop {
            match files::lock(&path) {
                Err(files::Error::Locked(_)) if Instant::now() < end => thread::sleep(LOCK_LOOK),
                locked => return Ok(locked?),
            }
        }
    }

    /// Removes all databases but the current one: left by processes that died before they could.
    pub(super) fn sweep(&self) {
        // Whoever holds the lock makes one right now, and will sweep or be swept another time.
        let Ok(_lock) = files::lock(&self.directory.join("lock")) else {
            return;
        };
        let Ok(Some(current)) = self.generation() else {
            return;
        };
        for (_, generation) in self.databases() {
            if generation != current {
                self.remove(&generation);
            }
        }
    }

    /// Removes body files that no record names, and says how many.
    pub(super) fn remove_orphans(
        &self,
        connection: &Connection,
        clock: &Clock,
    ) -> Result<u64, Trouble> {
        // While somebody copies a damaged database, its records name files, too.
        if self.bodies.is_empty() || self.databases().len() > 1 {
            return Ok(0);
        }
        let named = rows::named_files(connection)?;
        Ok(self.bodies.remove_orphans(&named, clock))
    }

    /// All databases, with the time at which they were last written to.
    fn databases(&self) -> Vec<(Duration, Generation)> {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return Vec::new();
        };
        let database = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let name = name.strip_suffix(".db")?;
            let is_name = name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            let modified = entry.metadata().ok()?.mtime();
            let modified = Duration::from_secs(modified.try_into().ok()?);
            is_name.then(|| (modified, Generation(name.to_owned())))
        };
        entries
            .filter_map(Result::ok)
            .filter_map(database)
            .collect()
    }

    /// Removes the files of a database that is not current.
    pub(super) fn remove(&self, generation: &Generation) {
        let path = self.database(generation);
        for ending in ["", "-wal", "-shm", "-journal"] {
            let mut file = path.clone().into_os_string();
            file.push(ending);
            // What cannot be removed now is swept at the next start.
            let _ = fs::remove_file(file);
        }
    }
}
