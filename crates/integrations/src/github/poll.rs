//! What happened since the last look, for where nobody can send us anything. Asked with the tag of the answer before, so that a look at a
//! repository in which nothing happened counts for nothing (docs.github.com, "Best practices for using the REST API": conditional requests).

use super::client::{Fresh, GitHub, Tag};
use super::error::GitHubError;
use super::occurrence::{Author, Occurrence, What, cut};
use super::{Repository, Review, User};
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is asked for at a time.
const PAGE: usize = 100;
/// Of what happened between two looks no more than so many pages are read; the rest is read in the next.
const PAGES: usize = 10;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Watch {
    /// Labels and assignments.
    Events,
    Comments,
    Issues,
    /// Comments at lines of what pull requests change.
    Remarks,
    /// Summaries of reviews, of which there is no list but that of each pull request.
    Reviews,
}

/// What a look brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Each with a name that it has in every look.
    pub occurrences: Vec<(String, Occurrence)>,
    /// From where the next look goes on.
    pub mark: String,
    /// For the next look.
    pub tag: Option<Tag>,
}

#[derive(Debug, Deserialize)]
struct EventPart {
    id: u64,
    event: String,
    #[serde(default)]
    actor: Option<User>,
    #[serde(default)]
    label: Option<Label>,
    #[serde(default)]
    assignee: Option<User>,
    created_at: jiff::Timestamp,
    #[serde(default)]
    issue: Option<IssuePart>,
}

#[derive(Debug, Deserialize)]
struct Label {
    name: String,
}

#[derive(Debug, Deserialize)]
struct IssuePart {
    number: u64,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    user: Option<User>,
    created_at: jiff::Timestamp,
    updated_at: jiff::Timestamp,
    #[serde(default)]
    pull_request: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct CommentPart {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    user: Option<User>,
    /// Ends with the number of the issue.
    issue_url: String,
    /// Has `/pull/` in it where it is on a pull request.
    html_url: String,
    created_at: jiff::Timestamp,
    updated_at: jiff::Timestamp,
}

#[derive(Debug, Deserialize)]
struct RemarkPart {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    user: Option<User>,
    /// Ends with the number of the pull request.
    pull_request_url: String,
    created_at: jiff::Timestamp,
    updated_at: jiff::Timestamp,
}

#[derive(Debug, Deserialize)]
struct PullPart {
    number: u64,
    updated_at: jiff::Timestamp,
}

impl Watch {
    pub const ALL: [Self; 5] = [Self::Events, Self::Comments, Self::Issues, Self::Remarks, Self::Reviews];

    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Comments => "comments",
            Self::Issues => "issues",
            Self::Remarks => "remarks",
            Self::Reviews => "reviews",
        }
    }
}

impl GitHub {
    /// What happened behind `mark`. Without a mark it is the first look: nothing has happened yet, and the mark is where the list ends now.
    /// `None` where nothing has changed since the answer with this tag.
    pub async fn look(
        &self,
        repository: &Repository,
        watch: Watch,
        mark: Option<&str>,
        tag: Option<&Tag>,
    ) -> Result<Option<Seen>, GitHubError> {
        match watch {
            Watch::Events => self.look_at_events(repository, mark, tag).await,
            Watch::Comments => {
                let of = |part: &CommentPart| (part.created_at, part.updated_at);
                let list = List { path: "issues/comments", of, name: comment_name, into: comment };
                self.look_at_list(repository, &list, mark, tag).await
            }
            Watch::Issues => {
                let of = |part: &IssuePart| (part.created_at, part.updated_at);
                let list = List { path: "issues", of, name: issue_name, into: issue };
                self.look_at_list(repository, &list, mark, tag).await
            }
            Watch::Remarks => {
                let of = |part: &RemarkPart| (part.created_at, part.updated_at);
                let list = List { path: "pulls/comments", of, name: remark_name, into: remark };
                self.look_at_list(repository, &list, mark, tag).await
            }
            Watch::Reviews => self.look_at_reviews(repository, mark, tag).await,
        }
    }

