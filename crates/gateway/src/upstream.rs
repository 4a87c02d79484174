//! Where models are, and the keys that open them.

use std::fmt;
use std::str::FromStr;

/// OpenAI's own address, in the form of its SDKs' `OPENAI_BASE_URL`.
pub const OPENAI_BASE: &str = "https://api.openai.com/v1";
/// Anthropic's own address, in the form of its SDKs' `ANTHROPIC_BASE_URL`.
pub const ANTHROPIC_BASE: &str = "https://api.anthropic.com";
/// Google's own address for Gemini, in the form of its SDKs' `GOOGLE_GEMINI_BASE_URL`.
pub const GEMINI_BASE: &str = "https://generativelanguage.googleapis.com";

/// Whose protocol an upstream speaks; also what its key is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UpstreamName {
    OpenAi,
    Anthropic,
    Gemini,
}

impl UpstreamName {
    pub const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Gemini];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// The vendor's own address.
    pub fn base(self) -> &'static str {
        match self {
            Self::OpenAi => OPENAI_BASE,
            Self::Anthropic => ANTHROPIC_BASE,
            Self::Gemini => GEMINI_BASE,
        }
    }
}

impl fmt::Display for UpstreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No upstream is called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchUpstream;

impl FromStr for UpstreamName {
    type Err = NoSuchUpstream;

    fn from_str(text: &str) -> Result<Self, NoSuchUpstream> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or(NoSuchUpstream)
    }
}

/// The models that this deployment can reach.
#[derive(Debug, Clone, Default)]
pub struct Upstreams {
    pub openai: Option<Upstream>,
    pub anthropic: Option<Upstream>,
    pub gemini: Option<Upstream>,
    /// What models cost here, before what the public price lists say.
    pub prices: Vec<ModelPrice>,
}

impl Upstreams {
    pub fn get(&self, name: UpstreamName) -> Option<&Upstream> {
        match name {
            UpstreamName::OpenAi => self.openai.as_ref(),
            UpstreamName::Anthropic => self.anthropic.as_ref(),
            UpstreamName::Gemini => self.gemini.as_ref(),
        }
    }
}

/// What one model costs, in dollars for a million tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelPrice {
    /// As it is asked for, or as its answers name it.
    pub model: String,
    /// The tier of service that this is the price of, in the vendor's word; `None` is the usual one.
    pub tier: Option<String>,
    pub input: f64,
    /// Of input that is read from the model's cache; as any other where it is not said, and so for the next.
    pub cached: Option<f64>,
    pub cache_written: Option<f64>,
    pub output: f64,
}

/// One provider of models.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// As the vendor's SDKs take it: with `/v1` for OpenAI, without a version for Anthropic and Gemini.
    pub base: String,
    pub key: Secret,
    pub tariff: Tariff,
}

/// What those models of an upstream cost that the deployment has named no price for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tariff {
    /// What the public price lists say of its address.
    #[default]
    Listed,
    /// What they cost at the vendor whose protocol it speaks.
    AsVendor,
    /// Nothing.
    Free,
}

/// A text that does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for what needs it and nothing that shows it: a header, a seal, the list of what is never shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}
