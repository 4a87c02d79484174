//! A secret from a person or a program: what is typed is not shown.

use anyhow::{Context, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, IsTerminal, Read, Stdin};

/// No secret is longer; more of the input is not read.
const INPUT_BYTES: u64 = 64 * 1024;

const INTERRUPT: u8 = 3;
const END: u8 = 4;
const BACKSPACE: [u8; 2] = [8, 127];
const CLEAR_LINE: u8 = 21;

/// All of standard input, or one line of a terminal; without white space around it.
pub(super) fn read(prompt: &str) -> anyhow::Result<String> {
    let stdin = io::stdin();
    let text = if stdin.is_terminal() {
        typed(&stdin, prompt)?
    } else {
        let mut text = String::new();
        stdin.lock().take(INPUT_BYTES).read_to_string(&mut text).context("read standard input")?;
        text
    };
    let text = text.trim();
    if text.is_empty() {
        bail!("nothing came; give it on standard input, or type it");
    }
    Ok(text.to_owned())
}

/// The terminal as it was, again, whatever happens in between.
struct Quiet<'a> {
    stdin: &'a Stdin,
    before: Termios,
}

impl<'a> Quiet<'a> {
    /// Keys come one by one, those that would end the program too: it has to put the terminal back first.
    fn new(stdin: &'a Stdin) -> io::Result<Self> {
        let before = tcgetattr(stdin)?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(stdin, OptionalActions::Flush, &quiet)?;
        Ok(Self { stdin, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _gone = tcsetattr(self.stdin, OptionalActions::Flush, &self.before);
        eprintln!();
    }
}

fn typed(stdin: &Stdin, prompt: &str) -> anyhow::Result<String> {
    eprint!("{prompt}");
    let quiet = Quiet::new(stdin).context("keep the terminal from showing what is typed")?;
    let mut line = Vec::new();
    for byte in stdin.lock().take(INPUT_BYTES).bytes() {
        match byte.context("read the terminal")? {
            b'\n' | b'\r' | END => break,
            INTERRUPT => bail!("interrupted; nothing was stored"),
            CLEAR_LINE => line.clear(),
            byte if BACKSPACE.contains(&byte) => drop(line.pop()),
            byte => line.push(byte),
        }
    }
    drop(quiet);
    String::from_utf8(line).context("what was typed is no text")
}
