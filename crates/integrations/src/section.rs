//! Our part of a text that people write in too: it lies between two marks, and nothing else is touched. The second mark says what was between
//! them when we wrote it, so that what somebody changed there is seen, and kept behind it.

use ring::digest::{SHA256, digest};

const BEGIN: &str = "<!-- lamplight:begin -->";
const END: &str = "<!-- lamplight:end";
const CLOSE: &str = " -->";
/// Of what we wrote, in hexadecimal digits: enough to see a change that nobody made on purpose to deceive.
const DIGITS: usize = 16;
/// What somebody changed of ours is kept under this.
const KEPT: &str = "Changed by somebody in the part that Lamplight writes anew; kept as it was:";

/// Where it is in a text, with its marks, and what is between them.
struct Found<'a> {
    before: &'a str,
    inside: &'a str,
    /// Of what we wrote; `None` where the mark does not say.
    written: Option<&'a str>,
    after: &'a str,
}

/// `text` with `ours` in the place of what we wrote there before, or at its end. What somebody changed of it is kept.
pub fn replace(text: &str, ours: &str) -> String {
    let ours = ours.trim();
    let section = format!("{BEGIN}\n{ours}\n{END} {}{CLOSE}", fingerprint(ours));
    match find(text) {
        Some(found) => {
            let Found { before, after, .. } = found;
            let kept = kept(&found, ours);
            format!("{before}{section}{kept}{after}")
        }
        None if text.trim().is_empty() => section,
        None => format!("{}\n\n{section}", text.trim_end()),
    }
}

/// The one that is as we wrote it, else one that says what it was: people may have copied it, or parts of it.
fn find(text: &str) -> Option<Found<'_>> {
    let ends = text.match_indices(END).filter_map(|(at, _)| {
        let rest = &text[at + END.len()..];
        let (said, _) = rest.split_once(CLOSE)?;
        let said = said.trim();
        if !said.chars().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        let begin = text[..at].rfind(BEGIN)?;
        Some(Found {
            before: &text[..begin],
            inside: &text[begin + BEGIN.len()..at],
            written: (!said.is_empty()).then_some(said),
            after: &rest[rest.find(CLOSE)? + CLOSE.len()..],
        })
    });
    let mut all: Vec<_> = ends.collect();
    let is_ours = |found: &Found| found.written == Some(fingerprint(found.inside).as_str());
    let at = all.iter().position(is_ours).or_else(|| all.iter().position(|found| found.written.is_some()));
    let at = at.or((!all.is_empty()).then_some(0))?;
    Some(all.swap_remove(at))
}

/// What stood between the marks and is not what we wrote, or may not be; nothing where nobody changed it.
fn kept(found: &Found, ours: &str) -> String {
    let now = fingerprint(found.inside);
    let is_untouched = found.written == Some(now.as_str()) || now == fingerprint(ours);
    if is_untouched || found.inside.trim().is_empty() {
        return String::new();
    }
    // Of marks in it only the outermost would count.
    let inside = found.inside.trim().replace("<!-- lamplight:", "<!-- was lamplight:");
    format!("\n\n{KEPT}\n\n{inside}")
}

/// The same whatever ends its lines: GitHub's page changes that.
fn fingerprint(text: &str) -> String {
    let lines: Vec<_> = text.trim().lines().map(str::trim_end).collect();
    let hash = digest(&SHA256, lines.join("\n").as_bytes());
    let digits: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    digits[..DIGITS].to_owned()
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
        let alone = replace("", "one");
        assert_eq!(first, format!("Written by a person.\n\n{alone}"));
        let more = format!("{first}\n\nMore by a person.");
        assert_eq!(replace(&more, "two"), more.replace(&alone, &replace("", "two")));
        assert_eq!(replace(&more, "one"), more, "and nothing where nothing is new");
        let torn = format!("{BEGIN}\na person removed the end");
        let new = replace(&torn, "new");
        assert!(new.starts_with(&torn) && replace(&new, "newer").starts_with(&torn), "{new}");
        // Marks that do not say what we wrote may be around anything.
        let unsaid = format!("{BEGIN}\none\n{END}{CLOSE}");
        assert!(replace(&unsaid, "two").contains("\n\none"));
        assert_eq!(replace(&unsaid, "one"), alone);
    }

    #[test]
    fn what_somebody_writes_between_the_marks_is_kept_once() {
        let first = replace("Before.", "one\n- a\n- b");
        let changed =
            format!("{}\n\nBehind.", first.replace("- a\n", "- a, but see #5\n").replace('\n', "\r\n"));
        let second = replace(&changed, "two");
        for part in ["Before.", "- a, but see #5", "Behind.", "two", KEPT] {
            assert_eq!(second.matches(part).count(), 1, "{part}: {second}");
        }
        assert!(
            second.find("two") < second.find(KEPT) && second.find("- b") < second.find("Behind."),
            "{second}"
        );
        // Who looks whether something has changed writes nothing; line endings are no change.
        assert_eq!(replace(&second, "two"), second);
        let third = replace(&second.replace('\n', "\r\n"), "three");
        assert_eq!((third.matches(KEPT).count(), third.contains("two")), (1, false), "{third}");
    }

    /// Numbers below a bound, the same for the same seed.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: usize) -> usize {
            // Source: Marsaglia, "Xorshift RNGs".
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % sides as u64) as usize
        }

        /// What a person may write anywhere: words, line ends, and marks that look like ours.
        fn text(&mut self) -> String {
            let parts =
                ["a word", "\n", "\r\n", "- [ ] x", BEGIN, "<!-- lamplight:end -->", "<!-- note -->", " "];
            let count = self.roll(6);
            (0..count).map(|_| parts[self.roll(parts.len())]).collect()
        }
    }

    /// Of one character, so that no later one is written into it.
    fn word(number: usize) -> char {
        char::from_u32('一' as u32 + number as u32).unwrap()
    }

    /// Somebody inserts words of theirs anywhere, as often as we write ours: each is there in the end, and ours once, the newest.
    #[test]
    fn nothing_of_a_persons_is_lost_wherever_it_stands() {
        for seed in 1..=3_000 {
            let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
            let mut text = replace(&dice.text(), "ours\n\n- 0");
            let edits = 1 + dice.roll(4);
            for number in 1..=edits {
                let at = dice.roll(text.len() + 1);
                let at = text.floor_char_boundary(at);
                // A mark that is cut in two is text like any other.
                text.insert_str(at, &format!("{}{}", dice.text(), word(number)));
                text = replace(&text, &format!("ours\n\n- {number}"));
                let lost = (1..=number).find(|known| !text.contains(word(*known)));
                assert_eq!(lost, None, "{seed}: {text}");
            }
            let newest = replace("", &format!("ours\n\n- {edits}"));
            assert_eq!(text.matches(&newest).count(), 1, "{seed}: {text}");
        }
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
