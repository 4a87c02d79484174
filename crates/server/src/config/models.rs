//! Where models are, what opens them, and what they cost here.

use super::{ConfigError, Environment, Secret};
use lamplight_engine::{CompatibleName, UpstreamName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `[models]`: where models are, seen from the host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    pub openai: ModelEndpoint,
    pub anthropic: ModelEndpoint,
    pub gemini: ModelEndpoint,
    /// `[models.compatible.NAME]`: upstreams beside the vendors.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub compatible: BTreeMap<CompatibleName, CompatibleEndpoint>,
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
    /// The upstream whose model it is; any that has one of this name where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamName>,
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
const OPENAI: (&[&str], &str) = (&["OPENAI_API_KEY"], "OPENAI_BASE_URL");
const ANTHROPIC: (&[&str], &str) = (&["ANTHROPIC_API_KEY"], "ANTHROPIC_BASE_URL");
const GEMINI: (&[&str], &str) = (&["GEMINI_API_KEY", "GOOGLE_API_KEY"], "GOOGLE_GEMINI_BASE_URL");

impl Models {
    /// A well-known variable has the vendor's key: it is sent to the vendor, or to the address that stands beside it in the
    /// environment. To an address of the configuration's goes only what `key_env` names.
    pub(super) fn take_keys(&mut self, environment: &Environment) {
        let read = |name: &str| {
            let value = environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
            value.map(Secret::new)
        };
        let all = [
            (UpstreamName::OpenAi, OPENAI, &mut self.openai),
            (UpstreamName::Anthropic, ANTHROPIC, &mut self.anthropic),
            (UpstreamName::Gemini, GEMINI, &mut self.gemini),
        ];
        for (name, (keys, base), endpoint) in all {
            let variable = *keys.iter().find(|name| read(name).is_some()).unwrap_or(&keys[0]);
            let is_beside = endpoint.base.is_some() && endpoint.base.as_ref() == environment.get(base);
            if endpoint.key_env.is_none() && (endpoint.is_vendors_own(&name) || is_beside) {
                endpoint.key_env = Some(variable.to_owned());
            }
            endpoint.key = endpoint.key_env.as_deref().and_then(read);
            let kept_back = || Some((variable.to_owned(), read(variable)?));
            endpoint.kept_back = if endpoint.key_env.is_none() { kept_back() } else { None };
        }
        for endpoint in self.compatible.values_mut() {
            endpoint.key = endpoint.key_env.as_deref().and_then(read);
        }
    }

    /// Those that have a key in the environment, or an address.
    pub fn configured(&self) -> Vec<&str> {
        let all = [("openai", &self.openai), ("anthropic", &self.anthropic), ("gemini", &self.gemini)];
        let vendors = all.into_iter().filter(|(_, endpoint)| endpoint.is_configured()).map(|(name, _)| name);
        vendors.chain(self.compatible.keys().map(CompatibleName::as_str)).collect()
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
            if let Some(UpstreamName::Compatible(name)) = &price.upstream
                && !self.compatible.contains_key(name)
            {
                return Err(ConfigError::Invalid(format!(
                    "models.prices: a price of {:?} is for the upstream {name}, and there is no [models.compatible.{name}]",
                    price.model
                )));
            }
        }
        let vendors = [
            (UpstreamName::OpenAi, &self.openai),
            (UpstreamName::Anthropic, &self.anthropic),
            (UpstreamName::Gemini, &self.gemini),
        ];
        for (name, endpoint) in vendors {
            if endpoint.price.is_some() && endpoint.is_vendors_own(&name) {
                return Err(ConfigError::Invalid(format!(
                    "models.{name}.price is for an address of your own, which models.{name}.base has to name; what single models cost is said by [[models.prices]]"
                )));
            }
        }
        Ok(())
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

/// `[models.compatible.NAME]`: an upstream that speaks OpenAI's protocol, beside OpenAI or whoever is asked in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompatibleEndpoint {
    /// With the version behind which its models are, as OpenAI's SDKs take it.
    pub base: String,
    /// Name of the variable that holds the key, where none is stored and one is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_env: Option<String>,
    /// As of any address of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<EndpointPrice>,
    /// The value of `key_env`, if it is set and not empty.
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
    fn is_vendors_own(&self, name: &UpstreamName) -> bool {
        self.base.as_ref().is_none_or(|base| name.base() == Some(base.trim_end_matches('/')))
    }

    pub fn is_configured(&self) -> bool {
        self.key.is_some() || self.base.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Flags;
    use super::super::tests::load;
    use lamplight_engine::Tariff;

    const TWO: &str = "[models.compatible.local]\nbase = 'http://127.0.0.1:1/v1'\nprice = 'free'\n\
        [models.compatible.router]\nbase = 'https://router.example.org/v1'\nkey_env = 'ROUTER'\n";

    #[test]
    fn upstreams_of_ones_own_stand_beside_the_vendors() {
        let prices = "[[models.prices]]\nupstream = 'router'\nmodel = 'm'\ninput = 1\noutput = 2\n";
        let environment = [("ROUTER", "sk-router-1"), ("OPENAI_API_KEY", "sk-openai-1")];
        let config = load(&format!("{TWO}{prices}"), Flags::default(), &environment).unwrap();
        assert_eq!(config.models.configured(), ["openai", "local", "router"]);
        let engine = config.engine().models;
        let told = engine.compatible.iter().map(|(name, at)| {
            let key = at.key.as_ref().map(|key| key.expose().to_owned());
            (name.as_str(), at.base.as_deref().unwrap(), key, at.tariff)
        });
        let told: Vec<_> = told.collect();
        let router =
            ("router", "https://router.example.org/v1", Some("sk-router-1".to_owned()), Tariff::Listed);
        assert_eq!(told, [("local", "http://127.0.0.1:1/v1", None, Tariff::Free), router]);
        assert_eq!(engine.openai.key.unwrap().expose(), "sk-openai-1");
        assert_eq!(engine.prices[0].upstream.as_ref().unwrap().as_str(), "router");
        let printed = config.to_toml();
        assert!(printed.contains("[models.compatible.router]") && !printed.contains("sk-"), "{printed}");
    }

    #[test]
    fn what_can_be_no_upstream_is_refused_by_name() {
        let check = |more: &str, expected: &str| {
            let error = load(&format!("{TWO}{more}"), Flags::default(), &[]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        let base = "base = 'http://127.0.0.1:1'\n";
        for name in ["openai", "gemini", "e2b", "github-app-key", "Local", "a_b"] {
            check(
                &format!("[models.compatible.{name}]\n{base}"),
                &format!("{name:?} cannot name an upstream"),
            );
        }
        check("[models.compatible.other]\nprice = 'free'\n", "missing field `base`");
        check(&format!("[models.compatible.other]\n{base}key = 'sk'\n"), "unknown key `key`");
        let price = |upstream: &str| {
            format!("[[models.prices]]\nupstream = '{upstream}'\nmodel = 'm'\ninput = 1\noutput = 2\n")
        };
        check(&price("other"), "there is no [models.compatible.other]");
        check(&price("No One"), "cannot name an upstream");
    }
}
