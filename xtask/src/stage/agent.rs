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
    /// Those that there are for this machine, the lightest first: goose is packed for one kind of processor only.
    pub(crate) const ALL: &[Self] = match cfg!(target_arch = "x86_64") {
        true => &[Self::Goose, Self::Opencode, Self::Claude, Self::Codex],
        false => &[Self::Opencode, Self::Claude, Self::Codex],
    };
    pub(crate) const LIGHTEST: Self = Self::ALL[0];

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
            Self::Goose | Self::Opencode => {
                &["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"]
            }
            Self::Claude => &["ANTHROPIC_API_KEY"],
            Self::Codex => &["OPENAI_API_KEY"],
        }
    }
}
