//! `Link` headers (RFC 8288): read, made relative to keep, written for the address a client used.

mod grammar;

use crate::api::key::canonical_target;
use crate::api::path::Path;
use grammar::{is_token_byte, link, skip_space};

/// GitHub sends four at most.
const MAX_LINKS: usize = 16;
/// GitHub sends some hundred bytes.
const MAX_BYTES: usize = 16 * 1024;

/// The links of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    links: Vec<Link>,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it points: absolute as GitHub sends it, or path and query of the same host.
    pub target: String,
    /// Its relations (3.3), in lower case.
    pub rel: Vec<String>,
    /// Its other parameters: names in lower case, values without quotes, `None` if there is no value.
    pub parameters: Vec<(String, Option<String>)>,
}

/// Links that were written down one by one, as [`Links::links`] gave them.
impl From<Vec<Link>> for Links {
    fn from(links: Vec<Link>) -> Self {
        Self { links }
    }
}

impl Links {
    /// Reads all `Link` lines of an answer. `None` when they break the grammar (RFC 8288, 3), are not
    /// ASCII, or are more than GitHub ever sends: whoever cannot read a page's links must not keep it.
    pub fn parse<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut links = Vec::new();
        for value in values {
            if value.len() > MAX_BYTES {
                return None;
            }
            let text = std::str::from_utf8(value).ok()?;
            let is_text = |byte: u8| byte == b'\t' || (b' '..0x7f).contains(&byte);
            if !text.bytes().all(is_text) {
                return None;
            }
            let mut rest = skip_space(text);
            while !rest.is_empty() {
                if let Some(after) = rest.strip_prefix(',') {
                    rest = skip_space(after);
                    continue;
                }
                let (link, after) = link(rest)?;
                links.push(link);
                if links.len() > MAX_LINKS || !(after.is_empty() || after.starts_with(',')) {
                    return None;
                }
                rest = after;
            }
        }
        Some(Self { links })
    }

    /// The same links as path and query of the same host. `None` when a link to another page points
    /// elsewhere or could be read as pointing elsewhere. `local` is asked about each authority as it is
    /// written (host, port if there is one, and whatever stands before an `@`) and the rest of the
    /// address; it returns the target that this is on the same host.
    ///
    /// Links that are not about pages may lead anywhere (`rel="deprecation"` to the documentation);
    /// those are left out.
    pub fn relative(
        &self,
        local: impl for<'a> Fn(&str, &'a str) -> Option<&'a str>,
    ) -> Option<Self> {
        let mut links = Vec::with_capacity(self.links.len());
        for link in &self.links {
            match relative_target(&link.target, &local) {
                Some(target) => links.push(Link {
                    target,
                    ..link.clone()
                }),
                None if link.is_page() => return None,
                None => {}
            }
        }
        Some(Self { links })
    }

    /// All links as this answer's receiver may see them: those to the same host as path and query, the
    /// others as they are. Only for the credential that got the answer.
    #[must_use]
    pub fn for_receiver(&self, local: impl for<'a> Fn(&str, &'a str) -> Option<&'a str>) -> Self {
        let links = self.links.iter().map(|link| Link {
            target: relative_target(&link.target, &local).unwrap_or_else(|| link.target.clone()),
            ..link.clone()
        });
        Self {
            links: links.collect(),
        }
    }

    /// The value of a `Link` header, `base` before every target that is path and query; for instance
    /// `http://127.0.0.1:9/api/v3`. `None` when there are no links.
    pub fn write(&self, base: &str) -> Option<String> {
        let mut out = String::new();
        for link in &self.links {
            if !out.is_empty() {
                out.push_str(", ");
            }
            let base = if link.target.starts_with('/') {
                base
            } else {
                ""
            };
            out.extend(["<", base, &link.target, ">"]);
            if !link.rel.is_empty() {
                out.extend(["; rel=\"", &link.rel.join(" "), "\""]);
            }
            for (name, value) in &link.parameters {
                out.extend(["; ", name]);
                match value {
                    // RFC 8187: `title*` has no quoted form.
                    Some(value) if name.ends_with('*') && value.bytes().all(is_token_byte) => {
                        out.extend(["=", value]);
                    }
                    Some(value) => {
                        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
                        out.extend(["=\"", &escaped, "\""]);
                    }
                    None => {}
                }
            }
        }
        (!out.is_empty()).then_some(out)
    }

    /// The links.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Whether there is a next page.
    pub fn has_next(&self) -> bool {
        self.target_of("next").is_some()
    }

    /// Where the link with relation `rel` points: `next`, `prev`, `first`, `last`.
    pub fn target_of(&self, rel: &str) -> Option<&str> {
        let has = |link: &&Link| link.rel.iter().any(|known| known == rel);
        self.links.iter().find(has).map(|link| link.target.as_str())
    }
}

impl Link {
    /// Whether it leads to another page of the same list.
    fn is_page(&self) -> bool {
        let is_page = |rel: &String| matches!(&**rel, "next" | "prev" | "first" | "last");
        self.rel.iter().any(is_page)
    }
}

