//! Frames between the host and the guest, and their generations
