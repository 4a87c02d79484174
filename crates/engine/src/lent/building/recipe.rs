//! What a template is made of, and how far that has been made before.

use super::super::template::{Begins, FailedStep};
use super::base::BaseImage;
use lamplight_domain::SessionId;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Steps of one recipe.
pub const MAX_STEPS: usize = 200;

/// All variables of a template, in bytes: what a process can begin with.
const LONGEST_ENVIRONMENT: usize = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    pub from: Base,
    pub steps: Vec<Step>,
    pub start: Option<String>,
    pub ready: Option<String>,
    /// Nothing of before is used.
    pub anew: bool,
}

/// What it begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// What the configuration says.
    Configured,
    Image(BaseImage),
    /// That of another template, which is ready.
    Template(SessionId),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub kind: StepKind,
    /// From here on nothing of before is used.
    pub anew: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepKind {
    /// A shell command; as the user of before, where it names none.
    Run {
        command: String,
        user: Option<String>,
    },
    /// What was uploaded under this hash: of `source` what is before the first pattern in it.
    Copy {
        source: String,
        target: String,
        owner: Option<String>,
        mode: Option<String>,
        hash: String,
    },
    Environment(Vec<(String, String)>),
    Folder(String),
    User(String),
}

/// A step whose result are files, with all that it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer {
    /// Counted from 1.
    pub(super) step: usize,
    pub(super) kind: LayerKind,
    /// How whatever runs for it begins.
    pub(super) begins: Begins,
    /// Of what is made by this step and all before it.
    pub(super) key: String,
    pub(super) anew: bool,
}

/// What makes files. As whom and where, `begins` of its layer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LayerKind {
    Run {
        command: String,
    },
    Copy {
        source: String,
        target: String,
        owner: Option<String>,
        mode: Option<String>,
        hash: String,
    },
    /// As the recipe calls it.
    Folder(String),
}

/// The layers of a recipe, and how its sandboxes begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) layers: Vec<Layer>,
    pub(super) begins: Begins,
}

/// Why a recipe is none.
pub(super) type Wrong = (FailedStep, String);

impl Plan {
    /// `base` names what it begins with, by its content; `begins` is how that does, with the variables that its programs have.
    /// `home` is the home of a user, if there is such a one.
    pub(super) fn of(
        recipe: &Recipe,
        base: &str,
        mut begins: Begins,
        variables: &BTreeMap<String, String>,
        home: impl Fn(Option<&str>) -> Option<&'static str>,
    ) -> Result<Self, Wrong> {
        let (mut layers, mut key, mut anew) = (Vec::new(), hashed(&["base", base]), recipe.anew);
        for (at, step) in recipe.steps.iter().enumerate() {
            let number = at + 1;
            let nobody = |name: &str| {
                let message = format!(
                    "failed to run command 'whoami': command failed: unauthenticated: invalid username: '{name}'"
                );
                (FailedStep::Step(number), message)
            };
            anew |= step.anew;
            key = hashed(&[&key, &format!("{:?}", step.kind)]);
            let mut running = begins.clone();
            let kind = match step.kind.clone() {
                StepKind::Environment(pairs) => {
                    set(&mut begins.environment, &pairs, variables)
                        .map_err(|message| (FailedStep::Step(number), message))?;
                    continue;
                }
                StepKind::User(name) => {
                    home(Some(&name)).ok_or_else(|| nobody(&name))?;
                    begins.user = Some(name);
                    continue;
                }
                StepKind::Folder(path) => {
                    let before = begins.folder.as_deref().or_else(|| home(begins.user.as_deref()));
                    begins.folder = Some(absolute(&path, before.unwrap_or("/")));
                    running.folder = begins.folder.clone();
                    LayerKind::Folder(path)
                }
                StepKind::Run { command, user } => {
                    if let Some(name) = user {
                        home(Some(&name)).ok_or_else(|| nobody(&name))?;
                        running.user = Some(name);
                    }
                    LayerKind::Run { command }
                }
                StepKind::Copy { source, target, owner, mode, hash } => {
                    LayerKind::Copy { source, target, owner, mode, hash }
                }
            };
            layers.push(Layer { step: number, kind, begins: running, key: key.clone(), anew });
        }
        begins.start = recipe.start.clone().or(begins.start);
        begins.ready = recipe.ready.clone().or(begins.ready);
        Ok(Self { layers, begins })
    }

    /// How many of its layers are there already, from the first on.
    pub(super) fn known(&self, is_there: impl Fn(&str) -> bool) -> usize {
        let usable = self.layers.iter().take_while(|layer| !layer.anew).count();
        (1..=usable).rev().find(|count| is_there(&self.layers[count - 1].key)).unwrap_or(0)
    }
}

/// Each variable may name those before it, so that one which names itself twice grows to twice as much with every line.
fn set(
    environment: &mut BTreeMap<String, String>,
    pairs: &[(String, String)],
    variables: &BTreeMap<String, String>,
) -> Result<(), String> {
    let mut bytes: usize = environment.iter().map(|(name, value)| name.len() + value.len()).sum();
    for (name, value) in pairs {
        let value = expanded(value, |name| environment.get(name).or_else(|| variables.get(name)));
        bytes += name.len() + value.len();
        if let Some(former) = environment.insert(name.clone(), value) {
            bytes -= name.len() + former.len();
        }
        if bytes > LONGEST_ENVIRONMENT {
            return Err(format!(
                "the variables have more than {LONGEST_ENVIRONMENT} bytes together, with {name}"
            ));
        }
    }
    Ok(())
}

