//! The policy of guards: how far sessions may go, by repository and by the role of whoever begins them.

use crate::event::Guard;
use crate::{Limits, Role, SomeLimits};
use std::fmt;

/// What holds for all, and rules. Of these the first that fits counts, alone; what it says nothing of is as for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardPolicy {
    pub all: SomeLimits,
    pub rules: Vec<GuardRule>,
}

/// What holds for some; what is `None` fits any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardRule {
    pub repository: Option<PathPattern>,
    pub role: Option<Role>,
    pub limits: SomeLimits,
}

impl GuardPolicy {
    /// Which rule counts, from 0.
    pub fn rule(&self, repository: &str, role: Role) -> Option<usize> {
        self.rules.iter().position(|rule| rule.fits(repository, role))
    }

    /// What it says of sessions on this repository that somebody with this role begins.
    pub fn of(&self, repository: &str, role: Role) -> SomeLimits {
        match self.rule(repository, role).and_then(|rule| self.rules.get(rule)) {
            Some(rule) => rule.limits.or(&self.all),
            None => self.all.clone(),
        }
    }

    /// How far somebody with this role can go by asking. Admins can go as far as they ask for.
    pub fn at_most(&self, repository: &str, role: Role) -> SomeLimits {
        if role >= Role::Admin { SomeLimits::default() } else { self.of(repository, role) }
    }
}

impl GuardRule {
    fn fits(&self, repository: &str, role: Role) -> bool {
        self.repository.as_ref().is_none_or(|pattern| pattern.matches(repository))
            && self.role.is_none_or(|of| of == role)
    }
}

impl Limits {
    /// What the guard allows, in what it counts; `None` is no bound, or a guard that counts nothing of a session's own.
    pub fn of(&self, guard: Guard) -> Option<u64> {
        let unless_0 = |bound: u64| (bound > 0).then_some(bound);
        match guard {
            Guard::Steps => Some(self.steps.into()),
            Guard::FailuresInARow => Some(self.failures_in_a_row.into()),
            Guard::IdenticalCalls => Some(self.identical_calls.into()),
            Guard::Silence => Some(self.silence_ms),
            Guard::WallClock => Some(self.wall_clock_ms),
            Guard::Tokens => unless_0(self.turn_tokens),
            Guard::Cost => unless_0(self.turn_cost_micros),
            Guard::SessionSteps => unless_0(self.session_steps),
            Guard::SessionTokens => unless_0(self.session_tokens),
            Guard::SessionWallClock => unless_0(self.session_wall_clock_ms),
            Guard::Budget => unless_0(self.budget_micros),
            Guard::Paused | Guard::MonthBudget | Guard::Right => None,
        }
    }
}

impl SomeLimits {
    /// What they say of the guard; 0 is no bound, and `None` that they say nothing.
    pub fn of(&self, guard: Guard) -> Option<u64> {
        match guard {
            Guard::Steps => self.steps.map(u64::from),
            Guard::FailuresInARow => self.failures_in_a_row.map(u64::from),
            Guard::IdenticalCalls => self.identical_calls.map(u64::from),
            Guard::Silence => self.silence_ms,
            Guard::WallClock => self.wall_clock_ms,
            Guard::Tokens => self.turn_tokens,
            Guard::Cost => self.turn_cost_micros,
            Guard::SessionSteps => self.session_steps,
            Guard::SessionTokens => self.session_tokens,
            Guard::SessionWallClock => self.session_wall_clock_ms,
            Guard::Budget => self.budget_micros,
            Guard::Paused | Guard::MonthBudget | Guard::Right => None,
        }
    }

    /// Limits of which no guard allows more than these say. What they say nothing of is as it is.
    #[must_use]
    pub fn cap(&self, limits: Limits) -> Limits {
        let small = |most: Option<u32>, is: u32| most.map_or(is, |most| most.min(is));
        // 0 is no bound, of either.
        let least = |most: Option<u64>, is: u64| match most {
            None | Some(0) => is,
            Some(most) if is == 0 => most,
            Some(most) => most.min(is),
        };
        Limits {
            steps: small(self.steps, limits.steps),
            failures_in_a_row: small(self.failures_in_a_row, limits.failures_in_a_row),
            identical_calls: small(self.identical_calls, limits.identical_calls),
            silence_ms: least(self.silence_ms, limits.silence_ms),
            wall_clock_ms: least(self.wall_clock_ms, limits.wall_clock_ms),
            turn_tokens: least(self.turn_tokens, limits.turn_tokens),
            turn_cost_micros: least(self.turn_cost_micros, limits.turn_cost_micros),
            session_steps: least(self.session_steps, limits.session_steps),
            session_tokens: least(self.session_tokens, limits.session_tokens),
            session_wall_clock_ms: least(self.session_wall_clock_ms, limits.session_wall_clock_ms),
            budget_micros: least(self.budget_micros, limits.budget_micros),
            ..limits
        }
    }
}

