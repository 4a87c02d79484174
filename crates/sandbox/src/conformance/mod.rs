//! What every provider must do, as cases that anyone can run against theirs.
//!
//! A case speaks with a provider only as the engine does, and with what runs inside only through the guest. What it needs
//! to know about the outside (which processes are left, what a sandbox must not see) it asks the [`Subject`].

mod checkpoints;
mod files;
mod isolation;
mod lifecycle;
mod limits;
mod measure;
mod network;
mod packages;
mod pausing;
mod stage;
mod work;

pub use measure::{Spread, create_to_answer};

use crate::handle::Handle;
use crate::provider::{Provider, SandboxSpec};
use async_trait::async_trait;
use lamplight_domain::{SessionId, SessionImage};
use stage::Stage;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A case that takes longer has failed.
const CASE: Duration = Duration::from_secs(60);

/// A provider under test, and what only its author can do for the cases.
#[async_trait]
pub trait Subject: Send + Sync {
    /// A provider object over the same deployment, new each time, as after a restart.
    fn provider(&self) -> Arc<dyn Provider>;

    /// An id that no earlier call returned.
    fn session(&self) -> SessionId;

    /// What the files of sandboxes are to begin with: the machine's own, unless an author says otherwise.
    fn image(&self) -> Option<SessionImage> {
        None
    }

    /// Paths that exist on the host, and must not exist inside.
    fn hidden(&self) -> Vec<PathBuf>;

    /// Names what the host still has of a session: processes, mounts, cgroups, files. `None`: cannot be seen from here.
    fn left_of(&self, session: &SessionId) -> Option<Vec<String>>;

    /// Creates the sandbox in another process, and kills that with SIGKILL. `None`: makes no sense here.
    async fn create_and_die(&self, spec: &SandboxSpec) -> Option<Result<(), String>>;

    /// Ends the sandbox behind the provider's back. `None`: cannot be done here.
    async fn kill(&self, handle: &Handle) -> Option<Result<(), String>>;
}

/// How a case went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed(String),
    /// The provider does not have what the case is about.
    Skipped(&'static str),
}

/// A named case and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseResult {
    pub name: &'static str,
    pub outcome: Outcome,
}

impl fmt::Display for CaseResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Passed => write!(f, "passed   {}", self.name),
            Outcome::Failed(why) => write!(f, "FAILED   {}: {why}", self.name),
            Outcome::Skipped(why) => write!(f, "skipped  {}: {why}", self.name),
        }
    }
}

