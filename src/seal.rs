//! Sealing: AES-256-GCM under keys that come from a shared secret. Pure: salts and nonces are
//! arguments, because randomness is the caller's business.
//!
//! ```text
//! secret ──PBKDF2-HMAC-SHA256(salt, cost)──► master ──HKDF-SHA256(salt, purpose)──► one key per purpose
//! ```
//!
//! The first step is slow on purpose (RFC 8018, 5.2): it is what guessing a weak secret costs. The second
//! (RFC 5869) makes keys that have nothing to do with one another, so that what was sealed for one
//! purpose never opens for another.
//!
//! **A nonce is never used twice under one key**: two messages under one nonce give away their XOR and
//! the key that authenticates. Who seals single messages draws 96 random bits for each, which is good for
//! 2^32 messages under one key (NIST SP 800-38D, 8.3). Who seals a stream uses [`Stream`], which counts:
//! its nonce is seven random bytes, the chunk's number, and whether it is the last (the STREAM construction
//! of Hoang, Reyhanitabar, Rogaway and Vizár, 2015), so that a chunk that is missing, moved, doubled or cut
//! off does not open. A stream's salt is fresh, hence its key is, too.

use std::fmt;

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a salt.
pub const SALT: usize = 16;
/// Bytes of a nonce.
pub const NONCE: usize = 12;
/// Bytes of the random part of a stream's nonces.
pub const PREFIX: usize = 7;
/// Bytes by which a sealed message is longer than what is in it.
pub const TAG: usize = 16;
/// The shortest secret. A passphrase that a person remembers is guessed; this is for random ones.
pub const SECRET_MIN: usize = 16;

/// Rounds of PBKDF2: what opening costs.
///
/// 600,000 is what OWASP recommends for HMAC-SHA-256.
/// <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#pbkdf2>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost(u32);

impl Cost {
    /// What we seal with.
    pub const DEFAULT: Self = Self(600_000);
    /// The least that is accepted.
    pub const MIN: Self = Self(100_000);
    /// The most that is accepted: the number stands in files that others wrote, and work that they can
    /// ask for must have an end. Some ten seconds.
    pub const MAX: Self = Self(10_000_000);

    /// Refuses what is out of bounds: a cost that somebody lowered is an error, never a warning.
    pub fn new(rounds: u32) -> Result<Self, Error> {
        if (Self::MIN.0..=Self::MAX.0).contains(&rounds) {
            Ok(Self(rounds))
        } else {
            Err(Error::Cost(rounds))
        }
    }

    /// The number of rounds.
    pub const fn rounds(self) -> u32 {
        self.0
    }
}

/// Why something cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The secret is too short.
    #[error(
        "the secret has {0} bytes, and less than {SECRET_MIN} can be guessed; make one with `openssl rand -hex 32`"
    )]
    WeakSecret(usize),
    /// The cost is not acceptable.
    #[error("a key cost of {0} rounds is refused: only {min} to {max} are accepted", min = Cost::MIN.0, max = Cost::MAX.0)]
    Cost(u32),
    /// It does not open: another secret or purpose, or not the bytes that were sealed. Which of them
    /// cannot be told apart.
    #[error(
        "it does not open: the secret is another one, or the bytes are not those that were sealed"
    )]
    Sealed,
    /// The stream has more chunks than its nonces can count, or goes on after its last one.
    #[error("the sealed stream is over")]
    Over,
}

/// A secret that several machines know.
#[derive(Clone)]
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl SharedSecret {
    /// Takes the bytes of a secret; white space around it, as files and variables have it, is no part.
    pub fn new(bytes: &[u8]) -> Result<Self, Error> {
        let trimmed = bytes.trim_ascii();
        if trimmed.len() < SECRET_MIN {
            return Err(Error::WeakSecret(trimmed.len()));
        }
        Ok(Self(Zeroizing::new(trimmed.to_vec())))
    }

    /// The key for `purpose`. Slow, as `cost` says: derive it once and keep it.
    pub fn sealer(&self, salt: &[u8; SALT], cost: Cost, purpose: Purpose) -> Sealer {
        self.master(salt, cost).sealer(purpose)
    }

    /// What the keys of several purposes come from. Slow, as `cost` says.
    pub fn master(&self, salt: &[u8; SALT], cost: Cost) -> Master {
        Master {
            bytes: stretch(&self.0, salt, cost.0),
            salt: *salt,
        }
    }
}

