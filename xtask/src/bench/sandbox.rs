//! Sandboxes: how soon they are there and gone, what they cost, and how work goes in them; beside what any such thing costs on
//! this machine, and beside others that do less.

use super::Bench;
use super::http;
use super::peers::{Lamplight, create, end, until};
use super::process::{Running, free_port, now};
use super::table::{Table, ms, quantile, size};
use crate::command::output_of;
use crate::missing::{self, CRUN};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};

const COUNT: usize = 40;
/// Through the relay, each time.
const BYTES: u64 = 2_000_000_000;
const TURNS: u32 = 3;
/// bubblewrap with as many namespaces and no writable files of a session's own; nothing answers in it but its exit.
const BWRAP: [&str; 16] = [
    "--unshare-all",
    "--die-with-parent",
    "--new-session",
    "--ro-bind",
    "/usr",
    "/usr",
    "--symlink",
    "usr/bin",
    "/bin",
    "--symlink",
    "usr/lib",
    "/lib",
    "--symlink",
    "usr/lib64",
    "/lib64",
    "/bin/true",
];

/// Times `crun` by itself, without what it takes to start a shell, and where version 2 of cgroups is not seen beside version 1: the
/// one of Debian 12 refuses both at once. Prints nanoseconds.
const TIME_CRUN: &str = "umount /sys/fs/cgroup/unified 2>/dev/null; for i in $(seq \"$1\"); do a=$(date +%s%N); crun run \"bench-$$-$i\" || exit; \
     b=$(date +%s%N); echo $((b - a)); done";

pub(super) fn measure(bench: &Bench) -> Result<Vec<Table>> {
    Ok(vec![lives(bench), peers(bench)])
}

/// What each thing is called in the output of the example, and in the table; its goal; and what its numbers are.
const ROWS: [(&str, &str, &str, Numbers); 25] = [
    ("create_to_result", "create → first command's result", "≤ 5 ms", Numbers::Times),
    ("create_to_answer", "create → guest answers", "", Numbers::Times),
    ("floor", "namespaces, overlay, exec, and nothing else", "", Numbers::Times),
    ("ratio", "create → first command's result, of that", "≤ 1.5 ×", Numbers::Ratio),
    ("runtime_create_to_result", "create → first command's result, put up by crun", "", Numbers::Times),
    ("runtime_destroy", "destroy, put up by crun", "", Numbers::Times),
    (
        "volume_create_to_result",
        "create → first command's result, with a file system of the session's own",
        "",
        Numbers::Times,
    ),
    ("volume_destroy", "destroy, with that file system", "", Numbers::Times),
    ("command", "a command through the guest", "≤ 1 ms", Numbers::Times),
    ("destroy", "destroy, all gone with its files", "≤ 2 ms", Numbers::Times),
    ("thousand", "1,000 created, as many at a time as there are processors", "≤ 5 s", Numbers::Times),
    ("thousand_gone", "1,000 destroyed", "", Numbers::Times),
    ("idle_guest", "memory of an idle guest", "≤ 1 MiB", Numbers::Size),
    ("idle_machine", "memory of the machine for each, guest included", "≤ 1.6 MiB", Numbers::Size),
    ("pause", "pause", "≤ 1 ms", Numbers::Times),
    ("resume", "resume", "≤ 1 ms", Numbers::Times),
    ("checkpoint_still", "checkpoint, not running, 10,000 files", "≤ 5 ms", Numbers::Times),
    (
        "checkpoint_first",
        "checkpoint, running, the first: all of 10,000 files are copied",
        "",
        Numbers::Times,
    ),
    (
        "checkpoint_running",
        "checkpoint, running, 5 of 10,000 files changed since the last",
        "≤ 5 ms",
        Numbers::Times,
    ),
    ("checkpoint_layered", "the same, the others in a layer", "≤ 5 ms", Numbers::Times),
    ("fork", "fork of 10,000 files", "≤ 5 ms", Numbers::Times),
    ("egress_setup", "what a way out adds to create", "≤ 1 ms", Numbers::Times),
    ("work_spawn", "200 programs started, of a plain chroot", "≤ 1.1 ×", Numbers::Ratio),
    ("work_git", "git init, add and commit of 5,000 files", "≤ 1.1 ×", Numbers::Ratio),
    ("work_read", "reading 5,000 small files", "≤ 1.4 ×", Numbers::Ratio),
];

