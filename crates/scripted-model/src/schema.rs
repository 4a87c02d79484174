//! Values that a JSON schema admits, for what the script says nothing about.

use serde_json::{Map, Value, json};

/// Gives every required property that has no value yet one that its schema admits; texts become `text`.
pub(crate) fn fill_required(schema: &Value, object: &mut Map<String, Value>, text: &str) {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for name in required {
        if !object.contains_key(name) {
            object.insert(name.to_owned(), some_value(&schema["properties"][name], text));
        }
    }
}

/// A value that the schema admits, as far as its plain keywords tell.
pub(crate) fn some_value(schema: &Value, text: &str) -> Value {
    if let Some(value) = schema.get("default").or(schema.get("const")).or(schema["enum"].get(0)) {
        return value.clone();
    }
    match schema["type"].as_str().or(schema["type"][0].as_str()) {
        Some("boolean") => json!(false),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("array") => json!([]),
        Some("object") => {
            let mut object = Map::new();
            fill_required(schema, &mut object, text);
            Value::Object(object)
        }
        Some("null") => Value::Null,
        _ => json!(text),
    }
}
