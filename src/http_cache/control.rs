//! `Cache-Control` of requests and answers (RFC 9111, 5.2).

/// The directives of all `Cache-Control` lines of a message. Times are in seconds.
///
/// A directive that comes twice counts with its stricter value: whatever the sender meant, that one
/// is safe (4.2.1 allows the first or "stale").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a directive of the RFC"
)]
pub struct CacheControl {
    /// `no-store`.
    pub no_store: bool,
    /// `no-cache`; with field names too, as 5.2.2.4 allows.
    pub no_cache: bool,
    /// `private`; with field names too, as 5.2.2.7 allows.
    pub private: bool,
    /// `public`.
    pub public: bool,
    /// `must-revalidate`, or `proxy-revalidate`, which is the same to a shared cache.
    pub must_revalidate: bool,
    /// `only-if-cached`.
    pub only_if_cached: bool,
    /// `max-age`; invalid means 0 (4.2.1: stale).
    pub max_age: Option<u32>,
    /// `s-maxage`; invalid means 0.
    pub s_maxage: Option<u32>,
    /// `min-fresh`; invalid means [`FOREVER`].
    pub min_fresh: Option<u32>,
    /// `max-stale`; without a value any age will do: [`FOREVER`]. Invalid means 0.
    pub max_stale: Option<u32>,
    /// `stale-if-error` (RFC 5861); invalid means 0.
    pub stale_if_error: Option<u32>,
    /// `stale-while-revalidate` (RFC 5861); invalid means 0.
    pub stale_while_revalidate: Option<u32>,
}

/// What a time that is too large becomes (RFC 9111, 1.2.2).
pub const FOREVER: u32 = 1 << 31;

impl CacheControl {
    /// Reads all lines of one message. Names in any case; values bare or quoted (5.2: a recipient
    /// accepts both forms); what is not known is ignored.
    pub fn parse<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut control = Self::default();
        for value in values {
            let mut rest = value;
            while let Some((directive, after)) = next_element(rest) {
                control.take(directive);
                rest = after;
            }
        }
        control
    }

    fn take(&mut self, directive: &[u8]) {
        let equals = directive.iter().position(|&byte| byte == b'=');
        let (name, value) = match equals {
            Some(at) => (&directive[..at], Some(directive[at + 1..].trim_ascii())),
            None => (directive, None),
        };
        let name = name.trim_ascii();
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        let seconds = value.and_then(seconds);
        let shorter = |slot: &mut Option<u32>, invalid| {
            let value = seconds.unwrap_or(invalid);
            *slot = Some(slot.map_or(value, |known| known.min(value)));
        };
        match name.len() {
            6 if is(b"public") => self.public = true,
            7 if is(b"max-age") => shorter(&mut self.max_age, 0),
            7 if is(b"private") => self.private = true,
            8 if is(b"no-store") => self.no_store = true,
            8 if is(b"no-cache") => self.no_cache = true,
            8 if is(b"s-maxage") => shorter(&mut self.s_maxage, 0),
            9 if is(b"max-stale") => {
                shorter(
                    &mut self.max_stale,
                    if value.is_some() { 0 } else { FOREVER },
                );
            }
            9 if is(b"min-fresh") => {
                let value = seconds.unwrap_or(FOREVER);
                self.min_fresh = Some(self.min_fresh.map_or(value, |known| known.max(value)));
            }
            14 if is(b"only-if-cached") => self.only_if_cached = true,
            14 if is(b"stale-if-error") => shorter(&mut self.stale_if_error, 0),
            15 if is(b"must-revalidate") => self.must_revalidate = true,
            16 if is(b"proxy-revalidate") => self.must_revalidate = true,
            22 if is(b"stale-while-revalidate") => shorter(&mut self.stale_while_revalidate, 0),
            _ => {}
        }
    }
}

/// The next element of a list whose commas may also stand within quoted strings, and what follows it.
/// A quote that is never closed is none: it must not hide a `no-store`.
fn next_element(list: &[u8]) -> Option<(&[u8], &[u8])> {
    if list.is_empty() {
        return None;
    }
    let mut first_comma = None;
    let mut quoted = false;
    let mut escaped = false;
    for (at, &byte) in list.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if quoted => first_comma = first_comma.or(Some(at)),
            b',' => return Some((&list[..at], &list[at + 1..])),
            _ => {}
        }
    }
    match first_comma {
        Some(at) if quoted => Some((&list[..at], &list[at + 1..])),
        _ => Some((list, &[])),
    }
}

/// `delta-seconds` (1.2.2), bare or quoted; [`FOREVER`] when larger than that.
fn seconds(value: &[u8]) -> Option<u32> {
    let bare = value
        .strip_prefix(b"\"")
        .map_or(Some(value), |inner| inner.strip_suffix(b"\""))?;
    if bare.is_empty() || !bare.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let saturating = bare.iter().fold(0_u32, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(u32::from(digit - b'0'))
    });
    Some(saturating.min(FOREVER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> CacheControl {
        CacheControl::parse(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn an_invalid_age_is_stale_and_a_large_one_saturates() {
        for invalid in [
            "max-age",
            "max-age=",
            "max-age=-1",
            "max-age=1.5",
            "max-age=\"60",
            "max-age=60\"",
            "max-age=6 0",
            "max-age=x",
            "max-age=\"\"",
            "max-age='60'",
            "max-age=+60",
        ] {
            assert_eq!(parse(&[invalid]).max_age, Some(0), "{invalid}");
        }
        for large in ["2147483648", "4294967296", "99999999999999999999999"] {
            assert_eq!(parse(&[&format!("max-age={large}")]).max_age, Some(FOREVER));
        }
        assert_eq!(parse(&["Max-Age = \"60\""]).max_age, Some(60));
        assert_eq!(parse(&["max-age=060"]).max_age, Some(60));
    }

    #[test]
    fn of_two_values_the_stricter_counts_wherever_it_stands() {
        assert_eq!(parse(&["max-age=60, max-age=5"]).max_age, Some(5));
        assert_eq!(parse(&["max-age=5", "max-age=60"]).max_age, Some(5));
        assert_eq!(parse(&["min-fresh=5, min-fresh=60"]).min_fresh, Some(60));
        assert_eq!(parse(&["max-stale, max-stale=5"]).max_stale, Some(5));
        assert_eq!(parse(&["min-fresh=x"]).min_fresh, Some(FOREVER));
        assert_eq!(parse(&["max-stale=x"]).max_stale, Some(0));
    }

    #[test]
    fn quotes_hide_commas_and_nothing_else_hides_a_directive() {
        let control =
            parse(&[r#"ext="no-store, \", max-age=1", ,private="set-cookie", NO-CACHE=x"#]);
        assert!(!control.no_store && control.private && control.no_cache);
        assert_eq!(control.max_age, None);
        let control = parse(&["ext=\"a, no-store, x=\"", "ext=\"a, private"]);
        assert!(!control.no_store && control.private);
        assert_eq!(
            parse(&["xno-store, no-storex, no store"]),
            CacheControl::default()
        );
        assert_eq!(parse(&[""]), CacheControl::default());
    }

    #[test]
    fn what_github_says_is_read() {
        let control = parse(&["private, max-age=60, s-maxage=60"]);
        assert!(control.private && !control.public);
        assert_eq!((control.max_age, control.s_maxage), (Some(60), Some(60)));
        assert!(parse(&["public, must-revalidate, max-age=0"]).must_revalidate);
        assert!(parse(&["proxy-revalidate"]).must_revalidate);
        assert!(parse(&["only-if-cached"]).only_if_cached);
    }
}
