//! `sudo`, as far as scripts and people use it: asks the guest, and ends as the command did.

use super::request::{ANSWER, Answer, Request, decode_answer};
use super::user::User;
use anyhow::{Context, bail};
use lamplight_wire::ExitStatus;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{MemfdFlags, Mode, memfd_create};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

const USAGE: &str = "usage: sudo [-EHinSs] [-u USER] [--] [NAME=VALUE…] [COMMAND [ARGUMENT…]]";

/// Passed on to the command. Source: signal(7).
const PASSED_ON: &[i32] = &[
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGWINCH,
    libc::SIGCONT,
];

/// The options of sudo(8) that mean something in here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    user: Option<String>,
    keep_environment: bool,
    shell: bool,
    login: bool,
    /// `-v`, `-k` and their like: there is no password, so nothing is left to do.
    nothing: bool,
    variables: Vec<(OsString, OsString)>,
    command: Vec<OsString>,
}

pub(crate) fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match Options::parse(arguments).and_then(ask) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sudo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn parse(arguments: impl Iterator<Item = OsString>) -> anyhow::Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.peekable();
        while let Some(text) = arguments.peek().and_then(|next| next.to_str()) {
            if !text.starts_with('-') || text == "-" {
                break;
            }
            let text = text.to_owned();
            arguments.next();
            match text.as_str() {
                "--" => break,
                "--user" => options.user = Some(value(&mut arguments, "--user")?),
                "--preserve-env" => options.keep_environment = true,
                "--login" => options.login = true,
                "--shell" => options.shell = true,
                "--validate" | "--reset-timestamp" | "--remove-timestamp" | "--list" => {
                    options.nothing = true
                }
                "--non-interactive" | "--set-home" | "--stdin" => {}
                long if long.starts_with("--preserve-env=") => {
                    let names = long.trim_start_matches("--preserve-env=").split(',');
                    options
                        .variables
                        .extend(names.filter_map(|name| Some((name.into(), std::env::var_os(name)?))));
                }
                long if long.starts_with("--user=") => options.user = Some(long["--user=".len()..].into()),
                long if long.starts_with("--") => bail!("{long} is not known in here\n{USAGE}"),
                short => options.take_short(&short[1..], &mut arguments)?,
            }
        }
        while let Some((name, value)) = arguments.peek().and_then(variable) {
            options.variables.push((name, value));
            arguments.next();
        }
        options.command = arguments.collect();
        if options.command.is_empty() && !options.shell && !options.login && !options.nothing {
            bail!("{USAGE}");
        }
        Ok(options)
    }

    fn take_short(&mut self, letters: &str, rest: &mut impl Iterator<Item = OsString>) -> anyhow::Result<()> {
        for (at, letter) in letters.char_indices() {
            match letter {
                'u' => {
                    let glued = &letters[at + 1..];
                    self.user = Some(if glued.is_empty() { value(rest, "-u")? } else { glued.into() });
                    return Ok(());
                }
                'E' => self.keep_environment = true,
                's' => self.shell = true,
                'i' => self.login = true,
                'v' | 'k' | 'K' | 'l' => self.nothing = true,
                'n' | 'S' | 'H' => {}
                other => bail!("-{other} is not known in here\n{USAGE}"),
            }
        }
        Ok(())
    }

    fn into_request(self) -> anyhow::Result<Request> {
        let wanted = self.user.as_deref().unwrap_or("root");
        let user = User::find(wanted).with_context(|| format!("there is no user {wanted}"))?;
        let folder =
            if self.login { user.home.clone().into() } else { std::env::current_dir()?.into_os_string() };
        let kept = std::env::vars_os().filter(|(name, _)| self.keep_environment || name == "TERM");
        let named =
            [("HOME", &user.home), ("USER", &user.name), ("LOGNAME", &user.name), ("SHELL", &user.shell)];
        let named = named.map(|(name, value)| (name.into(), value.into()));
        let asker = std::env::var_os("USER").unwrap_or_default();
        let variables = kept.chain(named).chain([("SUDO_USER".into(), asker)]).chain(self.variables);
        let variables = variables.collect();
        let shell = OsString::from(&user.shell);
        let arguments = if self.shell || self.login {
            let joined = self.command.join(std::ffi::OsStr::new(" "));
            let flag = if self.login { vec!["-l".into()] } else { Vec::new() };
            let command = if joined.is_empty() { Vec::new() } else { vec!["-c".into(), joined] };
            [vec![shell], flag, command].concat()
        } else {
            self.command
        };
        let umask = rustix::process::umask(Mode::from_raw_mode(0o022)).as_raw_mode();
        Ok(Request {
            user: user.user,
            group: user.group,
            groups: user.groups,
            umask,
            folder,
            arguments,
            variables,
        })
    }
}

