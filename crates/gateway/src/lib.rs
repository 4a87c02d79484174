//! The one door out of a sandbox: models and git; credentials stay on this side
