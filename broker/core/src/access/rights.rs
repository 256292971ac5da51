//! What one connection may do: a value that the core is given at CONNECT.
//!
//! Deny by default: a topic is allowed if a rule allows it and none denies it.

use std::collections::BTreeSet;
use std::sync::Arc;

use broker_settings::Limits;
use hearth_names::REPLY_PROPERTY;

use super::filter::{covers, overlap};
use super::payer::Payer;
use super::roles::{Role, Roles, Rule};
use crate::packet::{Reason, topic, user_property};

/// Topics whose answer a connection remembers. 4: a device publishes to two or three.
const REMEMBERED: usize = 4;

/// Topics for answers that many share.
const REPLIES: &str = "reply/#";
/// How the topics for the answers of one client begin.
const OWN_REPLIES: &str = "hearth/reply/";

/// Who comes in, as the door found out.
#[derive(Debug, Clone)]
pub enum Guest {
    /// There are no users here: whoever reaches the port is trusted.
    Anyone,
    /// A user with name and rules.
    User(Arc<Grant>),
    /// A user who is no more.
    Nobody,
}

/// What one user may do, with whatever client.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    user: Arc<str>,
    role: Arc<str>,
    /// Stands for the password.
    login: [u8; 32],
    /// Site and user are filled in.
    rules: Vec<Rule>,
    /// Whether the role is for devices: it says how its users are called.
    device: bool,
    /// Beginnings of client ids, and the role that they are for.
    reserved: Vec<(Box<str>, Box<str>)>,
    names: Arc<Names>,
}

/// The names of all users. A client id that is one of them, or begins with one and a colon, is that user's; of several
/// the one with the longest name has it. So whoever calls a client after its user finds nobody else's session there.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    names: BTreeSet<Box<str>>,
    /// Of the longest, in bytes: a client id is looked at no further.
    longest: usize,
}

impl<'n> FromIterator<&'n str> for Names {
    fn from_iter<I: IntoIterator<Item = &'n str>>(names: I) -> Self {
        let names: BTreeSet<Box<str>> = names.into_iter().map(Into::into).collect();
        Self { longest: names.iter().map(|name| name.len()).max().unwrap_or(0), names }
    }
}

impl Names {
    /// The user that a client id is reserved for.
    pub fn owner(&self, client: &str) -> Option<&str> {
        let ends = client.match_indices(':').map(|(at, _)| at).chain([client.len()]);
        let ends: Vec<_> = ends.take_while(|end| *end <= self.longest).collect();
        ends.into_iter()
            .rev()
            .find_map(|end| self.names.get(client.get(..end)?))
            .map(|name| &**name)
    }
}

impl Guest {
    /// Whether it may have the last places: its role has client ids of its own, as gateways have. Where everyone is
    /// trusted, the client id alone tells.
    pub fn has_reserve(&self, client: &str, site: &str) -> bool {
        match self {
            Self::Anyone => client.starts_with(&hearth_names::gateway_clients(site)),
            Self::User(grant) => grant.reserved.iter().any(|(_, role)| **role == *grant.role),
            Self::Nobody => false,
        }
    }

    /// The user's name, if it is that of a device.
    pub fn device(&self) -> Option<&str> {
        match self {
            Self::User(grant) if grant.device => Some(grant.user()),
            Self::Anyone | Self::User(_) | Self::Nobody => None,
        }
    }
}

impl Grant {
    /// The rules of a role for one user of a site, among users of these names; none if there is no such role. `login`
    /// stands for the password: another one is another login.
    pub fn new(
        (roles, names): (&Roles, &Arc<Names>),
        site: &str,
        user: &str,
        role: &str,
        login: [u8; 32],
    ) -> Option<Self> {
        let Role { rules, user: named, .. } = roles.get(role)?;
        let rules = rules.iter().map(|r| Rule { filter: r.filter.settle(site, user), ..r.clone() });
        let reserved = roles.iter().flat_map(|(name, role)| {
            role.clients.iter().map(move |prefix| (prefix.fill(site, "", "").into(), name.into()))
        });
        Some(Self {
            user: user.into(),
            role: role.into(),
            login,
            rules: rules.collect(),
            device: named.is_some(),
            reserved: reserved.collect(),
            names: names.clone(),
        })
    }

