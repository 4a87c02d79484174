//! What differs between vendors of models: paths, keys, and where a request may go.

use super::price::Prices;
use crate::{ANTHROPIC_BASE, GEMINI_BASE, ModelPrice, OPENAI_BASE, Tariff, Upstream, UpstreamName};
use anyhow::{Context, Result, ensure};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use reqwest::Url;
use std::borrow::Cow;
use std::sync::Arc;

/// What paths begin with that lead to upstreams of the configuration's.
pub(super) const COMPATIBLE: &str = "/compatible/";

/// What the path of every request to this upstream begins with.
pub(super) fn prefix(name: &UpstreamName) -> Cow<'static, str> {
    match name {
        UpstreamName::OpenAi => "/openai/v1/".into(),
        UpstreamName::Anthropic => "/anthropic/v1/".into(),
        UpstreamName::Gemini => "/gemini/v1beta/".into(),
        UpstreamName::Compatible(name) => format!("{COMPATIBLE}{name}/v1/").into(),
    }
}

/// Whose protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    OpenAi,
    Anthropic,
    Gemini,
}

impl Vendor {
    /// Whose clients ask for this path.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let is_under = |name: &UpstreamName| path.starts_with(&*prefix(name));
        let vendor = UpstreamName::VENDORS.into_iter().find(is_under).map(|name| Self::from(&name));
        vendor.or_else(|| path.starts_with(COMPATIBLE).then_some(Self::OpenAi))
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// Its own address.
    fn base(self) -> &'static str {
        match self {
            Self::OpenAi => OPENAI_BASE,
            Self::Anthropic => ANTHROPIC_BASE,
            Self::Gemini => GEMINI_BASE,
        }
    }

    /// The environment variable that people know its key by.
    pub(super) fn key_variable(self) -> &'static str {
        match self {
            Self::OpenAi => "OPENAI_API_KEY",
            Self::Anthropic => "ANTHROPIC_API_KEY",
            Self::Gemini => "GEMINI_API_KEY",
        }
    }

    /// Whether a key may be used for this. A key opens more than models (files, batches, other people's stored
    /// answers), and none of that is for a sandbox.
    pub(super) fn serves(self, method: &Method, rest: &str) -> bool {
        if *method == Method::GET {
            // Gemini's ids have neither, and what follows them is no model.
            let is_one = |id: &str| is_model(id) && (self != Self::Gemini || !id.contains(['/', ':']));
            return rest == "models" || rest.strip_prefix("models/").is_some_and(is_one);
        }
        let asked: &[&str] = match self {
            Self::OpenAi => &[
                "chat/completions",
                "completions",
                "embeddings",
                "responses",
                "responses/compact",
                "responses/input_tokens",
            ],
            Self::Anthropic => &["messages", "messages/count_tokens"],
            Self::Gemini => return *method == Method::POST && is_gemini_call(rest),
        };
        *method == Method::POST && asked.contains(&rest)
    }

    /// Whether a streamed answer to this says what it cost only if it is asked to.
    pub(super) fn has_to_be_asked_for_usage(self, rest: &str) -> bool {
        match self {
            Self::OpenAi => matches!(rest, "chat/completions" | "completions"),
            Self::Anthropic | Self::Gemini => false,
        }
    }

    /// Whether this may cost something.
    pub(super) fn is_paid(self, method: &Method, rest: &str) -> bool {
        let is_free = rest.ends_with("input_tokens")
            || rest.ends_with("count_tokens")
            || rest.ends_with(":countTokens");
        *method != Method::GET && !is_free
    }

    /// The model, where the path names it.
    pub(super) fn model_in_path(self, rest: &str) -> Option<&str> {
        match self {
            Self::OpenAi | Self::Anthropic => None,
            Self::Gemini => Some(rest.strip_prefix("models/")?.rsplit_once(':')?.0),
        }
    }

    /// Of a request's query, what goes to the vendor; an error names what may not. Gemini's can hold a key, and can change what an
    /// answer looks like or leave out of it what it cost.
    pub(super) fn query(self, query: Option<&str>) -> Result<Option<String>, String> {
        let Some(query) = query else { return Ok(None) };
        match self {
            Self::OpenAi | Self::Anthropic => Ok(Some(query.to_owned())),
            Self::Gemini => {
                let mut passing = Vec::new();
                for field in query.split('&').filter(|field| !field.is_empty()) {
                    match field.split_once('=').unwrap_or((field, "")) {
                        ("key", _) => {}
                        ("alt", "sse" | "json") | ("pageSize" | "pageToken", _) => passing.push(field),
                        (name, _) => return Err(name.chars().filter(|c| !c.is_control()).take(40).collect()),
                    }
                }
                Ok((!passing.is_empty()).then(|| passing.join("&")))
            }
        }
    }
}