/// A secret after the slow step.
pub struct Master {
    bytes: Zeroizing<[u8; 32]>,
    salt: [u8; SALT],
}

impl Master {
    /// What seals for `purpose`.
    pub fn sealer(&self, purpose: Purpose) -> Sealer {
        Sealer {
            cipher: Aes256Gcm::new((&*self.key(purpose)).into()),
        }
    }

    /// The bare key of `purpose`, for what is proven and not sealed.
    pub fn key(&self, purpose: Purpose) -> Zeroizing<[u8; 32]> {
        expand(&*self.bytes, &self.salt, purpose.label().as_bytes())
    }
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What is sealed. One never opens as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A snapshot of the store.
    Snapshot,
    /// The proof that a runner knows a pool's secret.
    Admission,
    /// The names of keys among peers.
    Names,
    /// An entry on its way between peers.
    Entry,
}

impl Purpose {
    /// What HKDF binds the key to. Never changed, and never given to anything else.
    const fn label(self) -> &'static str {
        match self {
            Self::Snapshot => "ghswarm/1/snapshot",
            Self::Admission => "ghswarm/1/admission",
            Self::Names => "ghswarm/1/names",
            Self::Entry => "ghswarm/1/entry",
        }
    }
}

fn stretch(secret: &[u8], salt: &[u8], rounds: u32) -> Zeroizing<[u8; 32]> {
    let mut master = Zeroizing::new([0; 32]);
    pbkdf2::pbkdf2_hmac::<Sha256>(secret, salt, rounds, &mut *master);
    master
}

fn expand(master: &[u8], salt: &[u8], label: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    #[expect(
        clippy::expect_used,
        reason = "fails above 255 hashes (RFC 5869, 2.3), and this is one"
    )]
    Hkdf::<Sha256>::new(Some(salt), master)
        .expand(label, &mut *key)
        .expect("32 bytes are not too many");
    key
}

/// Seals and opens with one key.
#[derive(Clone)]
pub struct Sealer {
    cipher: Aes256Gcm,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Sealer {
    /// Encrypts `message` in its place and appends the tag. `bound` is not in it, but it opens only
    /// together with the same bytes. The nonce must never have been used before with this key.
    pub fn seal(
        &self,
        nonce: &[u8; NONCE],
        bound: &[u8],
        message: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.cipher
            .encrypt_in_place(nonce.into(), bound, message)
            .map_err(|_| Error::Over)
    }

    /// Decrypts `sealed` in its place and takes the tag away. After an error nothing is left in it.
    pub fn open(
        &self,
        nonce: &[u8; NONCE],
        bound: &[u8],
        sealed: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let opened = self.cipher.decrypt_in_place(nonce.into(), bound, sealed);
        opened.map_err(|_| {
            sealed.clear();
            Error::Sealed
        })
    }
}

/// A stream of chunks under one key: each opens only in its place, and only the last as the last.
#[derive(Debug)]
pub struct Stream {
    sealer: Sealer,
    prefix: [u8; PREFIX],
    /// The number of the next chunk; `None` after the last.
    next: Option<u32>,
}

impl Stream {
    /// A stream whose nonces begin with `prefix`: random for who seals, copied for who opens.
    pub const fn new(sealer: Sealer, prefix: [u8; PREFIX]) -> Self {
        Self {
            sealer,
            prefix,
            next: Some(0),
        }
    }

    /// Seals the next chunk, as [`Sealer::seal`].
    pub fn seal(&mut self, last: bool, bound: &[u8], chunk: &mut Vec<u8>) -> Result<(), Error> {
        let nonce = self.nonce(last)?;
        self.sealer.seal(&nonce, bound, chunk)
    }

    /// Opens the next chunk, as [`Sealer::open`].
    pub fn open(&mut self, last: bool, bound: &[u8], chunk: &mut Vec<u8>) -> Result<(), Error> {
        let nonce = self.nonce(last)?;
        self.sealer.open(&nonce, bound, chunk)
    }

    fn nonce(&mut self, last: bool) -> Result<[u8; NONCE], Error> {
        let number = self.next.ok_or(Error::Over)?;
        self.next = number.checked_add(1).filter(|_| !last);
        let mut nonce = [0; NONCE];
        nonce[..PREFIX].copy_from_slice(&self.prefix);
        nonce[PREFIX..NONCE - 1].copy_from_slice(&number.to_be_bytes());
        nonce[NONCE - 1] = u8::from(last);
        Ok(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pairs = digits
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).unwrap());
        pairs
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect()
    }

