//! What an agent asks, and what was answered, in words for a terminal. All that the agent said is cleaned.

use super::output::{clean, first_line};
use lamplight_domain::Question;
use lamplight_domain::permission::{Answer, AnsweredBy};
use lamplight_domain::question::{Choice, Field, QuestionAnswered, Reply, Takes, TextFormat};

/// Characters of one line.
const WIDTH: usize = 100;

/// A line for each field: `channel*: one of stable, beta (Channel)`; with an asterisk what is required.
pub(super) fn fields(question: &Question) -> Vec<String> {
    question.fields.iter().map(field).collect()
}

fn field(field: &Field) -> String {
    let required = if field.required { "*" } else { "" };
    let title = field.title.as_deref().or(field.description.as_deref());
    let title = title.map(|title| format!(" ({title})")).unwrap_or_default();
    first_line(&format!("{}{required}: {}{title}", field.name, takes(&field.takes)), WIDTH)
}

fn takes(takes: &Takes) -> String {
    match takes {
        Takes::Text { format, .. } => match format {
            None => "a text".to_owned(),
            Some(TextFormat::Email) => "an e-mail address".to_owned(),
            Some(TextFormat::Uri) => "an address with its scheme".to_owned(),
            Some(TextFormat::Date) => "a date such as 2026-01-31".to_owned(),
            Some(TextFormat::DateTime) => "a moment such as 2026-01-31T12:00:00Z".to_owned(),
        },
        Takes::Number { .. } => "a number".to_owned(),
        Takes::Integer { .. } => "a whole number".to_owned(),
        Takes::YesNo { .. } => "yes or no".to_owned(),
        Takes::Choice { choices, .. } => format!("one of {}", titles(choices)),
        Takes::Choices { choices, .. } => format!("any of {}", titles(choices)),
    }
}

fn titles(choices: &[Choice]) -> String {
    choices.iter().map(|choice| choice.title.as_str()).collect::<Vec<_>>().join(", ")
}

/// `None` where there is no news.
pub(super) fn permission_answered(answer: &Answer, by: &AnsweredBy) -> Option<String> {
    let what = match answer {
        Answer::Selected { option } => clean(option),
        Answer::Cancelled => "cancelled".to_owned(),
    };
    match by {
        // Unattended work allows everything inside its sandbox; that is no news.
        AnsweredBy::Policy => None,
        AnsweredBy::Person { .. } | AnsweredBy::Deadline | AnsweredBy::Stop => Some(by_whom(by, &what)),
    }
}

pub(super) fn question_answered(answered: &QuestionAnswered) -> String {
    let what = match &answered.reply {
        Reply::Accepted { content } if content.is_empty() => "yes".to_owned(),
        Reply::Accepted { content } => first_line(&serde_json::to_string(content).unwrap_or_default(), WIDTH),
        Reply::Declined => "declined".to_owned(),
        Reply::Cancelled => "cancelled".to_owned(),
    };
    match &answered.why {
        Some(why) => format!("{what}: {}", first_line(why, WIDTH)),
        None => by_whom(&answered.by, &what),
    }
}

fn by_whom(by: &AnsweredBy, what: &str) -> String {
    match by {
        AnsweredBy::Policy => format!("answered by policy: {what}"),
        AnsweredBy::Person { name } => format!("answered by {}: {what}", clean(name)),
        AnsweredBy::Deadline => format!("nobody answered in time: {what}"),
        AnsweredBy::Stop => format!("answered by the stop: {what}"),
    }
}
