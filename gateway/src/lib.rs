//! A gateway replica: the shell around the decision core.

pub mod inspect;
mod settings;

pub use settings::Settings;

use std::future::Future;

/// Why a gateway stopped with an error.
#[derive(Debug)]
pub struct Error;

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not yet")
    }
}

impl std::error::Error for Error {}

/// Runs the gateway until `shutdown` completes.
///
/// # Errors
/// When its store, its settings or its identity are unusable; the text says what to do.
pub async fn run(
    _settings: Settings,
    _shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    Err(Error)
}
