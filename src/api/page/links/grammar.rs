//! The grammar of a `Link` header's value (RFC 8288, 3 and B.2).

use super::Link;

/// Without the white space at its start.
pub(super) fn skip_space(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// The link at the start of `text` and what follows it, without white space.
pub(super) fn link(text: &str) -> Option<(Link, &str)> {
    let (target, mut rest) = text.strip_prefix('<')?.split_once('>')?;
    let mut link = Link {
        target: target.trim().to_owned(),
        rel: Vec::new(),
        parameters: Vec::new(),
    };
    let mut has_rel = false;
    loop {
        rest = skip_space(rest);
        let Some(after) = rest.strip_prefix(';') else {
            return Some((link, rest));
        };
        let (name, value, after) = parameter(skip_space(after))?;
        rest = after;
        match name.as_str() {
            "" => {}
            // 3.3: of several only the first counts.
            "rel" if has_rel => {}
            "rel" => {
                has_rel = true;
                let value = value.unwrap_or_default().to_ascii_lowercase();
                link.rel = value.split_ascii_whitespace().map(str::to_owned).collect();
                // A relation is a word or a URL; neither has a quote, and we write it in quotes.
                if link.rel.iter().any(|rel| rel.contains(['"', '\\'])) {
                    return None;
                }
            }
            _ => link.parameters.push((name, value)),
        }
    }
}

/// The parameter at the start of `text` (B.3): its name in lower case, its value, and what follows.
fn parameter(text: &str) -> Option<(String, Option<String>, &str)> {
    let end = text.find([' ', '\t', '=', ';', ',']).unwrap_or(text.len());
    let name = &text[..end];
    if !name.bytes().all(is_token_byte) {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let rest = skip_space(&text[end..]);
    let Some(rest) = rest.strip_prefix('=') else {
        return Some((name, None, rest));
    };
    // A value without a name.
    if name.is_empty() {
        return None;
    }
    let rest = skip_space(rest);
    if let Some(inner) = rest.strip_prefix('"') {
        let (value, rest) = quoted(inner)?;
        return Some((name, Some(value), rest));
    }
    let end = rest.find([' ', '\t', ';', ',']).unwrap_or(rest.len());
    let (value, rest) = rest.split_at(end);
    // Unquoted, `rel=next` is fine; a quote or a bracket within is a broken header.
    if value.contains(['"', '<', '>', '\\']) {
        return None;
    }
    Some((name, Some(value.to_owned()), rest))
}

/// The rest of a quoted string (RFC 9110, 5.6.4) and what follows it.
fn quoted(inner: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = inner.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some((value, &inner[at + 1..])),
            (_, '\\') => value.push(chars.next()?.1),
            (_, char) => value.push(char),
        }
    }
}

/// Whether a byte may stand in a token (RFC 9110, 5.6.2).
pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
