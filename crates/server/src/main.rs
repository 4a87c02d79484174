//! The `lamplight` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    lamplight_server::cli::main()
}
