//! What a request may cost at most, from what it says: so much is set aside before it is passed on.

use super::price::price;
use super::usage::Spent;
use super::vendor::Vendor;
use crate::upstream::ModelPrice;
use lamplight_domain::transcript::Tokens;
use serde::Deserialize;

/// More than any model reads in one request, and more than any says in one answer; tokens. Without them a request that is no use
/// could hold back the whole of a budget that others share.
const MOST_INPUT: u64 = 2_000_000;
const MOST_OUTPUT: u64 = 128_000;
/// Answers to one request. Source: OpenAI's API reference, `n`.
const MOST_ANSWERS: u64 = 128;

/// What is known of a request before it is answered.
pub(super) struct Estimate {
    /// As the request names it.
    pub(super) model: String,
    /// In millionths of a dollar; `None` where no price is known.
    pub(super) micros: Option<u64>,
}

/// What decides about the price in requests of all vendors.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    model: Option<String>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    max_output_tokens: Option<u64>,
    n: Option<u64>,
    best_of: Option<u64>,
    service_tier: Option<String>,
    #[serde(rename = "generationConfig")]
    generation: Option<Generation>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Generation {
    max_output_tokens: Option<u64>,
    candidate_count: Option<u64>,
}

/// `base` is the address that will be asked, `rest` what follows the vendor's prefix in the path.
pub(super) fn estimate(vendor: Vendor, base: &str, rest: &str, body: &[u8], own: &[ModelPrice]) -> Estimate {
    let asked: Asked = serde_json::from_slice(body).unwrap_or_default();
    let generation = asked.generation.unwrap_or_default();
    let model = vendor.model_in_path(rest).map(str::to_owned).or(asked.model).unwrap_or_default();
    let limits = [
        asked.max_tokens,
        asked.max_completion_tokens,
        asked.max_output_tokens,
        generation.max_output_tokens,
    ];
    let output = limits.into_iter().flatten().max().unwrap_or(MOST_OUTPUT).min(MOST_OUTPUT);
    let answers = [asked.n, asked.best_of, generation.candidate_count].into_iter().flatten().max();
    let output = if rest == "embeddings" { 0 } else { output * answers.unwrap_or(1).clamp(1, MOST_ANSWERS) };
    // No token is shorter than a byte.
    let input = u64::try_from(body.len()).unwrap_or(MOST_INPUT).min(MOST_INPUT);
    let tokens = Tokens { input, output, ..Tokens::default() };
    let plain =
        Spent { model: model.clone(), tokens, cache_written_for_1h: 0, service_tier: asked.service_tier };
    // What is written to the cache costs more than what is only read, and other tiers more or less than the usual one.
    let written = Spent {
        tokens: Tokens { cache_written: input, ..tokens },
        cache_written_for_1h: if vendor == Vendor::Anthropic { input } else { 0 },
        ..plain.clone()
    };
    let usual = Spent { service_tier: None, ..plain.clone() };
    let micros = [plain, written, usual].iter().filter_map(|spent| price(own, base, spent)).max();
    Estimate { model, micros }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ANTHROPIC_BASE, GEMINI_BASE, OPENAI_BASE};

    fn check(vendor: Vendor, base: &str, rest: &str, body: &str, expected: Option<u64>) {
        // So that what is in and what it costs are round numbers.
        let body = format!("{body:1000}");
        let found = estimate(vendor, base, rest, body.as_bytes(), &[]);
        assert_eq!(found.micros, expected, "{} by {rest} {body}", found.model);
    }

    /// By hand, per million tokens: Sonnet 4.5 is 3 $ in, 6 written for an hour, 15 out; GPT-5.1 is 1.25 $ in, 10 out; Gemini 2.5
    /// Flash is 0.30 $ in, 2.50 out; text-embedding-3-small is 0.02 $.
    #[test]
    fn it_is_what_the_body_holds_and_all_that_may_be_answered() {
        let anthropic = |body, expected| check(Vendor::Anthropic, ANTHROPIC_BASE, "messages", body, expected);
        anthropic(r#"{"model":"claude-sonnet-4-5","max_tokens":1000}"#, Some(6_000 + 15_000));
        anthropic(r#"{"model":"claude-sonnet-4-5"}"#, Some(6_000 + 1_920_000));
        anthropic(r#"{"model":"claude-sonnet-4-5","max_tokens":99999999999}"#, Some(6_000 + 1_920_000));
        let openai = |rest, body, expected| check(Vendor::OpenAi, OPENAI_BASE, rest, body, expected);
        let chat = |body, expected| openai("chat/completions", body, expected);
        chat(r#"{"model":"gpt-5.1","max_completion_tokens":100}"#, Some(1_250 + 1_000));
        chat(r#"{"model":"gpt-5.1","max_tokens":7,"max_completion_tokens":100,"n":3}"#, Some(1_250 + 3_000));
        openai("responses", r#"{"model":"gpt-5.1","max_output_tokens":100}"#, Some(1_250 + 1_000));
        openai("embeddings", r#"{"model":"text-embedding-3-small"}"#, Some(20));
        let gemini = r#"{"generationConfig":{"maxOutputTokens":100,"candidateCount":2}}"#;
        let (base, call) = (format!("{GEMINI_BASE}/v1beta"), "models/gemini-2.5-flash:generateContent");
        check(Vendor::Gemini, &base, call, gemini, Some(300 + 500));
    }

    #[test]
    fn what_cannot_be_known_has_no_price() {
        let chat = |body| check(Vendor::OpenAi, OPENAI_BASE, "chat/completions", body, None);
        for body in
            ["{}", "not json", r#"{"model":"nobody-knows"}"#, r#"{"model":"gpt-5.1","model":"gpt-5.1"}"#]
        {
            chat(body);
        }
    }

    #[test]
    fn what_the_deployment_says_counts() {
        let own = |input, output| ModelPrice {
            model: "ours".into(),
            input,
            cached: None,
            cache_written: None,
            output,
        };
        let body = br#"{"model":"ours","max_tokens":10}"#;
        let micros =
            |own| estimate(Vendor::OpenAi, "http://127.0.0.1:1", "chat/completions", body, &[own]).micros;
        assert_eq!(micros(own(2.0, 50.0)), Some(2 * body.len() as u64 + 500));
        assert_eq!(micros(own(0.0, 0.0)), Some(0), "a model of one's own may cost nothing");
    }
}
