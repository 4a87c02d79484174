//! Capabilities are data, and exist only where they change a decision.

/// What a provider's sandboxes can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Files outlive a sandbox destroyed with [`Files::Keep`](crate::provider::Files::Keep): work goes on in the next
    /// generation. Without it, a lost sandbox starts again from what was pushed.
    pub keeps_files: bool,
    /// The files of a session can be kept as they are at a moment, and given to it again or to another session. Without it there is
    /// neither going back nor forking.
    pub checkpoints: bool,
    /// What begins as a checkpoint has its files at once, however many they are, and shares them with all that begin as the same. Without it, a
    /// checkpoint is made for later sessions of that only which takes long to make.
    pub shares_files: bool,
    /// Directories of the host can be mounted read-only. Without it, agents are installed inside.
    pub host_mounts: bool,
    /// What runs inside can stand still in memory and go on. Without it, an idle sandbox runs until it is destroyed.
    pub pauses: bool,
    /// What programs inside ask of the outside arrives at the caller, who judges it ([`Provider::egress`](crate::provider::Provider::egress)).
    /// Without it, a list of hosts cannot be held to: only who may reach everything has a way out.
    pub egress: bool,
    /// `sudo` makes a command the sandbox's own root's, which installs packages and is nobody outside. Without it, an agent uses
    /// what is there, and its home.
    pub root_inside: bool,
    /// A sandbox can begin with an image of this installation, and is held within limits. Without it, what makes sandboxes says itself what
    /// they begin with and how large they are, and who asks for something else is refused.
    pub shapes: bool,
}
