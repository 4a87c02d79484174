//! A question to a person, read from the schema of its answer. Strictly, unlike all else that agents say: a part that is not
//! understood would be answered wrongly, so that it makes the whole question unfit. Source: ACP v1 `elicitation/create`.

use lamplight_domain::agent::AgentReport;
use lamplight_domain::question::{
    Choice, Field, MAX_CHOICES, MAX_FIELDS, MAX_QUESTION_BYTES, Question, Takes, TextFormat,
};
use serde_json::{Map, Value};

type Schema = Map<String, Value>;

/// The longest word of the agent's, and the longest host, that a reason repeats; bytes.
const MAX_NAMED_BYTES: usize = 60;

/// Words of a form that say nothing about its answer, or nothing that we would not say.
const OF_FORM: [&str; 8] =
    ["type", "title", "description", "properties", "required", "additionalProperties", "$schema", "_meta"];
/// The same of each field.
const OF_FIELD: [&str; 5] = ["type", "title", "description", "default", "_meta"];

/// Reads a request of the method `elicitation/create`.
pub(super) fn read(id: Value, params: &Value) -> AgentReport {
    let (question, unfit) = match question(params) {
        Ok(question) => (question, None),
        Err(why) => {
            (Question { message: message(params).unwrap_or_default(), ..Question::default() }, Some(why))
        }
    };
    AgentReport::QuestionAsked { request: id, question: Box::new(question), unfit }
}

fn question(params: &Value) -> Result<Question, String> {
    match params.get("mode").and_then(Value::as_str) {
        // Forms are older than modes.
        Some("form") | None => {}
        Some("url") => return Err(page(params)),
        Some(mode) => {
            return Err(format!("it is of the mode {}, which Lamplight does not know", named(mode)));
        }
    }
    let message = message(params).ok_or_else(|| "its message is missing, or too long".to_owned())?;
    let schema = params.get("requestedSchema").and_then(Value::as_object).ok_or("it has no form")?;
    only(schema, &OF_FORM, &[])?;
    if get(schema, "type").is_some_and(|of| of != "object") {
        return Err("its form is no object".to_owned());
    }
    let required = match get(schema, "required") {
        Some(names) => texts(names).ok_or("what it requires is no list of names")?,
        None => Vec::new(),
    };
    let none = Schema::new();
    let properties = match get(schema, "properties") {
        Some(properties) => properties.as_object().ok_or("its fields are no object")?,
        None => &none,
    };
    if properties.len() > MAX_FIELDS {
        return Err(format!("it has more than {MAX_FIELDS} fields"));
    }
    if let Some(missing) = required.iter().find(|name| !properties.contains_key(**name)) {
        return Err(format!("it requires {}, which it does not ask for", named(missing)));
    }
    let fields = properties.iter().map(|(name, property)| {
        let of = |why: String| format!("{}: {why}", named(name));
        field(name, property, required.contains(&name.as_str())).map_err(of)
    });
    let question = Question {
        message,
        title: text(schema, "title"),
        description: text(schema, "description"),
        fields: fields.collect::<Result<_, _>>()?,
    };
    let bytes = serde_json::to_vec(&question).map_or(usize::MAX, |json| json.len());
    if bytes > MAX_QUESTION_BYTES {
        return Err(format!("it is longer than {MAX_QUESTION_BYTES} bytes"));
    }
    Ok(question)
}

/// Whole or not at all: of a part, nobody would know whether a secret ends it.
fn message(params: &Value) -> Option<String> {
    let message = params.get("message").and_then(Value::as_str)?;
    (message.len() <= MAX_QUESTION_BYTES).then(|| message.to_owned())
}