    /// The user's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Whether somebody who logged in for `other` would still be let in for this.
    pub fn same_login(&self, other: &Self) -> bool {
        self.login == other.login && self.role == other.role
    }
}

/// What one connection, and the session that it leaves, may do.
#[derive(Debug, Clone)]
pub struct Rights {
    guest: Guest,
    client: Arc<str>,
    /// Topics that may be published to, so that the rules are walked once for each; the newest last.
    publishable: Vec<Box<str>>,
    /// What a gateway is told of [`Rights::replies`], encoded, once it is asked for.
    replies: Option<Arc<[u8]>>,
}

/// What a subscription may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// All that it matches.
    All,
    /// All but what [`Rights::may_read`] denies.
    Filtered,
    /// It is refused.
    Nothing,
}

/// What becomes of a session when rights are loaded anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// It goes on under the new rules.
    Same,
    /// Its user must log in again.
    Login,
    /// Its user is gone.
    Gone,
}

impl Rights {
    /// What this guest may do as this client.
    ///
    /// # Errors
    /// The client id is for another role, or another user.
    pub fn new(guest: Guest, client: Arc<str>) -> Result<Self, Reason> {
        if let Guest::User(grant) = &guest {
            let mut reserved =
                grant.reserved.iter().filter(|(prefix, _)| client.starts_with(&**prefix));
            if reserved.clone().count() > 0 {
                if !reserved.any(|(_, role)| **role == *grant.role) {
                    return Err(Reason::NotAuthorized);
                }
            } else if grant.names.owner(&client).is_some_and(|owner| owner != grant.user()) {
                return Err(Reason::ClientId);
            }
        }
        Ok(Self { guest, client, publishable: Vec::new(), replies: None })
    }

    /// Whether this one may take the session of that one over: the same user, or one of the same role if the client id
    /// is for that role.
    pub fn may_follow(&self, other: &Self) -> bool {
        match (&self.guest, &other.guest) {
            (Guest::Anyone, Guest::Anyone) => true,
            (Guest::User(mine), Guest::User(theirs)) => {
                let shared = mine.role == theirs.role
                    && mine.reserved.iter().any(|(prefix, role)| {
                        **role == *mine.role && self.client.starts_with(&**prefix)
                    });
                shared || mine.user == theirs.user
            }
            _ => false,
        }
    }

    /// Whether the client id is reserved for this user.
    pub fn owns_client(&self) -> bool {
        matches!(&self.guest, Guest::User(grant) if grant.names.owner(&self.client) == Some(grant.user()))
    }

    /// The user's name, if there is one.
    pub fn user(&self) -> Option<&str> {
        match &self.guest {
            Guest::User(grant) => Some(grant.user()),
            Guest::Anyone | Guest::Nobody => None,
        }
    }

    /// On whose account goes what it holds.
    pub(crate) fn payer(&self, site: &str) -> Payer {
        match &self.guest {
            guest if guest.has_reserve(&self.client, site) => Payer::House,
            Guest::User(grant) => Payer::User {
                name: grant.user.clone(),
                role: grant.role.clone(),
                device: grant.device,
            },
            Guest::Anyone | Guest::Nobody => Payer::Anyone,
        }
    }

    /// How many seconds its session may outlive its connection; `u32::MAX` is for ever.
    pub(crate) fn longest_session(&self, site: &str, limits: &Limits) -> u32 {
        match &self.guest {
            guest if guest.has_reserve(&self.client, site) => u32::MAX,
            Guest::User(grant) if grant.device => limits.device_session_seconds,
            Guest::Anyone | Guest::User(_) | Guest::Nobody => limits.session_seconds,
        }
    }

    /// Whether nobody is refused anything here.
    pub fn are_all(&self) -> bool {
        matches!(self.guest, Guest::Anyone)
    }

    /// Whether this one may publish to a topic.
    pub fn may_publish(&mut self, topic: &str) -> bool {
        let grant = match &self.guest {
            Guest::Anyone => return true,
            Guest::Nobody => return false,
            Guest::User(grant) => grant,
        };
        if self.publishable.iter().any(|known| **known == *topic) {
            return true;
        }
        let allowed = self.decide(grant, |rule| rule.write, |filter| topic::matches(filter, topic));
        if allowed {
            if self.publishable.len() >= REMEMBERED {
                self.publishable.remove(0);
            }
            self.publishable.push(topic.into());
        }
        allowed
    }

