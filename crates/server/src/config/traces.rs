//! `[traces]`: where an OpenTelemetry collector is told what took how long.

use super::{ConfigError, Environment, Secret};
use axum::http::{HeaderName, HeaderValue};
use lamplight_domain::{HostPattern, KnownSecret};
use lamplight_engine::TracesConfig;
use reqwest::Url;
use serde::{Deserialize, Serialize};

/// What collectors' own documentation calls it.
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// Without a `url` nothing is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Traces {
    /// Of a collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`; `/v1/traces` is put behind it. Default: what
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A variable that holds what the collector is told beside, as `name=value,name=value`. Default: `OTEL_EXPORTER_OTLP_HEADERS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers_env: Option<String>,
    /// What this deployment is called there.
    pub service: String,
    #[serde(skip)]
    headers: Vec<(String, Secret)>,
}

impl Default for Traces {
    fn default() -> Self {
        Self { url: None, headers_env: None, service: "lamplight".to_owned(), headers: Vec::new() }
    }
}

impl Traces {
    pub(super) fn complete(&mut self, environment: &Environment) -> Result<(), ConfigError> {
        self.url.take_if(|url| url.is_empty());
        let Some(url) = &self.url else { return Ok(()) };
        if host(url).is_none() {
            return Err(ConfigError::Invalid(format!(
                "traces.url is {url:?}; say it like http://127.0.0.1:4318"
            )));
        }
        let variable = self.headers_env.as_deref().unwrap_or(HEADERS);
        let said = environment.get(variable).map(String::as_str).unwrap_or_default();
        let headers = said.split(',').filter(|header| !header.trim().is_empty()).map(header);
        self.headers = headers.collect::<Option<_>>().ok_or_else(|| {
            ConfigError::Invalid(format!("{variable} is not of the form name=value,name=value"))
        })?;
        Ok(())
    }

    /// What nobody is to read in a log.
    pub(super) fn known_secrets(&self) -> impl Iterator<Item = KnownSecret> {
        self.headers
            .iter()
            .map(|(name, value)| KnownSecret { name: name.clone(), value: value.reveal().to_owned() })
    }

    pub(super) fn engine(&self) -> Option<TracesConfig> {
        let url = self.url.clone()?;
        let secret = |value: &Secret| lamplight_engine::Secret::new(value.reveal());
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), secret(value))).collect();
        Some(TracesConfig { host: host(&url)?, url, headers, service: self.service.clone() })
    }
}

fn host(url: &str) -> Option<HostPattern> {
    let url = Url::parse(url).ok()?;
    let is_plain =
        matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.username().is_empty();
    let host = url.host_str().filter(|_| is_plain)?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// A value may be percent-encoded, as one in a query; a plus is a plus.
fn header(text: &str) -> Option<(String, Secret)> {
    let (name, value) = text.split_once('=')?;
    let query =
        Url::parse(&format!("query:?value={}", value.trim().replace('+', "%2B").replace('&', "%26"))).ok()?;
    let (_, value) = query.query_pairs().next()?;
    HeaderValue::from_str(&value).ok()?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
    Some((name.to_string(), Secret::new(value)))
}
