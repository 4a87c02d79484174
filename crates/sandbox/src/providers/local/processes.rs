//! Which processes are in a sandbox, seen from outside.

use super::record::Record;
use std::fs;

/// PID 1 and those that come from it, parents before their children. Numbers: each may be somebody else's by the next moment.
pub(super) fn inside(record: &Record) -> Vec<i32> {
    let first = record.process.pid();
    let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let Some(ours) = namespace(first) else { return Vec::new() };
    // One in a namespace below ours has its parent here.
    let is_inside = |parent: i32, child: i32| {
        namespace(child).as_ref() == Some(&ours) || parent_of(child) == Some(parent)
    };
    let mut all = vec![first];
    let mut looked_at = 0;
    while let Some(parent) = all.get(looked_at).copied() {
        looked_at += 1;
        all.extend(children(parent).into_iter().filter(|child| is_inside(parent, *child)));
    }
    all
}

/// Source: proc_tid_children(5).
fn children(parent: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().filter_map(Result::ok);
    let listed = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    listed
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Source: proc_pid_stat(5): the name, in parentheses, may hold anything; state and parent follow.
fn parent_of(process: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}
