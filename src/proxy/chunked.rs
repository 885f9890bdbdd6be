//! Finds the end of a chunked body without decoding it (RFC 9112, section 7.1).
//!
//! hyper decodes; this only watches where the message ends, so that hyper never sees a byte of the
//! next one. It is stricter than hyper: what passes here, hyper reads the same way.

/// Bytes of chunk extensions over a whole body.
const MAX_EXTENSIONS: usize = 4 << 10;
/// Bytes of trailers.
const MAX_TRAILERS: usize = 8 << 10;
/// Digits of a chunk's size: 2^60 is more than any body.
const MAX_DIGITS: u8 = 15;

/// The body breaks the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Watches a chunked body pass.
#[derive(Debug)]
pub(super) struct Scanner {
    state: State,
    size: u64,
    digits: u8,
    extensions: usize,
    trailers: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size,
    Extension,
    SizeEnd,
    Data,
    DataCr,
    DataEnd,
    TrailerStart,
    Trailer,
    TrailerEnd,
    LastEnd,
    Done,
}

impl Scanner {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Size,
            size: 0,
            digits: 0,
            extensions: 0,
            trailers: 0,
        }
    }

    /// Whether the last byte of the message has passed.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// How many of the first bytes of `bytes` belong to the message.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut used = 0;
        while used < bytes.len() && !self.is_done() {
            if self.state == State::Data {
                let left = bytes.len() - used;
                let step = usize::try_from(self.size).map_or(left, |size| size.min(left));
                used += step;
                self.size -= step as u64;
                if self.size == 0 {
                    self.state = State::DataCr;
                }
            } else {
                self.state = self.next(bytes[used])?;
                used += 1;
            }
        }
        Ok(used)
    }

    fn next(&mut self, byte: u8) -> Result<State, Malformed> {
        Ok(match (self.state, byte) {
            (State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if self.digits < MAX_DIGITS => {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed)?;
                self.size = self.size << 4 | u64::from(digit);
                self.digits += 1;
                State::Size
            }
            (State::Size, b';') if self.digits > 0 => State::Extension,
            (State::Size, b'\r') if self.digits > 0 => State::SizeEnd,
            (State::Extension, b'\r') => State::SizeEnd,
            (State::Extension, b'\t' | b' '..=b'~' | 0x80..) => {
                self.extensions += 1;
                if self.extensions > MAX_EXTENSIONS {
                    return Err(Malformed);
                }
                State::Extension
            }
            (State::SizeEnd, b'\n') if self.size > 0 => State::Data,
            (State::DataCr, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => {
                self.digits = 0;
                State::Size
            }
            (State::TrailerStart, b'\r') => State::LastEnd,
            (State::Trailer, b'\r') => State::TrailerEnd,
            (State::TrailerStart, b'!'..=b'~') | (State::Trailer, b'\t' | b' '..=b'~' | 0x80..) => {
                self.trailers += 1;
                if self.trailers > MAX_TRAILERS {
                    return Err(Malformed);
                }
                State::Trailer
            }
            (State::SizeEnd | State::TrailerEnd, b'\n') => State::TrailerStart,
            (State::LastEnd, b'\n') => State::Done,
            _ => return Err(Malformed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_however_the_bytes_arrive() {
        let body = b"5;a=\"b\"\r\nhello\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nX: y\r\n\r\n";
        let with_next = [body.as_slice(), b"GET / HTTP/1.1\r\n"].concat();
        for size in 1..with_next.len() {
            let mut scanner = Scanner::new();
            let mut used = 0;
            for piece in with_next.chunks(size) {
                used += scanner.advance(piece).unwrap();
            }
            assert!(scanner.is_done());
            assert_eq!(used, body.len(), "in pieces of {size}");
        }
    }

    #[test]
    fn what_another_reader_could_read_otherwise_is_malformed() {
        for body in [
            "\r\n",
            "5\nhello",
            "0x5\r\nhello\r\n",
            "+5\r\nhello\r\n",
            " 5\r\nhello\r\n",
            "5 \r\nhello\r\n",
            "5\r\nhelloX\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5;a\nb\r\nhello\r\n",
            "10000000000000000\r\n",
            "0\r\n X: y\r\n\r\n",
            "0\r\nX: y\n\r\n",
            "0\r\n\n",
            "-1\r\n",
        ] {
            assert_eq!(
                Scanner::new().advance(body.as_bytes()),
                Err(Malformed),
                "{body:?}"
            );
        }
    }
}
