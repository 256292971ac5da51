//! The site's topics and client ids, as far as the broker knows them.

use hearth_names::{GET, REPORT, SET};

use crate::route::ZoneName;
use crate::settings::Settings;

/// Topics of this and below are the broker's own.
pub(crate) const OWN: &str = "$SYS";

/// How the topics begin to which answers go.
const REPLIES: [&str; 2] = ["reply/", "hearth/reply/"];

/// How the site's topics and clients are called.
#[derive(Debug)]
pub(crate) struct Site {
    /// Whether reports and sets of zones are anything special.
    zones: bool,
    /// `<site>/`
    root: String,
    /// `hearth/<site>/`
    own: String,
    /// `hearth-<site>-`
    gateways: String,
    /// `hearth-<site>-zone-`
    zone_sessions: String,
    /// `hearth/<site>/gateway/`
    heartbeats: String,
    /// `hearth/<site>/broker/waiting`
    waiting: String,
    /// `hearth/<site>/broker/asking`
    asking: String,
    /// `hearth/<site>/broker/refuse`
    refuse: String,
    /// `hearth/<site>/api/register`
    register: String,
    /// `hearth-<site>-site`
    leader: String,
    /// `hearth/<site>/broker/sessions`
    sessions: String,
}

impl Site {
    pub(crate) fn new(settings: &Settings) -> Self {
        let site = &settings.site;
        Self {
            zones: settings.durable_ack,
            root: hearth_names::devices(site),
            own: hearth_names::own(site),
            gateways: hearth_names::gateway_clients(site),
            zone_sessions: hearth_names::zone_clients(site),
            heartbeats: hearth_names::gateways(site),
            waiting: hearth_names::waiting(site),
            asking: hearth_names::asking(site),
            refuse: hearth_names::refuse(site),
            register: hearth_names::register(site),
            leader: hearth_names::site_client(site),
            sessions: hearth_names::sessions(site),
        }
    }

    /// The zone of a report or set topic.
    pub(crate) fn zone_of(&self, topic: &str) -> Option<ZoneName> {
        if !self.zones {
            return None;
        }
        let mut levels = topic.strip_prefix(&self.root)?.split('/');
        let (zone, device, verb) = (levels.next()?, levels.next()?, levels.next()?);
        let fits = levels.next().is_none() && is_held(verb);
        let from = self.root.len();
        (fits && can_be_zone(zone) && !device.is_empty())
            .then(|| ZoneName::new(from, from + zone.len()))
            .flatten()
    }

    /// The zone whose session has this client id.
    pub(crate) fn zone_of_client<'c>(&self, client: &'c str) -> Option<&'c str> {
        let zone = client.strip_prefix(&self.zone_sessions)?;
        (self.zones && can_be_zone(zone)).then_some(zone)
    }

    /// Whether a client id is that of a gateway.
    pub(crate) fn is_gateway(&self, client: &str) -> bool {
        client.starts_with(&self.gateways)
    }

    /// Whether a filter is one of the two that a zone's session has for its own zone; the router need not know it.
    pub(crate) fn is_own_filter(&self, zone: &str, filter: &str) -> bool {
        let rest = filter.strip_prefix(&self.root).and_then(|rest| rest.strip_prefix(zone));
        rest.and_then(|rest| rest.strip_prefix("/+/")).is_some_and(is_held)
    }

    /// Whether a topic is that of a gateway's heartbeat.
    pub(crate) fn is_heartbeat(&self, topic: &str) -> bool {
        topic.starts_with(&self.heartbeats)
    }

    /// Whether what is published with RETAIN is retained. An answer is for the client that asked, which is connected;
    /// one that stays would be taken for the answer to a later question. An empty payload clears what an older version
    /// kept.
    pub(crate) fn retains(&self, topic: &str, payload: &[u8]) -> bool {
        let reply = REPLIES.iter().any(|root| topic.starts_with(root));
        // A site may be called `reply`.
        !reply || self.is_of_site(topic) || payload.is_empty()
    }

    /// Whether a topic is one of the site's, of devices or Hearth's own.
    pub(crate) fn is_of_site(&self, topic: &str) -> bool {
        topic.starts_with(&self.root) || topic.starts_with(&self.own)
    }

    /// Whether what is published to this topic is a request to gateways, whose payload may say where the answer goes.
    pub(crate) fn asks(&self, topic: &str) -> bool {
        let of_device = topic.starts_with(&self.root)
            && topic.rsplit('/').next().is_some_and(|verb| [SET, GET].contains(&verb));
        let of_gateways = topic.strip_prefix(&self.own);
        of_device
            || of_gateways
                .is_some_and(|rest| ["api/", "gateway/"].iter().any(|root| rest.starts_with(root)))
    }

    /// Whether what is published to this topic is a request to the broker itself.
    pub(crate) fn is_request(&self, topic: &str) -> bool {
        topic == self.sessions
    }

    /// The topic that names zones for which a report waits.
    pub(crate) fn waiting_topic(&self) -> &str {
        &self.waiting
    }

    /// The topic that names zones for which orders wait and no report.
    pub(crate) fn asking_topic(&self) -> &str {
        &self.asking
    }

    /// Whether a topic is the one on which the leader refuses what zones hold.
    pub(crate) fn is_refuse_topic(&self, topic: &str) -> bool {
        self.zones && topic == self.refuse
    }

    /// Whether a topic is that of a registration.
    pub(crate) fn is_registration(&self, topic: &str) -> bool {
        self.zones && topic == self.register
    }

    /// The client id of the leader's session.
    pub(crate) fn leader(&self) -> &str {
        &self.leader
    }
}

