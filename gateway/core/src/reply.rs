//! Where an answer goes.

use wire::{Answer, REPLY_PROPERTY, RequestId};

use crate::context::Context;
use crate::event::{Delivery, Effect, Session};
use crate::house::Refusal;
use crate::planted;
use crate::want::{Refused, Want, Wants};

/// Where and how a request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    session: Session,
    topic: String,
    correlation: Option<Vec<u8>>,
    id: Option<RequestId>,
    asked: bool,
}

impl Reply {
    /// MQTT 5: Response Topic and Correlation Data; 3.1.1: `reply_to` of the payload, else the
    /// request's own topic with `/response`.
    pub(crate) fn to(delivery: &Delivery, named: Option<String>, id: Option<RequestId>) -> Self {
        let topic = delivery.response_topic.clone().or(named);
        Self {
            session: delivery.session.clone(),
            asked: topic.is_some(),
            topic: topic.unwrap_or_else(|| format!("{}/response", delivery.topic)),
            correlation: delivery.correlation.clone(),
            id,
        }
    }

    /// The session on which the request came in and the answer goes out.
    pub(crate) const fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the requester named the topic. Without that a report is answered only when it is refused.
    pub(crate) const fn is_asked(&self) -> bool {
        self.asked
    }

    /// Publishes an answer.
    pub(crate) fn answer(&self, answer: Answer, out: &mut Wants) {
        let answer = answer.with_id(self.id.as_ref());
        out.effect(Effect::Publish {
            session: self.session.clone(),
            topic: self.topic.clone(),
            payload: answer.to_json().to_string().into_bytes(),
            at_least_once: !matches!(self.session, Session::Query(_)),
            retain: false,
            correlation: self.correlation.clone(),
            expires: None,
        });
    }
}

/// Whether a topic that a payload names may be answered on. A gateway may publish where others may not, so it does
/// not publish on the site's topics because somebody asks it to, and on a broker of ours only where the sender may: the
/// broker tells that with the request. Another broker tells nothing. (A Response Topic is the broker's to look at.)
pub(crate) fn check_reply_to(
    ctx: &Context,
    delivery: &Delivery,
    named: Option<&str>,
) -> Result<(), String> {
    let Some(topic) = named.filter(|_| delivery.response_topic.is_none()) else { return Ok(()) };
    let within = |root: &str| topic.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
    let own = within(ctx.topics.site().as_str()) || within("hearth");
    if own && !within("hearth/reply") {
        return Err(format!("no answer is sent to {topic}; name one under reply/"));
    }
    let told = delivery.properties.iter().filter(|(name, _)| name == REPLY_PROPERTY);
    let mut filters = told.map(|(_, filter)| filter.as_str());
    if ctx.settings.own_broker && !filters.any(|filter| covers(filter, topic)) {
        return Err(format!(
            "no answer is sent to {topic}, where its sender may not publish; name one under reply/, or \
             hearth/reply/<client id>"
        ));
    }
    Ok(())
}

/// Whether a filter without `+`, as the broker tells them, has a topic.
fn covers(filter: &str, topic: &str) -> bool {
    let below = filter.strip_suffix('#').is_some_and(|root| topic.starts_with(root));
    (below && !topic.starts_with('$')) || filter == topic
}

/// Acknowledges a delivery to the broker.
pub(crate) fn acknowledge(delivery: &Delivery, out: &mut Wants) {
    finish(delivery, None, out);
}

/// Refuses a request for good with the reason, and is done with it. An overload is no reason: what cannot be taken
/// now is not acknowledged.
pub(crate) fn refuse(
    delivery: &Delivery,
    reply: &Reply,
    refusal: Refusal,
    why: impl core::fmt::Display,
    out: &mut Wants,
) {
    out.push(Want::Refused(Refused { topic: delivery.topic.clone(), why: why.to_string() }));
    if planted::reply::refused_in_silence(true) {
        reply.answer(Answer::error(why), out);
    }
    finish(delivery, planted::reply::refused_as_success(Some(refusal)), out);
}

/// Acknowledges a delivery, or refuses it without a word of its own.
pub(crate) fn finish(delivery: &Delivery, refusal: Option<Refusal>, out: &mut Wants) {
    out.effect(Effect::Acknowledge {
        session: delivery.session.clone(),
        generation: delivery.generation,
        token: delivery.token,
        refusal,
    });
}

/// A message on a topic that means nothing here.
pub(crate) fn misaddressed(delivery: &Delivery, out: &mut Wants) {
    // An answer of another gateway or a device, caught by a wildcard, is nobody's request.
    if delivery.topic.ends_with("/response") {
        return acknowledge(delivery, out);
    }
    let reply = Reply::to(delivery, None, None);
    let why = match delivery.session {
        Session::Site => {
            let verbs: Vec<_> = wire::ApiVerb::ALL.iter().map(|verb| verb.as_str()).collect();
            format!("unknown request {}; the verbs are {}", delivery.topic, verbs.join(", "))
        }
        _ => format!("{} is not a topic of this site", delivery.topic),
    };
    refuse(delivery, &reply, Refusal::Unknown, why, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_of_the_broker_has_what_is_below_it() {
        assert!(covers("#", "my/topic") && !covers("#", "$SYS/x"));
        assert!(covers("reply/#", "reply/1") && !covers("reply/#", "replies/1"));
        assert!(covers("hearth/reply/ada", "hearth/reply/ada"));
        assert!(!covers("hearth/reply/ada", "hearth/reply/adam"));
    }
}
