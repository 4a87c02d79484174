//! What every provider must do, as cases that anyone can run against theirs.
//!
//! A case speaks with a provider only as the engine does, and with what runs inside only through the guest. What it needs
//! to know about the outside (which processes are left, what a sandbox must not see) it asks the [`Subject`].
//!
//! The cases of a room that needs walls are never begun without them: they try what walls are there to prevent.

mod attaching;
mod checkpoints;
mod commands;
mod faults;
mod files;
mod isolation;
mod lifecycle;
mod limits;
mod measure;
mod names;
mod network;
mod packages;
mod pausing;
mod stage;
mod terminals;
mod work;

pub use measure::{Spread, create_to_answer};

use crate::handle::Handle;
use crate::provider::{Provider, SandboxSpec};
use async_trait::async_trait;
use lamplight_domain::{SessionId, SessionImage};
use stage::Stage;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
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

    /// Damages what the provider has written down. `None`: cannot be done here.
    async fn damage(&self, _handle: &Handle, _damage: Damage) -> Option<Result<(), String>> {
        None
    }

    /// Puts something in the place of the session's folder, or in that of all sessions, so that nothing can be written there until
    /// what is returned is dropped. `None`: cannot be done here.
    fn obstruct(&self, _session: &SessionId, _obstacle: Obstacle) -> Option<Box<dyn std::any::Any + Send>> {
        None
    }

    /// Why a case, of a room, cannot hold for this provider and is not to be begun.
    fn lacks(&self, _room: &str, _case: &str) -> Option<&'static str> {
        None
    }

    /// What cases know by the first of these is known by the second in this sandbox: a path or an address of
    /// [`inside`](crate::provider::inside), where a provider cannot have it there.
    fn elsewhere(&self, _handle: &Handle) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// Of one sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// What is dialled is gone; the guest runs on.
    NoSocket,
    /// The record ends in the middle, as a power cut may leave it.
    TornRecord,
    EmptyRecord,
    NoRecord,
}

/// Of everything that wants to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// There is something else where the session's folder should be.
    InTheWay,
    /// The folder of all sessions cannot be written.
    ReadOnly,
    /// There is no room for a byte.
    Full,
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

/// One that has begun; on the heap, as all of them together are too much for a stack.
type Begun<'a> = Pin<Box<dyn Future<Output = Case> + 'a>>;

/// A case: its room, its name, and how it begins.
type Listed = (&'static str, &'static str, for<'a> fn(&'a Stage<'a>) -> Begun<'a>);

/// Runs one case after the other, each with a session of its own. `seen` hears of each as soon as it is decided.
pub async fn run(subject: &dyn Subject, mut seen: impl FnMut(&CaseResult)) -> Vec<CaseResult> {
    let mut results = Vec::new();
    for (room, name, begin) in cases() {
        let outcome = match subject.lacks(room, name) {
            Some(why) => Outcome::Skipped(why),
            None => {
                let stage = Stage::new(subject);
                let outcome = decided(tokio::time::timeout(CASE, begin(&stage)).await);
                stage.clear(outcome).await
            }
        };
        let result = CaseResult { name, outcome };
        seen(&result);
        results.push(result);
    }
    results
}

fn decided(case: Result<Case, tokio::time::error::Elapsed>) -> Outcome {
    match case {
        Ok(Ok(())) => Outcome::Passed,
        Ok(Err(Verdict::Failed(why))) => Outcome::Failed(why),
        Ok(Err(Verdict::Skipped(why))) => Outcome::Skipped(why),
        Err(_) => Outcome::Failed(format!("took longer than {CASE:?}")),
    }
}

