//! What goes wrong in one run, and how often.

use fastrand::Rng;

/// A fault that is put in on purpose, to see that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A guest forgets that it has written a message, when somebody comes who asks.
    LosesAcknowledgements,
    /// A guest forgets what it has sent, although nobody has acknowledged it.
    ForgetsOutput,
    /// A reader goes on one entry too far.
    SkipsAnEntry,
    /// A provider says that a sandbox is gone that still runs.
    LeavesSandboxes,
    /// A sandbox makes its commit once more than it is asked for.
    CommitsTwice,
    /// An agent does nothing more when it is told to cancel, and its guest takes its time to end it.
    EndsLate,
    /// Such an agent, and a guest that says that it has ended it.
    EndsNothing,
}

/// How often each goes wrong, in thousand times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    /// What answers late.
    pub(crate) late: u32,
    /// A link that does not last.
    pub(crate) cut: u32,
    /// A provider that fails before, or after, it has done what it was asked.
    pub(crate) provider: u32,
    /// A provider that nobody reaches for a while.
    pub(crate) provider_away: u32,
    /// A disk that is full for a while.
    pub(crate) full: u32,
    /// A disk that fails once, and with it the store, until the server is started again.
    pub(crate) sync: u32,
    /// A command of ours in a sandbox that fails.
    pub(crate) command: u32,
    /// A turn in which the agent does not do what it should.
    pub(crate) agent: u32,
    /// A turn from which on no agent reaches its model for a while.
    pub(crate) model: u32,
    /// What one server passes on to another.
    pub(crate) between: u32,
    /// What somebody asks for, and that comes twice.
    pub(crate) doubled: u32,
    /// A look of misfortune's at which it strikes.
    pub(crate) misfortune: u32,
    /// A wait of the story's in which the server is ended.
    pub(crate) crash: u32,
}

impl Weather {
    pub(crate) const CALM: Self = Self {
        late: 0,
        cut: 0,
        provider: 0,
        provider_away: 0,
        full: 0,
        sync: 0,
        command: 0,
        agent: 0,
        model: 0,
        between: 0,
        doubled: 0,
        misfortune: 0,
        crash: 0,
    };

    /// One run in eight is calm; the others have some of it, some of them all.
    pub(crate) fn by_chance(chance: &mut Rng) -> Self {
        if chance.u8(0..8) == 0 {
            return Self::CALM;
        }
        let mut some = |most: u32| if chance.bool() { chance.u32(1..=most) } else { 0 };
        Self {
            late: some(200),
            cut: some(700),
            provider: some(250),
            provider_away: some(60),
            full: some(60),
            sync: some(60),
            command: some(150),
            agent: some(500),
            model: some(250),
            between: some(700),
            doubled: some(400),
            misfortune: some(400),
            crash: some(500),
        }
    }
}