#[derive(Debug, Clone, Copy)]
enum Numbers {
    /// Microseconds: the middle, and the slowest of a hundred where there are as many.
    Times,
    /// Two times in microseconds, ours and what it is compared with.
    Ratio,
    /// KiB.
    Size,
}

fn lives(bench: &Bench) -> Table {
    let mut table = Table::new(
        "Sandbox",
        "With everything on: all walls, limits, files of the session's own, the guest inside, a way out. Ratios are of what was measured by turns in this run.",
        &["what", "goal", "p50", "p99"],
    );
    match times(bench) {
        Ok(times) => {
            for (key, name, goal, numbers) in ROWS {
                let row = times.get(key).with_context(|| format!("the example printed no {key}"));
                table.row(name, row.map(|times| cells(goal, numbers, times)));
            }
        }
        Err(error) => table.row("sandboxes", Err(error)),
    }
    table.row("2 GB by curl through the relay, of the same without a sandbox", egress(bench));
    table
}

/// A session's program and one outside get the same from an address of this machine that is not loopback's, by turns; the fastest counts.
fn egress(bench: &Bench) -> Result<Vec<String>> {
    let (address, port) = (own_address()?, free_port()?);
    let mut source = Command::new(bench.example("gateway_load"));
    source.args(["upstream", &port.to_string(), &address.to_string()]);
    let log = bench.fresh("source")?.join("log");
    let _source = Running::start_until(source, port, &log, || TcpStream::connect((address, port)).is_ok())?;
    let address = address.to_string();
    let running = Lamplight::new(bench)?.serve_with(&[("LAMPLIGHT_SANDBOX_ALLOW_PRIVATE", &address)])?;
    let url = format!("http://{address}:{port}/bytes/{BYTES}");
    let prompt = format!("!run curl -sf -o /dev/null -w '%{{speed_download}}\\n' {url} >> speed.txt");
    let speed = |said: &str| said.trim().parse::<f64>().context("curl prints a speed");
    let (mut direct, mut relayed) = (0_f64, 0_f64);
    let id = create(bench, &running.url, &prompt, "scripted")?;
    for turn in 1..=TURNS {
        let mut curl = Command::new("curl");
        curl.args(["-sf", "-o", "/dev/null", "-w", "%{speed_download}", &url]);
        direct = direct.max(speed(&output_of(&mut curl)?)?);
        if turn > 1 {
            let prompts = format!("{}/api/v1/sessions/{id}/prompts", running.url);
            http::post(&prompts, &json!({ "text": prompt }))?;
        }
        let view = until(&running.url, &id, "done", |view| view["phase"] == "done" && view["turn"] == turn)?;
        let of = |field: &str| view[field].as_str().context("a session has a repository and a branch");
        let mut show = Command::new("git");
        show.args(["-C", of("repository")?, "show", &format!("{}:speed.txt", of("branch")?)]);
        let said = output_of(&mut show)?;
        relayed = relayed.max(speed(said.lines().last().unwrap_or_default())?);
    }
    end(&running.url, &id)?;
    let gigabits = |speed: f64| format!("{:.1} Gbit/s", speed * 8.0 / 1e9);
    let ratio = format!("{:.2} ×: {} of {}", relayed / direct, gigabits(relayed), gigabits(direct));
    Ok(vec!["≥ 0.4 ×".to_owned(), ratio, String::new()])
}

/// The one by which this machine would ask the outside; nothing is sent. It cannot be loopback's, which a sandbox has of its own.
fn own_address() -> Result<Ipv4Addr> {
    /// Of documentation (RFC 5737).
    const ANYWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket
        .connect(ANYWHERE)
        .context("this machine has no way to the outside, and no address but loopback's")?;
    match socket.local_addr()?.ip() {
        IpAddr::V4(address) if !address.is_loopback() => Ok(address),
        other => bail!("{other} is no address that a sandbox can reach"),
    }
}

