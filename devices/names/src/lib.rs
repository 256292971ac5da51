//! What Hearth's broker and its gateways must call alike: names, the topics and client ids that both
//! know, and the stamp of a publish. `wire` builds the whole protocol on it; the broker needs no more.

mod knock;
mod maker;
mod name;
mod stamp;

pub use knock::{Knock, KnockError, Turned};
pub use maker::{Account, Allowance, MAKER_PROPERTY, Maker, MakerError, UP_TO_PROPERTY};
pub use name::{LONGEST, NameError, check};
pub use stamp::{
    EPOCH_PROPERTY, REPLY_PROPERTY, RETAINED_PROPERTY, STAMP_PROPERTY, Stamp, StampError,
};

/// First level of Hearth's own topics, and first part of its client ids. No site may be called so.
pub const OWN: &str = "hearth";

/// Last level of the topic of a reading or a state: `<site>/<zone>/<device>/report`.
pub const REPORT: &str = "report";

/// Last level of the topic of an order: `<site>/<zone>/<device>/set`.
pub const SET: &str = "set";

/// Last level of the topic of a query: `<site>/<zone>/<device>/get`.
pub const GET: &str = "get";

/// `<site>/`: how the topics of a site's devices begin.
#[must_use]
pub fn devices(site: &str) -> String {
    format!("{site}/")
}

/// `hearth/<site>/`: how Hearth's own topics of a site begin.
#[must_use]
pub fn own(site: &str) -> String {
    format!("{OWN}/{site}/")
}

/// `hearth/<site>/gateway/`: how the topics of the gateways themselves begin.
#[must_use]
pub fn gateways(site: &str) -> String {
    format!("{OWN}/{site}/gateway/")
}

/// `hearth/<site>/broker/waiting`: the broker holds a report for the zone in the payload.
#[must_use]
pub fn waiting(site: &str) -> String {
    format!("{OWN}/{site}/broker/waiting")
}

/// `hearth/<site>/broker/asking`: the broker holds orders and no report for a zone; the payload is a [`Knock`].
#[must_use]
pub fn asking(site: &str) -> String {
    format!("{OWN}/{site}/broker/asking")
}

/// `hearth/<site>/broker/refuse`: the leader's word, on the session of [`site_client`], that what a zone holds is
/// refused; the payload is a [`Turned`].
#[must_use]
pub fn refuse(site: &str) -> String {
    format!("{OWN}/{site}/broker/refuse")
}

/// `hearth/<site>/api/register`: a registration makes its zone too.
#[must_use]
pub fn register(site: &str) -> String {
    format!("{OWN}/{site}/api/register")
}

/// `hearth/<site>/broker/sessions`: asks the broker itself about its sessions, or to end one.
#[must_use]
pub fn sessions(site: &str) -> String {
    format!("{OWN}/{site}/broker/sessions")
}

/// `hearth-<site>-`: how the client ids of a site's gateways begin.
#[must_use]
pub fn gateway_clients(site: &str) -> String {
    format!("{OWN}-{site}-")
}

/// `hearth-<site>-site`: the client id of the session through which the leader answers for the whole site.
#[must_use]
pub fn site_client(site: &str) -> String {
    format!("{OWN}-{site}-site")
}

/// `hearth-<site>-zone-`: how the client id of the session through which a zone's owner reads it begins; the zone
/// follows.
#[must_use]
pub fn zone_clients(site: &str) -> String {
    format!("{OWN}-{site}-zone-")
}
