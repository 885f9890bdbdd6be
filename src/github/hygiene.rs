//! Which header fields go on to the next hop.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};

/// Fields that belong to one connection (RFC 9110, section 7.6.1), beside those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Removes what must not go upstream. `length` is the body's length where it is known: a
/// `Content-Length` that says something else would break the framing.
pub(super) fn request(headers: &mut HeaderMap, length: Option<u64>) {
    hop_by_hop(headers);
    headers.remove(HOST);
    // GitHub pretty-prints for some clients, after it has computed the ETag: ours is sent instead.
    headers.remove(USER_AGENT);
    if let Some(length) = length {
        let mut said = headers.get_all(CONTENT_LENGTH).iter();
        let right = said
            .next()
            .is_some_and(|value| value.as_bytes() == length.to_string().as_bytes());
        if !right || said.next().is_some() {
            headers.remove(CONTENT_LENGTH);
        }
    }
}

/// Removes what must not go downstream.
pub(super) fn response(headers: &mut HeaderMap) {
    // Beside a transfer coding a length is a lie, or an attack (RFC 9112, section 6.3).
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    one_length(headers);
    hop_by_hop(headers);
}

/// Says a length once, and not at all what is none (RFC 9110, section 8.6). Where a body follows the
/// client has refused lengths that differ; on an answer to HEAD and on a 304 nobody has looked.
fn one_length(headers: &mut HeaderMap) {
    let mut said = headers
        .get_all(CONTENT_LENGTH)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii);
    let Some(first) = said.next() else {
        return;
    };
    let is_number = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
    let length = (is_number && said.all(|other| other == first))
        .then(|| HeaderValue::from_bytes(first).ok())
        .flatten();
    match length {
        Some(length) => drop(headers.insert(CONTENT_LENGTH, length)),
        None => drop(headers.remove(CONTENT_LENGTH)),
    }
}

fn hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn what_belongs_to_the_connection_stays_there() {
        let mut headers = fields(&[
            ("host", "localhost:1"),
            ("connection", "close, X-Secret-Hop"),
            ("connection", "te ,, bad name"),
            ("x-secret-hop", "1"),
            ("te", "trailers"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic eA=="),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("trailer", "x"),
            ("user-agent", "curl/8"),
            ("authorization", "token ghp_1"),
            ("accept", ""),
            ("accept-encoding", "gzip"),
            ("x-twice", "a"),
            ("x-twice", "b"),
        ]);
        request(&mut headers, None);
        let kept = [
            ("authorization", "token ghp_1"),
            ("accept", ""),
            ("accept-encoding", "gzip"),
            ("x-twice", "a"),
            ("x-twice", "b"),
        ];
        assert_eq!(headers, fields(&kept));
    }

    #[test]
    fn a_length_beside_a_transfer_coding_goes() {
        let mut headers = fields(&[("transfer-encoding", "chunked"), ("content-length", "5")]);
        response(&mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn a_length_is_said_once_or_not_at_all() {
        for (said, kept) in [
            (&["5"][..], Some("5")),
            (&["5, 5"], Some("5")),
            (&["5", "5"], Some("5")),
            (&["5", "6"], None),
            (&["-5"], None),
            (&[""], None),
        ] {
            let pairs: Vec<_> = said.iter().map(|said| ("content-length", *said)).collect();
            let mut headers = fields(&pairs);
            response(&mut headers);
            let left: Vec<_> = headers.get_all(CONTENT_LENGTH).iter().collect();
            assert_eq!(left, kept.into_iter().collect::<Vec<_>>(), "{said:?}");
        }
    }

    #[test]
    fn a_length_that_is_not_the_bodys_goes() {
        for (said, length, kept) in [
            ("5", Some(5), true),
            ("5", None, true),
            ("6", Some(5), false),
            ("05", Some(5), false),
        ] {
            let mut headers = fields(&[("content-length", said)]);
            request(&mut headers, length);
            assert_eq!(
                headers.contains_key(CONTENT_LENGTH),
                kept,
                "{said} {length:?}"
            );
        }
        let mut twice = fields(&[("content-length", "5"), ("content-length", "7")]);
        request(&mut twice, Some(5));
        assert!(twice.is_empty());
    }
}
