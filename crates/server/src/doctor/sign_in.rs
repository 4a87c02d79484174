//! Whether people can sign in as the configuration says.

use super::Finding;
use crate::config::Config;
use lamplight_engine::sign_in::Oidc;

const NAME: &str = "sign-in";

/// Asks the issuer of OpenID Connect what it is; nothing where nobody has to sign in.
pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let auth = &config.auth;
    if !auth.required {
        return Vec::new();
    }
    let missing = auth.missing_secrets();
    let mut findings: Vec<Finding> = missing
        .iter()
        .map(|(way, variable)| {
            Finding::missing(
                NAME,
                format!("auth.{way} has no secret here: {variable} is not set"),
                format!("set {variable} where the server runs, or name another variable in auth.{way}.client_secret_env"),
            )
        })
        .collect();
    let callback =
        |way: &str| format!("{}/api/v1/sign-in/{way}/callback", config.address(config.server.listen));
    if let Some(oidc) = auth.oidc_config() {
        let issuer = oidc.issuer.clone();
        let reached = match Oidc::new(oidc) {
            Ok(oidc) => oidc.reach().await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        findings.push(match reached {
            Ok(()) => Finding::ok(
                NAME,
                format!("by {issuer}, which has to know the address to come back to: {}", callback("oidc")),
            ),
            Err(why) => {
                Finding::limited(NAME, why, "correct auth.oidc.issuer; people sign in by links until then")
            }
        });
    }
    if let Some(github) = auth.github_config(&config.github) {
        let web = github.web;
        findings.push(Finding::ok(
            NAME,
            format!("by {web}, whose app has to know the address to come back to: {}", callback("github")),
        ));
    }
    if auth.github.is_some() && config.engine().github.is_none() {
        findings.push(Finding::limited(
            NAME,
            "rights on repositories of GitHub cannot be asked for: [github] has neither an App nor a token",
            "make an App (lamplight github setup), or set GITHUB_TOKEN where the server runs; until then [[repositories]] alone says who may use what",
        ));
    }
    let comes = match (auth.oidc.is_some() || auth.github.is_some(), auth.allow.names_nobody()) {
        (false, _) => "by links and invitations alone".to_owned(),
        (true, true) => "who is not invited does not come in: [auth.allow] names nobody".to_owned(),
        (true, false) => format!("whom [auth.allow] names comes in as {}", auth.allow.role),
    };
    findings.push(match auth.allow.asks_github_only() && auth.github.is_none() {
        true => Finding::limited(
            NAME,
            "auth.allow names people or organisations of GitHub, but nobody signs in by GitHub",
            "add [auth.github], or name e-mail addresses",
        ),
        false => Finding::ok(NAME, comes),
    });
    findings
}
