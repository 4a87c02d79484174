//! What tokens cost: as the deployment says, else by the public price lists of the vendors. What neither knows has no price.

use super::usage::Spent;
use crate::upstream::ModelPrice;
use genai_prices::{PriceRequest, Usage};
use lamplight_domain::transcript::Tokens;

const MILLION: f64 = 1e6;

/// Reads the public price lists, which takes some ten milliseconds once.
pub(crate) fn read_lists() {
    let _ = genai_prices::Calculator::bundled();
}

/// Tokens for which a price is asked to tell what a million costs: few, because some vendors ask more for long requests.
const FEW: u64 = 1000;

/// Dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    pub input: f64,
    /// Read from the model's cache.
    pub cached: f64,
    pub output: f64,
}

/// `None` where the price is not known.
pub(super) fn per_million(own: &[ModelPrice], base: &str, model: &str) -> Option<Price> {
    let of = |tokens: Tokens| {
        let spent = Spent { model: model.to_owned(), tokens, cache_written_for_1h: 0, service_tier: None };
        let cost = dollars(own, base, &spent)? * MILLION / FEW as f64;
        // The lists are in cents and less; what is behind that is the arithmetic's.
        Some((cost * MILLION).round() / MILLION)
    };
    Some(Price {
        input: of(Tokens { input: FEW, ..Tokens::default() })?,
        cached: of(Tokens { input: FEW, cached: FEW, ..Tokens::default() })?,
        output: of(Tokens { output: FEW, ..Tokens::default() })?,
    })
}

/// In millionths of a dollar. `base` is the address that the model was asked at: who bills it is known by that.
pub(super) fn price(own: &[ModelPrice], base: &str, spent: &Spent) -> Option<u64> {
    micros(dollars(own, base, spent)?)
}

fn dollars(own: &[ModelPrice], base: &str, spent: &Spent) -> Option<f64> {
    if let Some(own) = own.iter().find(|own| own.model == spent.model) {
        return Some(own_price(own, spent));
    }
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
    let mut request = PriceRequest::new(&spent.model, &usage).with_provider_api_url(base);
    if let Some(tier) = &spent.service_tier {
        request = request.with_price_context("service_tier", tier);
    }
    Some(genai_prices::calculate(&request).ok()?.total_price)
}

fn own_price(own: &ModelPrice, spent: &Spent) -> f64 {
    let tokens = &spent.tokens;
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
    use super::{ModelPrice, Spent};
    use crate::{ANTHROPIC_BASE, GEMINI_BASE, OPENAI_BASE};
    use lamplight_domain::transcript::Tokens;

    fn spent(model: &str, tokens: Tokens) -> Spent {
        Spent { model: model.to_owned(), tokens, cache_written_for_1h: 0, service_tier: None }
    }

    /// By hand, from the vendors' price pages: per million tokens, Sonnet 4.5 is 3 $ in, 0.30 read, 3.75 written (6 for an hour), 15 out;
    /// GPT-5.1 is 1.25 $ in, 0.125 read, 10 out; o3 is 2 $ in and 8 out, half of that as `flex`; Gemini 2.5 Flash is 0.30 $ in, 2.50 out, thoughts included.
    #[test]
    fn what_a_request_costs_is_what_the_price_list_says() {
        let tokens = Tokens { input: 1040, output: 20, cached: 900, cache_written: 40, reasoning: 0 };
        let sonnet = spent("claude-sonnet-4-5", tokens);
        assert_eq!(price(ANTHROPIC_BASE, &sonnet), Some(300 + 270 + 150 + 300));
        let for_1h = Spent { cache_written_for_1h: 40, ..sonnet };
        assert_eq!(price(ANTHROPIC_BASE, &for_1h), Some(300 + 270 + 240 + 300));
        let gpt = Tokens { input: 1000, output: 20, cached: 900, cache_written: 0, reasoning: 8 };
        assert_eq!(price(OPENAI_BASE, &spent("gpt-5.1-2025-11-13", gpt)), Some(438));
        let o3 = Tokens { input: 1_000_000, output: 1_000_000, ..Tokens::default() };
        let flex = Spent { service_tier: Some("flex".to_owned()), ..spent("o3", o3) };
        assert_eq!(price(OPENAI_BASE, &flex), Some(5_000_000));
        assert_eq!(price(OPENAI_BASE, &spent("o3", o3)), Some(10_000_000));
        let gemini = Tokens { input: 1_000_000, output: 100_000, reasoning: 60_000, ..Tokens::default() };
        let base = format!("{GEMINI_BASE}/v1beta");
        assert_eq!(price(&base, &spent("gemini-2.5-flash", gemini)), Some(300_000 + 250_000));
    }

    #[test]
    fn what_the_deployment_says_counts_before_every_list() {
        let tokens = Tokens { input: 1000, output: 10, cached: 600, cache_written: 100, reasoning: 0 };
        let own = |cached| ModelPrice {
            model: "gpt-5.1".to_owned(),
            input: 2.0,
            cached,
            cache_written: Some(4.0),
            output: 50.0,
        };
        let spent = spent("gpt-5.1", tokens);
        assert_eq!(super::price(&[own(Some(0.5))], OPENAI_BASE, &spent), Some(600 + 300 + 400 + 500));
        assert_eq!(super::price(&[own(None)], "http://127.0.0.1:1", &spent), Some(600 + 1200 + 400 + 500));
        let wrong = ModelPrice { input: f64::NAN, ..own(None) };
        assert_eq!(super::price(&[wrong], OPENAI_BASE, &spent), None);
    }

    fn price(base: &str, spent: &Spent) -> Option<u64> {
        super::price(&[], base, spent)
    }

    #[test]
    fn what_no_list_knows_has_no_price() {
        let tokens = Tokens { input: 1, ..Tokens::default() };
        assert_eq!(price("http://127.0.0.1:11434/v1", &spent("gpt-5.1", tokens)), None);
        assert_eq!(price(OPENAI_BASE, &spent("nobody-knows", tokens)), None);
        assert_eq!(price(OPENAI_BASE, &spent("gpt-5.1", Tokens::default())), Some(0));
    }
}
