//! How many requests GitHub still takes. Source: docs.github.com, "Get rate limit status for the authenticated user"; asking costs none.

use super::Repository;
use super::app::Scope;
use super::client::GitHub;
use super::error::GitHubError;
use reqwest::Method;
use serde::Deserialize;

/// Of the REST interface, in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Limits {
    pub limit: u64,
    pub remaining: u64,
    /// When there are as many again, in seconds since 1970.
    #[serde(rename = "reset")]
    pub resets_s: u64,
}

#[derive(Deserialize)]
struct Told {
    resources: Resources,
}

#[derive(Deserialize)]
struct Resources {
    core: Limits,
}

impl GitHub {
    /// Of the token that is used; an App has one for each repository it is asked about, and without one none. `None` also where GitHub
    /// counts nothing, as an Enterprise Server may.
    pub async fn limits(&self, repository: Option<&Repository>) -> Result<Option<Limits>, GitHubError> {
        let answer = match repository {
            Some(repository) => {
                let token = self.token(repository, Scope::Talk).await?;
                let address = format!("{}/rate_limit", self.config().api);
                let request = self.http.request(Method::GET, address).bearer_auth(token);
                self.answer("the limits", request).await
            }
            None if self.is_app() => return Ok(None),
            None => self.of_ourselves(Method::GET, "rate_limit").await,
        };
        match answer {
            Ok(answer) => Ok(Some(self.read::<Told>(answer).await?.resources.core)),
            Err(GitHubError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
