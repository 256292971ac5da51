//! Topics: built here, parsed here, and nowhere else.

use core::fmt;
use core::str::FromStr;

use hearth_names::OWN;

use crate::{Device, GatewayId, Site, Zone};

/// The topics of one site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    site: Site,
}

/// A topic of the site, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// `<site>/<zone>/<device>/<verb>`
    Device(Zone, Device, ZoneVerb),
    /// `hearth/<site>/api/<verb>`
    Api(ApiVerb),
    /// `hearth/<site>/gateway/<n>/<verb>`
    Gateway(GatewayId, GatewayVerb),
    /// `hearth/<site>/paxos/<n>/request` or `response`
    Paxos(GatewayId, PaxosLeg),
    /// `hearth/<site>/broker/waiting`
    Waiting,
    /// `hearth/<site>/broker/asking`
    Asking,
}

macro_rules! verbs {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:expr,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every verb.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The topic level.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|verb| verb.as_str() == text).ok_or(())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

verbs! {
    /// What is said under a device's topic.
    ZoneVerb {
        /// A reading or a state, from the device.
        Report = hearth_names::REPORT,
        /// The agreed registers, retained, from the owner.
        State = "state",
        /// Please change, from anyone.
        Set = hearth_names::SET,
        /// A query, from anyone.
        Get = hearth_names::GET,
        /// The agreed order, from the owner to the device.
        Command = "command",
        /// `online` or `offline`, retained, from the device.
        Status = "status",
    }
}

verbs! {
    /// Requests to the site, answered by the leader.
    ApiVerb {
        /// Registers a device.
        Register = "register",
        /// The registration table.
        Devices = "devices",
        /// The gateways, their liveness and load.
        Gateways = "gateways",
        /// The zones and their owners.
        Zones = "zones",
        /// Agreed changes, newest last.
        History = "history",
        /// The numbered event log.
        Log = "log",
        /// Counters of the leader and of every gateway.
        Stats = "stats",
        /// Who votes, and who shall.
        Voters = "voters",
    }
}

verbs! {
    /// What is said under a gateway's topic.
    GatewayVerb {
        /// A local read from that replica, marked as local.
        Get = "get",
        /// Its heartbeat, retained, with last will.
        Status = "status",
        /// Its own counters.
        Stats = "stats",
        /// Its own copy of the numbered event log.
        Log = "log",
        /// Asks it to propose with a ballot of its own.
        Lead = "lead",
        /// The sums of its rows, to compare replicas.
        Verify = "verify",
    }
}

verbs! {
    /// The two directions of a Paxos exchange.
    PaxosLeg {
        /// To a gateway that shall answer.
        Request = "request",
        /// To the gateway that asked.
        Response = "response",
    }
}

impl Topics {
    /// The topics of `site`.
    #[must_use]
    pub fn new(site: Site) -> Self {
        Self { site }
    }

    /// The site.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// `<site>/<zone>/<device>/<verb>`
    #[must_use]
    pub fn device(&self, zone: &Zone, device: &Device, verb: ZoneVerb) -> String {
        format!("{}/{zone}/{device}/{verb}", self.site)
    }

    /// `<site>/<zone>/+/<verb>`: the filter of a zone session.
    #[must_use]
    pub fn zone(&self, zone: &Zone, verb: ZoneVerb) -> String {
        format!("{}/{zone}/+/{verb}", self.site)
    }

    /// `<site>/+/+/<verb>`: the filter for the whole site.
    #[must_use]
    pub fn everywhere(&self, verb: ZoneVerb) -> String {
        format!("{}/+/+/{verb}", self.site)
    }

    /// `hearth/<site>/api/<verb>`
    #[must_use]
    pub fn api(&self, verb: ApiVerb) -> String {
        format!("{}api/{verb}", self.own())
    }

    /// `hearth/<site>/api/+`
    #[must_use]
    pub fn api_filter(&self) -> String {
        format!("{}api/+", self.own())
    }

    /// `hearth/<site>/gateway/<n>/<verb>`
    #[must_use]
    pub fn gateway(&self, gateway: GatewayId, verb: GatewayVerb) -> String {
        format!("{}{gateway}/{verb}", hearth_names::gateways(self.site.as_str()))
    }

    /// `hearth/<site>/gateway/+/status`
    #[must_use]
    pub fn heartbeats(&self) -> String {
        format!("{}+/status", hearth_names::gateways(self.site.as_str()))
    }

    /// `hearth/<site>/paxos/<n>/<leg>`
    #[must_use]
    pub fn paxos(&self, gateway: GatewayId, leg: PaxosLeg) -> String {
        format!("{}paxos/{gateway}/{leg}", self.own())
    }

    /// `hearth/<site>/broker/waiting`: a broker of ours holds a report for the zone in the payload.
    #[must_use]
    pub fn waiting(&self) -> String {
        hearth_names::waiting(self.site.as_str())
    }

    /// `hearth/<site>/broker/asking`: a broker of ours holds orders and no report for a zone.
    #[must_use]
    pub fn asking(&self) -> String {
        hearth_names::asking(self.site.as_str())
    }