/// Whether a topic is one to which no client may publish.
pub(crate) fn is_own(topic: &str) -> bool {
    topic.strip_prefix(OWN).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether gateways take this name for a zone. What is sent to another would wait for an owner for ever.
fn can_be_zone(name: &str) -> bool {
    hearth_names::check(name).is_ok()
}

/// Whether a topic of a zone is that of a report, which makes its zone; a set does not.
pub(crate) fn is_report(topic: &str) -> bool {
    verb(topic) == REPORT
}

/// Whether a topic of a zone is that of a set.
pub(crate) fn is_set(topic: &str) -> bool {
    verb(topic) == SET
}

/// The last level of a topic.
pub(crate) fn verb(topic: &str) -> &str {
    topic.rsplit('/').next().unwrap_or_default()
}

/// Whether what is published under this verb is held until its zone's owner has it.
fn is_held(verb: &str) -> bool {
    [REPORT, SET].contains(&verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_the_level_between_site_and_device_of_reports_and_sets() {
        let site = Site::new(&Settings::default());
        for (topic, zone) in [
            ("home/hall/door/report", Some("hall")),
            ("home/living room/lamp/set", Some("living room")),
            ("home/hall/door/state", None),
            ("home/hall/door/report/x", None),
            ("home/hall//report", None),
            ("home//door/report", None),
            ("home/$hall/door/report", None),
            ("house/hall/door/report", None),
            ("home/hall/report", None),
        ] {
            assert_eq!(site.zone_of(topic).map(|name| name.of(topic)), zone, "{topic}");
        }
        let long = format!("home/{}/door/report", "z".repeat(hearth_names::LONGEST + 1));
        assert_eq!(site.zone_of(&long), None);
        let off = Site::new(&Settings { durable_ack: false, ..Settings::default() });
        assert_eq!(off.zone_of("home/hall/door/report"), None);
    }

    #[test]
    fn answers_are_not_retained() {
        let site = Site::new(&Settings::default());
        assert!(!site.retains("reply/x", b"x") && !site.retains("hearth/reply/ada", b"x"));
        assert!(site.retains("reply/x", b"") && site.retains("replies/x", b"x"));
        let odd = Site::new(&Settings { site: "reply".to_owned(), ..Settings::default() });
        assert!(odd.retains("reply/hall/lamp/state", b"x"));
        assert!(odd.retains("hearth/reply/gateway/1/status", b"x"));
    }

    #[test]
    fn own_topics_are_those_of_sys_and_below() {
        assert!(is_own("$SYS") && is_own("$SYS/broker/x"));
        assert!(!is_own("$SYSTEM") && !is_own("a/$SYS"));
    }
}
