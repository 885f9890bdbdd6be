//! `-f` and `-F`: parameters, as `gh` reads them.
//!
//! `a=1` is a member, `a[b]=1` a member of a member, `a[]=1` an element, `a[][b]=1` a member of the
//! last element (or of a new one, when the last has that member already), `a[]` an empty array.

use std::io::Read as _;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value};

use super::repository::Repository;

/// All fields as one object, the raw ones first.
pub(super) fn parse(
    raw: &[String],
    typed: &[String],
    repository: &Repository<'_>,
) -> anyhow::Result<Map<String, Value>> {
    let mut fields = Map::new();
    for field in raw {
        add(&mut fields, field, |text| Ok(Value::from(text)))?;
    }
    for field in typed {
        add(&mut fields, field, |text| magic(text, repository))?;
    }
    Ok(fields)
}

/// The value that `-F` makes of `text`.
fn magic(text: &str, repository: &Repository<'_>) -> anyhow::Result<Value> {
    if let Some(file) = text.strip_prefix('@') {
        return Ok(Value::from(read(file)?));
    }
    if let Ok(number) = text.parse::<i64>() {
        return Ok(Value::from(number));
    }
    Ok(match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        text => Value::from(repository.fill(text)?),
    })
}

fn read(file: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    if file == "-" {
        std::io::stdin()
            .lock()
            .read_to_string(&mut text)
            .context("cannot read stdin")?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    }
    Ok(text)
}

fn add(
    fields: &mut Map<String, Value>,
    field: &str,
    value: impl FnOnce(&str) -> anyhow::Result<Value>,
) -> anyhow::Result<()> {
    let (key, value) = match field.split_once('=') {
        Some((key, text)) => (key, Some(value(text)?)),
        None => (field, None),
    };
    let steps = steps(key).with_context(|| format!("{field:?} is not KEY=VALUE"))?;
    if value.is_none() && !matches!(steps.as_slice(), [_, .., ""]) {
        bail!("{field:?} is not KEY=VALUE");
    }
    let (name, rest) = (steps[0], &steps[1..]);
    let place = fields.entry(name).or_insert(Value::Null);
    let vacant = place.is_null();
    put(place, rest, value, vacant).with_context(|| format!("in {field:?}"))
}

/// `a[b][]` as `a`, `b` and an empty step.
fn steps(key: &str) -> Option<Vec<&str>> {
    let (name, mut rest) = match key.find('[') {
        Some(at) => key.split_at(at),
        None => (key, ""),
    };
    if name.is_empty() {
        return None;
    }
    let mut steps = vec![name];
    while !rest.is_empty() {
        let (step, after) = rest.strip_prefix('[')?.split_once(']')?;
        steps.push(step);
        rest = after;
    }
    Some(steps)
}

/// Puts `value` where `steps` lead from `place`. `None` is the end of `a[]`: an empty array.
fn put(
    place: &mut Value,
    steps: &[&str],
    value: Option<Value>,
    vacant: bool,
) -> anyhow::Result<()> {
    let Some((step, rest)) = steps.split_first() else {
        if !vacant {
            bail!("this member has a value already");
        }
        *place = value.unwrap_or_default();
        return Ok(());
    };
    if step.is_empty() {
        if vacant {
            *place = Value::Array(Vec::new());
        }
        let Value::Array(elements) = place else {
            bail!("this member has a value already, and it is not an array");
        };
        return match value {
            None if rest.is_empty() => Ok(()),
            value => put_element(elements, rest, value),
        };
    }
    if vacant {
        *place = Value::Object(Map::new());
    }
    let Value::Object(members) = place else {
        bail!("this member has a value already, and it is not an object");
    };
    let vacant = !members.contains_key(*step);
    put(
        members.entry(*step).or_insert(Value::Null),
        rest,
        value,
        vacant,
    )
}

fn put_element(
    elements: &mut Vec<Value>,
    rest: &[&str],
    value: Option<Value>,
) -> anyhow::Result<()> {
    if let ([key, after @ ..], Some(Value::Object(last))) = (rest, elements.last_mut())
        && (!last.contains_key(*key) || !after.is_empty())
    {
        let vacant = !last.contains_key(*key);
        return put(
            last.entry(*key).or_insert(Value::Null),
            after,
            value,
            vacant,
        );
    }
    elements.push(Value::Null);
    match elements.last_mut() {
        Some(last) => put(last, rest, value, true),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(raw: &[&str], typed: &[&str]) -> anyhow::Result<Value> {
        let owned = |fields: &[&str]| -> Vec<String> {
            fields.iter().map(|&field| field.to_owned()).collect()
        };
        let repository = Repository::known("octocat", "hello");
        Ok(Value::Object(super::parse(
            &owned(raw),
            &owned(typed),
            &repository,
        )?))
    }

    #[test]
    fn typed_fields_have_types_and_raw_ones_are_text() {
        let fields = [
            "t=true",
            "f=false",
            "n=null",
            "i=-7",
            "s=1.5",
            "e=",
            "r={owner}/{repo}",
        ];
        assert_eq!(
            parse(&["x=true", "y=a=b"], &fields).unwrap(),
            json!({"x": "true", "y": "a=b", "t": true, "f": false, "n": null, "i": -7, "s": "1.5",
                   "e": "", "r": "octocat/hello"})
        );
    }

    #[test]
    fn keys_nest() {
        let fields = ["a[b]=1", "a[c][d]=2", "l[]=x", "l[]=y", "none[]"];
        assert_eq!(
            parse(&[], &fields).unwrap(),
            json!({"a": {"b": 1, "c": {"d": 2}}, "l": ["x", "y"], "none": []})
        );
        let fields = ["o[][k]=1", "o[][v]=2", "o[][k]=3", "o[][v]=4"];
        assert_eq!(
            parse(&[], &fields).unwrap(),
            json!({"o": [{"k": 1, "v": 2}, {"k": 3, "v": 4}]})
        );
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for fields in [
            &["a=1", "a[b]=2"][..],
            &["a[b]=1", "a[]=2"],
            &["a=1", "a=2"],
            &["a"],
            &["=1"],
            &["a[b"],
            &["[a]=1"],
        ] {
            assert!(parse(&[], fields).is_err(), "{fields:?}");
        }
    }

    #[test]
    fn a_file_is_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("body.md");
        crate::files::write_atomic(&path, b"1\n").unwrap();
        let field = format!("body=@{}", path.display());
        assert_eq!(parse(&[], &[&field]).unwrap(), json!({"body": "1\n"}));
        assert!(parse(&[], &["body=@/nowhere/at/all"]).is_err());
    }
}
