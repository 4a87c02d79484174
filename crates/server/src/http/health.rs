//! `GET /healthz`: the server is there and answers.

pub(super) async fn handle() -> &'static str {
    "ok\n"
}
