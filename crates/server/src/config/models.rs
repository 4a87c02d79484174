//! Where models are, what opens them, and what they cost here.

use super::{ConfigError, Environment, Secret};
use lamplight_engine::UpstreamName;
use serde::{Deserialize, Serialize};

/// `[models]`: where models are, seen from the host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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

/// Where people have the key of a vendor, the first that is set counts; and the address that they want to send it to.
fn well_known(name: UpstreamName) -> (&'static [&'static str], &'static str) {
    match name {
        UpstreamName::OpenAi => (&["OPENAI_API_KEY"], "OPENAI_BASE_URL"),
        UpstreamName::Anthropic => (&["ANTHROPIC_API_KEY"], "ANTHROPIC_BASE_URL"),
        UpstreamName::Gemini => (&["GEMINI_API_KEY", "GOOGLE_API_KEY"], "GOOGLE_GEMINI_BASE_URL"),
    }
}

impl Models {
    /// A well-known variable has the vendor's key: it is sent to the vendor, or to the address that stands beside it in the
    /// environment. To an address of the configuration's goes only what `key_env` names.
    pub(super) fn take_keys(&mut self, environment: &Environment) {
        let read = |name: &str| {
            let value = environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
            value.map(Secret::new)
        };
        let all = [
            (UpstreamName::OpenAi, &mut self.openai),
            (UpstreamName::Anthropic, &mut self.anthropic),
            (UpstreamName::Gemini, &mut self.gemini),
        ];
        for (name, endpoint) in all {
            let (keys, base) = well_known(name);
            let variable = *keys.iter().find(|name| read(name).is_some()).unwrap_or(&keys[0]);
            let is_beside = endpoint.base.is_some() && endpoint.base.as_ref() == environment.get(base);
            if endpoint.key_env.is_none() && (endpoint.is_vendors_own(name) || is_beside) {
                endpoint.key_env = Some(variable.to_owned());
            }
            endpoint.key = endpoint.key_env.as_deref().and_then(read);
            let kept_back = || Some((variable.to_owned(), read(variable)?));
            endpoint.kept_back = if endpoint.key_env.is_none() { kept_back() } else { None };
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

/// `[models.openai]`, `[models.anthropic]`, `[models.gemini]`: one model protocol's upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelEndpoint {
    /// The address, the vendor's own when there is only a key; an address without a key is used without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Name of the variable that holds the key. The vendor's well-known one where it is the vendor that is asked, or where the address is
    /// from the environment too; otherwise none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_env: Option<String>,
    /// What those models cost at an address of one's own that `[[models.prices]]` does not name; else what the public price lists
    /// say of the address, and what they do not know is not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<EndpointPrice>,
    /// Its value, if it is set and not empty.
    #[serde(skip)]
    pub key: Option<Secret>,
    /// A well-known variable that is set, and its value, which is not sent to this address because nobody asked for that.
    #[serde(skip)]
    pub kept_back: Option<(String, Secret)>,
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

    pub fn is_configured(&self) -> bool {
        self.key.is_some() || self.base.is_some()
    }
}