    /// The newest first, by number.
    async fn look_at_events(
        &self,
        repository: &Repository,
        mark: Option<&str>,
        tag: Option<&Tag>,
    ) -> Result<Option<Seen>, GitHubError> {
        let question = self.ask(Method::GET, repository, "issues/events").query("per_page", PAGE.to_string());
        let Some(first) = question.if_changed::<Vec<EventPart>>(tag).await? else { return Ok(None) };
        let Fresh { value: mut page, tag } = first;
        let newest = page.iter().map(|event| event.id).max().unwrap_or(0);
        let Some(mark) = mark.map(|mark| mark.parse::<u64>().unwrap_or(0)) else {
            return Ok(Some(Seen { occurrences: Vec::new(), mark: newest.to_string(), tag }));
        };
        let mut found = Vec::new();
        for number in 2..=PAGES + 1 {
            let goes_on = page.len() == PAGE && page.iter().all(|event| event.id > mark);
            found.extend(page.drain(..).filter(|event| event.id > mark));
            if !goes_on || number > PAGES {
                break;
            }
            page = question.clone().query("page", number.to_string()).repeatable().await?;
        }
        found.sort_by_key(|event| event.id);
        let occurrences = found.into_iter().filter_map(|part| event(repository, part)).collect();
        Ok(Some(Seen { occurrences, mark: newest.max(mark).to_string(), tag }))
    }

    /// The oldest change first. A change within the second of the mark is seen again: its name is the same.
    async fn look_at_list<T: DeserializeOwned>(
        &self,
        repository: &Repository,
        list: &List<T>,
        mark: Option<&str>,
        tag: Option<&Tag>,
    ) -> Result<Option<Seen>, GitHubError> {
        let question = self.ask(Method::GET, repository, list.path).query("sort", "updated");
        let question = if list.path == "issues" { question.query("state", "all") } else { question };
        let Some(mark) = mark else {
            let newest: Vec<T> =
                question.query("direction", "desc").query("per_page", "1").repeatable().await?;
            let at = newest.first().map_or(jiff::Timestamp::UNIX_EPOCH, |part| (list.of)(part).1);
            return Ok(Some(Seen { occurrences: Vec::new(), mark: next_second(at), tag: None }));
        };
        let since: jiff::Timestamp = mark.parse().unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let question = question.query("direction", "asc").query("per_page", PAGE.to_string());
        let question = question.query("since", since.to_string());
        let Some(Fresh { value: mut page, tag }) = question.if_changed::<Vec<T>>(tag).await? else {
            return Ok(None);
        };
        let (mut occurrences, mut newest) = (Vec::new(), since);
        for number in 2..=PAGES + 1 {
            let goes_on = page.len() == PAGE;
            for part in page.drain(..) {
                let (created, updated) = (list.of)(&part);
                newest = newest.max(updated);
                // What is older was seen when it was new; since then it was only changed.
                if created >= since
                    && let Some(occurrence) = (list.into)(repository, &part)
                {
                    occurrences.push(((list.name)(&part), occurrence));
                }
            }
            if !goes_on || number > PAGES {
                break;
            }
            page = question.clone().query("page", number.to_string()).repeatable().await?;
        }
        // The tag is of the question with this mark alone.
        let tag = tag.filter(|_| newest == since);
        Ok(Some(Seen { occurrences, mark: newest.to_string(), tag }))
    }

    /// Of pull requests that have changed, as those do that get a review; the last change first.
    async fn look_at_reviews(
        &self,
        repository: &Repository,
        mark: Option<&str>,
        tag: Option<&Tag>,
    ) -> Result<Option<Seen>, GitHubError> {
        let question = self.ask(Method::GET, repository, "pulls").query("state", "all");
        let question = question.query("sort", "updated").query("direction", "desc");
        let question = question.query("per_page", PAGE.to_string());
        let Some(first) = question.if_changed::<Vec<PullPart>>(tag).await? else { return Ok(None) };
        let Fresh { value: mut page, tag } = first;
        let newest = page.iter().map(|pull| pull.updated_at).max().unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let Some(mark) = mark else {
            return Ok(Some(Seen { occurrences: Vec::new(), mark: next_second(newest), tag: None }));
        };
        let since: jiff::Timestamp = mark.parse().unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let mut changed = Vec::new();
        for number in 2..=PAGES + 1 {
            let goes_on = page.len() == PAGE && page.iter().all(|pull| pull.updated_at >= since);
            changed.extend(page.drain(..).filter(|pull| pull.updated_at >= since));
            if !goes_on || number > PAGES {
                break;
            }
            page = question.clone().query("page", number.to_string()).repeatable().await?;
        }
        let mut occurrences = Vec::new();
        for PullPart { number, .. } in changed.into_iter().rev() {
            let reviews = self.reviews(repository, number).await?.into_iter();
            let new = reviews.filter(|review| review.submitted_at.is_some_and(|at| at >= since));
            occurrences.extend(new.filter_map(|of| review(repository, number, of)));
        }
        // As of the other lists: what changes within the second of the mark may be told with the same words.
        let tag = tag.filter(|_| newest <= since);
        Ok(Some(Seen { occurrences, mark: newest.max(since).to_string(), tag }))
    }
}