    fn secret(text: &str) -> SharedSecret {
        SharedSecret::new(text.as_bytes()).unwrap()
    }

    fn sealer(text: &str) -> Sealer {
        secret(text).sealer(&[7; SALT], Cost::MIN, Purpose::Snapshot)
    }

    const SECRET: &str = "correct horse battery staple";

    #[test]
    fn keys_are_stretched_as_the_standard_says() {
        // RFC 7914, section 11, the first 32 of 64 bytes.
        for (password, salt, rounds, key) in [
            (
                "passwd",
                "salt",
                1,
                "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc",
            ),
            (
                "Password",
                "NaCl",
                80_000,
                "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56",
            ),
        ] {
            let stretched = stretch(password.as_bytes(), salt.as_bytes(), rounds);
            assert_eq!(stretched.to_vec(), hex(key), "{password}");
        }
    }

    #[test]
    fn keys_are_expanded_as_the_standard_says() {
        // RFC 5869, A.1, the first 32 of 42 bytes.
        let key = expand(
            &[0x0b; 22],
            &hex("000102030405060708090a0b0c"),
            &hex("f0f1f2f3f4f5f6f7f8f9"),
        );
        assert_eq!(
            key.to_vec(),
            hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")
        );
    }

    #[test]
    fn messages_are_sealed_as_the_standard_says() {
        // McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16, which NIST took over.
        let key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let key: [u8; 32] = key.try_into().unwrap();
        let sealer = Sealer {
            cipher: Aes256Gcm::new((&key).into()),
        };
        let nonce = hex("cafebabefacedbaddecaf888").try_into().unwrap();
        let bound = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let plain = hex(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
             1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        );
        let mut message = plain.clone();
        sealer.seal(&nonce, &bound, &mut message).unwrap();
        let closed = hex(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
             8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662
             76fc6ece0f4e1768cddf8853bb2d551b",
        );
        assert_eq!(message, closed);
        sealer.open(&nonce, &bound, &mut message).unwrap();
        assert_eq!(message, plain);
    }

    /// Made with Python's hashlib and cryptography: another implementation of the whole way.
    #[test]
    fn what_another_program_sealed_opens() {
        let sealer = secret("0123456789abcdef0123456789abcdef").sealer(
            b"sixteen salt byt",
            Cost::MIN,
            Purpose::Snapshot,
        );
        let mut stream = Stream::new(sealer, *b"prefix7");
        let chunks = [
            "e44cdddcc58596cb655f6fa36ca599cc7e3cb4723d081b66829bbf0c228c8c",
            "34be6668078fb84a715afb02f8e34911",
        ];
        let plain: [&[u8]; 2] = [b"the first chunk", b""];
        for (number, (chunk, plain)) in chunks.iter().zip(plain).enumerate() {
            let mut chunk = hex(chunk);
            stream.open(number == 1, b"bound", &mut chunk).unwrap();
            assert_eq!(chunk, plain);
        }
    }

    #[test]
    fn no_flipped_bit_opens() {
        let sealer = sealer(SECRET);
        let (nonce, bound) = ([1; NONCE], *b"version 1");
        let mut closed = b"what nobody else may know".to_vec();
        sealer.seal(&nonce, &bound, &mut closed).unwrap();
        let opens = |nonce: &[u8; NONCE], bound: &[u8], closed: &[u8]| {
            let mut buffer = closed.to_vec();
            let opened = sealer.open(nonce, bound, &mut buffer);
            assert!(
                opened.is_ok() || buffer.is_empty(),
                "nothing is left to be used"
            );
            opened.is_ok()
        };
        assert!(opens(&nonce, &bound, &closed));
        let flipped = |bytes: &[u8], bit: usize| {
            let mut bytes = bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        };
        for bit in 0..closed.len() * 8 {
            assert!(!opens(&nonce, &bound, &flipped(&closed, bit)), "bit {bit}");
        }
        for bit in 0..bound.len() * 8 {
            assert!(
                !opens(&nonce, &flipped(&bound, bit), &closed),
                "bound bit {bit}"
            );
        }
        for bit in 0..NONCE * 8 {
            let nonce = flipped(&nonce, bit).try_into().unwrap();
            assert!(!opens(&nonce, &bound, &closed), "nonce bit {bit}");
        }
        for length in 0..closed.len() {
            assert!(!opens(&nonce, &bound, &closed[..length]), "{length} bytes");
        }
        assert!(!opens(&nonce, &bound, &[&closed[..], &[0]].concat()));
    }

