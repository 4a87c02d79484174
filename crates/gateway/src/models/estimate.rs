//! What a request says before it is answered: which model it asks, and what it may cost at most.

use super::price::Prices;
use super::usage::{Seen, Spent};
use super::vendor::Vendor;
use lamplight_domain::transcript::Tokens;
use serde::Deserialize;

/// More than any model reads in one request, and more than any says in one answer; tokens. Without them a request that is no use
/// could hold back the whole of a budget that others share.
const MOST_INPUT: u64 = 2_000_000;
const MOST_OUTPUT: u64 = 128_000;
/// Answers to one request. Source: OpenAI's API reference, `n`.
const MOST_ANSWERS: f64 = 128.0;

/// What is known of a request before it is answered.
pub(super) struct Asked {
    /// As the request names it.
    pub(super) model: String,
    /// The vendor's own word, where it asks for one.
    pub(super) tier: Option<String>,
    /// What it may use at most.
    most: Tokens,
    /// What is probably in it; tokens.
    probable_input: u64,
    /// Whether what is kept in the model's cache may be for an hour, which costs more.
    may_cache_for_1h: bool,
}

/// What decides about the price in requests of all vendors. Numbers may be written as `1.0`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    model: Option<String>,
    max_tokens: Option<f64>,
    max_completion_tokens: Option<f64>,
    max_output_tokens: Option<f64>,
    n: Option<f64>,
    best_of: Option<f64>,
    #[serde(alias = "serviceTier")]
    service_tier: Option<String>,
    /// Anthropic's other word for a tier with a price of its own.
    speed: Option<String>,
    #[serde(rename = "generationConfig", alias = "generation_config")]
    generation: Option<Generation>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Generation {
    #[serde(alias = "max_output_tokens")]
    max_output_tokens: Option<f64>,
    #[serde(alias = "candidate_count")]
    candidate_count: Option<f64>,
}

impl Asked {
    /// `rest` is what follows the vendor's prefix in the path. `None` if it names no model, or is not what the vendor would read the
    /// same way, such as something that is said twice.
    pub(super) fn read(vendor: Vendor, rest: &str, body: &[u8]) -> Option<Self> {
        let asked: Body = serde_json::from_slice(body).ok()?;
        let model = vendor.model_in_path(rest).map(str::to_owned).or(asked.model)?;
        let generation = asked.generation.unwrap_or_default();
        let limits = [
            asked.max_tokens,
            asked.max_completion_tokens,
            asked.max_output_tokens,
            generation.max_output_tokens,
        ];
        // What is below nothing is nothing: so `as` has it.
        let output = limits.into_iter().flatten().map(|most| most as u64).max();
        let answers = [asked.n, asked.best_of, generation.candidate_count].into_iter().flatten();
        let answers = answers.fold(1.0, f64::max).min(MOST_ANSWERS) as u64;
        let output = if rest == "embeddings" { 0 } else { output.unwrap_or(MOST_OUTPUT) };
        let most = Tokens {
            // No token is shorter than a byte.
            input: u64::try_from(body.len()).unwrap_or(MOST_INPUT).min(MOST_INPUT),
            output: output.min(MOST_OUTPUT) * answers,
            ..Tokens::default()
        };
        let is_said = |word: &String| !word.is_empty();
        let tier = asked.speed.filter(|speed| speed != "standard").or(asked.service_tier).filter(is_said);
        let probable_input = tokens_in(body).min(most.input);
        Some(Self { model, tier, most, probable_input, may_cache_for_1h: vendor == Vendor::Anthropic })
    }

    /// What it may cost, in millionths of a dollar; `None` where no price is known.
    pub(super) fn most_micros(&self, prices: &Prices) -> Option<u64> {
        let input = self.most.input;
        let plain = Spent { service_tier: self.tier.clone(), ..Spent::of(&self.model, self.most) };
        // What is written to the cache costs more than what is only read, and other tiers more or less than the usual one.
        let written = Spent {
            tokens: Tokens { cache_written: input, ..self.most },
            cache_written_for_1h: if self.may_cache_for_1h { input } else { 0 },
            ..plain.clone()
        };
        let usual = Spent { service_tier: None, ..written.clone() };
        let plain = prices.of(&plain)?;
        [prices.of(&written), prices.of(&usual)].into_iter().flatten().chain([plain]).max()
    }
}

