//! `[guards]`: how far turns and sessions may go, for all and by rules; here, or in a file of its own.

use super::{ConfigError, Environment, absolute};
use lamplight_domain::{GuardPolicy, PathPattern, Role, SomeLimits};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// `[guards]`, and the whole of the file that it names. What nothing is said of is as `[limits]` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guards {
    /// Where the policy is; then nothing else of it is here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    pub turn: TurnGuards,
    pub session: SessionGuards,
    /// `[[guards.rules]]`: the first that fits a session counts, and what it says nothing of is as above.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<GuardRule>,
}

/// `[guards.turn]`: of each turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TurnGuards {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures_in_a_row: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identical_calls: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_clock_ms: Option<u64>,
    /// To models and from them, what is cached included; 0 is no bound, and so of money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
}

/// `[guards.session]`: of all turns of a session together; 0 is no bound.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionGuards {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_clock_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
}

/// `[[guards.rules]]`: what holds for some sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardRule {
    /// The path of their repository; `*` stands for anything within a name, `**` for anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The role of whoever begins them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    pub turn: TurnGuards,
    pub session: SessionGuards,
}

impl Guards {
    /// Reads the file, and checks it all.
    pub(super) fn complete(&mut self, environment: &Environment) -> Result<(), ConfigError> {
        if let Some(file) = self.file.take() {
            if *self != Self::default() {
                let why = "guards.file names the whole policy, so nothing else of it can be in [guards]";
                return Err(ConfigError::Invalid(why.to_owned()));
            }
            *self = read(&absolute(&file, environment)?)?;
        }
        for text in self.rules.iter_mut().filter_map(|rule| rule.repository.as_mut()) {
            if text.starts_with("~/") {
                *text = absolute(Path::new(text.as_str()), environment)?.to_string_lossy().into_owned();
            }
            *text = without_links(text);
        }
        self.policy().map(drop)
    }

    /// For the engine.
    pub(super) fn engine(&self) -> GuardPolicy {
        self.policy().expect("it was checked when it was read")
    }

    fn policy(&self) -> Result<GuardPolicy, ConfigError> {
        let all = limits(&self.turn, &self.session).map_err(|why| invalid(&format!("guards.{why}")))?;
        let rules =
            self.rules.iter().zip(1..).map(|(rule, n)| {
                rule.policy().map_err(|why| invalid(&format!("guards.rules: rule {n}: {why}")))
            });
        Ok(GuardPolicy { all, rules: rules.collect::<Result<_, _>>()? })
    }
}

impl GuardRule {
    fn policy(&self) -> Result<lamplight_domain::GuardRule, String> {
        if self.repository.is_none() && self.role.is_none() {
            return Err(
                "it names neither a repository nor a role, so it is for all: say it in [guards]".to_owned()
            );
        }
        let repository = self.repository.as_deref().map(PathPattern::new).transpose();
        let repository = repository.map_err(|why| format!("repository: {why}"))?;
        Ok(lamplight_domain::GuardRule {
            repository,
            role: self.role,
            limits: limits(&self.turn, &self.session)?,
        })
    }
}

/// Sessions have their repository's own path, so a pattern that leads there by symbolic links is taken for what they lead to. What is not
/// there yet stays as it is written.
fn without_links(pattern: &str) -> String {
    let fixed = match pattern.find(['*', '?']) {
        Some(at) => &pattern[..pattern[..at].rfind('/').unwrap_or(0)],
        None => pattern,
    };
    let known = Path::new(fixed).ancestors().filter(|folder| folder.is_absolute()).find_map(|folder| {
        let real = folder.canonicalize().ok()?.to_str()?.to_owned();
        Some((real, &pattern[folder.as_os_str().len()..]))
    });
    match known {
        Some((real, rest)) if !rest.trim_matches('/').is_empty() => {
            format!("{}/{}", real.trim_end_matches('/'), rest.trim_start_matches('/'))
        }
        Some((real, _)) => real,
        None => pattern.to_owned(),
    }
}

fn read(path: &Path) -> Result<Guards, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let guards: Guards = toml::from_str(&text).map_err(|error| ConfigError::in_file(path, &text, &error))?;
    match guards.file {
        None => Ok(guards),
        Some(_) => Err(invalid(&format!("{}: a policy of guards names no other file", path.display()))),
    }
}

