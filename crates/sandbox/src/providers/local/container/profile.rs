//! The filter of system calls as container runtimes are told it: the same list, and the same answers as far as that form has them.
//!
//! It compares 64 bits where our own filter reads the 32 that the kernel reads. What is *allowed* unless an argument has a value is
//! therefore said with masks over the lower half, as all other values of these bits; what is refused may be said more roughly, as
//! whatever no rule is for answers `ENOSYS`. There are no rules about files beside it (Landlock), so that it also refuses to make devices.
//!
//! Source: the OCI runtime specification, config-linux, "Seccomp"; seccomp_rule_add(3).

use super::super::seccomp::{
    Filter, GIVES_BACK, NAMESPACES, NETLINK_ROUTE, PERSONALITIES, PRIORITIES, PROTOCOLS, SEGMENT_BYTES,
    TERMINAL, TIME_NAMESPACE,
};
use super::super::system_calls::{ALLOWED, ALLOWED_HERE, ALLOWED_NEW, Call, NESTING, NEWER_MOUNTS, REFUSED};
use serde_json::{Value, json};

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: &str = "SCMP_ARCH_X86_64";
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: &str = "SCMP_ARCH_AARCH64";

/// The part of a file's mode that says what it is, and the kinds that anybody may make: a file (which may be said as 0), a pipe, a socket.
const KIND: u32 = libc::S_IFMT;
const KINDS: [u32; 4] = [0, libc::S_IFREG, libc::S_IFIFO, libc::S_IFSOCK];
const DEVICES: [u32; 2] = [libc::S_IFCHR, libc::S_IFBLK];

/// Numbers of processes have no more. Source: proc_sys_kernel(5), `pid_max`.
const PROCESS_BITS: u32 = 22;

/// What becomes of some calls.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    names: Vec<&'static str>,
    /// 0: allowed; otherwise the number of the error.
    errno: i32,
    /// All of them have to be so.
    arguments: Vec<Argument>,
}

/// What an argument is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Argument {
    index: u32,
    comparison: Comparison,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Is(u64),
    IsNot(u64),
    IsAtMost(u64),
    IsAbove(u64),
    /// These bits have this value.
    Has {
        bits: u32,
        value: u32,
    },
}

/// As `linux.seccomp` of a container's configuration.
pub(super) fn profile(filter: Filter) -> Value {
    let rules: Vec<Value> = rules(filter).iter().map(Rule::written).collect();
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": libc::ENOSYS,
        "architectures": [ARCHITECTURE],
        "syscalls": rules,
    })
}

fn rules(Filter { nested_sandboxes, counts_segments }: Filter) -> Vec<Rule> {
    let names = |calls: &[Call]| calls.iter().map(|call| call.name).collect::<Vec<_>>();
    let judged = |name: &str| matches!(name, "mknod" | "mknodat") || (name == "shmget" && !counts_segments);
    let mut allowed: Vec<&str> = [ALLOWED, ALLOWED_HERE, ALLOWED_NEW].into_iter().flat_map(names).collect();
    allowed.retain(|name| !judged(name));
    if nested_sandboxes {
        allowed.extend(names(NESTING).into_iter().chain(["clone", "unshare"]));
    }
    let mut refused = names(REFUSED);
    if !nested_sandboxes {
        refused.extend([NESTING, NEWER_MOUNTS].into_iter().flat_map(names));
    }
    let all = |names, errno| Rule { names, errno, arguments: Vec::new() };
    let mut rules = vec![all(allowed, 0), all(refused, libc::EPERM)];
    rules.extend(sockets());
    rules.extend(others(1, TERMINAL).map(|argument| rule("ioctl", 0, [argument])));
    rules.extend(TERMINAL.iter().map(|request| rule("ioctl", libc::EPERM, [is(1, *request)])));
    rules.extend(PERSONALITIES.iter().map(|known| rule("personality", 0, [is(0, *known)])));
    rules.extend(limits_of_processes());
    rules.extend([
        rule("fallocate", 0, [is(1, GIVES_BACK)]),
        rule("fallocate", libc::EOPNOTSUPP, [is_not(1, GIVES_BACK)]),
    ]);
    rules.extend(priorities());
    if !counts_segments {
        let most = u64::from(SEGMENT_BYTES);
        let size = |comparison| [Argument { index: 1, comparison }];
        rules.push(rule("shmget", 0, size(Comparison::IsAtMost(most))));
        rules.push(rule("shmget", libc::EINVAL, size(Comparison::IsAbove(most))));
    }
    if !nested_sandboxes {
        rules.extend(without("clone", NAMESPACES));
        rules.extend(without("unshare", NAMESPACES | TIME_NAMESPACE));
    }
    rules.extend(no_devices("mknodat", 2));
    if cfg!(target_arch = "x86_64") {
        rules.extend(no_devices("mknod", 1));
    }
    rules
}

fn no_devices(name: &'static str, mode: u32) -> impl Iterator<Item = Rule> {
    let made = KINDS.map(|kind| rule(name, 0, [has(mode, KIND, kind)]));
    made.into_iter().chain(DEVICES.map(|kind| rule(name, libc::EPERM, [has(mode, KIND, kind)])))
}

