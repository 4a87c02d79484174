//! `lamplight answer`

use super::SessionArgument;
use super::asking;
use super::client::Client;
use super::output::{Output, Style, clean, first_line};
use crate::http::resources::{OpenPermission, OpenQuestion, SessionView};
use crate::http::sessions::answer::AnswerRequest;
use crate::http::sessions::answer_question::{QuestionAction, QuestionAnswer};
use anyhow::{Context, bail};
use clap::Args;
use lamplight_domain::Question;
use lamplight_domain::question::{Choice, Field, FieldValue, Takes};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    session: SessionArgument,
    /// One of the options, or NAME=VALUE for each field of a question; a VALUE alone is for its first field, and `yes` is
    /// for a question without fields. Without any, what is asked is shown
    #[arg(value_name = "ANSWER")]
    answers: Vec<String>,
    /// Leave a question unanswered; the agent goes on
    #[arg(long, conflicts_with_all = ["answers", "cancel"])]
    decline: bool,
    /// Cancel what is asked
    #[arg(long, conflicts_with = "answers")]
    cancel: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    client: &Client,
    output: &mut Output,
) -> anyhow::Result<ExitCode> {
    let id = client.resolve(&arguments.session.session).await?;
    let view = client.session(&id).await?;
    let only_looks = arguments.answers.is_empty() && !arguments.decline && !arguments.cancel;
    let view: SessionView = match (&view.permission, &view.question) {
        (None, None) => bail!("the agent of this session asks nothing now"),
        _ if only_looks => {
            if arguments.json {
                output.json(&view)?;
            } else {
                show(&view, output)?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        (Some(open), _) => {
            let answer = permission(open, arguments)?;
            client.post(&format!("/sessions/{id}/permission"), Some(&answer)).await?
        }
        (None, Some(open)) => {
            let answer = question(open, arguments)?;
            client.post(&format!("/sessions/{id}/question"), Some(&answer)).await?
        }
    };
    if arguments.json {
        output.json(&view)?;
    } else {
        output.line("Answered.")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(view: &SessionView, output: &mut Output) -> anyhow::Result<()> {
    if let Some(open) = &view.permission {
        output.line(&output.paint(Style::Bold, &format!("Leave to {}", first_line(&open.title, 100))))?;
        for option in &open.options {
            output.line(&format!("  {}  {}", clean(&option.id), first_line(&option.name, 80)))?;
        }
    } else if let Some(open) = &view.question {
        output.line(&output.paint(Style::Bold, clean(&open.question.message).trim()))?;
        for field in asking::fields(&open.question) {
            output.line(&format!("  {field}"))?;
        }
    }
    Ok(())
}

fn permission(open: &OpenPermission, arguments: &Arguments) -> anyhow::Result<AnswerRequest> {
    let request = open.request.clone();
    if arguments.cancel {
        return Ok(AnswerRequest { request, option: None });
    }
    let [answer] = arguments.answers.as_slice() else {
        bail!("the agent asks leave to do something: answer with one of the options, or --cancel");
    };
    let named = open.options.iter().find(|option| option.id == *answer || option.name == *answer);
    let option = named.map_or_else(|| answer.clone(), |option| option.id.clone());
    Ok(AnswerRequest { request, option: Some(option) })
}

fn question(open: &OpenQuestion, arguments: &Arguments) -> anyhow::Result<QuestionAnswer> {
    let request = open.request.clone();
    let (action, content) = if arguments.cancel {
        (QuestionAction::Cancel, None)
    } else if arguments.decline {
        (QuestionAction::Decline, None)
    } else {
        (QuestionAction::Accept, Some(filled(&open.question, &arguments.answers)?))
    };
    Ok(QuestionAnswer { request, action, content })
}

/// What these words fill in; whether that fits is the server's to say.
fn filled(question: &Question, answers: &[String]) -> anyhow::Result<BTreeMap<String, FieldValue>> {
    let mut content = BTreeMap::new();
    let Some(first) = question.fields.first() else {
        if answers != ["yes"] {
            bail!("the question has no fields: answer with yes, --decline or --cancel");
        }
        return Ok(content);
    };
    for answer in answers {
        let named = answer.split_once('=').and_then(|(name, value)| {
            let field = question.fields.iter().find(|field| field.name == name)?;
            Some((field, value))
        });
        let (field, word) = named.unwrap_or((first, answer.as_str()));
        let value = value(field, word).with_context(|| format!("fill in {:?}", clean(&field.name)))?;
        match content.entry(field.name.clone()) {
            Entry::Vacant(place) => {
                place.insert(value);
            }
            Entry::Occupied(mut place) => match (place.get_mut(), value) {
                (FieldValue::Choices(chosen), FieldValue::Choices(more)) => chosen.extend(more),
                _ => bail!("{:?} is filled in twice", clean(&field.name)),
            },
        }
    }
    Ok(content)
}

fn value(field: &Field, word: &str) -> anyhow::Result<FieldValue> {
    Ok(match &field.takes {
        Takes::Text { .. } => FieldValue::Text(word.to_owned()),
        Takes::Number { .. } => FieldValue::Number(word.parse().context("say a number")?),
        Takes::Integer { .. } => FieldValue::Integer(word.parse().context("say a whole number")?),
        Takes::YesNo { .. } => match word {
            "yes" | "true" => FieldValue::YesNo(true),
            "no" | "false" => FieldValue::YesNo(false),
            _ => bail!("say yes or no"),
        },
        Takes::Choice { choices, .. } => FieldValue::Text(chosen(choices, word)),
        Takes::Choices { choices, .. } => FieldValue::Choices(vec![chosen(choices, word)]),
    })
}

/// By its value, or else by its title.
fn chosen(choices: &[Choice], word: &str) -> String {
    let by_value = choices.iter().find(|choice| choice.value == word);
    let found = by_value.or_else(|| choices.iter().find(|choice| choice.title.eq_ignore_ascii_case(word)));
    found.map_or(word, |choice| &choice.value).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(answers: &[&str], expected: Result<Value, &str>) {
        let choices = json!([{ "value": "s", "title": "Stable" }, { "value": "b", "title": "Beta" }]);
        let question = serde_json::from_value(json!({ "message": "?", "fields": [
            { "name": "channel", "takes": { "kind": "choice", "choices": choices } },
            { "name": "some", "takes": { "kind": "choices", "choices": choices } },
            { "name": "keep", "takes": { "kind": "integer" } },
            { "name": "share", "takes": { "kind": "number" } },
            { "name": "sign", "takes": { "kind": "yes_no" } },
            { "name": "note", "takes": { "kind": "text" } },
        ] }))
        .unwrap();
        let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        let got = filled(&question, &answers).map(|content| serde_json::to_value(content).unwrap());
        assert_eq!(got.map_err(|error| format!("{error:#}")), expected.map_err(str::to_owned), "{answers:?}");
    }

    #[test]
    fn words_fill_in_the_fields() {
        check(&["s"], Ok(json!({ "channel": "s" })));
        check(&["beta"], Ok(json!({ "channel": "b" })));
        check(&["other=1"], Ok(json!({ "channel": "other=1" })));
        check(&["some=s", "some=Beta"], Ok(json!({ "some": ["s", "b"] })));
        check(
            &["keep=3", "share=1.5", "sign=yes", "note=a=b"],
            Ok(json!({ "keep": 3, "share": 1.5, "sign": true, "note": "a=b" })),
        );
        check(&["s", "b"], Err("\"channel\" is filled in twice"));
        check(&["sign=maybe"], Err("fill in \"sign\": say yes or no"));
    }

    #[test]
    fn a_question_without_fields_takes_a_yes() {
        let yes = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            filled(&Question::default(), &words).is_ok()
        };
        assert_eq!(
            (yes(&["yes"]), yes(&["no"]), yes(&[]), yes(&["yes", "yes"])),
            (true, false, false, false)
        );
    }
}