    /// `hearth/<site>/broker/refuse`: the leader's word that what a broker of ours holds for a zone is refused.
    #[must_use]
    pub fn refuse(&self) -> String {
        hearth_names::refuse(self.site.as_str())
    }

    /// `hearth/<site>/broker/sessions`: asks a broker of ours about its sessions, or to end one.
    #[must_use]
    pub fn sessions(&self) -> String {
        hearth_names::sessions(self.site.as_str())
    }

    /// `hearth/<site>/world/<zone>/<device>`: where the simulated user acts on a simulated device.
    #[must_use]
    pub fn world(&self, zone: &Zone, device: &Device) -> String {
        format!("{}world/{zone}/{device}", self.own())
    }

    /// Client id of a device of ours: `<site>-<zone>-<device>`.
    #[must_use]
    pub fn device_session(&self, zone: &Zone, device: &Device) -> String {
        format!("{}-{zone}-{device}", self.site)
    }

    /// Client id of the persistent session through which a zone's owner reads it.
    #[must_use]
    pub fn zone_session(&self, zone: &Zone) -> String {
        format!("{}{zone}", hearth_names::zone_clients(self.site.as_str()))
    }

    /// Client id of the clean session through which a zone's owner answers queries.
    #[must_use]
    pub fn query_session(&self, zone: &Zone) -> String {
        format!("{}query-{zone}", self.clients())
    }

    /// Client id of the session through which the leader answers the API.
    #[must_use]
    pub fn site_session(&self) -> String {
        hearth_names::site_client(self.site.as_str())
    }

    /// Client id of a gateway's own connection for `purpose`.
    #[must_use]
    pub fn gateway_session(&self, gateway: GatewayId, purpose: &str) -> String {
        format!("{}gateway-{gateway}-{purpose}", self.clients())
    }

    /// Parses a topic; none when it is not one of this site's.
    #[must_use]
    pub fn parse(&self, topic: &str) -> Option<Topic> {
        let site = self.site.as_str();
        // One more level than any of ours, so that a longer topic matches none of the patterns.
        let levels: Vec<&str> = topic.splitn(6, '/').collect();
        match *levels.as_slice() {
            [OWN, of, "api", verb] if of == site => Some(Topic::Api(verb.parse().ok()?)),
            [OWN, of, "broker", "waiting"] if of == site => Some(Topic::Waiting),
            [OWN, of, "broker", "asking"] if of == site => Some(Topic::Asking),
            [OWN, of, "gateway", gateway, verb] if of == site => {
                Some(Topic::Gateway(GatewayId(gateway.parse().ok()?), verb.parse().ok()?))
            }
            [OWN, of, "paxos", gateway, leg] if of == site => {
                Some(Topic::Paxos(GatewayId(gateway.parse().ok()?), leg.parse().ok()?))
            }
            [of, zone, device, verb] if of == site => {
                Some(Topic::Device(zone.parse().ok()?, device.parse().ok()?, verb.parse().ok()?))
            }
            _ => None,
        }
    }

    /// `hearth/<site>/`
    fn own(&self) -> String {
        hearth_names::own(self.site.as_str())
    }

    /// `hearth-<site>-`
    fn clients(&self) -> String {
        hearth_names::gateway_clients(self.site.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_comes_back_from_its_text() {
        let topics = Topics::new(Site::new("home").expect("valid"));
        let zone = Zone::new("hallway").expect("valid");
        let device = Device::new("doorSensor").expect("valid");
        for verb in ZoneVerb::ALL {
            let topic = Topic::Device(zone.clone(), device.clone(), *verb);
            assert_eq!(topics.parse(&topics.device(&zone, &device, *verb)), Some(topic));
        }
        for verb in ApiVerb::ALL {
            assert_eq!(topics.parse(&topics.api(*verb)), Some(Topic::Api(*verb)));
        }
        for verb in GatewayVerb::ALL {
            let topic = Topic::Gateway(GatewayId(3), *verb);
            assert_eq!(topics.parse(&topics.gateway(GatewayId(3), *verb)), Some(topic));
        }
        for leg in PaxosLeg::ALL {
            let topic = Topic::Paxos(GatewayId(3), *leg);
            assert_eq!(topics.parse(&topics.paxos(GatewayId(3), *leg)), Some(topic));
        }
        assert_eq!(topics.parse(&topics.waiting()), Some(Topic::Waiting));
        assert_eq!(topics.parse(&topics.asking()), Some(Topic::Asking));
    }

    #[test]
    fn what_is_not_ours_is_none() {
        let topics = Topics::new(Site::new("home").expect("valid"));
        for other in [
            "",
            "home",
            "home/hallway/report",
            "home/hallway/door/report/more",
            "home/hallway//report",
            "home/hallway/door/shout",
            "office/hallway/door/report",
            "hearth/office/api/devices",
            "hearth/home/api/dance",
            "hearth/home/gateway/999/status",
            "hearth/home/gateway/1/status/more",
        ] {
            assert_eq!(topics.parse(other), None, "{other}");
        }
    }
}