/// About so many bytes of text or code are one token. Source: OpenAI's help, "What are tokens and how to count them".
const BYTES_A_TOKEN: u64 = 4;
/// No word of a text is longer; what is, is a picture or a document in base64.
const LONGEST_WORD: usize = 1024;
/// What vendors take one picture for, at most. Source: Anthropic's guide to vision, "Evaluate image size".
const PICTURE: u64 = 1600;

impl Asked {
    /// What an answer used, and whether that had to be guessed, at least in part, from what was seen of it.
    pub(super) fn spent(&self, seen: Seen) -> (Spent, bool) {
        let mut tokens = seen.tokens.unwrap_or(Tokens { input: self.probable_input, ..Tokens::default() });
        if !seen.is_all_said {
            let text = seen.text_bytes.div_ceil(BYTES_A_TOKEN).min(self.most.output);
            tokens.output = tokens.output.max(text);
        }
        let spent = Spent {
            model: seen.model.unwrap_or_else(|| self.model.clone()),
            tokens,
            cache_written_for_1h: seen.cache_written_for_1h,
            service_tier: seen.service_tier,
        };
        (spent, !seen.is_all_said)
    }
}

/// About how many tokens a request is.
fn tokens_in(body: &[u8]) -> u64 {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte);
    let (mut text, mut pictures) = (0, 0);
    for word in body.split(|byte| !is_base64(byte)) {
        match word.len() {
            0..=LONGEST_WORD => text += word.len() as u64 + 1,
            _ => pictures += 1,
        }
    }
    text.div_ceil(BYTES_A_TOKEN) + pictures * PICTURE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ANTHROPIC_BASE, GEMINI_BASE, ModelPrice, OPENAI_BASE, Tariff, UpstreamName};

    fn prices(base: &str, own: &[ModelPrice]) -> Prices {
        let upstream = UpstreamName::OpenAi;
        Prices { own: own.into(), upstream, base: base.to_owned(), tariff: Tariff::Listed }
    }

    fn check(vendor: Vendor, base: &str, rest: &str, body: &str, expected: Option<u64>) {
        // So that what is in and what it costs are round numbers.
        let body = format!("{body:1000}");
        let asked = Asked::read(vendor, rest, body.as_bytes());
        let most = asked.and_then(|asked| asked.most_micros(&prices(base, &[])));
        assert_eq!(most, expected, "{rest} {body}");
    }

    /// By hand, per million tokens: Sonnet 4.5 is 3 $ in, 6 written for an hour, 15 out; GPT-5.1 is 1.25 $ in, 10 out, twice that as
    /// `priority`; Gemini 2.5 Flash is 0.30 $ in, 2.50 out; text-embedding-3-small is 0.02 $.
    #[test]
    fn it_is_what_the_body_holds_and_all_that_may_be_answered() {
        let anthropic = |body, expected| check(Vendor::Anthropic, ANTHROPIC_BASE, "messages", body, expected);
        anthropic(r#"{"model":"claude-sonnet-4-5","max_tokens":1000}"#, Some(6_000 + 15_000));
        anthropic(r#"{"model":"claude-sonnet-4-5","speed":"standard"}"#, Some(6_000 + 1_920_000));
        anthropic(r#"{"model":"claude-sonnet-4-5","max_tokens":99999999999}"#, Some(6_000 + 1_920_000));
        let openai = |rest, body, expected| check(Vendor::OpenAi, OPENAI_BASE, rest, body, expected);
        let chat = |body, expected| openai("chat/completions", body, expected);
        chat(r#"{"model":"gpt-5.1","max_completion_tokens":100}"#, Some(1_250 + 1_000));
        chat(r#"{"model":"gpt-5.1","max_completion_tokens":100.0,"n":null}"#, Some(1_250 + 1_000));
        chat(r#"{"model":"gpt-5.1","max_tokens":7,"max_completion_tokens":100,"n":3}"#, Some(1_250 + 3_000));
        chat(r#"{"model":"gpt-5.1","max_tokens":100,"n":-3}"#, Some(1_250 + 1_000));
        chat(r#"{"model":"gpt-5.1","max_tokens":100,"service_tier":"priority"}"#, Some(2_500 + 2_000));
        openai("responses", r#"{"model":"gpt-5.1","max_output_tokens":100}"#, Some(1_250 + 1_000));
        openai("embeddings", r#"{"model":"text-embedding-3-small"}"#, Some(20));
        let gemini = r#"{"generationConfig":{"maxOutputTokens":100,"candidateCount":2}}"#;
        let (base, call) = (format!("{GEMINI_BASE}/v1beta"), "models/gemini-2.5-flash:generateContent");
        check(Vendor::Gemini, &base, call, gemini, Some(300 + 500));
    }

    #[test]
    fn what_cannot_be_known_has_no_price() {
        let chat = |body| check(Vendor::OpenAi, OPENAI_BASE, "chat/completions", body, None);
        for body in [
            "{}",
            "not json",
            r#"{"model":"nobody-knows"}"#,
            r#"{"model":"gpt-5.1","model":"gpt-5.1"}"#,
            r#"{"model":"gpt-5.1","max_tokens":"100"}"#,
            r#"{"model":"gpt-5.1","service_tier":"nobody-knows"}"#,
        ] {
            chat(body);
        }
        let fast = r#"{"model":"claude-opus-4-6","max_tokens":10,"speed":"fast"}"#;
        check(Vendor::Anthropic, ANTHROPIC_BASE, "messages", fast, None);
        let call = "models/gemini-2.5-flash:generateContent";
        let base = format!("{GEMINI_BASE}/v1beta");
        for twice in [
            r#"{"serviceTier":"standard","service_tier":"priority"}"#,
            r#"{"generationConfig":{"candidateCount":1},"generation_config":{"candidateCount":8}}"#,
        ] {
            check(Vendor::Gemini, &base, call, twice, None);
        }
    }

    #[test]
    fn what_the_deployment_says_counts() {
        let own = |input, output| ModelPrice {
            upstream: None,
            model: "ours".into(),
            tier: None,
            input,
            cached: None,
            cache_written: None,
            output,
        };
        let body = br#"{"model":"ours","max_tokens":10}"#;
        let micros = |own| {
            let asked = Asked::read(Vendor::OpenAi, "chat/completions", body).unwrap();
            asked.most_micros(&prices("http://127.0.0.1:1", &[own]))
        };
        assert_eq!(micros(own(2.0, 50.0)), Some(2 * body.len() as u64 + 500));
        assert_eq!(micros(own(0.0, 0.0)), Some(0), "a model of one's own may cost nothing");
    }

    #[test]
    fn what_an_answer_did_not_say_is_guessed_from_what_was_seen() {
        let words = "a word ".repeat(100);
        let body = format!(r#"{{"model":"m","max_tokens":50,"messages":"{words}"}}"#);
        let asked = Asked::read(Vendor::OpenAi, "chat/completions", body.as_bytes()).unwrap();
        let check = |seen: Seen, input: u64, output: u64, is_guessed: bool| {
            let (spent, guessed) = asked.spent(seen);
            assert_eq!((spent.tokens.input, spent.tokens.output, guessed), (input, output, is_guessed));
        };
        let probable = (body.len() as u64 + 1).div_ceil(4);
        check(Seen::default(), probable, 0, true);
        check(Seen { text_bytes: 9, ..Seen::default() }, probable, 3, true);
        check(Seen { text_bytes: 9000, ..Seen::default() }, probable, 50, true);
        let said = Some(Tokens { input: 70, output: 4, cached: 60, ..Tokens::default() });
        check(Seen { tokens: said, text_bytes: 9, ..Seen::default() }, 70, 4, true);
        check(Seen { tokens: said, text_bytes: 90, ..Seen::default() }, 70, 23, true);
        check(Seen { tokens: said, text_bytes: 90, is_all_said: true, ..Seen::default() }, 70, 4, false);
    }

    #[test]
    fn a_picture_is_not_taken_for_text() {
        let picture = format!(r#"{{"url":"data:image/png;base64,{}"}}"#, "iVBORw0K".repeat(10_000));
        assert_eq!(tokens_in(picture.as_bytes()), 1600 + 8);
        assert_eq!(tokens_in(b""), 1);
    }
}
