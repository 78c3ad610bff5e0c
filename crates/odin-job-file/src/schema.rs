//! The JSON Schema of job files, for editors.

use serde_json::{Map, Value, json};

use crate::key::{self, Key, Support};
use crate::shape::{Section, Shape};

/// The schema (draft 2020-12) of what this version accepts, as text.
///
/// It is a help while writing: [`read`](crate::read()) says more, and has the last word.
#[must_use]
pub fn schema() -> String {
    let mut root = section(Section::Top);
    root.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    root.insert("title".to_owned(), json!("Odin job file"));
    let mut text =
        serde_json::to_string_pretty(&Value::Object(root)).expect("a schema has text keys only");
    text.push('\n');
    text
}

fn section(section: Section) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in supported(section) {
        let mut value = shape(key);
        value.insert(
            "description".to_owned(),
            json!(key.meaning.replace('`', "")),
        );
        if !key.example.is_empty() {
            value.insert("examples".to_owned(), json!([key.example]));
        }
        properties.insert(key.name.to_owned(), Value::Object(value));
    }
    let required: Vec<&str> = supported(section)
        .filter(|key| key.default == key::REQUIRED)
        .map(|key| key.name)
        .collect();
    let mut schema = object(&json!({
        "type": "object",
        "additionalProperties": false,
        "required": required,
    }));
    schema.insert("properties".to_owned(), Value::Object(properties));
    if section == Section::Job {
        // One way to say when, one way to say what.
        let all_of = json!([
            {"oneOf": [{"required": ["schedule"]}, {"required": ["runs"]}]},
            {"oneOf": [{"required": ["language", "file"]}, {"required": ["command"]}]},
        ]);
        schema.insert("allOf".to_owned(), all_of);
    }
    schema
}

fn supported(section: Section) -> impl Iterator<Item = &'static Key> {
    key::of_section(section).filter(|key| key.support == Support::Now)
}

fn object(value: &Value) -> Map<String, Value> {
    value
        .as_object()
        .cloned()
        .expect("an object is written there")
}

/// YAML reads `5` and `yes` as other types than text; both are taken as they are written.
fn text() -> Value {
    json!({"type": ["string", "number", "boolean", "null"]})
}

fn duration() -> Value {
    json!({"type": "string", "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$", "minLength": 2})
}

fn shape(key: &Key) -> Map<String, Value> {
    let list = || json!({"type": "array", "items": text()});
    let value = match key.shape {
        Shape::Text => text(),
        Shape::Path => json!({"type": "string", "pattern": "^[^/]"}),
        Shape::Duration => duration(),
        Shape::Size => {
            json!({"type": "string", "pattern": "^[0-9]+ ?(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$"})
        }
        Shape::Cores => json!({"type": "number", "exclusiveMinimum": 0}),
        Shape::Truth => json!({"type": "boolean"}),
        Shape::Count => json!({"type": "integer", "minimum": 1}),
        Shape::Integer => json!({"type": "integer"}),
        Shape::Choice(words) => json!({"enum": words}),
        Shape::ChoiceList(words) => json!({"type": "array", "items": {"enum": words}}),
        Shape::TextList => list(),
        Shape::PathList => {
            json!({"type": "array", "items": {"type": "string", "pattern": "^[^/]"}})
        }
        Shape::TextMapping => json!({"type": "object", "additionalProperties": text()}),
        Shape::Number => json!({"type": "number"}),
        Shape::Sections(inner) => {
            json!({"type": "object", "additionalProperties": Value::Object(section(inner))})
        }
        Shape::TextOrList => json!({"anyOf": [{"type": "string"}, list()]}),
        Shape::Section(inner) => return section(inner),
        Shape::ChoiceOrSection(words, inner) => {
            json!({"anyOf": [{"enum": words}, Value::Object(section(inner))]})
        }
        Shape::CountOrSection(inner) => {
            json!({"anyOf": [{"type": "integer", "minimum": 0}, Value::Object(section(inner))]})
        }
        Shape::DurationOrSection(inner) => {
            json!({"anyOf": [duration(), Value::Object(section(inner))]})
        }
        Shape::CommandOrSection(inner) => {
            json!({"anyOf": [{"type": "string"}, list(), Value::Object(section(inner))]})
        }
        Shape::NamesOrChoices(words) => {
            let name = "^[A-Za-z_][A-Za-z0-9_]*$";
            json!({"anyOf": [
                {"type": "array", "items": {"type": "string", "pattern": name}},
                {"type": "object", "propertyNames": {"pattern": name}, "additionalProperties": {"enum": words}},
            ]})
        }
        Shape::Later => json!(false),
    };
    object(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_the_one_of_this_code() {
        crate::reference::check_published("job-file.schema.json", &schema());
    }
}
