//! The decisions of a gateway, pure: inputs in, outputs out.
