//! What keeps a session's sandbox in, as the API shows it.

use lamplight_domain::Enforced;
use lamplight_domain::sandbox::{self, Tier, Wall};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What was really enforced of a sandbox when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sandbox {
    pub tier: SandboxTier,
    /// It runs although a wall is missing that nothing should run without.
    #[serde(rename = "unsafe")]
    pub is_unsafe: bool,
    pub walls: Vec<WallState>,
}

/// `isolated`: every wall stands and every limit holds. `limited`: something is missing or soft. `refused`: a wall is missing
/// that nothing should run without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SandboxTier {
    Isolated,
    Limited,
    Refused,
}

/// One thing that keeps a sandbox in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WallState {
    pub wall: SandboxWall,
    pub strength: Strength,
    /// Why it is not enforced.
    pub why: Option<String>,
    /// Of a limit: how much; `null` of a wall, and where there is no limit. Thousandths of a processor, bytes, or a number.
    pub limit: Option<u64>,
    /// The container runtime that put it up; `null` where Lamplight did.
    pub by: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SandboxWall {
    Namespaces,
    Capabilities,
    SystemCalls,
    HostUser,
    FileRules,
    KernelFiles,
    Network,
    Cpu,
    Memory,
    Processes,
    Disk,
    OpenFiles,
}

/// `enforced` by the kernel; `soft`: in part, or late; `missing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    Enforced,
    Soft,
    Missing,
}

impl SandboxTier {
    /// The word itself, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Isolated => "isolated",
            Self::Limited => "limited",
            Self::Refused => "refused",
        }
    }
}

impl From<Tier> for SandboxTier {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Isolated => Self::Isolated,
            Tier::Limited => Self::Limited,
            Tier::Refused => Self::Refused,
        }
    }
}

impl SandboxWall {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Capabilities => "capabilities",
            Self::SystemCalls => "system calls",
            Self::HostUser => "host user",
            Self::FileRules => "file rules",
            Self::KernelFiles => "kernel files",
            Self::Network => "network",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::Disk => "disk",
            Self::OpenFiles => "open files",
        }
    }
}

impl From<Wall> for SandboxWall {
    fn from(wall: Wall) -> Self {
        match wall {
            Wall::Namespaces => Self::Namespaces,
            Wall::Capabilities => Self::Capabilities,
            Wall::SystemCalls => Self::SystemCalls,
            Wall::HostUser => Self::HostUser,
            Wall::FileRules => Self::FileRules,
            Wall::KernelFiles => Self::KernelFiles,
            Wall::Network => Self::Network,
            Wall::Cpu => Self::Cpu,
            Wall::Memory => Self::Memory,
            Wall::Processes => Self::Processes,
            Wall::Disk => Self::Disk,
            Wall::OpenFiles => Self::OpenFiles,
        }
    }
}

impl From<Enforced> for Sandbox {
    fn from(enforced: Enforced) -> Self {
        let (tier, is_unsafe) = (enforced.tier().into(), enforced.is_unsafe());
        let walls = enforced.0.into_iter().map(|row| {
            let (strength, why) = match row.strength {
                sandbox::Strength::Enforced => (Strength::Enforced, None),
                sandbox::Strength::Soft { why } => (Strength::Soft, Some(why)),
                sandbox::Strength::Missing { why } => (Strength::Missing, Some(why)),
            };
            WallState { wall: row.wall.into(), strength, why, limit: row.limit, by: row.by }
        });
        Self { tier, is_unsafe, walls: walls.collect() }
    }
}
