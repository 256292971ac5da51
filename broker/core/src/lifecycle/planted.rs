//! Mistakes about how connections and sessions come and go.

use crate::message::Delivery;
use crate::planted::planted;

planted! {
    /// Whether a gateway comes for a zone that has an owner with a later epoch.
    EarlierOwner: fn has_moved(moved: bool) => false;
    /// Whether the site is known to have gateways.
    GatewaysForgotten: fn has_gateways(known: bool) => false;
    /// Whether a client asks for a clean start.
    CleanStartIgnored: fn clean(asked: bool) => false;
    /// Whether the end of a session is called off when its client comes back.
    ReturnIgnored: fn end_called_off(off: bool) => false;
    /// Whether a will is called off when its client comes back.
    WillAfterReturn: fn will_called_off(off: bool) => false;
    /// Whether a connection that was taken over loses its session.
    OldConnectionActs: fn detached(detached: bool) => false;
    /// Whether a connection begins with topic aliases of its own.
    OldAliases: fn fresh_aliases(fresh: bool, none_yet: bool) => none_yet;
    /// Whether a will is forgotten when its client says goodbye.
    WillAfterGoodbye: fn will_forgotten(forgotten: bool) => false;
    /// For how many seconds a will waits.
    WillTooSoon: fn will_waits(seconds: u32) => 0;
    /// Whether a session ends with its connection.
    EndIgnored: fn ends_at_once(ends: bool) => false;
    /// What a zone's session had not acknowledged.
    ReportsLost: fn held(left: Vec<Delivery>) => Vec::new();
    /// What another member of a group may have.
    SharedLost: fn shared(left: Vec<Delivery>) => Vec::new();
}
