//! Where an answer goes.

use wire::{Answer, RequestId};

use crate::event::{Delivery, Effect, Session};
use crate::gateway::Gateway;
use crate::mutant::mutant;
use crate::step::Step;

/// Where and how a request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) session: Session,
    pub(crate) topic: String,
    pub(crate) correlation: Option<Vec<u8>>,
    pub(crate) id: Option<RequestId>,
    /// The requester named the topic. Without that a report is answered only when it is refused.
    pub(crate) asked: bool,
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
}

impl Gateway {
    /// Whether a topic that a payload names may be answered on. A gateway may publish where others may not, so it does
    /// not publish on the site's topics because somebody asks it to. (A Response Topic is the broker's to look at: it
    /// knows what its sender may do.)
    pub(crate) fn check_reply_to(&self, named: Option<&str>) -> Result<(), String> {
        let Some(topic) = named else { return Ok(()) };
        let within =
            |root: &str| topic.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
        let own = within(self.topics.site().as_str()) || within("hearth");
        if own && !within("hearth/reply") {
            return Err(format!("no answer is sent to {topic}; name one under reply/"));
        }
        Ok(())
    }

    /// Publishes an answer.
    pub(crate) fn answer(&self, reply: &Reply, answer: Answer, out: &mut Step) {
        let answer = answer.with_id(reply.id.as_ref());
        out.effects.push(Effect::Publish {
            session: reply.session.clone(),
            topic: reply.topic.clone(),
            payload: answer.to_json().to_string().into_bytes(),
            at_least_once: !matches!(reply.session, Session::Query(_)),
            retain: false,
            correlation: reply.correlation.clone(),
        });
    }

    /// Acknowledges a delivery to the broker.
    pub(crate) fn acknowledge(&self, delivery: &Delivery, out: &mut Step) {
        out.effects.push(Effect::Acknowledge {
            session: delivery.session.clone(),
            generation: delivery.generation,
            token: delivery.token,
        });
    }

    /// Refuses a request with the reason, and is done with it.
    pub(crate) fn refuse(
        &self,
        delivery: &Delivery,
        reply: &Reply,
        why: impl core::fmt::Display,
        out: &mut Step,
    ) {
        let topic = &delivery.topic;
        self.say(out, || format!("Refused {topic}: {why}"));
        if !mutant!(RefusedInSilence) {
            self.answer(reply, Answer::error(why), out);
        }
        self.acknowledge(delivery, out);
    }

    /// A message on a topic that means nothing here.
    pub(crate) fn misaddressed(&self, delivery: &Delivery, out: &mut Step) {
        // An answer of another gateway or a device, caught by a wildcard, is nobody's request.
        if delivery.topic.ends_with("/response") {
            return self.acknowledge(delivery, out);
        }
        let reply = Reply::to(delivery, None, None);
        let why = match delivery.session {
            Session::Site => {
                let verbs: Vec<_> = wire::ApiVerb::ALL.iter().map(|verb| verb.as_str()).collect();
                format!("unknown request {}; the verbs are {}", delivery.topic, verbs.join(", "))
            }
            _ => format!("{} is not a topic of this site", delivery.topic),
        };
        self.refuse(delivery, &reply, why, out);
    }
}
