//! Loads anew, while the broker runs, what stands in files: users, roles, certificates.

use std::fmt;
use std::sync::Arc;

use crate::access::{AccessError, Door};
use crate::hub::Hub;
use crate::transport::Certificates;

/// Loads users, roles and certificates anew while the broker runs.
#[derive(Clone)]
pub struct Reloader {
    pub(crate) hub: Arc<Hub>,
    pub(crate) door: Arc<Door>,
    pub(crate) certificates: Option<Arc<Certificates>>,
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").finish_non_exhaustive()
    }
}

impl Reloader {
    /// Reads the files again. Connections whose user is gone or has another password or role end (MQTT 5: 0x87), and
    /// so do sessions with a subscription that is no longer allowed; for all others the new rules hold at once. New
    /// certificates are for new connections.
    ///
    /// # Errors
    ///
    /// What is wrong with which file; then everything stays as it was.
    pub fn reload(&self) -> Result<(), AccessError> {
        let renewed = self.certificates.as_ref().map(|found| found.reload()).transpose()?;
        let users = self.door.reload()?;
        if let Some(put_in_force) = renewed {
            put_in_force();
        }
        self.hub.step(|core, now| core.renew(now, |user| self.door.find(user)));
        tracing::info!(users, "users, roles and certificates are loaded anew");
        Ok(())
    }
}