impl From<&UpstreamName> for Vendor {
    fn from(name: &UpstreamName) -> Self {
        match name {
            UpstreamName::OpenAi | UpstreamName::Compatible(_) => Self::OpenAi,
            UpstreamName::Anthropic => Self::Anthropic,
            UpstreamName::Gemini => Self::Gemini,
        }
    }
}

/// Such as `models/gemini-2.5-pro:generateContent`. Source: Google's Gemini API reference.
fn is_gemini_call(rest: &str) -> bool {
    let call = rest.strip_prefix("models/").and_then(|rest| rest.rsplit_once(':'));
    call.is_some_and(|(model, method)| {
        is_model(model)
            && !model.contains(['/', ':'])
            && matches!(method, "generateContent" | "streamGenerateContent" | "countTokens")
    })
}

/// An id such as `gpt-5.1` or `openai/gpt-5.1:free`, and nothing that an address would be shortened by.
fn is_model(id: &str) -> bool {
    !id.is_empty()
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:@/".contains(&byte))
        && !id.split('/').any(|part| matches!(part, "" | "." | ".."))
}

/// An upstream, checked and ready.
pub(crate) struct Backend {
    name: UpstreamName,
    /// Without a slash at the end; what follows the vendor's prefix in a request's path is put behind it.
    base: String,
    key: (HeaderName, HeaderValue),
    is_without_key: bool,
    vendor: Vendor,
    tariff: Tariff,
}

impl Backend {
    /// Errors name neither the key nor anything of the address that might be secret.
    pub(crate) fn new(name: UpstreamName, upstream: &Upstream) -> Result<Self> {
        let vendor = Vendor::from(&name);
        let (address, its_key) = match &name {
            UpstreamName::OpenAi | UpstreamName::Anthropic | UpstreamName::Gemini => {
                let variable = vendor.key_variable();
                (format!("the address that {variable} is for"), variable.to_owned())
            }
            UpstreamName::Compatible(_) => {
                (format!("the address of [{}]", name.section()), format!("the key of {name}"))
            }
        };
        let url = Url::parse(&upstream.base).with_context(|| format!("{address} is no URL"))?;
        ensure!(matches!(url.scheme(), "http" | "https"), "{address} is not http or https");
        ensure!(
            url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none(),
            "{address} has a user, a password or a query: give a plain address"
        );
        let (header, value) = match vendor {
            Vendor::OpenAi => (header::AUTHORIZATION, format!("Bearer {}", upstream.key.expose())),
            Vendor::Anthropic => (HeaderName::from_static("x-api-key"), upstream.key.expose().to_owned()),
            Vendor::Gemini => (HeaderName::from_static("x-goog-api-key"), upstream.key.expose().to_owned()),
        };
        let mut value = HeaderValue::try_from(value)
            .ok()
            .with_context(|| format!("{its_key} has a character that no key has, perhaps a line break"))?;
        value.set_sensitive(true);
        let base = url.as_str().trim_end_matches('/');
        let base = match vendor {
            Vendor::OpenAi => base.to_owned(),
            Vendor::Anthropic => format!("{base}/v1"),
            Vendor::Gemini => format!("{base}/v1beta"),
        };
        let is_without_key = upstream.key.expose().is_empty();
        Ok(Self { name, base, key: (header, value), is_without_key, vendor, tariff: upstream.tariff })
    }

    /// By what its models are priced; `own` is the deployment's list.
    pub(crate) fn prices(&self, own: &Arc<[ModelPrice]>) -> Prices {
        let base = match self.tariff {
            Tariff::AsVendor => self.vendor.base(),
            Tariff::Listed | Tariff::Free => &self.base,
        };
        Prices { own: own.clone(), upstream: self.name.clone(), base: base.to_owned(), tariff: self.tariff }
    }

    /// What people are told when whoever is asked without a key refuses with this status as one who wants one.
    pub(super) fn wants_a_key(&self, status: u16) -> Option<String> {
        let (name, section) = (&self.name, self.name.section());
        (self.is_without_key && matches!(status, 401 | 403)).then(|| {
            format!(
                "The address of [{section}] is asked without a key, and refuses that: run `lamplight keys set {name}` where the Lamplight server runs, or name the variable that has the key with key_env in [{section}]."
            )
        })
    }

    pub(super) fn name(&self) -> &UpstreamName {
        &self.name
    }

    pub(super) fn tariff(&self) -> Tariff {
        self.tariff
    }

    /// Whether the vendor itself is asked, and not somebody who speaks its protocol.
    pub(super) fn is_vendors_own(&self) -> bool {
        self.base.starts_with(self.vendor.base())
    }

    pub(super) fn address(&self, rest: &str, query: Option<&str>) -> Result<Url> {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        Ok(Url::parse(&format!("{}/{rest}{query}", self.base))?)
    }

    pub(super) fn with_key(&self, mut headers: HeaderMap) -> HeaderMap {
        headers.insert(self.key.0.clone(), self.key.1.clone());
        headers
    }
}