fn value(rest: &mut impl Iterator<Item = OsString>, option: &str) -> anyhow::Result<String> {
    let value = rest.next().with_context(|| format!("{option} needs a value\n{USAGE}"))?;
    value.into_string().map_err(|value| anyhow::anyhow!("{value:?} is not text"))
}

/// `NAME=VALUE`, which a command's name cannot be.
fn variable(text: &OsString) -> Option<(OsString, OsString)> {
    let bytes = text.as_bytes();
    let at = bytes.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
    let name = &bytes[..at];
    name.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        .then(|| (OsString::from_vec(name.to_vec()), OsString::from_vec(bytes[at + 1..].to_vec())))
}

fn ask(options: Options) -> anyhow::Result<ExitCode> {
    if options.nothing && options.command.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let program = options.command.first().cloned().unwrap_or_default();
    let request = options.into_request()?;
    let mut socket = UnixStream::connect(super::SOCKET).context("ask the sandbox for root")?;
    let signals = catch_signals().context("catch signals")?;
    let file = File::from(memfd_create("request", MemfdFlags::CLOEXEC).context("make the request")?);
    request.write(&file).context("write the request")?;
    send(&socket, &file).context("send the request")?;
    let answer = wait(&mut socket, &signals).context("wait for the command")?;
    Ok(match answer {
        Answer::Ended(ExitStatus::Code { code }) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
        Answer::Ended(ExitStatus::Signal { signal }) => end_by(signal),
        Answer::NotStarted(number) => {
            bail!("{}: {}", program.display(), io::Error::from_raw_os_error(number))
        }
    })
}

/// They can be read from the descriptor instead of ending this process.
fn catch_signals() -> io::Result<OwnedFd> {
    // SAFETY: the set is made by the calls that are there for it, and outlives them; the descriptor is new and nobody else's.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        PASSED_ON.iter().for_each(|signal| {
            libc::sigaddset(&raw mut set, *signal);
        });
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        match libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

fn send(socket: &UnixStream, request: &File) -> io::Result<()> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let descriptors = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd(), request.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(super::DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(socket, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Until the guest says how the command ended.
fn wait(socket: &mut UnixStream, signals: &OwnedFd) -> io::Result<Answer> {
    let mut signals = File::from(signals.try_clone()?);
    loop {
        let mut ready = [PollFd::new(&*socket, PollFlags::IN), PollFd::new(&signals, PollFlags::IN)];
        rustix::io::retry_on_intr(|| poll(&mut ready, None))?;
        let (answered, signalled) = (!ready[0].revents().is_empty(), !ready[1].revents().is_empty());
        if answered {
            let mut answer = [0; ANSWER];
            socket.read_exact(&mut answer)?;
            return decode_answer(answer).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData));
        }
        if signalled {
            let mut signal = [0; size_of::<libc::signalfd_siginfo>()];
            signals.read_exact(&mut signal)?;
            // Its number is the first field, and small.
            socket.write_all(&signal[..1])?;
        }
    }
}

/// As the command ended, so that whoever waits for us sees the same.
fn end_by(signal: i32) -> ExitCode {
    // SAFETY: all three take numbers or sets that outlive them; the default action of the signal ends this process.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::signal(signal, libc::SIG_DFL);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const all, std::ptr::null_mut());
        libc::raise(signal);
    }
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> anyhow::Result<Options> {
        Options::parse(text.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_end_where_the_command_begins() {
        let check = |text: &str, expected: Options| assert_eq!(parse(text).unwrap(), expected, "{text}");
        let command = |command: &[&str]| command.iter().map(OsString::from).collect();
        check(
            "apt-get -y install x",
            Options { command: command(&["apt-get", "-y", "install", "x"]), ..Options::default() },
        );
        check(
            "-nEu postgres A=b c=d psql -c",
            Options {
                user: Some("postgres".into()),
                keep_environment: true,
                variables: vec![("A".into(), "b".into()), ("c".into(), "d".into())],
                command: command(&["psql", "-c"]),
                ..Options::default()
            },
        );
        check(
            "-u#0 -- -x",
            Options { user: Some("#0".into()), command: command(&["-x"]), ..Options::default() },
        );
        check("-i", Options { login: true, ..Options::default() });
        check("-v", Options { nothing: true, ..Options::default() });
    }

    #[test]
    fn what_is_not_known_is_refused_and_not_guessed() {
        for text in ["", "-A true", "--chroot=/ true", "-u"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