fn hashed(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _always = write!(text, "{byte:02x}");
        text
    })
}

fn absolute(path: &str, before: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", before.trim_end_matches('/')) }
}

/// `$NAME` and `${NAME}` as they are by now; nothing where there is none. What is longer than it may be ends where that shows.
fn expanded<'a>(text: &str, value: impl Fn(&str) -> Option<&'a String>) -> String {
    let (mut all, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        all.push_str(before);
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let (name, behind) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, behind)) if name.chars().all(is_part) => (name, behind),
            Some(_) | None => after.split_at(after.find(|one| !is_part(one)).unwrap_or(after.len())),
        };
        match name {
            "" => all.push('$'),
            name => all.extend(value(name).map(String::as_str)),
        }
        if all.len() > LONGEST_ENVIRONMENT {
            return all;
        }
        rest = behind;
    }
    all + rest
}

/// Of a path with patterns, what is before the first part that has one.
pub(super) fn without_patterns(path: &str) -> String {
    let parts = path.split('/').take_while(|part| !part.contains(['*', '?', '[', '{']));
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty() && *part != ".").collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(kind: StepKind) -> Step {
        Step { kind, anew: false }
    }

    fn run(command: &str) -> Step {
        step(StepKind::Run { command: command.to_owned(), user: None })
    }

    fn plan(steps: Vec<Step>) -> Result<Plan, Wrong> {
        let recipe = Recipe { from: Base::Configured, steps, start: None, ready: None, anew: false };
        let variables = [("PATH".to_owned(), "/bin".to_owned())].into();
        let home = |name: Option<&str>| match name {
            None | Some("user") => Some("/home/user"),
            Some("root") => Some("/super"),
            Some(_) => None,
        };
        Plan::of(&recipe, "base", Begins::default(), &variables, home)
    }

    #[test]
    fn steps_that_make_no_files_change_how_the_next_ones_begin() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let set = step(StepKind::Environment(vec![pair("PATH", "/x:$PATH"), pair("A", "${PATH}$")]));
        let all =
            vec![set, step(StepKind::User("root".into())), step(StepKind::Folder("app".into())), run("make")];
        let plan = plan(all).unwrap();
        assert_eq!(plan.layers.iter().map(|layer| layer.step).collect::<Vec<_>>(), [3, 4]);
        let begins = &plan.layers[1].begins;
        assert_eq!((begins.folder.as_deref(), begins.user.as_deref()), (Some("/super/app"), Some("root")));
        assert_eq!(begins.environment, [pair("A", "/x:/bin$"), pair("PATH", "/x:/bin")].into());
        assert_eq!(plan.begins.user.as_deref(), Some("root"));
    }

    #[test]
    fn variables_that_grow_by_themselves_are_refused() {
        let pairs = |count| {
            let first = ("A".to_owned(), "12345678".to_owned());
            let more = std::iter::repeat_n(("A".to_owned(), "$A$A".to_owned()), count);
            plan(vec![run("a"), step(StepKind::Environment(std::iter::once(first).chain(more).collect()))])
        };
        assert_eq!(pairs(12).unwrap().begins.environment["A"].len(), 8 << 12);
        let (failed, message) = pairs(200).unwrap_err();
        assert_eq!(failed, FailedStep::Step(2));
        assert!(message.contains("more than 65536 bytes"), "{message}");
        // In one line too.
        let long = ("A".to_owned(), "a".repeat(60_000));
        let many = ("B".to_owned(), "$A".repeat(100_000));
        assert_eq!(
            plan(vec![step(StepKind::Environment(vec![long, many]))]).unwrap_err().0,
            FailedStep::Step(1)
        );
    }

    #[test]
    fn a_layer_is_known_by_itself_and_all_before_it() {
        let first = plan(vec![run("a"), run("b"), run("c")]).unwrap();
        let keys: Vec<_> = first.layers.iter().map(|layer| layer.key.clone()).collect();
        let known = |steps| plan(steps).unwrap().known(|key| keys.iter().any(|own| own == key));
        assert_eq!(known(vec![run("a"), run("b"), run("c")]), 3);
        assert_eq!(known(vec![run("a"), run("b"), run("d")]), 2);
        assert_eq!(known(vec![run("b"), run("b"), run("c")]), 0);
        assert_eq!(known(vec![run("a"), Step { anew: true, ..run("b") }, run("c")]), 1);
    }

    #[test]
    fn a_user_whom_there_is_not_is_named() {
        let (step, message) = plan(vec![run("a"), step(StepKind::User("root123".into()))]).unwrap_err();
        assert_eq!(step, FailedStep::Step(2));
        assert!(message.ends_with("unauthenticated: invalid username: 'root123'"), "{message}");
    }

    #[test]
    fn of_a_pattern_the_folder_before_it_counts() {
        for (path, folder) in [("a.txt", "a.txt"), ("dir/", "dir"), ("./a/*.py", "a"), ("*", ""), (".", "")] {
            assert_eq!(without_patterns(path), folder, "{path}");
        }
    }
}
