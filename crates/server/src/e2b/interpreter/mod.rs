//! What runs code in sandboxes of E2B's code interpreter SDKs: a package of Python, which needs nothing beside Python itself, takes IPython
//! where there is one, and runs other languages where their programs are. It is put into a sandbox that begins with their template,
//! unless somebody has a template of that name.

use lamplight_e2b::CODE_INTERPRETER_PORT;
use lamplight_engine::Begins;

/// Where it is inside: also who is not root may write there.
const PLACE: &str = "/var/tmp/code-interpreter";
const PACKAGE: &str = "lamplight_interpreter";

const FILES: [(&str, &str); 9] = [
    ("__main__.py", include_str!("serving.py")),
    ("contexts.py", include_str!("contexts.py")),
    ("languages.py", include_str!("languages.py")),
    ("events.py", include_str!("events.py")),
    ("python.py", include_str!("python.py")),
    ("shown.py", include_str!("shown.py")),
    ("charts.py", include_str!("charts.py")),
    ("hosted.py", include_str!("hosted.py")),
    ("javascript.cjs", include_str!("javascript.cjs")),
];

pub(super) fn begins() -> Begins {
    let place = |(name, text): (&str, &str)| (format!("{PLACE}/{PACKAGE}/{name}"), text.to_owned());
    Begins {
        files: FILES.into_iter().map(place).collect(),
        start: Some(format!("cd {PLACE} && exec python3 -m {PACKAGE}")),
        // bash makes the connection itself.
        ready: Some(format!("exec 3<>/dev/tcp/127.0.0.1/{CODE_INTERPRETER_PORT}")),
        ..Begins::default()
    }
}