/// Why a case did not pass.
enum Verdict {
    Failed(String),
    Skipped(&'static str),
}

impl<E: std::error::Error> From<E> for Verdict {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

type Case = Result<(), Verdict>;

/// Runs one case after the other, each with a session of its own. `seen` hears of each as soon as it is decided.
pub async fn run(subject: &dyn Subject, mut seen: impl FnMut(&CaseResult)) -> Vec<CaseResult> {
    let mut results = Vec::new();
    macro_rules! cases {
        ($($room:ident::$case:ident),* $(,)?) => {$(
            let stage = Stage::new(subject);
            let outcome = match tokio::time::timeout(CASE, $room::$case(&stage)).await {
                Ok(Ok(())) => Outcome::Passed,
                Ok(Err(Verdict::Failed(why))) => Outcome::Failed(why),
                Ok(Err(Verdict::Skipped(why))) => Outcome::Skipped(why),
                Err(_) => Outcome::Failed(format!("took longer than {CASE:?}")),
            };
            let outcome = stage.clear(outcome).await;
            let result = CaseResult { name: stringify!($case), outcome };
            seen(&result);
            results.push(result);
        )*};
    }
    cases![
        lifecycle::create_gives_a_guest_that_answers,
        lifecycle::create_again_gives_the_same_sandbox,
        lifecycle::two_creates_at_once_give_one_sandbox,
        lifecycle::ten_sessions_at_once_all_answer,
        lifecycle::a_later_generation_ends_the_earlier_one,
        lifecycle::an_earlier_generation_cannot_come_back,
        lifecycle::destroy_leaves_nothing,
        lifecycle::destroy_ends_what_hides_from_it,
        lifecycle::destroy_again_is_fine,
        lifecycle::what_is_destroyed_cannot_be_dialled,
        lifecycle::list_knows_what_runs_after_a_restart,
        lifecycle::a_sandbox_that_died_is_listed_as_left_over,
        lifecycle::a_sandbox_outlives_the_process_that_made_it,
        lifecycle::nothing_inside_can_end_the_guest,
        lifecycle::strange_handles_are_refused,
        pausing::what_is_paused_stands_still_and_goes_on_where_it_was,
        pausing::resuming_what_runs_is_fine,
        pausing::a_restart_finds_what_was_paused_and_resumes_it,
        pausing::what_is_paused_can_be_destroyed,
        pausing::a_pause_of_one_session_leaves_the_others_alone,
        files::the_agent_is_at_home,
        files::the_toolchain_is_there,
        files::the_environment_is_made_from_nothing,
        files::what_was_written_outlives_its_sandbox,
        files::removed_files_are_gone,
        files::closed_directories_are_removed_too,
        files::the_system_is_not_the_agents,
        files::a_mount_is_shown_and_cannot_be_changed,
        files::a_mount_over_the_sandboxs_own_is_refused,
        checkpoints::restoring_brings_everything_back,
        checkpoints::many_checkpoints_are_each_as_it_was,
        checkpoints::what_does_not_run_is_kept_too,
        checkpoints::a_fork_shares_nothing_that_can_be_written,
        checkpoints::a_fork_outlives_its_parent,
        checkpoints::checkpoints_are_listed_and_removed,
        checkpoints::a_checkpoint_of_a_number_is_made_once,
        checkpoints::what_never_ran_is_forgotten_too,
        checkpoints::what_runs_goes_on_after_a_checkpoint,
        packages::sudo_runs_commands_as_root_and_ends_as_they_do,
        packages::sudo_takes_signals_and_ends_with_who_asked,
        packages::root_inside_is_nobody_outside,
        packages::what_root_changes_stays_in_its_session,
        packages::a_debian_package_is_installed,
        packages::python_and_node_packages_are_installed,
        isolation::two_sessions_share_no_files,
        isolation::two_sessions_share_no_processes,
        isolation::two_sessions_share_no_ports_or_sockets,
        isolation::two_sessions_share_no_memory,
        isolation::nothing_of_the_host_is_visible,
        isolation::no_process_of_the_host_is_visible,
        isolation::there_is_no_network_but_loopback,
        isolation::loopback_works,
        isolation::listeners_of_the_host_cannot_be_reached,
        isolation::there_are_no_capabilities,
        isolation::privileges_cannot_be_gained,
        isolation::namespaces_and_mounts_cannot_be_made,
        isolation::dangerous_system_calls_are_refused,
        isolation::only_harmless_devices_exist,
        isolation::no_descriptor_is_inherited,
        isolation::the_guest_cannot_be_looked_into,
        network::connections_arrive_with_where_they_are_for,
        network::names_are_asked_here_whoever_is_asked,
        network::the_proxy_is_told_from_the_rest,
        network::every_port_is_free_for_what_runs_inside,
        network::what_is_not_asked_for_here_is_refused_at_once,
        network::the_way_out_outlives_who_serves_it,
        network::nothing_inside_is_handed_the_way_out,
        network::two_sessions_share_no_way_out,
        network::without_a_way_out_there_is_none,
        network::who_holds_on_does_not_keep_a_sandbox,
        isolation::the_guest_cannot_be_limited,
        isolation::the_kernels_files_tell_and_change_nothing,
        isolation::writing_has_a_second_wall,
        limits::memory_runs_out_for_the_one_that_took_it,
        limits::processes_are_counted_together,
        limits::processor_time_is_shared_out,
        limits::open_files_are_limited,
        limits::files_end_where_the_disk_limit_is,
        limits::limits_that_nothing_can_live_in_are_refused,
        limits::what_is_enforced_is_told_for_as_long_as_it_is_there,
        limits::sandboxes_inside_need_leave,
        work::python_works,
        work::node_works,
        work::git_works,
        work::compilers_work,
        work::java_works,
        work::shells_and_their_tools_work,
    ];
    results
}
