//! Reads one request head, strictly.
//!
//! What two parsers could read differently is refused, not repaired: request smuggling lives in the
//! difference (RFC 9112, section 11.2). Every head passes here, also those that hyper reads again.

use std::mem::MaybeUninit;

use http::StatusCode;

use super::failure::Refusal;

/// Fields in one head, at most. hyper's own limit, so that both readers agree.
pub(super) const MAX_FIELDS: usize = 100;

/// Room for the fields of one head.
pub(super) type Slots<'a> = [MaybeUninit<httparse::Header<'a>>; MAX_FIELDS];

/// What follows the head (RFC 9112, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Nothing, or a body of no bytes.
    Empty,
    /// A body of this many bytes.
    Length(u64),
    /// A chunked body.
    Chunked,
}

/// A complete head.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    /// Bytes up to and including the empty line.
    pub(super) len: usize,
    pub(super) fields: &'a [httparse::Header<'a>],
    pub(super) framing: Framing,
    /// There is exactly one.
    pub(super) host: &'a str,
    pub(super) authorization: Option<&'a [u8]>,
    pub(super) user_agent: &'a [u8],
    /// The connection ends with this answer.
    pub(super) close: bool,
    /// Nothing about it needs hyper: HTTP/1.1, no body, no expectation, no upgrade.
    pub(super) plain: bool,
    /// A web page in a browser sent it (Fetch standard: `Origin`, `Sec-Fetch-Site`).
    pub(super) from_web_page: bool,
}

/// Reads the head that `bytes` begin with; `None` when its end is not there yet.
pub(super) fn read<'a>(
    bytes: &'a [u8],
    slots: &'a mut Slots<'a>,
    limit: usize,
) -> Result<Option<Head<'a>>, Refusal> {
    let mut request = httparse::Request::new(&mut []);
    let len = match request.parse_with_uninit_headers(bytes, slots) {
        Ok(httparse::Status::Complete(len)) if len <= limit => len,
        Ok(httparse::Status::Partial) if bytes.len() < limit => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(TOO_LARGE),
        Err(httparse::Error::Version) if names_a_version(bytes) => {
            return Err(Refusal::new(
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                "only HTTP/1.1 and HTTP/1.0 are spoken here",
            ));
        }
        Err(_) => return Err(malformed("the request's head is malformed")),
    };
    if has_bare_line_feed(&bytes[..len]) {
        // RFC 9112, section 2.2: a recipient MAY accept a lone LF. We do not: others read it otherwise.
        return Err(malformed("a line of the request's head ends without CR"));
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Err(malformed("the request line is incomplete"));
    };
    let fields: &'a [httparse::Header<'a>] = request.headers;
    let seen = Seen::gather(fields)?;
    let framing = seen.framing(minor)?;
    let host = seen
        .host
        .ok_or_else(|| malformed("the request has no Host"))?;
    Ok(Some(Head {
        method,
        target,
        len,
        fields,
        framing,
        host: std::str::from_utf8(host).map_err(|_| malformed("Host is malformed"))?,
        authorization: seen.authorization,
        user_agent: seen.user_agent,
        close: seen.close || (minor == 0 && !seen.keep_alive),
        plain: minor == 1 && framing == Framing::Empty && !seen.special,
        from_web_page: seen.from_web_page,
    }))
}

const TOO_LARGE: Refusal = Refusal::new(
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    "the request's head is too large",
);

/// Whether the request line is whole but for a version that we do not speak.
fn names_a_version(bytes: &[u8]) -> bool {
    let line = bytes
        .split(|&byte| byte == b'\r')
        .next()
        .unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ').skip(2);
    words.next().is_some_and(|word| word.starts_with(b"HTTP/")) && words.next().is_none()
}

const fn malformed(why: &'static str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, why)
}

fn has_bare_line_feed(head: &[u8]) -> bool {
    // A count instead of a search: the compiler makes it a few vector instructions for each 16 bytes.
    let bare = head
        .iter()
        .zip(&head[1..])
        .filter(|&(&before, &byte)| byte == b'\n' && before != b'\r')
        .count();
    bare > 0 || head.first() == Some(&b'\n')
}

/// The fields that decide about the message itself.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each from its own field"
)]
struct Seen<'a> {
    host: Option<&'a [u8]>,
    authorization: Option<&'a [u8]>,
    user_agent: &'a [u8],
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    special: bool,
    from_web_page: bool,
}

