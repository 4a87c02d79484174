//! Whether whoever made an automation may still begin sessions of its repository, asked each time that one is to be begun.

use super::super::App;
use super::turns::person_lost;
use async_trait::async_trait;
use lamplight_domain::{Person, Role};
use lamplight_engine::CommandError;
use lamplight_engine::automations::{Owner, OwnerStanding, Owners};

pub(in crate::http) struct OwnersHere(pub(in crate::http) App);

#[async_trait]
impl Owners for OwnersHere {
    async fn standing(&self, owner: &Owner, repository: &str) -> Result<OwnerStanding, CommandError> {
        let Self(app) = self;
        let known = app.engine.person_named(&owner.name).await?;
        let known = known.filter(|person| owner.id.as_deref() == Some(person.id.as_str()));
        if !app.config.auth.required {
            // As that person, where people signed in when it was made.
            let person = known.map(|person| Person { name: person.name, email: person.email });
            let person = person.or_else(|| app.config.person.clone());
            return Ok(OwnerStanding::May { person, role: Role::Owner });
        }
        let Some(person) = known else {
            let why =
                format!("{} made it where nobody signed in, so nobody knows what it may do", owner.name);
            return Ok(OwnerStanding::Lost { why });
        };
        Ok(match person_lost(app, &person, repository).await? {
            Some(why) => OwnerStanding::Lost { why },
            None => OwnerStanding::May {
                role: person.role,
                person: Some(Person { name: person.name, email: person.email }),
            },
        })
    }
}
