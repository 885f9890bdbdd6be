//! A small validator for the schemas of `OpenAPI` 3.0: type, nullable, required, enum,
//! properties, items, allOf, anyOf, oneOf (as anyOf), $ref.

use serde_json::Value;

/// The value that a `$ref` leads to.
pub(crate) fn follow<'d>(document: &'d Value, mut value: &'d Value) -> &'d Value {
    for _ in 0..20 {
        let Some(target) = value["$ref"].as_str() else {
            break;
        };
        let pointer = target.trim_start_matches('#');
        value = document.pointer(pointer).unwrap_or(&Value::Null);
    }
    value
}

/// What is wrong with `value`; empty if it fits.
pub(crate) fn check(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    walk(document, schema, value, "$", &mut errors);
    errors
}

fn walk(document: &Value, schema: &Value, value: &Value, at: &str, errors: &mut Vec<String>) {
    let schema = follow(document, schema);
    if value.is_null() && (schema["nullable"] == true || accepts_null(document, schema)) {
        return;
    }
    if let Some(kind) = schema["type"].as_str()
        && !is(kind, value)
    {
        errors.push(format!("{at}: {} is not a {kind}", short(value)));
        return;
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        errors.push(format!("{at}: {} is not in the enum", short(value)));
    }
    for name in schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if value.is_object() && value.get(name).is_none() {
            errors.push(format!("{at}: no {name}"));
        }
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(inner_value) = value.get(name) {
            walk(
                document,
                inner,
                inner_value,
                &format!("{at}.{name}"),
                errors,
            );
        }
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (index, inner) in values.iter().enumerate() {
            walk(document, items, inner, &format!("{at}[{index}]"), errors);
        }
    }
    for inner in schema["allOf"].as_array().into_iter().flatten() {
        walk(document, inner, value, at, errors);
    }
    for key in ["anyOf", "oneOf"] {
        let Some(choices) = schema[key].as_array() else {
            continue;
        };
        let tries: Vec<_> = choices
            .iter()
            .map(|inner| check(document, inner, value))
            .collect();
        let nearest = tries.into_iter().min_by_key(Vec::len).unwrap_or_default();
        errors.extend(nearest.iter().map(|error| error.replacen('$', at, 1)));
    }
}

fn accepts_null(document: &Value, schema: &Value) -> bool {
    ["anyOf", "oneOf", "allOf"].iter().any(|key| {
        let choices = schema[*key].as_array().into_iter().flatten();
        choices
            .map(|inner| follow(document, inner))
            .any(|inner| inner["nullable"] == true)
    })
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}

#[test]
fn the_validator_finds_what_is_wrong() {
    use serde_json::json;
    let document = json!({"s": {"type": "object", "required": ["a"], "properties": {
        "a": {"type": "integer"}, "b": {"type": "string", "nullable": true, "enum": ["x"]}}}});
    let schema = json!({"type": "array", "items": {"$ref": "#/s"}});
    assert!(check(&document, &schema, &json!([{"a": 1, "b": null}])).is_empty());
    for wrong in [
        json!([{}]),
        json!([{"a": "1"}]),
        json!([{"a": 1, "b": "y"}]),
        json!({}),
    ] {
        assert_eq!(check(&document, &schema, &wrong).len(), 1, "{wrong}");
    }
}