impl<'a> Seen<'a> {
    fn gather(fields: &'a [httparse::Header<'a>]) -> Result<Self, Refusal> {
        let mut seen = Self::default();
        for field in fields {
            let (name, value) = (field.name, field.value);
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            // By length first: most fields are none of these.
            match name.len() {
                4 if is("host") => once(&mut seen.host, value)?,
                6 if is("expect") => seen.expect(value)?,
                6 if is("origin") => seen.from_web_page = true,
                7 if is("upgrade") => seen.special = true,
                10 if is("connection") => seen.connection(value),
                10 if is("user-agent") => seen.user_agent = value,
                13 if is("authorization") => once(&mut seen.authorization, value)?,
                14 if is("content-length") => once(&mut seen.length, decimal(value)?)?,
                14 if is("sec-fetch-site") => {
                    // Absent from programs; `none` is a person's address bar.
                    seen.from_web_page |= value == b"cross-site" || value == b"same-site";
                }
                17 if is("transfer-encoding") => {
                    if seen.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                        return Err(malformed(
                            "only one Transfer-Encoding, chunked, is read here",
                        ));
                    }
                    seen.chunked = true;
                }
                _ => {}
            }
        }
        Ok(seen)
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',') {
            let option = option.trim_ascii();
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), Refusal> {
        self.special = true;
        if value.eq_ignore_ascii_case(b"100-continue") {
            Ok(())
        } else {
            // RFC 9110, section 10.1.1.
            Err(Refusal::new(
                StatusCode::EXPECTATION_FAILED,
                "unknown expectation",
            ))
        }
    }

    /// RFC 9112, section 6.3, without its leniencies.
    fn framing(&self, minor: u8) -> Result<Framing, Refusal> {
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(malformed(
                "the request has both Content-Length and Transfer-Encoding",
            )),
            (true, None) if minor == 0 => Err(malformed("HTTP/1.0 knows no Transfer-Encoding")),
            (true, None) => Ok(Framing::Chunked),
            (false, None | Some(0)) => Ok(Framing::Empty),
            (false, Some(length)) => Ok(Framing::Length(length)),
        }
    }
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Refusal> {
    if slot.replace(value).is_some() {
        return Err(malformed("a field that must be alone came twice"));
    }
    Ok(())
}

/// 1*DIGIT and nothing else; a `+` or a list is not a length.
fn decimal(value: &[u8]) -> Result<u64, Refusal> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value)
        .ok()
        .filter(|_| digits)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| malformed("Content-Length is malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(head: &str) -> Result<Option<(usize, Framing, bool, bool)>, StatusCode> {
        let mut slots = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        match read(head.as_bytes(), &mut slots, 32 << 10) {
            Ok(head) => Ok(head.map(|head| (head.len, head.framing, head.plain, head.close))),
            Err(refusal) => Err(refusal.status),
        }
    }

    #[test]
    fn a_plain_get_is_plain() {
        let head = "GET /user HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(
            judged(head),
            Ok(Some((head.len(), Framing::Empty, true, false)))
        );
        assert_eq!(judged(&head[..head.len() - 1]), Ok(None));
        let octocrab = "GET /user HTTP/1.1\r\nHost: a\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(judged(octocrab).unwrap().unwrap().1, Framing::Empty);
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length: \r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "X: a\nY: b\r\n",
            "X: a\r\n folded\r\n",
            "X : a\r\n",
            "no colon\r\n",
            "X: a\0b\r\n",
            "Host: b\r\n",
            "Authorization: a\r\nAuthorization: b\r\n",
        ] {
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            assert_eq!(judged(&head), Err(StatusCode::BAD_REQUEST), "{fields:?}");
        }
        let old = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(judged(old), Err(StatusCode::BAD_REQUEST));
        assert_eq!(judged("GET / HTTP/1.1\n\n"), Err(StatusCode::BAD_REQUEST));
        assert_eq!(
            judged("GET / HTTP/1.1\r\n\r\n"),
            Err(StatusCode::BAD_REQUEST)
        );
    }

    #[test]
    fn bounds_have_their_own_status() {
        let long = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "x".repeat(32 << 10)
        );
        assert_eq!(
            judged(&long),
            Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
        );
        let many = format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: y\r\n".repeat(100)
        );
        assert_eq!(
            judged(&many),
            Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
        );
        let h2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        assert_eq!(judged(h2), Err(StatusCode::HTTP_VERSION_NOT_SUPPORTED));
    }
}