/// Programs that find no such family or protocol go on without; many stop at "not implemented".
fn sockets() -> Vec<Rule> {
    let [unix, inet, inet6, netlink] =
        [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK].map(i32::cast_unsigned);
    let mut rules = vec![
        rule("socketpair", 0, [is(0, unix)]),
        rule("socketpair", libc::EAFNOSUPPORT, [is_not(0, unix)]),
        rule("socket", 0, [is(0, unix)]),
        rule("socket", 0, [is(0, netlink), is(2, NETLINK_ROUTE)]),
        rule("socket", libc::EPROTONOSUPPORT, [is(0, netlink), is_not(2, NETLINK_ROUTE)]),
        rule("socket", libc::EAFNOSUPPORT, [is_above(0, netlink)]),
    ];
    let last = PROTOCOLS.iter().copied().max().unwrap_or_default();
    for family in [inet, inet6] {
        let known = PROTOCOLS.iter().map(|protocol| rule("socket", 0, [is(0, family), is(2, *protocol)]));
        rules.extend(known);
        rules.push(rule("socket", libc::EPROTONOSUPPORT, [is(0, family), is_above(2, last)]));
    }
    rules
}

fn limits_of_processes() -> [Rule; 3] {
    [
        rule("prlimit64", 0, [is(0, 0)]),
        rule("prlimit64", 0, [is_not(0, 0), is(2, 0)]),
        rule("prlimit64", libc::EPERM, [is_not(0, 0), is_not(2, 0)]),
    ]
}

/// Not of PID 1, nor of all of a user's. As few rules as that takes, as runtimes need long for many: of other processes' input and
/// output nobody sets the priority.
fn priorities() -> Vec<Rule> {
    let mut rules = Vec::new();
    for (Call { name, .. }, whose, all_of_a_user) in PRIORITIES {
        let first: &[Argument] = match (name, all_of_a_user) {
            ("ioprio_set", Some(all)) => {
                let one_or_group = [1, 2].map(|which| rule(name, 0, [is(0, which), is(whose, 0)]));
                rules.extend(one_or_group);
                rules.extend([
                    rule(name, libc::EPERM, [is_not(whose, 0)]),
                    rule(name, libc::EPERM, [is(0, all)]),
                ]);
                continue;
            }
            // `PRIO_PROCESS` and `PRIO_PGRP`.
            (_, Some(_)) => &[has(0, !1, 0)],
            (_, None) => &[],
        };
        let with = |argument| first.iter().copied().chain([argument]).collect::<Vec<_>>();
        rules.extend(others_below(PROCESS_BITS, whose, &[1]).map(|argument| rule(name, 0, with(argument))));
        rules.push(rule(name, libc::EPERM, with(is(whose, 1))));
        rules.extend(all_of_a_user.map(|all| rule(name, libc::EPERM, [is(0, all)])));
    }
    rules
}

/// A call whose first argument may have none of these bits. Each value is in one rule only: which of two counts is not said anywhere.
fn without(name: &'static str, flags: u32) -> Vec<Rule> {
    let flags_one_by_one = (0..u32::BITS).map(|bit| 1_u32 << bit).filter(|bit| flags & bit != 0);
    let refused = flags_one_by_one.map(|bit| has(0, flags & (bit | (bit - 1)), bit));
    let refused = refused.map(|argument| rule(name, libc::EPERM, [argument]));
    std::iter::once(rule(name, 0, [has(0, flags, 0)])).chain(refused).collect()
}

/// Every value of the lower half of an argument but these, each once.
fn others(index: u32, but: &[u32]) -> impl Iterator<Item = Argument> {
    others_below(u32::BITS, index, but)
}

/// The same, of as many bits.
fn others_below(bits: u32, index: u32, but: &[u32]) -> impl Iterator<Item = Argument> {
    let mut found = Vec::new();
    let mut blocks = vec![(0_u32, bits)];
    while let Some((start, free)) = blocks.pop() {
        let bits = u32::MAX.checked_shl(free).unwrap_or(0);
        if but.iter().all(|value| value & bits != start) {
            found.push(has(index, bits, start));
        } else if free > 0 {
            blocks.extend([(start, free - 1), (start | (1 << (free - 1)), free - 1)]);
        }
    }
    found.into_iter()
}

fn rule(name: &'static str, errno: i32, arguments: impl Into<Vec<Argument>>) -> Rule {
    Rule { names: vec![name], errno, arguments: arguments.into() }
}

fn is(index: u32, value: u32) -> Argument {
    Argument { index, comparison: Comparison::Is(value.into()) }
}

fn is_not(index: u32, value: u32) -> Argument {
    Argument { index, comparison: Comparison::IsNot(value.into()) }
}

fn is_above(index: u32, value: u32) -> Argument {
    Argument { index, comparison: Comparison::IsAbove(value.into()) }
}

fn has(index: u32, bits: u32, value: u32) -> Argument {
    Argument { index, comparison: Comparison::Has { bits, value } }
}

impl Rule {
    fn written(&self) -> Value {
        let arguments: Vec<Value> = self.arguments.iter().map(Argument::written).collect();
        match self.errno {
            0 => json!({ "names": self.names, "action": "SCMP_ACT_ALLOW", "args": arguments }),
            errno => {
                json!({ "names": self.names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno, "args": arguments })
            }
        }
    }
}

impl Argument {
    fn written(&self) -> Value {
        let (operator, value, second) = match self.comparison {
            Comparison::Is(value) => ("SCMP_CMP_EQ", value, 0_u64),
            Comparison::IsNot(value) => ("SCMP_CMP_NE", value, 0),
            Comparison::IsAtMost(value) => ("SCMP_CMP_LE", value, 0),
            Comparison::IsAbove(value) => ("SCMP_CMP_GT", value, 0),
            Comparison::Has { bits, value } => ("SCMP_CMP_MASKED_EQ", bits.into(), value.into()),
        };
        json!({ "index": self.index, "value": value, "valueTwo": second, "op": operator })
    }
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
