//! `--jq`: a filter over each page.

use anyhow::anyhow;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Native, Vars, data, unwrap_valr};
use jaq_json::{Val, read};

/// A compiled filter.
pub(super) struct Filter(jaq_core::compile::Filter<Native<data::JustLut<Val>>>);

impl Filter {
    /// Compiles `code`, before anything is asked of GitHub.
    pub(super) fn compile(code: &str) -> anyhow::Result<Self> {
        let definitions = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs());
        let functions = jaq_core::funs()
            .chain(jaq_std::funs())
            .chain(jaq_json::funs());
        let arena = Arena::default();
        let modules = Loader::new(definitions)
            .load(&arena, File { code, path: () })
            .map_err(|_| anyhow!("--jq: cannot read the filter {code:?}"))?;
        let filter = Compiler::default()
            .with_funs(functions)
            .compile(modules)
            .map_err(|errors| {
                let names = errors.iter().flat_map(|(_, undefined)| undefined);
                let names: Vec<_> = names.map(|(name, _)| (*name).to_owned()).collect();
                anyhow!(
                    "--jq: the filter names what is not there: {}",
                    names.join(", ")
                )
            })?;
        Ok(Self(filter))
    }

    /// What the filter makes of the JSON `document`: a line for each value. Text is printed as it is,
    /// `null` as an empty line, as `gh` does.
    pub(super) fn apply(&self, document: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut lines = Vec::new();
        for input in read::parse_many(document) {
            let input = input.map_err(|error| anyhow!("--jq: the answer is not JSON: {error}"))?;
            let context = Ctx::<data::JustLut<Val>>::new(&self.0.lut, Vars::new([]));
            for value in self.0.id.run((context, input)).map(unwrap_valr) {
                match value.map_err(|error| anyhow!("--jq: {error}"))? {
                    Val::Null => {}
                    Val::TStr(text) | Val::BStr(text) => lines.extend_from_slice(&text),
                    value => lines.extend_from_slice(value.to_string().as_bytes()),
                }
                lines.push(b'\n');
            }
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(code: &str, document: &str) -> String {
        let lines = Filter::compile(code)
            .unwrap()
            .apply(document.as_bytes())
            .unwrap();
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn text_is_printed_without_quotes_and_null_as_an_empty_line() {
        let document = r#"[{"n":"a \"b\""},{"n":null},{"n":[1,"x"]},{"n":true}]"#;
        assert_eq!(run(".[].n", document), "a \"b\"\n\n[1,\"x\"]\ntrue\n");
        assert_eq!(run("map(.n) | length", document), "4\n");
        assert_eq!(
            run(".[] | select(.n == true) | keys", document),
            "[\"n\"]\n"
        );
    }

    #[test]
    fn numbers_stay_as_github_wrote_them() {
        assert_eq!(
            run(".id", r#"{"id":12345678901234567890}"#),
            "12345678901234567890\n"
        );
        assert_eq!(run(".x", r#"{"x":1.0}"#), "1.0\n");
    }

    #[test]
    fn a_broken_filter_is_refused_before_anything_is_asked() {
        assert!(Filter::compile(".[").is_err());
        let error = Filter::compile("frobnicate").err().unwrap().to_string();
        assert!(error.contains("frobnicate"), "{error}");
        assert!(Filter::compile(".a").unwrap().apply(b"[1]").is_err());
    }
}
