//! What tokens cost: as the deployment says, else by the public price lists of the vendors. What neither knows has no price, and is
//! not asked.

use super::usage::Spent;
use crate::upstream::{ModelPrice, Tariff};
use crate::upstream_name::UpstreamName;
use genai_prices::{PriceRequest, Usage};
use lamplight_domain::transcript::Tokens;
use std::sync::Arc;

const MILLION: f64 = 1e6;

/// Reads the public price lists, which takes some ten milliseconds once.
pub(crate) fn read_lists() {
    let _ = genai_prices::Calculator::bundled();
}

/// The crate that has them, and its version, which a test compares with Cargo.lock.
const LISTS: &str = "genai-prices 0.2.1";
/// How usage becomes a price here. Grows when the same usage would get another price by the same list.
const EDITION: u32 = 1;

/// Tokens for which a price is asked to tell what a million costs: few, because some vendors ask more for long requests.
const FEW: u64 = 1000;

/// What vendors call the tier of service that one has who asks for none.
const USUAL_TIERS: [&str; 5] = ["", "auto", "default", "standard", "standard_only"];

/// Dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    pub input: f64,
    /// Read from the model's cache.
    pub cached: f64,
    pub output: f64,
}

/// A sum, and how it came about.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cost {
    /// Millionths of a dollar.
    pub(super) micros: u64,
    /// The list of prices with its version, and behind a plus sign the edition of ours of reading it: `genai-prices 0.2.1+1`. The
    /// deployment's own prices are told themselves: `configuration 3/0.3/3.75/15+1` is dollars for a million tokens in, cached,
    /// written to the cache, and out.
    pub(super) priced_by: String,
}

/// By what the models of one upstream are priced.
pub(crate) struct Prices {
    /// The deployment's own, before every list.
    pub(crate) own: Arc<[ModelPrice]>,
    pub(crate) upstream: UpstreamName,
    /// The address of whoever bills: it is known by that.
    pub(crate) base: String,
    pub(crate) tariff: Tariff,
}

impl Prices {
    /// In millionths of a dollar; `None` where no price is known of this model in this tier.
    pub(super) fn of(&self, spent: &Spent) -> Option<u64> {
        let cost = self.find(&[&spent.model], unusual(spent.service_tier.as_deref()), spent)?;
        Some(cost.micros)
    }

    /// What an answer cost. Where what it says of its model and tier has no price, that counts which
    /// was asked for.
    pub(super) fn of_answer(&self, spent: &Spent, model: &str, tier: Option<&str>) -> Option<Cost> {
        let models = [spent.model.as_str(), model];
        let asked = unusual(tier);
        let said = if spent.service_tier.is_some() { unusual(spent.service_tier.as_deref()) } else { asked };
        [said, asked, None].into_iter().find_map(|tier| self.find(&models, tier, spent))
    }

    /// Whether the public lists have to be read to tell the price of this.
    pub(super) fn need_lists(&self, model: &str, tier: Option<&str>) -> bool {
        self.tariff != Tariff::Free && self.own(&[model], unusual(tier)).is_none()
    }

    /// `None` where the price is not known.
    pub(super) fn per_million(&self, model: &str) -> Option<Price> {
        let of = |tokens: Tokens| {
            let cost = self.dollars(&[model], None, &Spent::of(model, tokens))? * MILLION / FEW as f64;
            // The lists are in cents and less; what is behind that is the arithmetic's.
            Some((cost * MILLION).round() / MILLION)
        };
        Some(Price {
            input: of(Tokens { input: FEW, ..Tokens::default() })?,
            cached: of(Tokens { input: FEW, cached: FEW, ..Tokens::default() })?,
            output: of(Tokens { output: FEW, ..Tokens::default() })?,
        })
    }

    fn find(&self, models: &[&str], tier: Option<&str>, spent: &Spent) -> Option<Cost> {
        let micros = micros(self.dollars(models, tier, spent)?)?;
        let list = match (self.own(models, tier), self.tariff) {
            (Some(own), _) => {
                let ModelPrice { input, cached, cache_written, output, .. } = own;
                let (cached, written) = (cached.unwrap_or(*input), cache_written.unwrap_or(*input));
                format!("configuration {input}/{cached}/{written}/{output}")
            }
            (None, Tariff::Free) => "configuration free".to_owned(),
            (None, Tariff::Listed | Tariff::AsVendor) => LISTS.to_owned(),
        };
        Some(Cost { micros, priced_by: format!("{list}+{EDITION}") })
    }