/// Path and query of `target`, if it is on the same host and every reader agrees what it names.
fn relative_target(
    target: &str,
    local: impl for<'a> Fn(&str, &'a str) -> Option<&'a str>,
) -> Option<String> {
    let local = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.starts_with('/') => {
            if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
                return None;
            }
            let (authority, rest) = rest.split_at(rest.find(['/', '?', '#'])?);
            local(authority, rest)?
        }
        _ => target,
    };
    // `//host` would be another host, and is no path that can be cut.
    Path::of(&canonical_target(local))?;
    let is_plain =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"' | b'\\' | b'#');
    local.bytes().all(is_plain).then(|| local.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Option<Links> {
        Links::parse(lines.iter().map(|line| line.as_bytes()))
    }

    fn relative(target: &str) -> Option<String> {
        let links = parse(&[&format!("<{target}>; rel=next")])?;
        let links =
            links.relative(|authority, rest| (authority == "api.github.com").then_some(rest))?;
        Some(links.links()[0].target.clone())
    }

    #[test]
    fn broken_headers_are_not_guessed_at() {
        for line in [
            "https://api.github.com/x; rel=next",
            "</x",
            "<</x>>x",
            "</x>; rel=\"next",
            "</x> rel=next",
            "</x>; =next",
            "</x>; re l=next=1",
            "</x>; rel=\"a\"b",
            "</x>; rel=a\"b\"",
            "</x></y>",
            "</x>; rel=\"a\\\"b\"",
            "</é>; rel=next",
            "</x>; r<l=next",
            "</x>; rel=next</y>",
        ] {
            assert_eq!(parse(&[line]), None, "{line}");
        }
        assert_eq!(parse(&[&"</x>,".repeat(17)]), None);
        assert_eq!(parse(&[&format!("</{}>", "x".repeat(MAX_BYTES))]), None);
    }

    #[test]
    fn order_quotes_and_lines_do_not_matter() {
        let links = parse(&[
            "</a?x=1,2;3>; title=\"a, <b>; rel=next\\\"\"; REL=\"Last  NEXT\"; rel=first ,, ",
            "",
            "</b>;rel = prev;;x",
        ]);
        let links = links.unwrap();
        assert_eq!(links.target_of("next"), Some("/a?x=1,2;3"));
        assert_eq!(links.target_of("last"), Some("/a?x=1,2;3"));
        assert_eq!(links.target_of("prev"), Some("/b"));
        assert_eq!(links.target_of("first"), None);
        let title = Some("a, <b>; rel=next\"".to_owned());
        assert_eq!(links.links()[0].parameters, [("title".to_owned(), title)]);
        assert_eq!(links.links()[1].parameters, [("x".to_owned(), None)]);
        let again = links.write("").unwrap();
        assert_eq!(parse(&[&again]), Some(links));
    }

    #[test]
    fn github_s_links_come_back_under_another_address() {
        let line = "<https://api.github.com/repositories/1/issues?page=2>; rel=\"next\", \
                    <https://api.github.com/repositories/1/issues?page=9>; rel=\"last\"";
        let links = parse(&[line]).unwrap();
        assert!(links.has_next());
        let relative = links
            .relative(|authority, rest| (authority == "api.github.com").then_some(rest))
            .unwrap();
        assert_eq!(
            relative.write("http://127.0.0.1:9/api/v3").unwrap(),
            line.replace("https://api.github.com", "http://127.0.0.1:9/api/v3")
        );
        assert_eq!(relative.write("https://api.github.com").unwrap(), line);
        assert_eq!(parse(&[]).unwrap().write("https://api.github.com"), None);
    }

    #[test]
    fn what_is_not_about_pages_may_lead_elsewhere_and_is_left_out() {
        let line = "<https://developer.github.com/changes/>; rel=\"deprecation\"; type=\"text/html\", \
                    <https://api.github.com/organizations/1/team/2>; rel=\"alternate\"";
        let links = parse(&[line]).unwrap();
        let relative =
            links.relative(|authority, rest| (authority == "api.github.com").then_some(rest));
        let written = relative.unwrap().write("").unwrap();
        assert_eq!(written, "</organizations/1/team/2>; rel=\"alternate\"");
    }

    #[test]
    fn a_link_that_could_lead_elsewhere_is_refused() {
        for target in [
            "https://evil.example/x",
            "https://api.github.com@evil.example/x",
            "//evil.example/x",
            "https://api.github.com\\@evil.example/x",
            "https://api.github.com.evil.example/x",
            "https://api.github.com:444/x",
            "ftp://api.github.com/x",
            "javascript:alert(1)",
            "x",
            "",
            "/a/../b",
            "/a//b",
            "/a/%2e%2E/b",
            "/a\\b",
            "/a b",
            "https:/api.github.com/x",
            "?page=2",
            "https://api.github.com",
            "https://api.github.com/x#y",
            "https://API.github.com/x",
        ] {
            assert_eq!(relative(target), None, "{target}");
        }
        assert_eq!(
            relative("HTTPS://api.github.com/x?a=//b").unwrap(),
            "/x?a=//b"
        );
        assert_eq!(
            relative("/x?page=2&u=http://y").unwrap(),
            "/x?page=2&u=http://y"
        );
    }
}
