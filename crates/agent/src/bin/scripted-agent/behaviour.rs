//! What a prompt cannot say, because it comes before the first.

use crate::peer;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// Tells a process that it ignores signals already.
const DEAF: &str = "--deaf";

/// The arguments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Behaviour {
    /// `--start-ms N`: so long until it answers `initialize`.
    pub(crate) start: Duration,
    /// `--banner`: prints what is not JSON before anything else, to both outputs.
    pub(crate) banner: bool,
    /// `--early-updates`: speaks of a conversation before it has answered that it exists.
    pub(crate) early_updates: bool,
    /// `--no-load`: does not offer to load a conversation.
    pub(crate) no_load: bool,
    /// `--refuse-load`: offers it, and then cannot.
    pub(crate) refuse_load: bool,
    /// `--images`: takes images, and says what it sees before anything else.
    pub(crate) images: bool,
    /// `--no-key`: wants a person to sign in first.
    pub(crate) no_key: bool,
    /// `--old-models`: tells its models in the form from before `configOptions`.
    pub(crate) old_models: bool,
    /// `--deaf`: ignores the end of its input, and TERM, INT and HUP.
    pub(crate) deaf: bool,
    /// Was started anew so that it ignores signals.
    ignores_signals: bool,
}

impl Behaviour {
    pub(crate) fn from_arguments(arguments: impl Iterator<Item = String>) -> Self {
        let mut behaviour = Self::default();
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--start-ms" => {
                    let ms = arguments.next().and_then(|ms| ms.parse().ok());
                    behaviour.start = Duration::from_millis(
                        ms.unwrap_or_else(|| peer::misused("--start-ms needs a number")),
                    );
                }
                "--banner" => behaviour.banner = true,
                "--early-updates" => behaviour.early_updates = true,
                "--no-load" => behaviour.no_load = true,
                "--refuse-load" => behaviour.refuse_load = true,
                "--images" => behaviour.images = true,
                "--no-key" => behaviour.no_key = true,
                "--old-models" => behaviour.old_models = true,
                DEAF if behaviour.deaf => behaviour.ignores_signals = true,
                DEAF => behaviour.deaf = true,
                _ => peer::misused(&format!("unknown argument {argument}")),
            }
        }
        behaviour
    }
}

/// Starts this program again in its own place, with the signals ignored: what is ignored stays so across exec.
pub(crate) fn become_deaf_if(behaviour: &Behaviour) {
    if !behaviour.deaf || behaviour.ignores_signals {
        return;
    }
    let program =
        std::env::current_exe().unwrap_or_else(|error| peer::misused(&format!("who am I? {error}")));
    let error = Command::new("/bin/sh")
        .args(["-c", "trap '' TERM INT HUP; exec \"$0\" \"$@\""])
        .arg(program)
        .args(std::env::args().skip(1))
        .arg(DEAF)
        .exec();
    peer::misused(&format!("cannot start again: {error}"));
}