    /// By the first of these names that has a price.
    fn dollars(&self, models: &[&str], tier: Option<&str>, spent: &Spent) -> Option<f64> {
        match (self.own(models, tier), self.tariff) {
            (Some(own), _) => Some(own_price(own, &spent.tokens)),
            (None, Tariff::Free) => Some(0.0),
            (None, Tariff::Listed | Tariff::AsVendor) => {
                models.iter().find_map(|model| self.listed(model, tier, spent))
            }
        }
    }

    fn own(&self, models: &[&str], tier: Option<&str>) -> Option<&ModelPrice> {
        let is_it = |own: &&ModelPrice, model: &str, whose: Option<&UpstreamName>| {
            own.model == model && unusual(own.tier.as_deref()) == tier && own.upstream.as_ref() == whose
        };
        let of = |model: &str, whose| self.own.iter().find(|own| is_it(own, model, whose));
        models.iter().find_map(|model| of(model, Some(&self.upstream)).or_else(|| of(model, None)))
    }

    /// The lists give a tier that they do not know the price of the usual one; here it has none.
    fn listed(&self, model: &str, tier: Option<&str>, spent: &Spent) -> Option<f64> {
        if tier.is_some() {
            let few = Spent::of(model, Tokens { input: FEW, output: FEW, ..Tokens::default() });
            if self.in_lists(model, tier, &few) == self.in_lists(model, None, &few) {
                return None;
            }
        }
        self.in_lists(model, tier, spent)
    }

    fn in_lists(&self, model: &str, tier: Option<&str>, spent: &Spent) -> Option<f64> {
        let tokens = &spent.tokens;
        let rows = [
            ("input_tokens", tokens.input),
            ("cache_read_tokens", tokens.cached),
            ("cache_write_tokens", tokens.cache_written),
            ("cache_write_1h_tokens", spent.cache_written_for_1h),
            ("output_tokens", tokens.output),
        ];
        let mut usage = Usage::new();
        for (key, count) in rows.into_iter().filter(|(_, count)| *count > 0) {
            usage.insert(key, count as f64);
        }
        let mut request = PriceRequest::new(model, &usage).with_provider_api_url(&self.base);
        if let Some(tier) = tier {
            request = request.with_price_context("service_tier", tier);
        }
        Some(genai_prices::calculate(&request).ok()?.total_price)
    }
}

/// The tier, where it is another than the usual one.
pub(super) fn unusual(tier: Option<&str>) -> Option<&str> {
    tier.filter(|tier| !USUAL_TIERS.contains(tier))
}

fn own_price(own: &ModelPrice, tokens: &Tokens) -> f64 {
    let plain = tokens.input.saturating_sub(tokens.cached).saturating_sub(tokens.cache_written);
    let rows = [
        (plain, own.input),
        (tokens.cached, own.cached.unwrap_or(own.input)),
        (tokens.cache_written, own.cache_written.unwrap_or(own.input)),
        (tokens.output, own.output),
    ];
    rows.into_iter().map(|(count, dollars)| count as f64 * dollars / MILLION).sum()
}

