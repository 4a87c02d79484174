//! The launcher of the local provider as a program of its own, for tests and measurements; `lamplight` carries it inside.

fn main() -> std::process::ExitCode {
    lamplight_sandbox::providers::local::launcher_main()
}
