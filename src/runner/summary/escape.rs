//! Text of others on a page of ours: branch names, names of peers, words of a server. None of it may add structure to
//! the page: no table cell, no HTML, no link, no mention, no line, and nothing that turns a line around.

/// The most characters of a piece of text in a cell.
const CELL: usize = 80;
/// The most characters of a sentence.
const SENTENCE: usize = 600;
/// Ends a word for whoever looks for addresses and mentions in it, and is not shown.
const SEAM: &str = "<!-- -->";

/// `text` as a code span: between backticks Markdown knows no structure, but a bar would still end a table's cell
/// (<https://github.github.com/gfm/#tables-extension->).
pub(super) fn code(text: &str) -> String {
    let shown = |letter| match letter {
        '`' => '\'',
        '|' => '\u{a6}',
        letter => letter,
    };
    let text: String = line(text, CELL).chars().map(shown).collect();
    format!("`{}`", if text.is_empty() { "?" } else { &text })
}

/// A sentence of ours with words of others in it. What stands between backticks becomes a code span, and the rest
/// is nothing but text.
pub(super) fn prose(text: &str) -> String {
    let text = line(text, SENTENCE);
    let mut shown = String::new();
    for (number, part) in text.split('`').enumerate() {
        if number % 2 == 0 {
            plain(part, &mut shown);
        } else if !part.trim().is_empty() {
            if shown.ends_with('`') {
                shown.push(' ');
            }
            shown.push_str(&code(part));
        }
    }
    shown
}

/// Writes each mark that could mean something as its number: Markdown reads no structure into those
/// (<https://spec.commonmark.org/0.31.2/#entity-and-numeric-character-references>).
fn plain(text: &str, shown: &mut String) {
    let mut letters = text.chars().peekable();
    let mut last = ' ';
    while let Some(letter) = letters.next() {
        match letter {
            // Addresses and mentions are found in words that are text by then.
            ':' if letters.peek() == Some(&'/') => {
                shown.push(':');
                shown.push_str(SEAM);
            }
            '.' if last.eq_ignore_ascii_case(&'w') => {
                shown.push_str(SEAM);
                shown.push('.');
            }
            '@' => {
                shown.push_str(SEAM);
                shown.push_str("&#64;");
                shown.push_str(SEAM);
            }
            ' ' | ',' | ';' | ':' | '.' | '(' | ')' | '\'' | '"' | '=' | '+' | '%' | '/' | '-'
            | '?' => {
                shown.push(letter);
            }
            letter if letter.is_ascii_alphanumeric() || !letter.is_ascii() => shown.push(letter),
            letter => {
                shown.push_str("&#");
                shown.push_str(&u32::from(letter).to_string());
                shown.push(';');
            }
        }
        last = letter;
    }
}

/// `text` on one line, without what cannot be seen, in at most `most` characters.
pub(super) fn line(text: &str, most: usize) -> String {
    let mut shown = String::new();
    let mut count = 0;
    for letter in text.chars().filter(|letter| !is_hidden(*letter)) {
        let letter = if letter.is_whitespace() { ' ' } else { letter };
        if letter == ' ' && (shown.is_empty() || shown.ends_with(' ')) {
            continue;
        }
        if count == most {
            shown.pop();
            shown.push('…');
            break;
        }
        shown.push(letter);
        count += 1;
    }
    shown.truncate(shown.trim_end().len());
    shown
}

/// Controls that are no white space, and what Unicode has to turn text around, to hide it, or to take no place:
/// `Bidi_Control`, `Default_Ignorable_Code_Point` and the fillers (<https://www.unicode.org/reports/tr36/>, 3).
fn is_hidden(letter: char) -> bool {
    (letter.is_control() && !letter.is_whitespace())
        || matches!(
            letter,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_span_stays_one_cell() {
        assert_eq!(code("a`b|c\nd"), "`a'b¦c d`");
        assert_eq!(code(" \u{202e}\u{200b}\t"), "`?`");
        assert_eq!(code("<b>**x**</b>"), "`<b>**x**</b>`");
        assert_eq!(code(&"x".repeat(500)).chars().count(), CELL + 2);
    }

    #[test]
    fn a_sentence_is_text_but_for_its_code() {
        assert_eq!(
            prose("see `a | b` of <i>x</i>"),
            "see `a ¦ b` of &#60;i&#62;x&#60;/i&#62;"
        );
        assert_eq!(
            prose("[x](http://y) @me www.z #1 _a_"),
            "&#91;x&#93;(http:<!-- -->//y) <!-- -->&#64;<!-- -->me www<!-- -->.z &#35;1 &#95;a&#95;"
        );
        assert_eq!(prose("`a``b` ``"), "`a` `b` ");
        assert_eq!(prose("odd ` one"), "odd `one`");
    }

    #[test]
    fn what_cannot_be_seen_is_not_there() {
        assert_eq!(
            line("a\u{202e}b\u{200d}c\r\n\u{2028}d\u{7}\u{e0041}", 80),
            "abc d"
        );
        assert_eq!(line("abcdef", 4), "abc…");
        assert_eq!(line("abcd", 4), "abcd");
    }
}
