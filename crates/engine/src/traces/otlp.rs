//! Spans as the OpenTelemetry Protocol has them in JSON. Source: OTLP specification 1.x, "OTLP/HTTP", "JSON Protobuf Encoding": names in
//! lower camel case, ids in hexadecimal, 64-bit numbers as strings.

use super::span::{Attributes, Kind, Span};
use lamplight_domain::Timestamp;
use serde_json::{Value, json};

/// The body of one `POST …/v1/traces`. `server` is the number of one of several servers on a database, else 0.
pub(super) fn body(service: &str, server: i64, spans: &[Span]) -> String {
    let resource = attributes(&vec![
        ("service.name", json!(service)),
        ("service.version", json!(env!("CARGO_PKG_VERSION"))),
        ("service.instance.id", json!(server.to_string())),
    ]);
    let spans: Vec<Value> = spans.iter().map(span).collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": {"name": "lamplight", "version": env!("CARGO_PKG_VERSION")}, "spans": spans}],
    }]})
    .to_string()
}

fn span(span: &Span) -> Value {
    let mut value = json!({
        "traceId": span.trace.hex(),
        "spanId": span.id.hex(),
        "name": span.name,
        "kind": match span.kind { Kind::Internal => 1, Kind::Server => 2, Kind::Client => 3 },
        "startTimeUnixNano": nanoseconds(span.start),
        "endTimeUnixNano": nanoseconds(span.end),
        "attributes": attributes(&span.attributes),
    });
    if let Some(parent) = span.parent {
        value["parentSpanId"] = json!(parent.hex());
    }
    if let Some(failure) = &span.failure {
        value["status"] = json!({"code": 2, "message": failure});
    }
    value
}

fn nanoseconds(at: Timestamp) -> String {
    format!("{}000000", at.0.max(0))
}

fn attributes(attributes: &Attributes) -> Vec<Value> {
    let typed = |value: &Value| match value {
        Value::Bool(is) => json!({"boolValue": is}),
        Value::Number(number) if number.is_f64() => json!({"doubleValue": number}),
        Value::Number(number) => json!({"intValue": number.to_string()}),
        Value::String(text) => json!({"stringValue": text}),
        other @ (Value::Null | Value::Array(_) | Value::Object(_)) => {
            json!({"stringValue": other.to_string()})
        }
    };
    attributes.iter().map(|(name, value)| json!({"key": name, "value": typed(value)})).collect()
}
