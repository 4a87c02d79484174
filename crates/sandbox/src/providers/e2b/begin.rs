//! What is put into a new sandbox: the guest, run by root, the user that everything else is done as, and the folders that callers know.
//!
//! That user is nobody's whom the cloud lets become root: so what an agent runs can neither end the guest nor speak in its place.

use super::config::{E2bConfig, environment};
use super::envd::{Door, Program, ROOT};
use crate::error::{ErrorKind, SandboxError};
use crate::provider::inside;
use bytes::Bytes;
use lamplight_e2b::process::{Data, Event};
use std::collections::BTreeMap;
use std::time::Duration;

/// Ours alone, in every sandbox.
const GUEST: &str = "/var/lib/lamplight/guest";
const SOCKET: &str = "/var/lib/lamplight/run/link.sock";

/// Where the guest is put first, until it belongs to root and can be run. Nobody else writes there: in a folder for everybody, such as `/tmp`,
/// something of an agent's may lie in the way, in files that were kept.
const UPLOADED: &str = "/var/lib/lamplight/guest.new";

/// For the folders, and until the guest listens.
const PREPARE: Duration = Duration::from_secs(60);
const LISTEN: Duration = Duration::from_secs(30);

/// Of the user that is made where a template has not the one that is wanted, and of its group.
const USER: &str = "7411";

/// Of what a guest that does not begin says; bytes.
const REASON: usize = 1000;

/// How [`PREPARING`] ends where a sandbox of this kind can never have a guest.
const NOT_HERE: i32 = 65;

/// As root: `$1` is who works in the sandbox, `$2` the machine that the guest is for, and `$3` the number of a user that is not there yet.
/// What came with the files of another sandbox, or with its memory, is ended and made anew.
const PREPARING: &str = r#"set -e
umask 022
[ "$(uname -m)" = "$2" ] || { echo "its machine is $(uname -m), and this Lamplight's guest is for $2" >&2; exit 65; }
if ! id -u "$1" > /dev/null 2>&1; then
  echo "$1:x:$3:$3::/home/agent:/bin/bash" >> /etc/passwd
  echo "$1:x:$3:" >> /etc/group
fi
user=$(id -u "$1")
[ "$user" != 0 ] || { echo "its user $1 is root" >&2; exit 65; }
for process in /proc/[0-9]*; do
  if [ "$(readlink "$process/exe" 2> /dev/null)" = /var/lib/lamplight/guest ]; then kill -KILL "${process#/proc/}" || true; fi
done
mkdir -p /var/lib/lamplight /workspace /home/agent
chown 0:0 /var/lib/lamplight
chmod 755 /var/lib/lamplight
rm -rf /var/lib/lamplight/run /var/lib/lamplight/user
mkdir -m 700 /var/lib/lamplight/run /var/lib/lamplight/user
mv -f /var/lib/lamplight/guest.new /var/lib/lamplight/guest
chown 0:0 /var/lib/lamplight/guest
chmod 755 /var/lib/lamplight/guest
chown "$user:$user" /workspace /home/agent /var/lib/lamplight/user
"#;

/// As root: `$1` is who works there, `$2` the guest's socket, and what follows the guest. Says a line as soon as it can be spoken with, and
/// ends when it ends.
const STARTING: &str = r#"agent=$(id -u "$1")
socket=$2
shift 2
"$@" --agent "$agent" > /dev/null 2> /var/lib/lamplight/run/guest.log < /dev/null &
guest=$!
until [ -S "$socket" ]; do
  kill -0 "$guest" 2> /dev/null || { cat /var/lib/lamplight/run/guest.log >&2; exit 1; }
  sleep 0.02
done
echo listening
wait "$guest"
"#;

/// Puts the guest in and starts it. Again is fine: it is another guest then.
pub(super) async fn begin(
    door: &Door,
    config: &E2bConfig,
    given: &BTreeMap<String, String>,
) -> Result<(), SandboxError> {
    door.upload(UPLOADED, Bytes::from_static(crate::GUEST)).await?;
    prepare(door, config).await?;
    let listening = tokio::time::timeout(LISTEN, start(door, config, given)).await;
    listening.unwrap_or_else(|_| Err(not_begun("it does not listen in time")))
}

/// What carries a link to the guest.
pub(super) fn relay() -> Program {
    Program {
        user: ROOT.to_owned(),
        argv: [GUEST, "--relay", SOCKET].map(str::to_owned).to_vec(),
        environment: environment(ROOT),
        folder: "/".to_owned(),
        has_input: true,
    }
}

async fn prepare(door: &Door, config: &E2bConfig) -> Result<(), SandboxError> {
    let argv = ["/bin/sh", "-c", PREPARING, "sh", &config.user, std::env::consts::ARCH, USER];
    let program = Program {
        user: ROOT.to_owned(),
        argv: argv.map(str::to_owned).to_vec(),
        environment: environment(ROOT),
        folder: "/".to_owned(),
        has_input: false,
    };
    let (end, said) = door.run(program, PREPARE).await?;
    match end.exit_code {
        0 if end.exited => Ok(()),
        NOT_HERE => {
            Err(SandboxError::new(ErrorKind::Unsupported, format!("the sandbox cannot be used: {said}")))
        }
        _ => Err(not_begun(&format!("its folders could not be made ({}): {said}", end.status))),
    }
}

async fn start(
    door: &Door,
    config: &E2bConfig,
    given: &BTreeMap<String, String>,
) -> Result<(), SandboxError> {
    let gateway = config.gateway.to_string();
    let guest = [GUEST, "--listen", SOCKET, "--gateway", &gateway, "--root", "none"];
    let argv = ["/bin/sh", "-c", STARTING, "sh", &config.user, SOCKET].into_iter().chain(guest);
    let mut all = environment(&config.user);
    all.insert("HOME".to_owned(), inside::HOME.to_owned());
    all.extend(given.clone());
    let program = Program {
        user: ROOT.to_owned(),
        argv: argv.map(str::to_owned).collect(),
        environment: all,
        folder: inside::WORKSPACE.to_owned(),
        has_input: false,
    };
    let mut events = door.start(program).await?.events;
    let mut complaint = Vec::new();
    loop {
        match events.next().await? {
            // From here on nobody listens to it, and it goes on.
            Some(Event::Data(Data::Stdout(_) | Data::Pty(_))) => return Ok(()),
            Some(Event::Data(Data::Stderr(bytes))) => {
                let room = REASON.saturating_sub(complaint.len()).min(bytes.0.len());
                complaint.extend_from_slice(&bytes.0[..room]);
            }
            Some(Event::Start { .. } | Event::Keepalive {}) => {}
            Some(Event::End(_)) | None => {
                return Err(not_begun(String::from_utf8_lossy(&complaint).trim()));
            }
        }
    }
}

fn not_begun(why: &str) -> SandboxError {
    SandboxError::new(ErrorKind::Failed, format!("the guest could not be started: {why}"))
}
