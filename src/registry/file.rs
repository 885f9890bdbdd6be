//! A file of records: text, so that it can be mailed, pasted and kept anywhere.
//!
//! The first line says what it is; then one record in base64 on each line, the writer's own first. It has
//! tickets in it, so who has the file may come in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::record::RECORD_MAX;

/// The first line.
const TITLE: &str = "ghswarm peers 1";
/// What the first lines of all versions begin with.
const TITLES: &str = "ghswarm peers ";

/// The most records in one file.
pub const RECORDS_MAX: usize = 256;
/// The largest file, in bytes.
pub const FILE_MAX: u64 = 2 << 20;

/// Why a text is no file of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAFile {
    /// Something else.
    #[error("this is not a file of `ghswarm peers export`: its first line is not \"{TITLE}\"")]
    Other,
    /// Of another version.
    #[error("this was written by another version of ghswarm; use the same on both sides")]
    Version,
    /// More than anybody exports.
    #[error("this has more than {RECORDS_MAX} records, or {} MiB", FILE_MAX >> 20)]
    TooLarge,
}

/// One line of a file: its number, from 1, and the bytes of a record if it has any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// Which line.
    pub line: usize,
    /// Not yet verified; `None` if the line is no base64 or too long.
    pub envelope: Option<Zeroizing<Vec<u8>>>,
}

/// The file of `records`.
pub fn write<'a>(records: impl IntoIterator<Item = &'a [u8]>) -> Zeroizing<String> {
    let mut text = Zeroizing::new(format!("{TITLE}\n"));
    for record in records.into_iter().take(RECORDS_MAX) {
        STANDARD.encode_string(record, &mut text);
        text.push('\n');
    }
    text
}

/// The records of the file `text`. Empty lines and those that begin with `#` say nothing.
pub fn read(text: &[u8]) -> Result<Vec<Paper>, NotAFile> {
    if text.len() as u64 > FILE_MAX {
        return Err(NotAFile::TooLarge);
    }
    let mut lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    match lines.next() {
        Some(title) if title == TITLE.as_bytes() => {}
        Some(title) if title.starts_with(TITLES.as_bytes()) => return Err(NotAFile::Version),
        _ => return Err(NotAFile::Other),
    }
    let mut papers = Vec::new();
    for (index, line) in lines.enumerate() {
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        if papers.len() == RECORDS_MAX {
            return Err(NotAFile::TooLarge);
        }
        let short = line.len() <= RECORD_MAX.div_ceil(3) * 4;
        let envelope = short.then(|| STANDARD.decode(line).ok()).flatten();
        papers.push(Paper {
            line: index + 2,
            envelope: envelope.map(Zeroizing::new),
        });
    }
    Ok(papers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn envelopes(text: &str) -> Vec<(usize, Option<Vec<u8>>)> {
        let papers = read(text.as_bytes()).unwrap();
        let plain = |paper: Paper| (paper.line, paper.envelope.map(|bytes| bytes.to_vec()));
        papers.into_iter().map(plain).collect()
    }

    #[test]
    fn what_was_written_is_read() {
        let text = write([&b"one"[..], &[0, 255, 7]]);
        assert_eq!(&**text, "ghswarm peers 1\nb25l\nAP8H\n");
        let expected = [(2, Some(b"one".to_vec())), (3, Some(vec![0, 255, 7]))];
        assert_eq!(envelopes(&text), expected);
    }

    #[test]
    fn remarks_and_line_ends_of_other_systems_do_no_harm_and_broken_lines_are_told() {
        let text = "ghswarm peers 1\r\n# mine\r\n\r\nb25l\r\nb25\nno base64!\n";
        assert_eq!(
            envelopes(text),
            [(4, Some(b"one".to_vec())), (5, None), (6, None)]
        );
    }

    #[test]
    fn other_files_are_told_from_ours() {
        for (text, why) in [
            ("", NotAFile::Other),
            ("b25l\n", NotAFile::Other),
            ("ghswarm peers 10\n", NotAFile::Version),
        ] {
            assert_eq!(read(text.as_bytes()), Err(why), "{text}");
        }
        let many = format!("{TITLE}\n{}", "b25l\n".repeat(RECORDS_MAX + 1));
        assert_eq!(read(many.as_bytes()), Err(NotAFile::TooLarge));
        assert_eq!(read(&vec![b'\n'; 3 << 20]), Err(NotAFile::TooLarge));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&[b"ghswarm peers 1\n", bytes.as_slice()].concat());
        }
    }
}
