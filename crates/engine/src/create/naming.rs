//! What a session and its branch are called where nobody says it.

use lamplight_domain::SessionId;

/// Characters of a title made from a prompt, and of the slug in a branch's name.
const TITLE_CHARS: usize = 80;
const SLUG_CHARS: usize = 40;

/// For a title.
pub(crate) fn first_line(prompt: &str) -> String {
    let line = prompt.trim().lines().next().unwrap_or_default().trim();
    match line.char_indices().nth(TITLE_CHARS) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line.to_owned(),
    }
}

/// Lower-case letters and digits with single dashes, for a branch's name.
pub(super) fn slug(title: &str) -> String {
    let mut slug = String::new();
    for character in title.chars() {
        match character {
            'a'..='z' | '0'..='9' => slug.push(character),
            'A'..='Z' => slug.push(character.to_ascii_lowercase()),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(SLUG_CHARS);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "work".into() } else { slug.into() }
}

/// The part of a ULID that differs between sessions of the same moment.
pub(super) fn short(id: &SessionId) -> String {
    id.as_str()[16..].to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_becomes_a_branch_name_that_git_takes() {
        let check = |title: &str, expected: &str| assert_eq!(slug(title), expected);
        check("Fix the slugify bug!", "fix-the-slugify-bug");
        check("  ../../etc/passwd ", "etc-passwd");
        check("Größe: 100 %", "gr-e-100");
        check("日本語", "work");
        check(&"very long ".repeat(20), "very-long-very-long-very-long-very-long");
    }

    #[test]
    fn a_title_is_the_first_line_of_the_prompt() {
        assert_eq!(first_line("\n  Make it work \n and fast"), "Make it work");
        assert_eq!(first_line(&"ä".repeat(100)).chars().count(), TITLE_CHARS + 1);
    }
}
