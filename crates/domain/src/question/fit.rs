//! Whether an answer is one to its question. Here and nowhere else; what the page looks at before is for people's comfort.

use super::{Choice, Field, FieldValue, MAX_ANSWER_BYTES, Question, Takes, TextFormat};
use std::collections::BTreeMap;

/// Why an answer is none to the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// By its name; `None` when it is the answer as a whole.
    pub field: Option<String>,
    pub why: String,
}

impl Question {
    /// Looks whether each value is for a field that there is, of its kind and within its bounds, and whether none is missing.
    pub fn fits(&self, content: &BTreeMap<String, FieldValue>) -> Result<(), Misfit> {
        let bytes: usize = content.iter().map(|(name, value)| name.len() + value.bytes()).sum();
        if bytes > MAX_ANSWER_BYTES {
            return Err(Misfit { field: None, why: format!("it is longer than {MAX_ANSWER_BYTES} bytes") });
        }
        let misfit = |field: &str, why: String| Misfit { field: Some(field.to_owned()), why };
        if let Some(name) = content.keys().find(|name| self.field(name).is_none()) {
            return Err(misfit(name, "the agent did not ask for it".to_owned()));
        }
        for field in &self.fields {
            match content.get(&field.name) {
                Some(value) => field.takes.fits(value).map_err(|why| misfit(&field.name, why))?,
                None if field.required => return Err(misfit(&field.name, "it is required".to_owned())),
                None => {}
            }
        }
        Ok(())
    }

    fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl FieldValue {
    fn bytes(&self) -> usize {
        match self {
            Self::YesNo(_) | Self::Integer(_) | Self::Number(_) => 0,
            Self::Text(text) => text.len(),
            Self::Choices(chosen) => chosen.iter().map(String::len).sum(),
        }
    }
}

impl Takes {
    fn fits(&self, value: &FieldValue) -> Result<(), String> {
        match (self, value) {
            (Self::Text { format, min_length, max_length, .. }, FieldValue::Text(text)) => {
                let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
                within(length, *min_length, *max_length, "characters")?;
                format.map_or(Ok(()), |format| format.fits(text))
            }
            (Self::Number { minimum, maximum, .. }, FieldValue::Number(number)) => {
                within(*number, *minimum, *maximum, "")
            }
            // What JSON writes without a point is a number too; what is lost of a huge one is lost in JSON as well.
            (Self::Number { minimum, maximum, .. }, FieldValue::Integer(number)) => {
                within(*number as f64, *minimum, *maximum, "")
            }
            (Self::Integer { minimum, maximum, .. }, FieldValue::Integer(number)) => {
                within(*number, *minimum, *maximum, "")
            }
            (Self::YesNo { .. }, FieldValue::YesNo(_)) => Ok(()),
            (Self::Choice { choices, .. }, FieldValue::Text(chosen)) => offered(choices, chosen),
            (Self::Choices { choices, min_items, max_items, .. }, FieldValue::Choices(chosen)) => {
                for (place, one) in chosen.iter().enumerate() {
                    offered(choices, one)?;
                    if chosen[..place].contains(one) {
                        return Err(format!("{one:?} is chosen twice"));
                    }
                }
                let count = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
                within(count, *min_items, *max_items, "choices")
            }
            (Self::Text { .. } | Self::Choice { .. }, _) => Err("it has to be a text".to_owned()),
            (Self::Number { .. }, _) => Err("it has to be a number".to_owned()),
            (Self::Integer { .. }, _) => Err("it has to be a whole number".to_owned()),
            (Self::YesNo { .. }, _) => Err("it has to be true or false".to_owned()),
            (Self::Choices { .. }, _) => Err("it has to be a list of texts".to_owned()),
        }
    }
}

fn within<T: PartialOrd + std::fmt::Display>(
    value: T,
    least: Option<T>,
    most: Option<T>,
    of: &str,
) -> Result<(), String> {
    match (least, most) {
        (Some(least), _) if value < least => Err(format!("at least {least} {of}").trim_end().to_owned()),
        (_, Some(most)) if value > most => Err(format!("at most {most} {of}").trim_end().to_owned()),
        _ => Ok(()),
    }
}

fn offered(choices: &[Choice], chosen: &str) -> Result<(), String> {
    if choices.iter().any(|choice| choice.value == chosen) {
        return Ok(());
    }
    Err(format!("the agent did not offer {chosen:?}"))
}

impl TextFormat {
    fn fits(self, text: &str) -> Result<(), String> {
        let (fits, example) = match self {
            Self::Email => (is_email(text), "ada@example.org"),
            Self::Uri => (is_uri(text), "https://example.org"),
            Self::Date => (is_date(text), "2026-01-31"),
            Self::DateTime => (is_date_time(text), "2026-01-31T12:00:00Z"),
        };
        if fits { Ok(()) } else { Err(format!("it has to look like {example}")) }
    }
}

/// Roughly: whether it is somebody's only a mail would tell.
fn is_email(text: &str) -> bool {
    let is_plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let parts = text.split_once('@');
    is_plain && parts.is_some_and(|(who, at)| !who.is_empty() && !at.is_empty() && !at.contains('@'))
}

/// A scheme and something behind it. Source: RFC 3986, section 3.1.
fn is_uri(text: &str) -> bool {
    let is_plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    is_plain && is_scheme && !rest.is_empty()
}

/// Source: RFC 3339, `full-date`.
fn is_date(text: &str) -> bool {
    let Some([year, month, day]) = numbers(text, '-', [4, 2, 2]) else { return false };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// Source: RFC 3339, `date-time`.
fn is_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once(['T', 't']) else { return false };
    let Some(zone) = time.find(['Z', 'z', '+', '-']) else { return false };
    let (time, zone) = time.split_at(zone);
    let is_zone = match zone {
        "Z" | "z" => true,
        _ => numbers(&zone[1..], ':', [2, 2]).is_some_and(|[hours, minutes]| hours < 24 && minutes < 60),
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let is_time = numbers(time, ':', [2, 2, 2])
        .is_some_and(|[hours, minutes, seconds]| hours < 24 && minutes < 60 && seconds <= 60);
    is_date(date) && is_time && is_fraction && is_zone
}

/// Numbers of so many digits each, with a mark between any two.
fn numbers<const N: usize>(text: &str, between: char, digits: [usize; N]) -> Option<[u32; N]> {
    let mut found = [0; N];
    let mut parts = text.split(between);
    for (number, digits) in found.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits)?;
        if !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
