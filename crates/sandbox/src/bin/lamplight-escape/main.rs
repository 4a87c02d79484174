//! Tries to get out. Placed in a sandbox by the suite in `tests/escape`, and run once more without any wall as control.
//!
//! ```text
//! lamplight-escape list                    every attempt, one JSON line each
//! lamplight-escape inside [NAME…]          makes the attempts here, all that need no sandbox of their own by default
//! lamplight-escape control FOLDER          makes all of them as root without walls, on a stand-in for this machine
//! lamplight-escape host FOLDER COMMAND…    runs a command beside that stand-in's neighbour and addresses
//! ```

mod attempt;
mod call;
mod control;
mod errno;
mod facts;
mod host;
mod rooms;
mod run;

use anyhow::{Result, bail};
use facts::Facts;
use std::process::ExitCode;

fn main() -> Result<ExitCode> {
    // First, so that what is found is what was inherited.
    run::remember_descriptors()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list"] => run::list(),
        ["inside", names @ ..] => run::chosen(&Facts::beside_this_program()?, names),
        ["control", folder] => return control::run(folder.as_ref()),
        ["host", folder, program, arguments @ ..] => {
            return host::beside(folder.as_ref(), program, arguments);
        }
        _ => bail!("list, inside [NAME…], control FOLDER, or host FOLDER COMMAND…"),
    }?;
    Ok(ExitCode::SUCCESS)
}