    #[test]
    fn another_secret_salt_cost_or_purpose_is_another_key() {
        let mut closed = b"message".to_vec();
        sealer(SECRET).seal(&[1; NONCE], b"", &mut closed).unwrap();
        let opens = |sealer: &Sealer| sealer.open(&[1; NONCE], b"", &mut closed.clone()).is_ok();
        assert!(
            opens(&sealer(&format!("\n {SECRET}\n"))),
            "space around it is no part"
        );
        assert!(!opens(&sealer("correct horse battery stapler")));
        let secret = secret(SECRET);
        assert!(!opens(&secret.sealer(
            &[8; SALT],
            Cost::MIN,
            Purpose::Snapshot
        )));
        let dearer = Cost::new(Cost::MIN.0 + 1).unwrap();
        assert!(!opens(&secret.sealer(
            &[7; SALT],
            dearer,
            Purpose::Snapshot
        )));
        let master = stretch(SECRET.as_bytes(), &[7; SALT], Cost::MIN.0);
        for other in ["ghswarm/1/credentials", "ghswarm/2/snapshot", ""] {
            let key = expand(&*master, &[7; SALT], other.as_bytes());
            let cipher = Aes256Gcm::new((&*key).into());
            assert!(!opens(&Sealer { cipher }), "{other}");
        }
    }

    #[test]
    fn a_lowered_cost_and_a_short_secret_are_errors() {
        for rounds in [0, 1, 99_999, 10_000_001, u32::MAX] {
            assert_eq!(Cost::new(rounds), Err(Error::Cost(rounds)));
        }
        assert_eq!(Cost::new(100_000), Ok(Cost::MIN));
        for short in ["", "    \n", "fifteen bytes..", "  fifteen bytes..  "] {
            let made = SharedSecret::new(short.as_bytes());
            assert!(matches!(made, Err(Error::WeakSecret(_))), "{short:?}");
        }
    }

    #[test]
    fn chunks_open_in_their_places_alone() {
        let sealer = sealer(SECRET);
        let closed: Vec<Vec<u8>> = {
            let mut stream = Stream::new(sealer.clone(), [2; PREFIX]);
            let chunks = [("same", false), ("same", false), ("end", true)];
            let seal = |(text, last): (&str, bool)| {
                let mut chunk = text.as_bytes().to_vec();
                stream.seal(last, b"", &mut chunk).unwrap();
                chunk
            };
            chunks.map(seal).into()
        };
        assert_ne!(closed[0], closed[1], "each has its own nonce");
        let opened = |prefix, order: &[(usize, bool)]| {
            let mut stream = Stream::new(sealer.clone(), [prefix; PREFIX]);
            let open =
                |&(index, last): &(usize, bool)| stream.open(last, b"", &mut closed[index].clone());
            order.iter().map(open).take_while(Result::is_ok).count()
        };
        assert_eq!(opened(2, &[(0, false), (1, false), (2, true)]), 3);
        for (prefix, order, good) in [
            (2, &[(1, false), (0, false), (2, true)][..], 0), // exchanged
            (2, &[(0, false), (0, false)], 1),                // doubled
            (2, &[(0, false), (2, true)], 1),                 // left out
            (2, &[(0, false), (1, true)], 1),                 // cut off and said to be the end
            (2, &[(0, false), (1, false), (2, false)], 2),    // said to go on
            (2, &[(0, false), (1, false), (2, true), (2, true)], 3), // goes on after the end
            (3, &[(0, false)], 0),                            // of another stream
        ] {
            assert_eq!(opened(prefix, order), good, "{order:?}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let stream = Stream::new(sealer(SECRET), [0; PREFIX]);
        let printed = format!("{:?} {:?} {stream:?}", secret(SECRET), sealer(SECRET));
        assert!(
            !printed.contains("horse") && printed.starts_with("*** *** "),
            "{printed}"
        );
    }

    #[test]
    fn a_stream_ends_before_its_counter_comes_round() {
        let mut stream = Stream::new(sealer(SECRET), [0; PREFIX]);
        stream.next = Some(u32::MAX);
        stream.seal(false, b"", &mut Vec::new()).unwrap();
        assert_eq!(stream.seal(false, b"", &mut Vec::new()), Err(Error::Over));
    }
}
