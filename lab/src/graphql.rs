//! `POST /graphql`: a small engine that answers just the fields that are asked.
//!
//! <https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api>

mod connection;
mod lex;
mod mutation;
mod objects;
mod parse;
mod query;

use serde_json::{Map, Value, json};

use crate::answer::{Answer, Caching, Refusal};
use crate::request::Call;
use crate::routes::Scope;
use parse::{Arg, Document, Field, Selection};

/// Whether a request's body is a mutation.
pub(crate) fn is_mutation(call: &Call) -> bool {
    let body = call.json();
    let text = body["query"].as_str().unwrap_or_default();
    parse::document(text).is_ok_and(|document| {
        document
            .operation(body["operationName"].as_str())
            .is_some_and(|it| it.mutation)
    })
}

/// Answers a request: 200 also for errors in the query.
pub(crate) fn answer(scope: &mut Scope<'_>, call: &Call) -> Answer {
    if scope.viewer.is_anonymous() {
        let message = "This endpoint requires you to be authenticated.";
        return Refusal::new(401, message).answer("graphql/guides/forming-calls-with-graphql");
    }
    let body = call.json();
    let result = body["query"].as_str().ok_or_else(|| {
        "A query attribute must be specified and \
                                                       must be a string."
            .to_owned()
    });
    let result = result.and_then(parse::document);
    let body = match result {
        Ok(document) => run(scope, &document, &body),
        Err(message) => json!({"errors": [{"message": message}]}),
    };
    Answer::json(body).untagged().caching(Caching::Silent)
}

fn run(scope: &mut Scope<'_>, document: &Document, body: &Value) -> Value {
    let Some(operation) = document.operation(body["operationName"].as_str()) else {
        return json!({"errors": [{"message": "An operation name is required"}]});
    };
    let mut variables = body["variables"].as_object().cloned().unwrap_or_default();
    for (name, default) in &operation.defaults {
        let default = default.resolve(&Map::new());
        variables.entry(name.clone()).or_insert(default);
    }
    let mut engine = Engine {
        scope,
        document,
        variables,
        errors: Vec::new(),
    };
    let root = json!({"__typename": if operation.mutation { "Mutation" } else { "Query" }});
    let data = engine.select(&root, &operation.selection, &mut Vec::new());
    let mut answer = json!({"data": data});
    if !engine.errors.is_empty() {
        if engine.errors.iter().any(|error| error["type"].is_null()) {
            // What fails the check of the query stops it as a whole.
            return json!({"errors": engine.errors});
        }
        answer["errors"] = engine.errors.into();
    }
    answer
}

/// One run of an operation.
struct Engine<'a, 'b> {
    scope: &'a mut Scope<'b>,
    document: &'a Document,
    variables: Map<String, Value>,
    errors: Vec<Value>,
}

impl Engine<'_, '_> {
    /// The asked fields of an object.
    fn select(&mut self, object: &Value, wanted: &[Selection], path: &mut Vec<String>) -> Value {
        let mut out = Map::new();
        self.collect(object, wanted, path, &mut out);
        Value::Object(out)
    }

    fn collect(
        &mut self,
        object: &Value,
        wanted: &[Selection],
        path: &mut Vec<String>,
        out: &mut Map<String, Value>,
    ) {
        let kind = object["__typename"].as_str().unwrap_or_default().to_owned();
        let document = self.document;
        for selection in wanted {
            let (condition, inner) = match selection {
                Selection::Field(field) => {
                    if self.included(&field.directives) {
                        self.field(object, field, path, out);
                    }
                    continue;
                }
                Selection::Spread(name) => {
                    let Some((condition, inner)) = document.fragments.get(name) else {
                        self.fail(format!("Fragment {name} was used, but not defined"), path);
                        continue;
                    };
                    (Some(condition), inner)
                }
                Selection::Inline(condition, inner) => (condition.as_ref(), inner),
            };
            if condition.is_none_or(|name| fits(name, &kind)) {
                self.collect(object, inner, path, out);
            }
        }
    }

    fn field(
        &mut self,
        object: &Value,
        field: &Field,
        path: &mut Vec<String>,
        out: &mut Map<String, Value>,
    ) {
        let args = field
            .args
            .iter()
            .map(|(name, arg)| (name.clone(), arg.resolve(&self.variables)));
        let args: Map<String, Value> = args.collect();
        path.push(field.alias.clone());
        let value = match self.resolve(object, &field.name, &args) {
            Ok(value) => self.shape(value, field, path),
            Err(Trouble::Unknown) => {
                let kind = object["__typename"].as_str().unwrap_or("?");
                let message = format!("Field '{}' doesn't exist on type '{kind}'", field.name);
                self.errors.push(json!({
                    "message": message,
                    "path": path,
                    "extensions": {"code": "undefinedField", "typeName": kind,
                        "fieldName": field.name},
                }));
                Value::Null
            }
            Err(Trouble::NotFound(message)) => {
                self.errors
                    .push(json!({"type": "NOT_FOUND", "path": path, "message": message}));
                Value::Null
            }
        };
        path.pop();
        match (out.get_mut(&field.alias), value) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
            (_, value) => {
                out.insert(field.alias.clone(), value);
            }
        }
    }

    /// A value cut down to what was asked of it.
    fn shape(&mut self, value: Value, field: &Field, path: &mut Vec<String>) -> Value {
        match value {
            Value::Array(items) => {
                let shaped = items.into_iter().map(|item| self.shape(item, field, path));
                Value::Array(shaped.collect())
            }
            Value::Object(_) if field.selection.is_empty() => {
                let name = &field.name;
                self.fail(format!("Field must have selections (field '{name}')"), path);
                Value::Null
            }
            Value::Object(_) => self.select(&value, &field.selection, path),
            scalar => scalar,
        }
    }

    fn resolve(&mut self, object: &Value, name: &str, args: &Map<String, Value>) -> Resolved {
        if name == "__typename" {
            return Ok(object["__typename"].clone());
        }
        match object["__typename"].as_str().unwrap_or_default() {
            "Query" => query::root(self.scope, name, args),
            "Mutation" => mutation::run(self.scope, name, args),
            "Repository" => query::repository(self.scope, object, name, args),
            "User" | "Organization" if name == "repositories" => {
                query::owned(self.scope, object, args)
            }
            _ => query::property(object, name, args),
        }
    }

    /// `@include` and `@skip`.
    fn included(&self, directives: &[(String, Arg)]) -> bool {
        directives.iter().all(|(name, arg)| {
            let on = arg.resolve(&self.variables).as_bool().unwrap_or(true);
            if name == "skip" { !on } else { on }
        })
    }

    fn fail(&mut self, message: String, path: &[String]) {
        self.errors.push(json!({"message": message, "path": path}));
    }
}

/// Why a field has no value.
enum Trouble {
    /// The type has no such field.
    Unknown,
    /// There is no such object for this viewer.
    NotFound(String),
}

type Resolved = Result<Value, Trouble>;

/// Whether a fragment on `condition` means an object of type `kind`.
fn fits(condition: &str, kind: &str) -> bool {
    condition == kind
        || match condition {
            "Node" => true,
            "Actor" | "RepositoryOwner" => matches!(kind, "User" | "Organization" | "Bot"),
            "IssueOrPullRequest" | "Comment" | "Labelable" | "Closable" => {
                matches!(kind, "Issue" | "PullRequest")
            }
            _ => false,
        }
}