struct List<T> {
    path: &'static str,
    of: fn(&T) -> (jiff::Timestamp, jiff::Timestamp),
    name: fn(&T) -> String,
    into: fn(&Repository, &T) -> Option<Occurrence>,
}

/// GitHub tells whole seconds: what is there at the first look is before this.
fn next_second(at: jiff::Timestamp) -> String {
    if at == jiff::Timestamp::UNIX_EPOCH {
        return at.to_string();
    }
    at.checked_add(jiff::SignedDuration::from_secs(1)).unwrap_or(at).to_string()
}

fn event(repository: &Repository, part: EventPart) -> Option<(String, Occurrence)> {
    let issue = part.issue?;
    let what = match part.event.as_str() {
        "labeled" => What::Labelled { label: part.label?.name },
        "assigned" => What::Assigned { assignee: part.assignee?.login },
        _ => return None,
    };
    let occurrence = Occurrence {
        repository: repository.to_string(),
        number: issue.number,
        is_pull_request: issue.pull_request.is_some(),
        by: Author::from(part.actor?),
        at: part.created_at.as_millisecond(),
        what,
    };
    Some((format!("{repository}/events/{}", part.id), occurrence))
}

fn comment_name(part: &CommentPart) -> String {
    format!("comments/{}", part.id)
}

fn comment(repository: &Repository, part: &CommentPart) -> Option<Occurrence> {
    Some(Occurrence {
        repository: repository.to_string(),
        number: part.issue_url.rsplit('/').next()?.parse().ok()?,
        is_pull_request: part.html_url.contains("/pull/"),
        by: Author::from(part.user.clone()?),
        at: part.created_at.as_millisecond(),
        what: What::Commented { comment: part.id, text: cut(part.body.clone()) },
    })
}

fn issue_name(part: &IssuePart) -> String {
    format!("issues/{}", part.number)
}

fn issue(repository: &Repository, part: &IssuePart) -> Option<Occurrence> {
    Some(Occurrence {
        repository: repository.to_string(),
        number: part.number,
        is_pull_request: part.pull_request.is_some(),
        by: Author::from(part.user.clone()?),
        at: part.created_at.as_millisecond(),
        what: What::Opened { text: cut(part.body.clone()) },
    })
}

fn remark_name(part: &RemarkPart) -> String {
    format!("remarks/{}", part.id)
}

fn remark(repository: &Repository, part: &RemarkPart) -> Option<Occurrence> {
    Some(Occurrence {
        repository: repository.to_string(),
        number: part.pull_request_url.rsplit('/').next()?.parse().ok()?,
        is_pull_request: true,
        by: Author::from(part.user.clone()?),
        at: part.created_at.as_millisecond(),
        what: What::Remarked { comment: part.id, text: cut(part.body.clone()) },
    })
}

fn review(repository: &Repository, number: u64, of: Review) -> Option<(String, Occurrence)> {
    let Review { id, user, body, submitted_at, .. } = of;
    let occurrence = Occurrence {
        repository: repository.to_string(),
        number,
        is_pull_request: true,
        by: Author::from(user?),
        at: submitted_at?.as_millisecond(),
        what: What::Reviewed { review: id, text: cut(body) },
    };
    Some((format!("reviews/{id}"), occurrence))
}