/// An absolute path in which `*` stands for anything within a name, `?` for one letter of it, and `**` for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern(String);

/// A text that is no pattern of paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAPath(String);

impl fmt::Display for NotAPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not the absolute path of a repository, such as /srv/repositories/*", self.0)
    }
}
impl std::error::Error for NotAPath {}

impl PathPattern {
    pub fn new(text: &str) -> Result<Self, NotAPath> {
        if text.starts_with('/') { Ok(Self(text.to_owned())) } else { Err(NotAPath(text.to_owned())) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn matches(&self, path: &str) -> bool {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        fits(&letters(&self.0), &letters(path))
    }
}

fn fits(pattern: &[char], path: &[char]) -> bool {
    match pattern {
        [] => path.is_empty(),
        ['*', '*', rest @ ..] => (0..=path.len()).any(|n| fits(rest, &path[n..])),
        ['*', rest @ ..] => {
            let end = path.iter().position(|letter| *letter == '/').unwrap_or(path.len());
            (0..=end).any(|n| fits(rest, &path[n..]))
        }
        ['?', rest @ ..] => matches!(path, [letter, after @ ..] if *letter != '/' && fits(rest, after)),
        [wanted, rest @ ..] => matches!(path, [letter, after @ ..] if letter == wanted && fits(rest, after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(steps: u32) -> SomeLimits {
        SomeLimits { steps: Some(steps), ..SomeLimits::default() }
    }

    fn rule(repository: Option<&str>, role: Option<Role>, limits: SomeLimits) -> GuardRule {
        let repository = repository.map(|text| PathPattern::new(text).unwrap());
        GuardRule { repository, role, limits }
    }

    #[test]
    fn a_pattern_stays_within_a_name_unless_it_has_two_stars() {
        let check = |pattern: &str, path: &str, expected: bool| {
            assert_eq!(PathPattern::new(pattern).unwrap().matches(path), expected, "{pattern} {path}");
        };
        check("/srv/textkit", "/srv/textkit", true);
        check("/srv/textkit", "/srv/textkit2", false);
        check("/srv/*", "/srv/textkit", true);
        check("/srv/*", "/srv/old/textkit", false);
        check("/srv/**", "/srv/old/textkit", true);
        check("/srv/**/text*", "/srv/old/more/textkit", true);
        check("/srv/text???", "/srv/textkit", true);
        check("/srv/text???", "/srv/text/it", false);
        check("/srv/*", "/home/textkit", false);
        assert!(PathPattern::new("textkit").is_err());
    }

    #[test]
    fn the_first_rule_that_fits_counts_alone() {
        let tokens = SomeLimits { turn_tokens: Some(1_000), ..SomeLimits::default() };
        let policy = GuardPolicy {
            all: SomeLimits { silence_ms: Some(5), ..steps(25) },
            rules: vec![
                rule(Some("/srv/old/*"), Some(Role::Member), steps(5)),
                rule(Some("/srv/old/*"), None, tokens.clone()),
                rule(None, Some(Role::Member), steps(10)),
            ],
        };
        let check = |path: &str, role: Role, which: Option<usize>, expected: &SomeLimits| {
            assert_eq!(policy.rule(path, role), which, "{path} {role}");
            assert_eq!(policy.of(path, role), expected.or(&policy.all), "{path} {role}");
        };
        check("/srv/old/textkit", Role::Member, Some(0), &steps(5));
        check("/srv/old/textkit", Role::Owner, Some(1), &tokens);
        check("/srv/textkit", Role::Member, Some(2), &steps(10));
        check("/srv/textkit", Role::Admin, None, &SomeLimits::default());
        assert_eq!(policy.at_most("/srv/old/textkit", Role::Admin), SomeLimits::default(), "as they ask");
    }

    #[test]
    fn nobody_gets_more_than_the_policy_says_and_0_is_no_bound() {
        let most = SomeLimits { turn_tokens: Some(1_000), session_tokens: Some(0), ..steps(10) };
        let asked = Limits { steps: 100, turn_tokens: 0, session_tokens: 7, ..Limits::default() };
        let got = most.cap(asked.clone());
        assert_eq!(got, Limits { steps: 10, turn_tokens: 1_000, ..asked });
        let less = Limits { steps: 3, turn_tokens: 500, ..Limits::default() };
        assert_eq!(most.cap(less.clone()), less, "and everybody may have less");
        for guard in Guard::COUNTING {
            let all = most.over(&Limits::default());
            let said = most.of(guard).filter(|bound| *bound > 0);
            assert_eq!(all.of(guard), said.or_else(|| Limits::default().of(guard)), "{guard:?}");
        }
    }
}