fn cases() -> Vec<Listed> {
    macro_rules! cases {
        ($($room:ident::$case:ident),* $(,)?) => {
            vec![$((stringify!($room), stringify!($case), |stage| Box::pin($room::$case(stage)))),*]
        };
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
        isolation::nothing_inside_can_end_the_guest,
        lifecycle::strange_handles_are_refused,
        pausing::what_is_paused_stands_still_and_goes_on_where_it_was,
        pausing::resuming_what_runs_is_fine,
        pausing::a_restart_finds_what_was_paused_and_resumes_it,
        pausing::what_is_paused_can_be_destroyed,
        pausing::a_pause_of_one_session_leaves_the_others_alone,
        commands::outputs_and_the_end_are_told_apart,
        commands::what_a_command_is_given_arrives,
        commands::a_program_that_is_not_there_is_refused,
        commands::a_command_that_takes_too_long_is_ended,
        commands::output_over_the_bound_is_cut_and_said_to_be,
        commands::many_commands_at_once_all_answer,
        commands::stopping_ends_everything_but_the_guest,
        commands::files_go_in_and_come_out,
        names::what_is_there_is_told,
        names::names_are_made_changed_and_removed,
        names::files_can_be_roots_where_there_is_one,
        names::what_happens_in_a_folder_is_heard,
        attaching::a_process_outlives_its_link,
        attaching::output_goes_on_at_an_offset,
        attaching::starting_again_gives_the_same_process,
        attaching::a_message_is_written_once,
        attaching::a_signal_reaches_the_process,
        attaching::what_ended_is_known_until_it_is_forgotten,
        attaching::a_new_link_replaces_the_old_one,
        terminals::a_shell_sits_at_a_terminal,
        terminals::a_terminal_outlives_who_sits_at_it,
        terminals::a_terminal_keeps_the_newest_and_waits_for_nobody,
        terminals::closing_a_terminal_ends_what_runs_in_it,
        terminals::what_listens_is_listed_and_reached,
        files::the_agent_is_at_home,
        files::the_toolchain_is_there,
        files::the_environment_is_made_from_nothing,
        files::what_was_written_outlives_its_sandbox,
        files::files_of_before_the_session_was_elsewhere_are_left_behind,
        files::removed_files_are_gone,
        files::closed_directories_are_removed_too,
        isolation::the_system_is_not_the_agents,
        files::a_mount_is_shown_and_cannot_be_changed,
        files::a_mount_over_the_sandboxs_own_is_refused,
        checkpoints::restoring_brings_everything_back,
        checkpoints::a_named_pipe_is_kept,
        checkpoints::many_checkpoints_are_each_as_it_was,
        checkpoints::what_does_not_run_is_kept_too,
        checkpoints::a_fork_shares_nothing_that_can_be_written,
        checkpoints::a_fork_outlives_its_parent,
        checkpoints::what_was_given_away_stays_when_its_checkpoint_is_gone,
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
        network::the_gateway_is_reached_over_the_link,
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
        faults::who_waits_for_a_guest_that_is_killed_is_told,
        faults::what_a_killed_guest_leaves_is_ended,
        faults::without_its_socket_it_is_gone_and_can_be_destroyed,
        faults::a_damaged_record_stands_in_nobodys_way,
        faults::what_never_was_is_gone,
        faults::what_died_can_be_paused_no_more,
        faults::strange_checkpoints_are_refused,
        faults::pausing_again_is_fine_and_a_checkpoint_leaves_it_paused,
        faults::a_restore_ends_what_runs,
        faults::a_restore_can_be_done_again_and_while_others_do_it,
        faults::one_checkpoint_is_made_by_two_at_once,
        faults::a_checkpoint_while_it_is_destroyed_is_whole_or_refused,
        faults::destroying_in_the_middle_of_creating_leaves_nothing,
        faults::a_create_that_was_given_up_is_made_good,
        faults::two_destroys_at_once_are_fine,
        faults::two_providers_share_a_data_directory,
        faults::forgetting_ends_what_runs,
        faults::something_in_the_way_is_said_and_passes,
        faults::what_cannot_be_written_is_said_and_passes,
        faults::a_full_disk_is_said_and_passes,
        work::python_works,
        work::node_works,
        work::git_works,
        work::compilers_work,
        work::java_works,
        work::shells_and_their_tools_work,
    ]
}
