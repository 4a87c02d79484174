//! The list as runtimes are told it, beside our own filter as the kernel runs it.

use super::super::super::seccomp::tests::decide_here;
use super::*;

/// Of the rules that are for a call with these arguments: that they agree, and what they say.
fn decide(rules: &[Rule], name: &str, arguments: [u64; 3]) -> Result<(), i32> {
    let holds = |argument: &Argument| {
        let value = arguments[argument.index as usize];
        match argument.comparison {
            Comparison::Is(wanted) => value == wanted,
            Comparison::IsNot(other) => value != other,
            Comparison::IsAtMost(most) => value <= most,
            Comparison::IsAbove(most) => value > most,
            Comparison::Has { bits, value: wanted } => value & u64::from(bits) == u64::from(wanted),
        }
    };
    let for_it = rules.iter().filter(|rule| rule.names.contains(&name) && rule.arguments.iter().all(holds));
    let mut said: Vec<i32> = for_it.map(|rule| rule.errno).collect();
    said.dedup();
    match said[..] {
        [] => Err(libc::ENOSYS),
        [0] => Ok(()),
        [errno] => Err(errno),
        _ => panic!("{name} {arguments:x?}: rules that say {said:?}"),
    }
}

fn known() -> Vec<Call> {
    let mut known = [ALLOWED, ALLOWED_HERE, ALLOWED_NEW, REFUSED, NESTING, NEWER_MOUNTS].concat();
    known.extend(PRIORITIES.map(|(call, ..)| call));
    known.extend([
        Call::new("SYS_socket", libc::SYS_socket),
        Call::new("SYS_socketpair", libc::SYS_socketpair),
        Call::new("SYS_ioctl", libc::SYS_ioctl),
        Call::new("SYS_personality", libc::SYS_personality),
        Call::new("SYS_prlimit64", libc::SYS_prlimit64),
        Call::new("SYS_fallocate", libc::SYS_fallocate),
        Call::new("SYS_clone", libc::SYS_clone),
        Call::new("SYS_unshare", libc::SYS_unshare),
        Call::new("SYS_clone3", libc::SYS_clone3),
    ]);
    known
}

/// Numbers on both sides of every bound, and with something in the half that the kernel does not read.
fn values() -> Vec<u64> {
    let mut values: Vec<u64> = [0, 1, 2, 3, 4, 10, 16, 17, 58, 132, 0x5411, 0x5424, 0x2_0008].into();
    values.extend(TERMINAL.iter().map(|request| u64::from(*request)));
    values.extend([0x1000_0000, 0x4000_0000, 0x80, 0x11, 0xffff_ffff]);
    values.extend([64 * 1024, 64 * 1024 + 1, 0o020_000, 0o060_000, 0o100_644, 0o010_600]);
    values.extend([0x1_0000_0000, 0x1_0000_0001, 0x1_0000_5412, 0x1_7e02_0000, u64::MAX]);
    values
}

#[test]
fn it_decides_as_our_own_filter_does() {
    for filter in [
        Filter { nested_sandboxes: false, counts_segments: true },
        Filter { nested_sandboxes: false, counts_segments: false },
        Filter { nested_sandboxes: true, counts_segments: true },
    ] {
        let rules = rules(filter);
        for call in known() {
            compare(filter, &rules, call);
        }
    }
}

fn compare(filter: Filter, rules: &[Rule], Call { name, number }: Call) {
    let judges = |index: u32| {
        let of_it = rules.iter().filter(|rule| rule.names.contains(&name));
        of_it.flat_map(|rule| &rule.arguments).any(|argument| argument.index == index)
    };
    let tried = |index: u32| if judges(index) { values() } else { vec![0] };
    for first in tried(0) {
        for second in tried(1) {
            for third in tried(2) {
                let arguments = [first, second, third];
                let what = || format!("{name} {arguments:x?} of {filter:?}");
                let ours = decide_here(filter, number, arguments);
                let theirs = decide(rules, name, arguments);
                assert!(ours.is_ok() || theirs.is_err(), "{}: refused by ours alone", what());
                // More is refused than by ours: devices, what no program asks for, and what no such call is asked with.
                let kind = if name == "mknod" { second } else { third } & u64::from(KIND);
                let made = !name.starts_with("mknod") || KINDS.iter().any(|known| u64::from(*known) == kind);
                let whose = PRIORITIES.iter().all(|(call, whose, all)| {
                    let there_is = |which| all.is_none() || which <= 2;
                    let process = arguments[*whose as usize];
                    let told = if name == "ioprio_set" {
                        process == 0 && first > 0
                    } else {
                        process < 1 << PROCESS_BITS
                    };
                    call.name != name || (there_is(first) && told)
                });
                let plain = arguments.iter().all(|argument| u32::try_from(*argument).is_ok());
                if made && whose && plain {
                    assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", what());
                }
            }
        }
    }
}

#[test]
fn refusals_are_told_as_programs_understand_them() {
    let rules = rules(Filter::default());
    let check = |name, arguments, errno| assert_eq!(decide(&rules, name, arguments), Err(errno), "{name}");
    check("ptrace", [0, 0, 0], libc::EPERM);
    check("mount", [0, 0, 0], libc::EPERM);
    check("clone3", [0, 0, 0], libc::ENOSYS);
    check("clone", [0x1000_0000, 0, 0], libc::EPERM);
    check("socket", [40, 1, 0], libc::EAFNOSUPPORT);
    check("socket", [2, 5, 132], libc::EPROTONOSUPPORT);
    check("socket", [16, 3, 9], libc::EPROTONOSUPPORT);
    check("ioctl", [0, 0x5412, 0], libc::EPERM);
    check("fallocate", [3, 0, 0], libc::EOPNOTSUPP);
    check("setpriority", [2, 0, 10], libc::EPERM);
    check("shmget", [0, 1 << 20, 0], libc::EINVAL);
    check("mknodat", [0, 0, u64::from(libc::S_IFCHR)], libc::EPERM);
}

#[test]
fn it_is_written_in_the_words_of_the_specification() {
    let written = profile(Filter { nested_sandboxes: false, counts_segments: true });
    assert_eq!(
        (&written["defaultAction"], &written["defaultErrnoRet"]),
        (&json!("SCMP_ACT_ERRNO"), &json!(38))
    );
    let of = |name: &str| {
        let all = written["syscalls"].as_array().unwrap().iter();
        all.filter(|rule| rule["names"] == json!([name])).cloned().collect::<Vec<_>>()
    };
    assert_eq!(
        of("fallocate"),
        [
            json!({ "names": ["fallocate"], "action": "SCMP_ACT_ALLOW",
                "args": [{ "index": 1, "value": 3, "valueTwo": 0, "op": "SCMP_CMP_EQ" }] }),
            json!({ "names": ["fallocate"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95,
                "args": [{ "index": 1, "value": 3, "valueTwo": 0, "op": "SCMP_CMP_NE" }] }),
        ]
    );
    assert_eq!(
        of("clone")[0]["args"],
        json!([{ "index": 0, "value": 0x7e02_0000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ" }])
    );
}
