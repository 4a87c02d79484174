//! The words of texts, cut as SQLite's FTS5 cuts them (`unicode61 remove_diacritics 2`), so that with both databases the same is found:
//! letters and digits make a word; case and accents do not count.
//!
//! PostgreSQL's own parsers would keep `number_7` or a path as one word and need a dictionary for each language; what it is given here is only
//! compared and indexed.

use std::fmt::Write as _;
use std::ops::Range;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Words of a text that are found; a `tsvector` knows no place behind this one.
const FOUND: usize = 16_383;
/// Bytes of a `tsvector` as it is written, which is more than it holds; it may hold a mebibyte.
const VECTOR_BYTES: usize = 1_000_000;
/// Bytes of a word that count; a `tsvector` takes 2,046.
const WORD_BYTES: usize = 2_000;
/// Words of a query that count.
const QUERY_WORDS: usize = 16;
/// Words in a snippet, and how many of them come before what was found.
const SNIPPET: usize = 16;
const BEFORE: usize = 4;

struct Word {
    at: Range<usize>,
    /// Without case and accents.
    folded: String,
}

fn words(text: &str) -> impl Iterator<Item = Word> {
    let mut rest = text.char_indices().peekable();
    std::iter::from_fn(move || {
        while rest.next_if(|(_, c)| !c.is_alphanumeric()).is_some() {}
        let (from, _) = *rest.peek()?;
        let (mut to, mut folded) = (from, String::new());
        while let Some((at, c)) = rest.next_if(|(_, c)| c.is_alphanumeric() || is_combining_mark(*c)) {
            to = at + c.len_utf8();
            if folded.len() < WORD_BYTES {
                folded.extend(c.to_lowercase().nfd().filter(|c| !is_combining_mark(*c)));
            }
        }
        Some(Word { at: from..to, folded })
    })
}

/// A text as a `tsvector` is written. Words are letters and digits, so nothing in them has to be escaped.
pub(crate) fn vector(text: &str) -> String {
    let mut vector = String::new();
    for (n, word) in (1..=FOUND).zip(words(text).filter(|word| !word.folded.is_empty())) {
        if vector.len() + word.folded.len() > VECTOR_BYTES {
            break;
        }
        write!(vector, "'{}':{n} ", word.folded).expect("a String takes everything");
    }
    vector
}

/// What has to stand together, in this order.
type Phrase = Vec<String>;

/// The phrases of a query: one for each of its words.
fn phrases(query: &str) -> Vec<Phrase> {
    query
        .split_whitespace()
        .map(|word| words(word).map(|word| word.folded).filter(|word| !word.is_empty()).collect())
        .filter(|phrase: &Phrase| !phrase.is_empty())
        .take(QUERY_WORDS)
        .collect()
}

/// All of the words, as a `tsquery` is written; the last one may be only begun. `None` when there is no word.
pub(crate) fn query(query: &str) -> Option<String> {
    let mut text = phrases(query)
        .iter()
        .map(|phrase| {
            let words: Vec<String> = phrase.iter().map(|word| format!("'{word}'")).collect();
            words.join(" <-> ")
        })
        .collect::<Vec<_>>()
        .join(" & ");
    if text.is_empty() {
        return None;
    }
    text.push_str(":*");
    Some(text)
}

/// The words of a query in their surroundings, each between U+0002 and U+0003.
pub(crate) fn snippet(text: &str, query: &str) -> String {
    let words: Vec<Word> = words(text).collect();
    let found = found(&words, &phrases(query));
    let first = found.first().map_or(0, |range| range.start);
    let last_start = words.len().saturating_sub(SNIPPET);
    let from = if words.len() <= SNIPPET { 0 } else { first.saturating_sub(BEFORE).min(last_start) };
    let to = (from + SNIPPET).min(words.len());
    let begin = if from == 0 { 0 } else { words[from].at.start };
    let end = if to == words.len() { text.len() } else { words[to - 1].at.end };
    let mut snippet = String::from(if from == 0 { "" } else { "…" });
    let mut at = begin;
    for range in found.iter().filter(|range| range.start >= from && range.end <= to) {
        let (start, stop) = (words[range.start].at.start, words[range.end - 1].at.end);
        snippet.push_str(&text[at..start]);
        snippet.push('\u{2}');
        snippet.push_str(&text[start..stop]);
        snippet.push('\u{3}');
        at = stop;
    }
    snippet.push_str(&text[at..end]);
    if to < words.len() {
        snippet.push('…');
    }
    snippet
}

/// Where the phrases are, in order, none over another.
fn found(words: &[Word], phrases: &[Phrase]) -> Vec<Range<usize>> {
    let (mut found, mut n) = (Vec::new(), 0);
    while n < words.len() {
        let longest = phrases.iter().enumerate().filter(|(p, phrase)| {
            let is_last = p + 1 == phrases.len();
            is_here(&words[n..], phrase, is_last)
        });
        match longest.map(|(_, phrase)| phrase.len()).max() {
            Some(length) => {
                found.push(n..n + length);
                n += length;
            }
            None => n += 1,
        }
    }
    found
}

fn is_here(words: &[Word], phrase: &Phrase, is_begun: bool) -> bool {
    words.len() >= phrase.len()
        && phrase.iter().zip(words).enumerate().all(|(n, (wanted, word))| {
            let may_go_on = is_begun && n + 1 == phrase.len();
            word.folded == *wanted || (may_go_on && word.folded.starts_with(wanted.as_str()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_digits_without_case_and_accents() {
        assert_eq!(vector("Ça marche, déjà: number_7!"), "'ca':1 'marche':2 'deja':3 'number':4 '7':5 ");
        assert_eq!(vector("e\u{301}te\u{301} -- '\\ \u{301}"), "'ete':1 ");
        assert_eq!(vector(&"x".repeat(5000)).len(), WORD_BYTES + 5);
        assert!(vector(&"a ".repeat(20_000)).ends_with(&format!("'a':{FOUND} ")));
        assert!(vector(&format!("{} ", "ab".repeat(900)).repeat(2000)).len() <= VECTOR_BYTES + 16);
    }

    #[test]
    fn a_query_is_all_of_its_words() {
        assert_eq!(query("number_7 \"PLEASE men").as_deref(), Some("'number' <-> '7' & 'please' & 'men':*"));
        assert_eq!(query(" -- \" ' "), None);
    }

    #[test]
    fn a_snippet_shows_what_was_found_in_its_surroundings() {
        assert_eq!(snippet("Please mend number_7", "number_7"), "Please mend \u{2}number_7\u{3}");
        let long = format!("{}the needle, {}end.", "hay ".repeat(20), "straw ".repeat(20));
        assert_eq!(
            snippet(&long, "need"),
            format!("…hay hay hay the \u{2}needle\u{3}, {}straw…", "straw ".repeat(10))
        );
        assert_eq!(snippet("", "x"), "");
    }
}
