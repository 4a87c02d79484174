//! Where models are, and the keys that open them.

use crate::{CompatibleName, UpstreamName};
use std::collections::BTreeMap;
use std::fmt;

/// OpenAI's own address, in the form of its SDKs' `OPENAI_BASE_URL`.
pub const OPENAI_BASE: &str = "https://api.openai.com/v1";
/// Anthropic's own address, in the form of its SDKs' `ANTHROPIC_BASE_URL`.
pub const ANTHROPIC_BASE: &str = "https://api.anthropic.com";
/// Google's own address for Gemini, in the form of its SDKs' `GOOGLE_GEMINI_BASE_URL`.
pub const GEMINI_BASE: &str = "https://generativelanguage.googleapis.com";

/// The models that this deployment can reach.
#[derive(Debug, Clone, Default)]
pub struct Upstreams {
    pub openai: Option<Upstream>,
    pub anthropic: Option<Upstream>,
    pub gemini: Option<Upstream>,
    /// Those that the configuration adds; each speaks OpenAI's protocol.
    pub compatible: BTreeMap<CompatibleName, Upstream>,
    /// What models cost here, before what the public price lists say.
    pub prices: Vec<ModelPrice>,
}

impl Upstreams {
    pub fn get(&self, name: &UpstreamName) -> Option<&Upstream> {
        match name {
            UpstreamName::OpenAi => self.openai.as_ref(),
            UpstreamName::Anthropic => self.anthropic.as_ref(),
            UpstreamName::Gemini => self.gemini.as_ref(),
            UpstreamName::Compatible(name) => self.compatible.get(name),
        }
    }

    /// All that there are; the vendors come first.
    pub fn iter(&self) -> impl Iterator<Item = (UpstreamName, &Upstream)> {
        let vendors = UpstreamName::VENDORS.into_iter();
        let vendors = vendors.filter_map(move |name| self.get(&name).map(|upstream| (name, upstream)));
        let compatible = self.compatible.iter();
        vendors.chain(compatible.map(|(name, upstream)| (UpstreamName::Compatible(name.clone()), upstream)))
    }
}

/// What one model costs, in dollars for a million tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelPrice {
    /// Whose it is; `None` is whoever has a model of this name.
    pub upstream: Option<UpstreamName>,
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
    /// As the vendor's SDKs take it: with `/v1` for OpenAI and who speaks its protocol, without a version for Anthropic and Gemini.
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
