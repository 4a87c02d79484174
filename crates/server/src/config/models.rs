//! Where models are, what opens them, and what they cost here.

use super::{ConfigError, Environment, Secret};
use lamplight_engine::UpstreamName;
use serde::{Deserialize, Serialize};

/// `[models]`: where models are, seen from the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    pub openai: ModelEndpoint,
    pub anthropic: ModelEndpoint,
    pub gemini: ModelEndpoint,
    /// The model behind these addresses follows a script; people are told so.
    pub scripted: bool,
    /// `[[models.prices]]`: what models cost here, before what the public price lists say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<Price>,
}

/// What one model costs, in dollars for a million tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// As it is asked for, or as its answers name it.
    pub model: String,
    /// The tier of service that this is the price of, in the vendor's word; the usual one where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    pub input: f64,
    /// Of input that is read from the model's cache; as any other where it is not said, and so for the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_written: Option<f64>,
    pub output: f64,
}

/// The variables that people have a key for Gemini in; the first that is set counts.
const GEMINI_KEYS: [&str; 2] = ["GEMINI_API_KEY", "GOOGLE_API_KEY"];

impl Models {
    pub(super) fn take_keys(&mut self, environment: &Environment) {
        if self.gemini.key_env.as_deref() == Some(GEMINI_KEYS[0]) {
            let is_set = |name: &&str| environment.get(*name).is_some_and(|value| !value.trim().is_empty());
            let name = GEMINI_KEYS.into_iter().find(is_set).unwrap_or(GEMINI_KEYS[0]);
            self.gemini.key_env = Some(name.to_owned());
        }
        for endpoint in [&mut self.openai, &mut self.anthropic, &mut self.gemini] {
            endpoint.take_key(environment);
        }
    }

    /// Those that have a key in the environment, or an address.
    pub fn configured(&self) -> Vec<&'static str> {
        let all = [("openai", &self.openai), ("anthropic", &self.anthropic), ("gemini", &self.gemini)];
        all.into_iter().filter(|(_, endpoint)| endpoint.is_configured()).map(|(name, _)| name).collect()
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for price in &self.prices {
            let all = [Some(price.input), price.cached, price.cache_written, Some(price.output)];
            if all.into_iter().flatten().any(|dollars| !dollars.is_finite() || dollars < 0.0) {
                return Err(ConfigError::Invalid(format!(
                    "models.prices: a price of {:?} is no amount of dollars",
                    price.model
                )));
            }
        }
        for name in UpstreamName::ALL {
            let endpoint = self.of(name);
            if endpoint.price.is_some() && endpoint.is_vendors_own(name) {
                return Err(ConfigError::Invalid(format!(
                    "models.{name}.price is for an address of your own, which models.{name}.base has to name; what single models cost is said by [[models.prices]]"
                )));
            }
        }
        Ok(())
    }

    fn of(&self, name: UpstreamName) -> &ModelEndpoint {
        match name {
            UpstreamName::OpenAi => &self.openai,
            UpstreamName::Anthropic => &self.anthropic,
            UpstreamName::Gemini => &self.gemini,
        }
    }
}

impl Default for Models {
    fn default() -> Self {
        Self {
            openai: ModelEndpoint { key_env: Some("OPENAI_API_KEY".to_owned()), ..ModelEndpoint::default() },
            anthropic: ModelEndpoint {
                key_env: Some("ANTHROPIC_API_KEY".to_owned()),
                ..ModelEndpoint::default()
            },
            gemini: ModelEndpoint { key_env: Some(GEMINI_KEYS[0].to_owned()), ..ModelEndpoint::default() },
            scripted: false,
            prices: Vec::new(),
        }
    }
}

/// `[models.openai]`, `[models.anthropic]`, `[models.gemini]`: one model protocol's upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelEndpoint {
    /// The address, the vendor's own when there is only a key; an address without a key is used without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Name of the variable that holds the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_env: Option<String>,
    /// What those models cost at an address of one's own that `[[models.prices]]` does not name; else what the public price lists
    /// say of the address, and what they do not know is not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<EndpointPrice>,
    /// Its value, if it is set and not empty.
    #[serde(skip)]
    pub key: Option<Secret>,
}

/// What all models at one address cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointPrice {
    /// Nothing.
    Free,
    /// What they cost at the vendor whose protocol it speaks.
    Vendor,
}

impl ModelEndpoint {
    /// Whether the vendor itself is asked.
    fn is_vendors_own(&self, name: UpstreamName) -> bool {
        self.base.as_ref().is_none_or(|base| base.trim_end_matches('/') == name.base())
    }

    fn take_key(&mut self, environment: &Environment) {
        let value = self.key_env.as_ref().and_then(|name| environment.get(name));
        self.key = value.map(|value| value.trim()).filter(|value| !value.is_empty()).map(Secret::new);
    }

    pub fn is_configured(&self) -> bool {
        self.key.is_some() || self.base.is_some()
    }
}