fn cells(goal: &str, numbers: Numbers, values: &[f64]) -> Vec<String> {
    let [first, second] = [0, 1].map(|at| values.get(at).copied());
    let time = |us: Option<f64>| us.map(|us| ms(us / 1e3)).unwrap_or_default();
    let (first, second) = match numbers {
        Numbers::Times => (time(first), time(second)),
        Numbers::Ratio => {
            (first.zip(second).map(|(a, b)| format!("{:.2} ×", a / b)).unwrap_or_default(), String::new())
        }
        Numbers::Size => (first.map(size).unwrap_or_default(), String::new()),
    };
    vec![goal.to_owned(), first, second]
}

/// The example prints lines such as `destroy 2100 4000`.
fn times(bench: &Bench) -> Result<BTreeMap<String, Vec<f64>>> {
    let mut example = Command::new(bench.example("sandbox_times"));
    example.arg(bench.program("lamplight-launch")).arg(bench.fresh("sandboxes")?);
    // Without it, its rows say so.
    if missing::provide(&[CRUN]).is_ok() {
        example.arg(CRUN.program);
    }
    let said = output_of(&mut example)?;
    let line = |line: &str| {
        let (key, values) = line.split_once(' ').with_context(|| format!("the example printed {line:?}"))?;
        let values = values.split(' ').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        Ok((key.to_owned(), values))
    };
    let mut times: BTreeMap<_, _> = said.lines().map(line).collect::<Result<_>>()?;
    let first = |key: &str| times.get(key).and_then(|values: &Vec<f64>| values.first().copied());
    let ratio = first("create_to_result").zip(first("floor")).map(|(ours, floor)| vec![ours, floor]);
    times.insert("ratio".into(), ratio.context("the example printed no floor")?);
    Ok(times)
}

fn peers(bench: &Bench) -> Table {
    let mut table = Table::new(
        "Sandbox, beside others",
        "From starting the program to its end, with /bin/true inside. bwrap: as many namespaces; no filter of system calls, no files of its own, no guest. crun: what containers \
         are made by, without an image or a filter. spawn: the same program without any of it.",
        &["what", "p50", "p90"],
    );
    let mut bwrap = Command::new("bwrap");
    bwrap.args(BWRAP);
    table.row("bwrap", repeat(&mut bwrap));
    table.row("crun", crun(bench));
    table.row("spawn", repeat(&mut Command::new("/bin/true")));
    table
}

fn repeat(command: &mut Command) -> Result<Vec<String>> {
    command.stdin(Stdio::null());
    output_of(command)?;
    let mut took = Vec::new();
    for _ in 0..COUNT {
        let start = now();
        command.status()?;
        took.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(spread(&mut took))
}

fn crun(bench: &Bench) -> Result<Vec<String>> {
    missing::provide(&[CRUN])?;
    let bundle = bench.fresh("crun")?;
    for directory in ["usr", "proc", "dev", "tmp"] {
        std::fs::create_dir_all(bundle.join("rootfs").join(directory))?;
    }
    for name in ["bin", "lib", "lib64"] {
        std::os::unix::fs::symlink(format!("usr/{name}"), bundle.join("rootfs").join(name))?;
    }
    output_of(Command::new("crun").arg("spec").current_dir(&bundle))?;
    let file = bundle.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    config["process"]["args"] = json!(["/bin/true"]);
    config["process"]["terminal"] = json!(false);
    let usr = json!({ "destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"] });
    config["mounts"].as_array_mut().context("the specification of crun has no mounts")?.push(usr);
    std::fs::write(&file, config.to_string())?;
    let mut time = Command::new("unshare");
    time.args(["--mount", "sh", "-c", TIME_CRUN, "sh", &COUNT.to_string()]).current_dir(&bundle);
    let said = output_of(&mut time)?;
    let times = said.lines().map(|ns| Ok(ns.parse::<f64>()? / 1e6)).collect::<Result<Vec<f64>>>();
    Ok(spread(&mut times?))
}

fn spread(ms_each: &mut [f64]) -> Vec<String> {
    vec![ms(quantile(ms_each, 0.5)), ms(quantile(ms_each, 0.9))]
}
