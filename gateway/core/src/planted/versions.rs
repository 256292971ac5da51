//! Mistakes with the version of the site.

use wire::GatewayId;

use crate::mutant::mutant;

/// The other gateways that must have announced a version; none.
pub(crate) fn raised_unannounced(others: Vec<GatewayId>) -> Vec<GatewayId> {
    if mutant!(RaisedUnannounced) { Vec::new() } else { others }
}
