//! Sandbox providers behind one trait, and the host end of the link