    /// Where answers to this one's requests may be sent if a payload says so, as user properties: whoever answers has
    /// rights of its own, and must not be made to publish where the one who asks may not. Everywhere, where everyone is
    /// trusted; else among the topics that are there for answers.
    pub(crate) fn replies(&mut self) -> Arc<[u8]> {
        if let Some(known) = &self.replies {
            return known.clone();
        }
        let own = format!("{OWN_REPLIES}{}", self.client);
        let mut filters = Vec::new();
        match &self.guest {
            Guest::Anyone => filters.push("#"),
            Guest::Nobody => {}
            Guest::User(grant) => {
                let writes = |rule: &Rule| rule.write;
                let all = self.any(grant, false, writes, |allowed| covers(allowed, REPLIES))
                    && !self.any(grant, true, writes, |denied| overlap(denied, REPLIES));
                filters.extend(all.then_some(REPLIES));
                if is_one_level(&self.client) && self.may_publish(&own) {
                    filters.push(&own);
                }
            }
        }
        let encoded = filters.iter().flat_map(|filter| user_property(REPLY_PROPERTY, filter));
        let replies: Arc<[u8]> = encoded.collect();
        self.replies = Some(replies.clone());
        replies
    }

    /// Whether this one may receive a message of a topic.
    pub fn may_read(&self, topic: &str) -> bool {
        let grant = match &self.guest {
            Guest::Anyone => return true,
            Guest::Nobody => return false,
            Guest::User(grant) => grant,
        };
        self.decide(grant, |rule| rule.read, |filter| topic::matches(filter, topic))
    }

    /// What a subscription to a valid filter may bring, shared or not.
    pub fn may_subscribe(&self, filter: &str) -> Reading {
        let grant = match &self.guest {
            Guest::Anyone => return Reading::All,
            Guest::Nobody => return Reading::Nothing,
            Guest::User(grant) => grant,
        };
        let shared = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
        let wanted = shared.map_or(filter, |(_, wanted)| wanted);
        let reads = |rule: &Rule| rule.read;
        if !self.any(grant, false, reads, |allowed| covers(allowed, wanted))
            || self.any(grant, true, reads, |denied| covers(denied, wanted))
        {
            return Reading::Nothing;
        }
        match (self.any(grant, true, reads, |denied| overlap(denied, wanted)), shared) {
            (false, _) => Reading::All,
            (true, None) => Reading::Filtered,
            // A message that one member may not have would be lost for its group.
            (true, Some(_)) => Reading::Nothing,
        }
    }

    /// Takes the rights that are in force now for the same user.
    pub fn renew(&mut self, find: impl FnOnce(Option<&str>) -> Option<Guest>) -> Renewed {
        let found = find(self.user());
        self.publishable.clear();
        self.replies = None;
        let renewed = match (&found, &self.guest) {
            (None, _) => Renewed::Gone,
            (Some(Guest::User(new)), Guest::User(old)) if !new.same_login(old) => Renewed::Login,
            (Some(_), _) => Renewed::Same,
        };
        self.guest = found.unwrap_or(Guest::Nobody);
        renewed
    }

    fn decide(
        &self,
        grant: &Grant,
        about: impl Fn(&Rule) -> bool,
        matches: impl Fn(&str) -> bool,
    ) -> bool {
        self.any(grant, false, &about, &matches) && !self.any(grant, true, &about, &matches)
    }

    /// Whether a rule of this kind fits.
    fn any(
        &self,
        grant: &Grant,
        deny: bool,
        about: impl Fn(&Rule) -> bool,
        fits: impl Fn(&str) -> bool,
    ) -> bool {
        grant.rules.iter().filter(|rule| rule.deny == deny && about(rule)).any(|rule| {
            match rule.filter.fixed() {
                Some(filter) => fits(filter),
                // A client id that would widen the filter, or add levels to it, has no such rights.
                None => is_one_level(&self.client) && fits(&rule.filter.fill("", "", &self.client)),
            }
        })
    }
}

fn is_one_level(client: &str) -> bool {
    !client.is_empty() && !client.starts_with('$') && !client.contains(['/', '+', '#', '\0'])
}

#[cfg(test)]
mod tests;
