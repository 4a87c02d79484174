//! What people say of the changes of a pull request, in a review or at their lines: what of it is for us, and where it is answered.

use super::status;
use lamplight_domain::PromptId;
use lamplight_integrations::github::{Review, ReviewComment, Words};
use lamplight_store::ReplyOwed;
use std::fmt::Write as _;

/// One thing that somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// Of the comment, or of the review whose summary it is.
    pub id: u64,
    /// The comment that its thread begins with; 0 is a summary, which has none.
    pub thread: u64,
    pub review: Option<u64>,
    pub by: String,
    /// Where it stands, for whoever reads it elsewhere.
    pub place: String,
    /// The changes there, and what was said there before.
    pub context: String,
    pub text: String,
}

impl Said {
    pub(super) fn summary(review: Review) -> Self {
        Self {
            id: review.id,
            thread: 0,
            review: Some(review.id),
            by: review.user.map_or_else(|| "somebody".to_owned(), |user| user.login),
            place: "of the whole".to_owned(),
            context: String::new(),
            text: review.body.unwrap_or_default(),
        }
    }

    /// `all` is what is said at lines of the same pull request.
    pub(super) fn at_line(comment: &ReviewComment, all: &[ReviewComment]) -> Self {
        let by = |comment: &ReviewComment| {
            comment.user.as_ref().map_or("somebody", |user| user.login.as_str()).to_owned()
        };
        let mut context = comment.diff_hunk.trim_end().to_owned();
        let thread = comment.thread();
        for before in all.iter().filter(|one| one.thread() == thread && one.id < comment.id) {
            let said = before.body.as_deref().unwrap_or_default().trim();
            let _ = write!(context, "\n\n{} said there: {said}", by(before));
        }
        Self {
            id: comment.id,
            thread,
            review: comment.review,
            by: by(comment),
            place: match comment.line {
                Some(line) => format!("{}, line {line}", comment.path),
                None => comment.path.clone(),
            },
            context,
            text: comment.body.clone().unwrap_or_default(),
        }
    }

    /// Nothing at all, and what we said ourselves, is for nobody.
    pub(super) fn says_something(&self) -> bool {
        !self.text.trim().is_empty() && !status::has_mark(Some(&self.text))
    }
}

/// What is said to us. A summary that means us means the whole of its review.
pub(super) fn meant(words: &Words, said: &mut Vec<Said>) {
    let summaries = said.iter().filter(|one| one.thread == 0 && words.is_request(&one.text));
    let whole: Vec<_> = summaries.filter_map(|one| one.review).collect();
    said.retain(|one| {
        words.is_request(&one.text) || one.review.is_some_and(|review| whole.contains(&review))
    });
}

/// The answers to what is in one prompt, in its order.
pub(super) fn owed(said: &[Said], prompt: &PromptId) -> Vec<ReplyOwed> {
    let owed = (1..).zip(said).map(|(number, one)| ReplyOwed {
        about: one.id,
        thread: one.thread,
        prompt: prompt.clone(),
        number,
    });
    owed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_is_for_us_as_far_as_it_says_so() {
        let words = Words { label: String::new(), mention: "@lamplight".to_owned(), assignee: None };
        let said = |id: u64, thread: u64, review: u64, text: &str| Said {
            id,
            thread,
            review: Some(review),
            by: "bob".to_owned(),
            place: String::new(),
            context: String::new(),
            text: text.to_owned(),
        };
        let all = [
            said(1, 0, 1, "@lamplight see below"),
            said(2, 2, 1, "One"),
            said(3, 0, 3, "For people"),
            said(4, 4, 3, "For people"),
            said(5, 5, 3, "@lamplight this"),
        ];
        let mut kept = all.to_vec();
        meant(&words, &mut kept);
        assert_eq!(kept, [all[0].clone(), all[1].clone(), all[4].clone()]);
    }

    #[test]
    fn an_answer_in_a_thread_comes_with_what_was_said_there() {
        let comment = |id: u64, to: Option<u64>, body: &str| ReviewComment {
            id,
            user: None,
            body: Some(body.to_owned()),
            path: "a.txt".to_owned(),
            line: Some(7),
            in_reply_to_id: to,
            review: Some(id + 100),
            diff_hunk: "@@ -1 +1 @@\n+two\n".to_owned(),
            created_at: None,
        };
        let all = [comment(1, None, "Why?"), comment(2, None, "Elsewhere."), comment(3, Some(1), "Do it.")];
        let said = Said::at_line(&all[2], &all);
        assert_eq!((said.thread, said.place.as_str()), (1, "a.txt, line 7"));
        assert_eq!(said.context, "@@ -1 +1 @@\n+two\n\nsomebody said there: Why?");
    }
}
