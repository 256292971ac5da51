//! The line in front of a session's connection: what the connection has no room for waits here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_core::house::Refusal;
use gateway_core::outbox::{Bounds, Outbox, Wanted};
use link::{Ack, Link, Publish, Reason, TryPublish};
use tokio::task::AbortHandle;
use wire::Topics;

/// The sending side of a session.
pub(crate) struct Line {
    link: Link,
    waiting: Arc<Mutex<Waiting>>,
    /// The task that lets the line go on. It ends with the line.
    usher: Option<AbortHandle>,
}

struct Waiting {
    outbox: Outbox<Publish, Due>,
    /// A task takes from the outbox. Nothing may overtake what it has in its hands.
    ushered: bool,
    /// It was said that answers are dropped, since the line was empty.
    complained: bool,
}

/// An acknowledgement that is due, with the reason if it refuses.
type Due = (Ack, Option<Refusal>);

impl Line {
    pub(crate) fn new(link: Link) -> Self {
        let outbox = Outbox::new(Bounds::USUAL);
        let waiting = Waiting { outbox, ushered: false, complained: false };
        Self { link, waiting: Arc::new(Mutex::new(waiting)), usher: None }
    }

    /// Publishes, now or when the connection takes it. One that has ended takes nothing: when the session is opened
    /// again everything is told anew.
    pub(crate) fn publish(&mut self, topics: &Topics, publish: Publish) {
        let mut waiting = lock(&self.waiting);
        let publish = if waiting.ushered {
            publish
        } else {
            match self.link.try_publish(publish) {
                Ok(()) | Err(TryPublish::Closed) => return,
                Err(TryPublish::Full(publish)) => *publish,
            }
        };
        waiting.push(topics, publish);
        if !waiting.ushered {
            waiting.ushered = true;
            drop(waiting);
            let task = tokio::spawn(usher(self.link.clone(), Arc::clone(&self.waiting)));
            self.usher = Some(task.abort_handle());
        }
    }

    /// Acknowledges, now or once fewer answers wait.
    pub(crate) fn acknowledge(&self, ack: Ack, refusal: Option<Refusal>) {
        let due = lock(&self.waiting).outbox.acknowledge((ack, refusal));
        if let Some(due) = due {
            settle(&self.link, due);
        }
    }

    /// Ends the connection at once; what waits is dropped.
    pub(crate) fn abort(&self) {
        self.link.abort();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(usher) = &self.usher {
            usher.abort();
        }
    }
}

impl Waiting {
    fn push(&mut self, topics: &Topics, publish: Publish) {
        let topic = publish.topic.clone();
        let wanted = Wanted::on(topics.parse(&topic).as_ref());
        if self.outbox.push(&topic, wanted, publish).is_err() && !self.complained {
            self.complained = true;
            tracing::warn!(
                "the broker takes answers too slowly; the one on {topic} is dropped, and more may be"
            );
        }
    }
}

/// Gives the connection what waits, as it takes it, until nothing waits any more.
async fn usher(link: Link, waiting: Arc<Mutex<Waiting>>) {
    loop {
        let next = {
            let mut waiting = lock(&waiting);
            while let Some(due) = waiting.outbox.released() {
                settle(&link, due);
            }
            let next = waiting.outbox.pop();
            if next.is_none() {
                (waiting.ushered, waiting.complained) = (false, false);
            }
            next
        };
        let Some(publish) = next else { return };
        // A connection that has ended reports that by itself, and the session with this line is dropped.
        if link.publish(publish).await.is_err() {
            return;
        }
    }
}

fn settle(link: &Link, (ack, refusal): Due) {
    // A link that has ended cannot acknowledge; the broker delivers again.
    let _ = match refusal {
        None => link.ack(ack),
        Some(refusal) => link.refuse(ack, reason(refusal)),
    };
}

/// The MQTT 5 reason code with which the broker tells the publisher (MQTT 5, 2.4).
const fn reason(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::Payload => Reason::PayloadFormat,
        Refusal::Unknown => Reason::TopicName,
        Refusal::Denied => Reason::NotAuthorized,
        Refusal::Quota => Reason::Quota,
    }
}

/// Nobody panics while he holds the lock, and a line that was left half done would be a session's end only.
fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use link::{Events, Options, Qos, Version};
    use wire::Site;

    use super::*;

    /// A connection with room for one message, to a broker that has not answered yet.
    fn to_a_slow_broker() -> (Line, Events, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("mqtt://{}", listener.local_addr().unwrap()).parse().unwrap();
        let mut options = Options::new(address, "zone");
        (options.version, options.queue) = (Version::V3, 1);
        let (link, events) = Link::open(options);
        (Line::new(link), events, listener)
    }

    fn publish(line: &mut Line, topic: &str, payload: &str) {
        let topics = Topics::new("home".parse::<Site>().unwrap());
        line.publish(&topics, Publish::new(topic, payload.to_owned()).qos(Qos::AtMostOnce));
    }

    /// Lets the client in, and reads what it publishes up to a last payload.
    fn read_up_to(listener: &TcpListener, last: &str) -> Vec<(String, String)> {
        let (mut stream, _) = listener.accept().unwrap();
        packet(&mut stream);
        stream.write_all(&[0x20, 2, 0, 0]).unwrap();
        let mut published = Vec::new();
        while published.last().is_none_or(|(_, payload)| payload != last) {
            let packet = packet(&mut stream);
            let topic = usize::from(u16::from_be_bytes([packet[0], packet[1]])) + 2;
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            published.push((text(&packet[2..topic]), text(&packet[topic..])));
        }
        published
    }

    /// What a packet holds that is shorter than 128 bytes (MQTT 3.1.1, 2.2).
    fn packet(stream: &mut TcpStream) -> Vec<u8> {
        let mut head = [0; 2];
        stream.read_exact(&mut head).unwrap();
        let mut rest = vec![0; usize::from(head[1])];
        stream.read_exact(&mut rest).unwrap();
        rest
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_slow_broker_costs_old_states_and_nothing_else() {
        let (mut line, _events, listener) = to_a_slow_broker();
        for number in 0..2000 {
            publish(&mut line, "home/hall/lamp/state", &number.to_string());
            if number % 100 == 0 {
                publish(&mut line, "reply/me", &format!("answer {number}"));
            }
        }
        publish(&mut line, "reply/me", "last");
        let read = tokio::task::spawn_blocking(move || read_up_to(&listener, "last"));
        let published = read.await.unwrap();
        let of = |wanted: &str| {
            let of = published.iter().filter(|(topic, _)| topic == wanted);
            of.map(|(_, payload)| payload.clone()).collect::<Vec<_>>()
        };
        let mut answers: Vec<_> = (0..20).map(|n| format!("answer {}", n * 100)).collect();
        answers.push("last".to_owned());
        assert_eq!(of("reply/me"), answers);
        let states = of("home/hall/lamp/state");
        assert_eq!(states.last().unwrap(), "1999");
        assert!(states.len() < 10, "{} states of a lamp", states.len());
    }
}
