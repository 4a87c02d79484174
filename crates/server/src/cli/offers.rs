//! What the upstreams say of an agent's models, in the agent's own names of them. The page has the same in `web/src/create/offers.ts`.

use crate::http::agents::Agent;
use crate::http::models::{ModelPrice, UpstreamModels};
use std::collections::BTreeMap;

/// The models that a session of an agent can have, with their price where one is known.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Offers(BTreeMap<String, Offer>);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Offer {
    price: Option<ModelPrice>,
    /// Of an upstream that the configuration names, which agents know nothing of.
    compatible: bool,
}

impl Offers {
    /// An agent that names upstreams in its models' names can have all of them; any other talks to the first vendor that it knows and
    /// that is configured, or to any upstream that it knows and the configuration names: that is in front of its models already. Of an
    /// agent that nobody knows anything of, everything is offered.
    pub(super) fn of(upstreams: &[UpstreamModels], agent: Option<&Agent>) -> Self {
        let known = agent.map_or(&[][..], |agent| agent.upstreams.as_slice());
        let names_upstream = agent.is_some_and(|agent| agent.names_upstream);
        let is_vendor =
            |upstream: &UpstreamModels, name: &str| !upstream.compatible && upstream.upstream == name;
        let is_there = |name: &&String| upstreams.iter().any(|upstream| is_vendor(upstream, name));
        let first = known.iter().find(is_there);
        let can_have = |upstream: &&UpstreamModels| match first {
            _ if known.is_empty() => true,
            _ if names_upstream || upstream.compatible => known.contains(&upstream.upstream),
            Some(first) => *first == upstream.upstream,
            None => false,
        };
        let named = |upstream: &UpstreamModels| {
            let is_named = names_upstream && !upstream.compatible;
            let prefix = if is_named { format!("{}/", upstream.upstream) } else { String::new() };
            let models = upstream.models.iter();
            let offer = |price| Offer { price, compatible: upstream.compatible };
            models.map(|model| (format!("{prefix}{}", model.id), offer(model.price))).collect::<Vec<_>>()
        };
        Self(upstreams.iter().filter(can_have).flat_map(named).collect())
    }

    /// Those that may be chosen whatever the agent offers.
    pub(super) fn compatible(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, offer)| offer.compatible).map(|(id, _)| id.as_str())
    }

    /// What is to be said beside a model. Nothing where no upstream has said what it has.
    pub(super) fn note(&self, model: &str) -> Option<String> {
        match self.0.get(model) {
            Some(Offer { price, .. }) => {
                let price = price.as_ref()?;
                let (input, output) = (dollars(price.input), dollars(price.output));
                Some(format!("{input} in, {output} out for a million tokens"))
            }
            None if self.0.is_empty() => None,
            None => Some("not listed by the upstream".to_owned()),
        }
    }
}

/// Two digits behind the point, and more where that would say nothing.
fn dollars(dollars: f64) -> String {
    if dollars > 0.0 && dollars < 0.1 { format!("${dollars}") } else { format!("${dollars:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::models::UpstreamModel;

    fn upstreams() -> Vec<UpstreamModels> {
        let model = |id: &str, input, output| UpstreamModel {
            id: id.to_owned(),
            title: None,
            price: Some(ModelPrice { input, cached: 0.0, output }),
        };
        let unpriced = UpstreamModel { price: None, ..model("own", 0.0, 0.0) };
        let upstream = |name: &str, models| UpstreamModels {
            upstream: name.to_owned(),
            compatible: name == "local",
            models,
            problem: None,
        };
        vec![
            upstream("openai", vec![model("gpt-5.1", 1.25, 10.0), unpriced]),
            upstream("anthropic", vec![model("claude-haiku", 0.025, 0.0)]),
            upstream("local", vec![model("local/llama3", 0.0, 0.0)]),
        ]
    }

    fn agent(upstreams: &[&str], names_upstream: bool) -> Agent {
        Agent {
            name: "agent".to_owned(),
            title: "Agent".to_owned(),
            installed: true,
            version: None,
            default: true,
            upstreams: upstreams.iter().map(ToString::to_string).collect(),
            names_upstream,
        }
    }

    #[test]
    fn each_agent_has_its_own_names_and_its_own_upstreams() {
        let ids = |agent: Option<&Agent>| Offers::of(&upstreams(), agent).0.into_keys().collect::<Vec<_>>();
        let all = ["anthropic/claude-haiku", "openai/gpt-5.1", "openai/own"];
        assert_eq!(ids(Some(&agent(&["anthropic", "openai"], true))), all);
        assert_eq!(ids(Some(&agent(&["gemini", "anthropic"], false))), ["claude-haiku"]);
        assert_eq!(ids(Some(&agent(&["openai", "anthropic"], false))), ["gpt-5.1", "own"]);
        assert!(ids(Some(&agent(&["gemini"], true))).is_empty());
        assert_eq!(
            ids(Some(&agent(&["openai", "anthropic", "local"], false))),
            ["gpt-5.1", "local/llama3", "own"]
        );
        assert_eq!(
            ids(Some(&agent(&["openai", "local"], true))),
            ["local/llama3", "openai/gpt-5.1", "openai/own"]
        );
        assert_eq!(ids(Some(&agent(&["gemini", "local"], false))), ["local/llama3"]);
        assert_eq!(ids(None), ["claude-haiku", "gpt-5.1", "local/llama3", "own"]);
        let offers = Offers::of(&upstreams(), Some(&agent(&["openai", "local"], false)));
        assert_eq!(offers.compatible().collect::<Vec<_>>(), ["local/llama3"]);
    }

    #[test]
    fn a_model_has_a_price_or_is_not_there() {
        let offers = Offers::of(&upstreams(), None);
        let note = |model: &str| offers.note(model);
        assert_eq!(note("gpt-5.1").as_deref(), Some("$1.25 in, $10.00 out for a million tokens"));
        assert_eq!(note("claude-haiku").as_deref(), Some("$0.025 in, $0.00 out for a million tokens"));
        assert_eq!((note("own"), note("opus").as_deref()), (None, Some("not listed by the upstream")));
        assert_eq!(Offers::default().note("opus"), None);
    }
}
