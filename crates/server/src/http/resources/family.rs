//! Whose child a session is, and whose parent.

use lamplight_domain::session::view::FamilyView;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The sessions above a session, and those that were begun for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Family {
    /// The session that it is a child of comes last, before it the one that is a child of, up to the first of all; empty where it is nobody's.
    pub parents: Vec<String>,
    /// In the order in which they were begun; some may have come to nothing.
    pub children: Vec<String>,
    /// What those and theirs have cost, in millionths of a dollar; it counts for the budget of this one.
    pub children_cost_micros: u64,
}

impl From<FamilyView> for Family {
    fn from(view: FamilyView) -> Self {
        Self {
            parents: view.parents.into_iter().map(String::from).collect(),
            children: view.children.iter().map(|child| child.session.to_string()).collect(),
            children_cost_micros: view
                .children
                .iter()
                .fold(0, |sum, child| sum.saturating_add(child.cost_micros)),
        }
    }
}
