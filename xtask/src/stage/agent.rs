//! The agents that were seen to do the task.

use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Agent {
    Goose,
    Opencode,
    Claude,
    Codex,
}

impl Agent {
    pub(crate) const ALL: [Self; 4] = [Self::Goose, Self::Opencode, Self::Claude, Self::Codex];

    /// As in the catalogue.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Goose => "goose",
            Self::Opencode => "opencode",
            Self::Claude => "claude",
            Self::Codex => "codex",
        }
    }

    /// The variables whose key opens a model for it, the preferred one first.
    pub(crate) fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Goose | Self::Opencode => &["OPENAI_API_KEY", "ANTHROPIC_API_KEY"],
            Self::Claude => &["ANTHROPIC_API_KEY"],
            Self::Codex => &["OPENAI_API_KEY"],
        }
    }
}
