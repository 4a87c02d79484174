//! What runs code in sandboxes of E2B's code interpreter SDKs: one file of Python, which needs nothing beside Python itself and takes
//! IPython where there is one. It is put into a sandbox that begins with their template, unless somebody has a template of that name.

use lamplight_e2b::CODE_INTERPRETER_PORT;
use lamplight_engine::Begins;

const PROGRAM: &str = include_str!("interpreter.py");

/// Where it is inside: also who is not root may write there.
const PLACE: &str = "/var/tmp/code-interpreter.py";

pub(super) fn begins() -> Begins {
    Begins {
        files: [(PLACE.to_owned(), PROGRAM.to_owned())].into(),
        start: Some(format!("exec python3 {PLACE}")),
        // bash makes the connection itself.
        ready: Some(format!("exec 3<>/dev/tcp/127.0.0.1/{CODE_INTERPRETER_PORT}")),
        ..Begins::default()
    }
}
