//! Header fields of a stored answer, kept the way they go out: as lines.

use bytes::Bytes;

/// `Name: value\r\n` lines, ready to be copied into a response head.
///
/// Never holds framing (`Content-Length`, `Transfer-Encoding`) or hop-by-hop fields: those belong to
/// one message (RFC 9110, section 7.6.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldBlock(Bytes);

impl FieldBlock {
    /// Serialises `fields`. A name or value with a line break is left out: it could end the head.
    pub fn from_pairs<'a>(fields: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut lines = Vec::new();
        for (name, value) in fields {
            let breaks = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
            if name.bytes().any(|byte| breaks(&byte) || byte == b':') || value.iter().any(breaks) {
                continue;
            }
            lines.extend_from_slice(name.as_bytes());
            lines.extend_from_slice(b": ");
            lines.extend_from_slice(value);
            lines.extend_from_slice(b"\r\n");
        }
        // Without the room to grow, which would stay as long as the lines.
        Self(lines.into_boxed_slice().into())
    }

    /// Lines that were written down with [`FieldBlock::as_bytes`], and are known to be those.
    pub const fn from_lines(lines: Bytes) -> Self {
        Self(lines)
    }

    /// The lines, each with its line break.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The fields one by one, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        Self::lines(&self.0)
    }

    /// The fields of any `Name: value\r\n` lines, in order.
    pub fn lines(lines: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
        lines.split(|&byte| byte == b'\n').filter_map(|line| {
            let line = line.strip_suffix(b"\r")?;
            let colon = line.iter().position(|&byte| byte == b':')?;
            let name = std::str::from_utf8(&line[..colon]).ok()?;
            Some((name, line[colon + 1..].trim_ascii_start()))
        })
    }

    /// The value of the first field called `name` (compared without case).
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find_map(|(field, value)| field.eq_ignore_ascii_case(name).then_some(value))
    }

    /// Bytes held.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_and_a_line_break_does_not_go_in() {
        let block = FieldBlock::from_pairs([
            ("content-type", b"application/json".as_slice()),
            ("x-evil", b"a\r\nset-cookie: b"),
            ("x-empty", b""),
        ]);
        assert_eq!(
            block.as_bytes(),
            b"content-type: application/json\r\nx-empty: \r\n"
        );
        let fields: Vec<_> = block.iter().collect();
        assert_eq!(
            fields,
            [
                ("content-type", b"application/json".as_slice()),
                ("x-empty", b"")
            ]
        );
        assert_eq!(
            block.get("Content-Type"),
            Some(b"application/json".as_slice())
        );
    }
}
