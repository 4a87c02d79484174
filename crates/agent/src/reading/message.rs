//! One line as a JSON-RPC 2.0 message.

use serde_json::{Map, Value};

/// How many JSON values one line may hold. A value takes up to a hundred bytes of memory and as little as two of the
/// line, so the bound on lines alone would not bound what reading one takes.
pub(super) const MAX_VALUES: usize = 200_000;

/// The longest id of a request; ids are repeated in the log.
const MAX_ID_BYTES: usize = 1024;
/// The longest name of a method.
const MAX_METHOD_BYTES: usize = 1024;

/// What a line is.
#[derive(Debug, PartialEq)]
pub(super) enum Message {
    Answer { id: Value, result: Result<Value, Value> },
    Request { id: Value, method: String, params: Value },
    Notification { method: String, params: Value },
}

/// Reads a line; the error says why it is not a message.
pub(super) fn parse(line: &[u8]) -> Result<Message, String> {
    if line.len() > MAX_VALUES && count_values(line) > MAX_VALUES {
        return Err(format!("more than {MAX_VALUES} values in one line"));
    }
    let value: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let Value::Object(mut fields) = value else {
        return Err("not a JSON object".to_owned());
    };
    // An id of null is discouraged, and could not be answered: it counts as none.
    let id = take(&mut fields, "id").filter(|id| !id.is_null());
    match &id {
        Some(Value::String(id)) if id.len() <= MAX_ID_BYTES => {}
        Some(Value::Number(_)) | None => {}
        Some(_) => {
            return Err(format!("its id is neither a number nor a text of at most {MAX_ID_BYTES} bytes"));
        }
    }
    match (id, take(&mut fields, "method")) {
        (_, Some(Value::String(method))) if method.len() > MAX_METHOD_BYTES => {
            Err(format!("its method is longer than {MAX_METHOD_BYTES} bytes"))
        }
        (Some(id), Some(Value::String(method))) => {
            Ok(Message::Request { id, method, params: take(&mut fields, "params").unwrap_or_default() })
        }
        (None, Some(Value::String(method))) => {
            Ok(Message::Notification { method, params: take(&mut fields, "params").unwrap_or_default() })
        }
        (Some(id), None) => {
            if let Some(error) = take(&mut fields, "error").filter(|error| !error.is_null()) {
                return Ok(Message::Answer { id, result: Err(error) });
            }
            let result = take(&mut fields, "result").ok_or("neither a method nor a result nor an error")?;
            Ok(Message::Answer { id, result: Ok(result) })
        }
        (_, Some(_)) => Err("its method is not a text".to_owned()),
        (None, None) => Err("neither a method nor an id".to_owned()),
    }
}

fn take(fields: &mut Map<String, Value>, name: &str) -> Option<Value> {
    fields.get_mut(name).map(Value::take)
}

/// At least the number of values that a parser would make of this, found without making any: every value but the
/// first follows one of these bytes outside a text.
fn count_values(line: &[u8]) -> usize {
    let (mut count, mut in_text, mut escaped) = (1, false, false);
    for byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b':' | b'[' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}
