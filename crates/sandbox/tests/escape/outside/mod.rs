//! Attempts that are made on the host itself, through what it does for a sandbox: each beside what would come of it if
//! the host did it without care.

mod files;
mod lifetime;
mod protocol;
mod sessions;

use crate::place::Place;
use crate::report::{Made, MadeOutside, Verdict};
use std::time::Duration;

/// An attempt that takes longer has hung, which is no way to be stopped.
const PATIENCE: Duration = Duration::from_secs(120);

/// How an attempt went, here or without care: `Ok` is what it got.
type Tried = Result<String, String>;

macro_rules! attempts {
    ($($room:literal { $($name:literal, $stopped_by:literal, $attempt:path;)* })*) => {
        pub(crate) fn names() -> Vec<String> {
            vec![$($($name.to_owned()),*),*]
        }

        pub(crate) async fn run(place: &Place) -> Vec<MadeOutside> {
            vec![$($({
                let tried = tokio::time::timeout(PATIENCE, $attempt(place)).await;
                let (here, careless) = tried.unwrap_or_else(|_| (Ok("it hung".to_owned()), Err("it hung".to_owned())));
                MadeOutside {
                    room: $room.to_owned(),
                    stopped_by: $stopped_by.to_owned(),
                    made: made($name, here),
                    control: made($name, careless),
                }
            }),*),*]
        }
    };
}

attempts! {
    "another session" {
        "read the files of another session", "nothing to find", sessions::files;
        "see the processes of another session", "nothing to find", sessions::processes;
        "reach a port of another session", "nothing to find", sessions::port;
        "reach an abstract socket of another session", "nothing to find", sessions::abstract_socket;
        "find shared memory or queues of another session", "nothing to find", sessions::shared_memory;
        "dial the guest of another session", "nothing to find", sessions::guest;
        "use the gateway of another session", "nothing to find", sessions::gateway;
        "find what a removed session left, with the same id", "nothing to find", sessions::left_over;
    }
    "lifetime" {
        "outlive PID 1", "the kernel ends the PID namespace", lifetime::first_killed;
        "outlive the sandbox by hiding from it", "destroy", lifetime::destroyed;
        "outlive a stop by starting again and again", "the guest kills until none is left", lifetime::stopped;
        "end the guest", "the kernel protects PID 1", lifetime::end_guest;
    }
    "the host's hands" {
        "have the host read through a link", "paths are resolved inside", files::read_link;
        "have the host read by going up", "paths are resolved inside", files::read_up;
        "have the host write through a link", "paths are resolved inside", files::write_link;
        "have the host wait for a pipe", "only regular files are read", files::pipe;
        "have the host read a file without end", "a limit", files::endless;
        "have the host read the server's environment", "paths are resolved inside", files::environment;
        "have the host remove through a link", "links are not followed", files::remove_link;
        "make a tree that the host cannot remove", "removed by descriptors, not paths", files::deep;
        "plant a set-user-id program on the host", "nobody can get to it", files::planted;
    }
    "the link" {
        "announce more than anybody can hold", "a limit", protocol::announced;
        "forge an exit status by what it prints", "output is framed", protocol::forged;
        "fill the host's disk by talking", "a limit", protocol::flood;
        "fill the host's memory with one line", "a limit", protocol::line;
        "open connections to the gateway without end", "a limit", protocol::connections;
    }
}

fn made(name: &str, tried: Tried) -> Made {
    let (verdict, detail) = match tried {
        Ok(evidence) => (Verdict::Open, evidence),
        Err(stopped) => (Verdict::Blocked, stopped),
    };
    Made { name: name.to_owned(), verdict, detail }
}

/// Something was found, or nothing.
fn found(what: String) -> Tried {
    if what.is_empty() { Err("nothing found".to_owned()) } else { Ok(what) }
}
