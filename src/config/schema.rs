//! The JSON schema of the YAML files, made of the table: an editor that knows it completes keys.

use serde_json::{Value, json};

use super::table::{self, Effect, Kind, Place, Reach, Row, Status};

/// A JSON schema (draft 2020-12) for `cache-config.yml`, `p2p-config.yml` and the file of `--config`.
pub fn schema() -> Value {
    let mut root = section();
    for row in table::rows().iter().filter(|row| row.place == Place::File) {
        let keys: Vec<_> = row.name.split('.').collect();
        insert(&mut root, &keys, of(row));
    }
    root["type"] = json!("object");
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("ghswarm: cache-config.yml, p2p-config.yml, or the file of --config");
    root
}

fn section() -> Value {
    json!({"type": ["object", "null"], "additionalProperties": false, "properties": {}})
}

/// Puts the schema of the key `keys` where it belongs, with the sections on the way.
fn insert(place: &mut Value, keys: &[&str], schema: Value) {
    let properties = &mut place["properties"];
    match keys {
        [] => {}
        [last] => properties[last] = schema,
        [first, rest @ ..] => {
            let below = &mut properties[first];
            if below.is_null() {
                *below = section();
            }
            insert(below, rest, schema);
        }
    }
}

fn of(row: &Row) -> Value {
    let number_or_text = json!({"type": ["number", "string", "null"]});
    let mut schema = match row.kind {
        Kind::Boolean => json!({"type": ["boolean", "null"]}),
        Kind::Count { least, most } => {
            json!({"type": ["integer", "string", "null"], "minimum": least, "maximum": most})
        }
        Kind::Time | Kind::Size => number_or_text,
        Kind::OneOf(words) => {
            let words = words.iter().map(|word| json!(word)).chain([Value::Null]);
            json!({"enum": words.collect::<Vec<_>>()})
        }
        Kind::Level => {
            json!({"enum": ["error", "warn", "warning", "info", "debug", "trace", "off", null]})
        }
        Kind::Path | Kind::Text | Kind::Secret => json!({"type": ["string", "null"]}),
        Kind::List => {
            json!({"type": ["array", "string", "null"], "items": {"type": ["string", "number"]}})
        }
    };
    schema["description"] = json!(describe(row));
    if !row.default.is_empty() {
        schema["default"] = default(row);
    }
    schema
}

/// What becomes of a value, for people.
pub fn describe(row: &Row) -> String {
    let effect = match row.status {
        Status::NotBuilt => return "Not built yet: without effect.".to_owned(),
        Status::Refused { reason, .. } => return format!("Not done: {reason}."),
        Status::Effect(effect) => effect,
    };
    let does = match effect {
        Effect::Same(setting) => format!("As {} ({}).", setting.flag(), setting.variable()),
        Effect::Entries => {
            "Entries in memory; 5000 stand for the default of --memory-limit, others for their share."
                .to_owned()
        }
        Effect::Lifetime(operation) => format!("As --lifetime {operation}=TIME."),
        Effect::Persistence => "false: as --no-disk.".to_owned(),
        Effect::Enabled => "false: as --no-cache.".to_owned(),
        Effect::Peers => "false: as --no-p2p.".to_owned(),
        Effect::Mdns => "false: as --no-mdns.".to_owned(),
        Effect::PeerPort => {
            "As --p2p-listen, with TCP and QUIC at this port; 9000 is the default.".to_owned()
        }
        Effect::SecretIn(variable) => format!("As --secret-env {variable}."),
        Effect::Elsewhere => "Read by other commands.".to_owned(),
    };
    let whose = match effect.reach() {
        Reach::Workspace => "A workspace may set it, within bounds.",
        Reach::Named | Reach::Nowhere => "Ignored in the files of a workspace.",
    };
    format!("{does} {whose}")
}

fn default(row: &Row) -> Value {
    match row.kind {
        Kind::Boolean => json!(row.default == "true"),
        Kind::Count { .. } => row.default.parse::<u64>().map_or(Value::Null, Value::from),
        Kind::List => row.default.split(',').collect(),
        _ => json!(row.default),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `value` is what `schema` describes: as much of JSON Schema as this schema uses.
    fn fits(schema: &Value, value: &Value) -> bool {
        let is = |name: &str| match name {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "integer" => value.is_u64(),
            "number" => value.is_number(),
            other => panic!("the schema knows no type {other}"),
        };
        let names = match &schema["type"] {
            Value::Null => Vec::new(),
            Value::String(name) => vec![name.as_str()],
            names => names
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
                .collect(),
        };
        let one_of = schema["enum"].as_array();
        let least = schema["minimum"].as_u64().unwrap_or(0);
        let most = schema["maximum"].as_u64().unwrap_or(u64::MAX);
        (names.is_empty() || names.into_iter().any(is))
            && one_of.is_none_or(|words| words.contains(value))
            && value
                .as_u64()
                .is_none_or(|number| (least..=most).contains(&number))
            && value
                .as_array()
                .is_none_or(|items| items.iter().all(|item| fits(&schema["items"], item)))
            && value.as_object().is_none_or(|members| {
                members.iter().all(|(key, value)| {
                    let schema = &schema["properties"][key];
                    !schema.is_null() && fits(schema, value)
                })
            })
    }

    fn yaml(text: &str) -> Value {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn the_files_of_the_documents_fit() {
        let schema = schema();
        for sample in [
            include_str!("../../tests/data/config/cache-config.yml"),
            include_str!("../../tests/data/config/p2p-config.yml"),
        ] {
            assert!(fits(&schema, &yaml(sample)));
        }
    }

    #[test]
    fn what_the_table_does_not_know_does_not_fit() {
        let schema = schema();
        for wrong in [
            "cash: {}",
            "cache: {max-size: 5}",
            "cache: 5",
            "cache: {enabled: 5}",
            "cache: {max_size: 0}",
            "p2p: {listen_port: 65536}",
            "logging: {level: loud}",
            "p2p: {bootstrap_peers: [{}]}",
            "ghswarm: {state_dir: /tmp}",
        ] {
            assert!(!fits(&schema, &yaml(wrong)), "{wrong}");
        }
        assert!(fits(
            &schema,
            &yaml("ghswarm: {memory_limit: 1GiB, listen: ~}")
        ));
    }

    #[test]
    fn every_key_has_a_place_and_a_description() {
        let schema = schema();
        for row in table::rows().iter().filter(|row| row.place == Place::File) {
            let pointer = row.name.replace('.', "/properties/");
            let key = schema.pointer(&format!("/properties/{pointer}")).unwrap();
            assert!(key["description"].is_string(), "{}", row.name);
            if let Some(default) = key.get("default") {
                assert!(fits(key, default), "{}: {default}", row.name);
            }
        }
    }
}