/// A page that an agent wants opened asks for what does not belong into a sandbox: a sign-in, a payment. Nobody is led there.
fn page(params: &Value) -> String {
    let url = params.get("url").and_then(Value::as_str).unwrap_or_default();
    let host =
        url.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#', '\\']).next().unwrap_or_default());
    let host = host.map(|host| host.rsplit('@').next().unwrap_or_default());
    let is_plain = |host: &&str| {
        let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
        plain && !host.is_empty() && host.len() <= MAX_NAMED_BYTES
    };
    match host.filter(is_plain) {
        Some(host) => format!("it wants a page of {host} to be opened, and Lamplight opens none for agents"),
        None => "it wants a page to be opened, and Lamplight opens none for agents".to_owned(),
    }
}

fn field(name: &str, property: &Value, required: bool) -> Result<Field, String> {
    let schema = property.as_object().ok_or("it is no schema")?;
    Ok(Field {
        name: name.to_owned(),
        title: text(schema, "title"),
        description: text(schema, "description"),
        required,
        takes: takes(schema)?,
    })
}

fn takes(schema: &Schema) -> Result<Takes, String> {
    let offers = ["enum", "oneOf", "anyOf"].iter().any(|word| get(schema, word).is_some());
    match get(schema, "type").and_then(Value::as_str) {
        Some("string") if offers => {
            only(schema, &OF_FIELD, &["enum", "enumNames", "oneOf", "anyOf"])?;
            let choices = choices(schema)?;
            let default = text(schema, "default").filter(|value| offered(&choices, value));
            Ok(Takes::Choice { choices, default })
        }
        Some("string") => {
            only(schema, &OF_FIELD, &["format", "minLength", "maxLength"])?;
            Ok(Takes::Text {
                format: get(schema, "format").map(format).transpose()?,
                min_length: count(schema, "minLength")?,
                max_length: count(schema, "maxLength")?,
                default: text(schema, "default"),
            })
        }
        Some("number") => {
            only(schema, &OF_FIELD, &["minimum", "maximum"])?;
            Ok(Takes::Number {
                minimum: bound(schema, "minimum", Value::as_f64)?,
                maximum: bound(schema, "maximum", Value::as_f64)?,
                default: get(schema, "default").and_then(Value::as_f64),
            })
        }
        Some("integer") => {
            only(schema, &OF_FIELD, &["minimum", "maximum"])?;
            Ok(Takes::Integer {
                minimum: bound(schema, "minimum", Value::as_i64)?,
                maximum: bound(schema, "maximum", Value::as_i64)?,
                default: get(schema, "default").and_then(Value::as_i64),
            })
        }
        Some("boolean") => {
            only(schema, &OF_FIELD, &[])?;
            Ok(Takes::YesNo { default: get(schema, "default").and_then(Value::as_bool) })
        }
        Some("array") => several(schema),
        Some(kind) => Err(format!("it is of the type {}, which cannot be asked for", named(kind))),
        None => Err("it says no type".to_owned()),
    }
}

fn several(schema: &Schema) -> Result<Takes, String> {
    only(schema, &OF_FIELD, &["items", "minItems", "maxItems", "uniqueItems"])?;
    let items =
        get(schema, "items").and_then(Value::as_object).ok_or("it does not say what is in the list")?;
    only(items, &["type", "_meta"], &["enum", "enumNames", "oneOf", "anyOf"])?;
    if get(items, "type").is_some_and(|of| of != "string") {
        return Err("its list is not one of texts".to_owned());
    }
    let choices = choices(items)?;
    let default = get(schema, "default").and_then(texts).unwrap_or_default();
    let default = default.into_iter().filter(|value| offered(&choices, value)).map(str::to_owned).collect();
    let (min_items, max_items) = (count(schema, "minItems")?, count(schema, "maxItems")?);
    Ok(Takes::Choices { choices, min_items, max_items, default })
}