/// Rounded here, once; what is below zero or beyond all money is no price.
fn micros(dollars: f64) -> Option<u64> {
    let micros = dollars * MILLION;
    (micros.is_finite() && (0.0..1e15).contains(&micros)).then(|| micros.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ANTHROPIC_BASE, GEMINI_BASE, OPENAI_BASE};

    fn prices(base: &str, own: &[ModelPrice], tariff: Tariff) -> Prices {
        Prices { own: own.into(), upstream: UpstreamName::OpenAi, base: base.to_owned(), tariff }
    }

    fn price(base: &str, spent: &Spent) -> Option<u64> {
        prices(base, &[], Tariff::Listed).of(spent)
    }

    fn in_tier(tier: &str, spent: Spent) -> Spent {
        Spent { service_tier: Some(tier.to_owned()), ..spent }
    }

    const MUCH: Tokens =
        Tokens { input: 1_000_000, output: 1_000_000, cached: 0, cache_written: 0, reasoning: 0 };

    /// By hand, from the vendors' price pages: per million tokens, Sonnet 4.5 is 3 $ in, 0.30 read, 3.75 written (6 for an hour), 15 out;
    /// GPT-5.1 is 1.25 $ in, 0.125 read, 10 out; o3 is 2 $ in and 8 out; Gemini 2.5 Flash is 0.30 $ in, 2.50 out, thoughts included.
    #[test]
    fn what_a_request_costs_is_what_the_price_list_says() {
        let tokens = Tokens { input: 1040, output: 20, cached: 900, cache_written: 40, reasoning: 0 };
        let sonnet = Spent::of("claude-sonnet-4-5", tokens);
        assert_eq!(price(ANTHROPIC_BASE, &sonnet), Some(300 + 270 + 150 + 300));
        let for_1h = Spent { cache_written_for_1h: 40, ..sonnet };
        assert_eq!(price(ANTHROPIC_BASE, &for_1h), Some(300 + 270 + 240 + 300));
        let gpt = Tokens { input: 1000, output: 20, cached: 900, cache_written: 0, reasoning: 8 };
        assert_eq!(price(OPENAI_BASE, &Spent::of("gpt-5.1-2025-11-13", gpt)), Some(438));
        assert_eq!(price(OPENAI_BASE, &Spent::of("o3", MUCH)), Some(10_000_000));
        let gemini = Tokens { input: 1_000_000, output: 100_000, reasoning: 60_000, ..Tokens::default() };
        let base = format!("{GEMINI_BASE}/v1beta");
        assert_eq!(price(&base, &Spent::of("gemini-2.5-flash", gemini)), Some(300_000 + 250_000));
    }

    /// o3 is half as dear as `flex`, and 3.50 $ in and 14 out as `priority`.
    #[test]
    fn a_tier_has_its_own_price_or_none() {
        let o3 = || Spent::of("o3", MUCH);
        for usual in USUAL_TIERS {
            assert_eq!(price(OPENAI_BASE, &in_tier(usual, o3())), Some(10_000_000), "{usual}");
        }
        assert_eq!(price(OPENAI_BASE, &in_tier("flex", o3())), Some(5_000_000));
        assert_eq!(price(OPENAI_BASE, &in_tier("priority", o3())), Some(17_500_000));
        assert_eq!(price(OPENAI_BASE, &in_tier("nobody-knows", o3())), None);
        assert_eq!(price(ANTHROPIC_BASE, &in_tier("fast", Spent::of("claude-opus-4-6", MUCH))), None);
        // Whoever was asked may serve in another tier than was asked for.
        let prices = prices(OPENAI_BASE, &[], Tariff::Listed);
        let answer = |spent: Spent| Some(prices.of_answer(&spent, "o3", Some("flex"))?.micros);
        assert_eq!(answer(o3()), Some(5_000_000), "it says nothing of the tier");
        assert_eq!(answer(in_tier("default", o3())), Some(10_000_000));
        assert_eq!(answer(in_tier("nobody-knows", o3())), Some(5_000_000));
        assert_eq!(answer(Spent::of("nobody-knows", MUCH)), Some(5_000_000));
    }

    fn own(cached: Option<f64>) -> ModelPrice {
        ModelPrice {
            upstream: None,
            model: "gpt-5.1".to_owned(),
            tier: None,
            input: 2.0,
            cached,
            cache_written: Some(4.0),
            output: 50.0,
        }
    }

    #[test]
    fn what_the_deployment_says_counts_before_every_list() {
        let tokens = Tokens { input: 1000, output: 10, cached: 600, cache_written: 100, reasoning: 0 };
        let spent = Spent::of("gpt-5.1", tokens);
        let by = |own: ModelPrice, base: &str, spent: &Spent| prices(base, &[own], Tariff::Listed).of(spent);
        assert_eq!(by(own(Some(0.5)), OPENAI_BASE, &spent), Some(600 + 300 + 400 + 500));
        assert_eq!(by(own(None), "http://127.0.0.1:1", &spent), Some(600 + 1200 + 400 + 500));
        let wrong = ModelPrice { input: f64::NAN, ..own(None) };
        assert_eq!(by(wrong, OPENAI_BASE, &spent), None);
        // The price of one tier is not that of another.
        let fast = ModelPrice { tier: Some("fast".to_owned()), ..own(None) };
        let tiers = prices("http://127.0.0.1:1", &[fast], Tariff::Listed);
        assert_eq!(tiers.of(&in_tier("fast", spent.clone())), Some(2700));
        assert_eq!(tiers.of(&spent), None);
        // What was asked for has a price here, what the answer calls it has one there.
        let dated = Spent { model: "gpt-5.1-2025-11-13".to_owned(), ..spent };
        let prices = prices(OPENAI_BASE, &[own(None)], Tariff::Listed);
        assert_eq!(prices.of_answer(&dated, "gpt-5.1", None).unwrap().micros, 2700);
    }

    #[test]
    fn an_address_of_ones_own_may_be_free_or_cost_what_the_vendor_asks() {
        let spent = in_tier("flex", Spent::of("o3", MUCH));
        assert_eq!(prices("http://127.0.0.1:1", &[], Tariff::Free).of(&spent), Some(0));
        assert_eq!(prices(OPENAI_BASE, &[], Tariff::AsVendor).of(&spent), Some(5_000_000));
        let named = Spent::of("gpt-5.1", MUCH);
        let prices = prices("http://127.0.0.1:1", &[own(None)], Tariff::Free);
        assert_eq!(prices.of(&named), Some(52_000_000));
        assert!(!prices.need_lists("o3", None) && !prices.need_lists("gpt-5.1", None));
    }

    #[test]
    fn a_price_of_one_upstreams_model_is_no_others() {
        let local = UpstreamName::Compatible("local".parse().unwrap());
        let theirs = ModelPrice { upstream: Some(local.clone()), input: 7.0, ..own(None) };
        let spent = Spent::of("gpt-5.1", MUCH);
        let of = |upstream: &UpstreamName, rows: &[ModelPrice]| {
            let free = prices("http://127.0.0.1:1", rows, Tariff::Free);
            Prices { upstream: upstream.clone(), ..free }.of(&spent)
        };
        for rows in [[own(None), theirs.clone()], [theirs.clone(), own(None)]] {
            assert_eq!(of(&local, &rows), Some(57_000_000));
            assert_eq!(of(&UpstreamName::OpenAi, &rows), Some(52_000_000));
        }
        assert_eq!(of(&UpstreamName::OpenAi, &[theirs]), Some(0));
    }

    #[test]
    fn a_sum_says_by_which_list_it_is() {
        let spent = Spent::of("gpt-5.1", MUCH);
        let by = |own: &[ModelPrice], tariff| {
            prices(OPENAI_BASE, own, tariff).of_answer(&spent, "gpt-5.1", None).unwrap().priced_by
        };
        assert_eq!(by(&[], Tariff::Listed), format!("{LISTS}+{EDITION}"));
        assert_eq!(by(&[own(Some(0.25))], Tariff::Listed), format!("configuration 2/0.25/4/50+{EDITION}"));
        assert_eq!(by(&[own(None)], Tariff::Free), format!("configuration 2/2/4/50+{EDITION}"));
        assert_eq!(by(&[], Tariff::Free), format!("configuration free+{EDITION}"));
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
        let (name, version) = LISTS.split_once(' ').unwrap();
        let locked = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        assert!(lock.contains(&locked), "{LISTS} is not what Cargo.lock has");
    }

    #[test]
    fn what_no_list_knows_has_no_price() {
        let tokens = Tokens { input: 1, ..Tokens::default() };
        assert_eq!(price("http://127.0.0.1:11434/v1", &Spent::of("gpt-5.1", tokens)), None);
        assert_eq!(price(OPENAI_BASE, &Spent::of("nobody-knows", tokens)), None);
        assert_eq!(price(OPENAI_BASE, &Spent::of("gpt-5.1", Tokens::default())), Some(0));
    }
}