/// Without some of these a turn would end before it has done anything.
fn limits(turn: &TurnGuards, session: &SessionGuards) -> Result<SomeLimits, String> {
    let nothing = [
        ("steps", turn.steps == Some(0)),
        ("failures_in_a_row", turn.failures_in_a_row == Some(0)),
        ("identical_calls", turn.identical_calls == Some(0)),
        ("silence_ms", turn.silence_ms == Some(0)),
        ("wall_clock_ms", turn.wall_clock_ms == Some(0)),
    ];
    if let Some((name, _)) = nothing.iter().find(|(_, is_nothing)| *is_nothing) {
        return Err(format!("turn.{name} is 0, so that no turn would do anything; the least is 1"));
    }
    Ok(SomeLimits {
        steps: turn.steps,
        failures_in_a_row: turn.failures_in_a_row,
        identical_calls: turn.identical_calls,
        silence_ms: turn.silence_ms,
        wall_clock_ms: turn.wall_clock_ms,
        turn_tokens: turn.tokens,
        turn_cost_micros: turn.cost_micros,
        session_steps: session.steps,
        session_wall_clock_ms: session.wall_clock_ms,
        session_tokens: session.tokens,
        budget_micros: session.cost_micros,
        ..SomeLimits::default()
    })
}

fn invalid(why: &str) -> ConfigError {
    ConfigError::Invalid(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<GuardPolicy, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("guards.toml");
        std::fs::write(&file, text).unwrap();
        let mut guards = Guards { file: Some(file), ..Guards::default() };
        guards.complete(&Environment::new())?;
        Ok(guards.engine())
    }

    #[test]
    fn a_policy_is_read_from_its_file() {
        let policy = read_text(
            "turn.steps = 40\nsession.tokens = 5000\n[[rules]]\nrepository = '/srv/old/*'\nrole = 'member'\nturn.tokens = 100\n",
        )
        .unwrap();
        assert_eq!((policy.all.steps, policy.all.session_tokens), (Some(40), Some(5_000)));
        assert_eq!(policy.of("/srv/old/textkit", Role::Member).turn_tokens, Some(100));
        assert_eq!(policy.of("/srv/old/textkit", Role::Owner).turn_tokens, None);
    }

    #[test]
    fn a_rule_holds_for_what_its_links_lead_to() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(place.join("real/old/textkit")).unwrap();
        std::os::unix::fs::symlink(place.join("real"), place.join("link")).unwrap();
        let place = place.to_str().unwrap();
        let check = |written: &str, fits: &str| {
            let text = format!("[[rules]]\nrepository = '{place}/{written}'\nturn.tokens = 100\n");
            let of = read_text(&text).unwrap().of(&format!("{place}/{fits}"), Role::Member);
            assert_eq!(of.turn_tokens, Some(100), "{written}");
        };
        check("link/old/*", "real/old/textkit");
        check("link/old/textkit", "real/old/textkit");
        check("link/old/textkit/", "real/old/textkit");
        check("link/o*/text???", "real/old/textkit");
        check("link/**", "real/old/textkit");
        check("link/old/later", "real/old/later");
        check("link/later/*", "real/later/textkit");
        check("real/old/*", "real/old/textkit");
        assert_eq!(["/**", "/*/old", "/", "textkit"].map(without_links), ["/**", "/*/old", "/", "textkit"]);
    }

    #[test]
    fn what_is_wrong_with_it_is_told_by_name() {
        let check = |text: &str, expected: &str| {
            let error = read_text(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("turn.steps = 5\nturn.stpes = 6\n", "guards.toml:2: unknown key `stpes`");
        check("[[rules]]\nrole = 'member'\nper_day = 1\n", "guards.toml:3: unknown key `per_day`");
        check("[[rules]]\nrole = 'boss'\n", "guards.toml:2: unknown variant `boss`");
        check("turn.identical_calls = 0\n", "guards.turn.identical_calls is 0");
        check("[[rules]]\nrole = 'member'\n[[rules]]\nturn.tokens = 5\n", "rule 2: it names neither");
        check(
            "[[rules]]\nrepository = 'textkit'\n",
            "rule 1: repository: \"textkit\" is not the absolute path",
        );
        check("file = 'another.toml'\n", "names no other file");
    }

    #[test]
    fn a_file_is_all_or_nothing() {
        let turn = TurnGuards { steps: Some(5), ..TurnGuards::default() };
        let mut both = Guards { file: Some("/guards.toml".into()), turn, ..Guards::default() };
        let error = both.complete(&Environment::new()).unwrap_err().to_string();
        assert!(error.contains("guards.file names the whole policy"), "{error}");
        let mut missing = Guards { file: Some("/nowhere/guards.toml".into()), ..Guards::default() };
        let error = missing.complete(&Environment::new()).unwrap_err().to_string();
        assert!(error.starts_with("cannot read /nowhere/guards.toml"), "{error}");
    }
}
