//! What keeps a sandbox of a cloud in, as far as anybody here can say.

use lamplight_domain::SandboxLimits;
use lamplight_domain::sandbox::{Enforced, Enforcement, Strength, Wall};

/// Told to people where the cloud does not let a sandbox run longer.
pub(super) const IT_ENDS: &str = "The cloud does not let this sandbox run longer: it is paused with its files and its memory when its time is over, \
    and goes on when it is needed again.";

/// The cloud's own machine is the wall; it is not seen from here. Limits are those of the template, whatever was asked for.
pub(super) fn enforced(limits: &SandboxLimits) -> Enforced {
    let soft =
        || Strength::Soft { why: "the cloud keeps it in, which cannot be looked at from here".to_owned() };
    let missing = |why: &str| Strength::Missing { why: why.to_owned() };
    let row = |wall, strength, limit| Enforcement { wall, strength, limit, by: Some(super::NAME.to_owned()) };
    let by_cloud = [
        Wall::Namespaces,
        Wall::Capabilities,
        Wall::SystemCalls,
        Wall::HostUser,
        Wall::KernelFiles,
        Wall::Network,
    ];
    let limited = [
        (Wall::Cpu, limits.cpu_thousandths.map(u64::from)),
        (Wall::Memory, limits.memory_bytes),
        (Wall::Processes, limits.processes.map(u64::from)),
        (Wall::Disk, limits.disk_bytes),
        (Wall::OpenFiles, limits.open_files.map(u64::from)),
    ];
    let by_cloud = by_cloud.into_iter().map(|wall| row(wall, soft(), None));
    let second = row(Wall::FileRules, missing("there is no second wall in a sandbox of a cloud"), None);
    let limited = limited
        .into_iter()
        .map(|(wall, limit)| row(wall, missing("the template in the cloud says how much there is"), limit));
    Enforced(by_cloud.chain([second]).chain(limited).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lamplight_domain::sandbox::Tier;

    #[test]
    fn it_is_weaker_than_what_we_see_and_runs_all_the_same() {
        let limits = SandboxLimits { processes: Some(64), ..SandboxLimits::default() };
        let told = enforced(&limits);
        assert_eq!(told.tier(), Tier::Limited);
        let row = told.0.iter().find(|row| row.wall == Wall::Processes).unwrap();
        assert_eq!(row.limit, Some(64));
        assert!(matches!(row.strength, Strength::Missing { .. }));
        let network = told.0.iter().find(|row| row.wall == Wall::Network).unwrap();
        assert_eq!(network.by.as_deref(), Some("e2b"));
        assert!(matches!(network.strength, Strength::Soft { .. }));
    }
}
