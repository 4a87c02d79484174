//! Requests beside the conversation: agents ask for titles and for names of their tool calls. They are answered
//! with words of the request, so that what people see makes sense.

use serde_json::Value;

use crate::asked::Asked;
use crate::schema::some_value;

/// Words of a title.
const TITLE_WORDS: usize = 7;

/// Characters of a command that name a tool call.
const COMMAND_CHARACTERS: usize = 40;

/// What comes before the person's own words in a request for a title, and what after: goose, Claude, Codex.
const QUOTES: [(&str, &str); 3] = [
    ("---BEGIN USER MESSAGES---", "---END USER MESSAGES---"),
    ("<session>", "</session>"),
    ("User's first message:", "\u{0}"),
];

/// The answer, in the shape that the request wants.
pub(crate) fn answer(fixed: Option<&str>, asked: &Asked, prompt: &str) -> String {
    let words = fixed.map(str::to_owned).or_else(|| name_of_call(prompt)).unwrap_or_else(|| title(prompt));
    match &asked.answer_schema {
        Some(schema) => some_value(schema, &words).to_string(),
        None => words,
    }
}

/// goose asks for a phrase for each tool call: `Tool: NAME`, then `Arguments: JSON`.
fn name_of_call(prompt: &str) -> Option<String> {
    let (tool, arguments) = prompt.strip_prefix("Tool: ")?.split_once("\nArguments: ")?;
    let arguments: Value = serde_json::from_str(arguments).ok()?;
    let text = |name: &str| arguments[name].as_str();
    Some(match (text("command"), text("path")) {
        (Some(command), _) => {
            format!("running {}", command.chars().take(COMMAND_CHARACTERS).collect::<String>())
        }
        (None, Some(path)) => format!("{tool} of {}", path.rsplit('/').next().unwrap_or(path)),
        (None, None) => tool.to_owned(),
    })
}

fn title(prompt: &str) -> String {
    let quoted = QUOTES.iter().find_map(|(before, after)| {
        let (_, rest) = prompt.split_once(before)?;
        Some(rest.split(after).next().unwrap_or(rest))
    });
    let words = quoted.unwrap_or(prompt).split_whitespace().filter(|word| !word.starts_with("[["));
    let title = words.take(TITLE_WORDS).collect::<Vec<_>>().join(" ");
    if title.is_empty() { "Scripted session".to_owned() } else { title.trim_end_matches('.').to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_made_of_the_persons_words() {
        assert_eq!(title("Make the [[scenario:text]] failing\ntest pass."), "Make the failing test pass");
        assert_eq!(title("Be brief.\n<session>\nRename it\n</session>\nNo quotes."), "Rename it");
        assert_eq!(title("Return JSON.\n\nUser's first message:\nWhy?"), "Why?");
        assert_eq!(title("[[scenario:text]]"), "Scripted session");
    }

    #[test]
    fn a_tool_call_is_named_by_what_it_does() {
        let name = |prompt| name_of_call(prompt);
        assert_eq!(name("Tool: shell\nArguments: {\"command\":\"ls -a\"}"), Some("running ls -a".into()));
        assert_eq!(name("Tool: edit\nArguments: {\"path\":\"/a/b.py\"}"), Some("edit of b.py".into()));
        assert_eq!(name("Tool: shell"), None);
    }
}
