//! A Debian made on this machine, by mmdebstrap. It needs no registry, only a mirror.

use super::tree::Tree;
use super::unpack::{Content, unpack};
use anyhow::{Context, Result, bail};
use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::thread;

const PROGRAM: &str = "mmdebstrap";

/// What agents expect beside what every Debian has: git for the repository, certificates and curl for what they fetch.
const PACKAGES: &str = "ca-certificates,curl,git,procps";

/// Of what it says, so much is told when it fails; bytes.
const LAST_WORDS: usize = 2000;

/// Runs it, and unpacks what it writes.
pub(super) fn build(suite: &str, tree: &mut Tree) -> Result<()> {
    let mut builder = Command::new(PROGRAM);
    builder.args(["--variant=minbase", &format!("--include={PACKAGES}"), "--format=tar", suite, "-"]);
    let builder = builder.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut builder = match builder {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "a Debian is made by {PROGRAM}, which is not installed: apt-get install {PROGRAM} (on Debian and Ubuntu)"
        ),
        builder => builder.with_context(|| format!("start {PROGRAM}"))?,
    };
    let archive = builder.stdout.take().context("its output was asked for")?;
    let words = builder.stderr.take().context("its words were asked for")?;
    let listener = thread::spawn(move || last_words(words));
    let unpacked = unpack(archive, Content::Whole, tree);
    if unpacked.is_err() {
        // Nobody reads what it writes any more.
        let _ = builder.kill();
    }
    let status = builder.wait().with_context(|| format!("wait for {PROGRAM}"))?;
    let words = listener.join().unwrap_or_default();
    match unpacked {
        // What it writes is no archive then.
        _ if status.code().is_some_and(|code| code != 0) => {
            bail!("{PROGRAM} could not make it ({status}):\n{}", words.trim())
        }
        unpacked => unpacked.with_context(|| format!("unpack what {PROGRAM} made")),
    }
}

fn last_words(mut from: impl Read) -> String {
    let (mut words, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        words.extend_from_slice(&chunk[..read]);
        let excess = words.len().saturating_sub(LAST_WORDS);
        words.drain(..excess);
    }
    String::from_utf8_lossy(&words).into_owned()
}
