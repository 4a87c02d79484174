//! What came of the attempts, side by side.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// As the program in the sandbox judges; see its `attempt.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Blocked,
    Limited,
    Open,
    Lacking,
    Unexpected,
}

/// One attempt, made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    pub(crate) detail: String,
}

/// One that is made from outside, with what happens to a host that is not careful.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MadeOutside {
    pub(crate) room: String,
    pub(crate) stopped_by: String,
    pub(crate) made: Made,
    pub(crate) control: Made,
}

/// All attempts as one user.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ran {
    pub(crate) inside: Vec<Made>,
    pub(crate) outside: Vec<MadeOutside>,
}

/// One attempt, and what came of it everywhere.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Row {
    pub(crate) room: String,
    pub(crate) name: String,
    pub(crate) stopped_by: String,
    /// Whether it needs a sandbox of its own.
    #[serde(default)]
    pub(crate) alone: bool,
    #[serde(skip)]
    pub(crate) control: Option<Made>,
    #[serde(skip)]
    pub(crate) root: Option<Made>,
    #[serde(skip)]
    pub(crate) user: Option<Made>,
}

/// Errors by which a machine says that it does not have what is attacked.
const NOT_HERE: [&str; 7] =
    ["ENOSYS", "ENOENT", "ENODEV", "ENXIO", "EAFNOSUPPORT", "EPROTONOSUPPORT", "EOPNOTSUPP"];

impl Made {
    /// Without walls: it did, or there is nothing of the kind on this machine.
    pub(crate) fn would_succeed(&self) -> bool {
        self.verdict == Verdict::Open || self.is_not_here()
    }

    fn is_not_here(&self) -> bool {
        NOT_HERE.contains(&self.detail.as_str())
    }
}

/// JSON, a line each.
pub(crate) fn lines<T: DeserializeOwned>(text: &[u8]) -> Vec<T> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// Everything by its name: each run has to have made every attempt.
pub(crate) fn merge(listed: Vec<Row>, control: Option<Vec<Made>>, runs: [Option<Ran>; 2]) -> Vec<Row> {
    let find = |all: &[Made], name: &str| all.iter().find(|made| made.name == name).cloned();
    let mut rows = listed;
    for row in &mut rows {
        row.control = control.as_ref().map(|all| find(all, &row.name).unwrap_or_else(|| not_made(&row.name)));
        let [root, user] = &runs;
        let of = |run: &Option<Ran>| {
            run.as_ref().map(|run| find(&run.inside, &row.name).unwrap_or_else(|| not_made(&row.name)))
        };
        (row.root, row.user) = (of(root), of(user));
    }
    let [root, user] = runs.map(|run| run.map_or_else(Vec::new, |run| run.outside));
    let (all, others) = if root.is_empty() { (&user, &root) } else { (&root, &user) };
    for one in all {
        let other =
            others.iter().find(|other| other.made.name == one.made.name).map(|other| other.made.clone());
        let made = Some(one.made.clone());
        let (root, user) = if root.is_empty() { (None, made) } else { (made, other) };
        rows.push(Row {
            room: one.room.clone(),
            name: one.made.name.clone(),
            stopped_by: one.stopped_by.clone(),
            alone: true,
            control: Some(one.control.clone()),
            root,
            user,
        });
    }
    rows
}

fn not_made(name: &str) -> Made {
    Made { name: name.to_owned(), verdict: Verdict::Unexpected, detail: "it was not made".to_owned() }
}

/// As Markdown: for a person who looks at this run, with what was had without walls; or, without what differs from run to
/// run and from machine to machine, for docs/security.md.
pub(crate) fn table(rows: &[Row], kept: bool) -> String {
    let count = |made: fn(&Row) -> &Option<Made>, verdict: Verdict| {
        rows.iter().filter(|row| made(row).as_ref().is_some_and(|made| made.verdict == verdict)).count()
    };
    let mut text = format!("{} attempts. Open: ", rows.len());
    let (root, user) = (count(|row| &row.root, Verdict::Open), count(|row| &row.user, Verdict::Open));
    let shown = count(|row| &row.control, Verdict::Open);
    let _ = writeln!(text, "{root} as root, {user} as an ordinary user, {shown} without walls.");
    let mut room = "";
    for row in rows {
        if row.room != room {
            room = &row.room;
            let _ = write!(text, "\n### {}\n\n", capital(room));
            text.push_str(
                "| an agent tries to | has to be stopped by | as root | as a user | without walls |\n",
            );
            text.push_str("|---|---|---|---|---|\n");
        }
        let (root, user, control) = (inside(&row.root), inside(&row.user), without(&row.control, kept));
        let _ = writeln!(text, "| {} | {} | {root} | {user} | {control} |", row.name, row.stopped_by);
    }
    text
}

fn inside(made: &Option<Made>) -> String {
    match made {
        None => "not run".to_owned(),
        Some(made) => match made.verdict {
            Verdict::Blocked | Verdict::Limited => made.detail.clone(),
            Verdict::Open => format!("**open**: {}", made.detail),
            Verdict::Lacking => format!("not here: {}", made.detail),
            Verdict::Unexpected => format!("**?** {}", made.detail),
        },
    }
    .replace('\n', " ")
    .replace('|', "\\|")
}

fn without(made: &Option<Made>, kept: bool) -> String {
    match made {
        None => "not run".to_owned(),
        Some(made) if made.verdict == Verdict::Open && kept => "succeeds".to_owned(),
        Some(made) if made.verdict == Verdict::Open => format!("succeeds: {}", made.detail),
        Some(made) if made.is_not_here() => format!("not on this machine: {}", made.detail),
        Some(made) => format!("**?** {}", made.detail),
    }
    .replace('\n', " ")
    .replace('|', "\\|")
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