/// The texts of `enum`, with the names that older agents give them, or the titled ones of `oneOf` and `anyOf`.
fn choices(schema: &Schema) -> Result<Vec<Choice>, String> {
    let choices = match (get(schema, "enum"), get(schema, "oneOf").or_else(|| get(schema, "anyOf"))) {
        (Some(values), None) => {
            let values = texts(values).ok_or("what it offers is not all texts")?;
            let names = get(schema, "enumNames").and_then(texts).unwrap_or_default();
            let title = |place: usize, value: &str| names.get(place).copied().unwrap_or(value).to_owned();
            let choice = |(place, value): (usize, &str)| Choice {
                value: value.to_owned(),
                title: title(place, value),
                description: None,
            };
            values.into_iter().enumerate().take(MAX_CHOICES + 1).map(choice).collect::<Vec<_>>()
        }
        (None, Some(titled)) => {
            let titled = titled.as_array().ok_or("what it offers is no list")?;
            titled.iter().take(MAX_CHOICES + 1).map(choice).collect::<Result<Vec<_>, _>>()?
        }
        (Some(_), Some(_)) => return Err("it says twice what it offers".to_owned()),
        (None, None) => return Err("it does not say what it offers".to_owned()),
    };
    if choices.is_empty() {
        return Err("it offers nothing".to_owned());
    }
    if choices.len() > MAX_CHOICES {
        return Err(format!("it offers more than {MAX_CHOICES} things"));
    }
    let twice = |(place, choice): (usize, &Choice)| offered(&choices[..place], &choice.value);
    if choices.iter().enumerate().any(twice) {
        return Err("it offers the same twice".to_owned());
    }
    Ok(choices)
}

fn choice(titled: &Value) -> Result<Choice, String> {
    let schema = titled.as_object().ok_or("something that it offers is no object")?;
    only(schema, &["title", "description", "type", "_meta"], &["const"])?;
    let value = text(schema, "const").ok_or("something that it offers is no text")?;
    let title = text(schema, "title").unwrap_or_else(|| value.clone());
    Ok(Choice { value, title, description: text(schema, "description") })
}

fn offered(choices: &[Choice], value: &str) -> bool {
    choices.iter().any(|choice| choice.value == value)
}

fn format(value: &Value) -> Result<TextFormat, String> {
    match value.as_str() {
        Some("email") => Ok(TextFormat::Email),
        Some("uri") => Ok(TextFormat::Uri),
        Some("date") => Ok(TextFormat::Date),
        Some("date-time") => Ok(TextFormat::DateTime),
        Some(other) => Err(format!("it is of the format {}, which Lamplight does not know", named(other))),
        None => Err("its format is no text".to_owned()),
    }
}

/// Nothing but words that are understood; one without a value says nothing.
fn only(schema: &Schema, known: &[&str], more: &[&str]) -> Result<(), String> {
    let is_known = |word: &str| known.contains(&word) || more.contains(&word);
    match schema.iter().find(|(word, value)| !value.is_null() && !is_known(word.as_str())) {
        Some((word, _)) => Err(format!("it uses {}, which Lamplight does not check", named(word))),
        None => Ok(()),
    }
}

fn named(word: &str) -> String {
    if word.len() <= MAX_NAMED_BYTES { format!("{word:?}") } else { "something with a long name".to_owned() }
}

/// In ACP a field that is null is one that is missing.
fn get<'a>(schema: &'a Schema, word: &str) -> Option<&'a Value> {
    schema.get(word).filter(|value| !value.is_null())
}

fn text(schema: &Schema, word: &str) -> Option<String> {
    get(schema, word)?.as_str().map(ToOwned::to_owned)
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

fn count(schema: &Schema, word: &str) -> Result<Option<u32>, String> {
    bound(schema, word, |value| value.as_u64().map(|count| u32::try_from(count).unwrap_or(u32::MAX)))
}

fn bound<T>(schema: &Schema, word: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>, String> {
    let Some(value) = get(schema, word) else { return Ok(None) };
    read(value).map(Some).ok_or_else(|| format!("its {word} is no such number"))
}
