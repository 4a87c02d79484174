//! Our part of a text that people write in too: it lies between two marks, and nothing else is touched.

const BEGIN: &str = "<!-- lamplight:begin -->";
const END: &str = "<!-- lamplight:end -->";

/// `text` with `ours` in the place of what we wrote there before, or at its end.
pub fn replace(text: &str, ours: &str) -> String {
    let section = format!("{BEGIN}\n{}\n{END}", ours.trim());
    let marked = text
        .split_once(BEGIN)
        .and_then(|(before, rest)| rest.split_once(END).map(|(_, after)| (before, after)));
    match marked {
        Some((before, after)) => format!("{before}{section}{after}"),
        None if text.trim().is_empty() => section,
        None => format!("{}\n\n{section}", text.trim_end()),
    }
}

/// What somebody else wrote, as a text that does nothing where it is read: it names no person, closes no issue, hides nothing and is no
/// mark of ours. At most `most` characters of it.
pub fn harmless(text: &str, most: usize) -> String {
    /// Looks like nothing, and keeps what is beside it from being read as one word.
    const JOINER: &str = "\u{2060}";
    let text = text.trim();
    let mut harmless: String = text.chars().take(most).collect();
    if harmless.len() < text.len() {
        harmless.push('…');
    }
    for (active, still) in [("@", "@"), ("#", "#"), ("/issues/", "/issues"), ("/pull/", "/pull")] {
        let rest = &active[still.len()..];
        harmless = harmless.replace(active, &format!("{still}{JOINER}{rest}"));
    }
    harmless.replace('<', "&lt;")
}

/// The same as a quotation.
pub fn quote(text: &str, most: usize) -> String {
    format!("> {}", harmless(text, most).replace('\n', "\n> "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_part_is_replaced() {
        let first = replace("Written by a person.\n", "one");
        assert_eq!(first, format!("Written by a person.\n\n{BEGIN}\none\n{END}"));
        let more = format!("{first}\n\nMore by a person.");
        assert_eq!(replace(&more, "two"), more.replace("one", "two"));
        assert_eq!(replace("", "alone"), format!("{BEGIN}\nalone\n{END}"));
        let torn = format!("{BEGIN}\na person removed the end");
        assert!(replace(&torn, "new").starts_with(&torn), "nothing of a person's is lost");
    }

    #[test]
    fn a_quotation_does_nothing() {
        let text = "Hello @maintainers, this fixes #1\nand https://example.org/o/r/issues/2 <!-- lamplight:end --> <img src=x>";
        let quoted = quote(text, 1000);
        for active in ["@maintainers", "#1", "/issues/2", "<"] {
            assert!(!quoted.contains(active), "{active} in {quoted}");
        }
        assert!(quoted.lines().all(|line| line.starts_with("> ")));
        assert_eq!(quote("abcdef", 3), "> abc…");
    }
}
