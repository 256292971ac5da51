//! A small group that does what a script says, and tells what happened.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use paxos::{
    Config, Entry, Event, Input, Message, Moment, Outgoing, Record, Recovered, Replica, ReplicaId,
    Request, SessionId, Step, Value, Voters,
};

const HOP: Duration = Duration::from_millis(1);
const WRITE: Duration = Duration::from_micros(500);

#[derive(Default)]
pub(crate) struct Stage {
    now: Moment,
    /// By number.
    actors: BTreeMap<u8, Actor>,
    queue: BTreeMap<(Moment, u64), Due>,
    count: u64,
    cut: BTreeSet<(ReplicaId, ReplicaId)>,
    /// Kinds of messages that will be lost, each once per mention; with the receiver, if it matters.
    drop: VecDeque<(String, Option<ReplicaId>)>,
    show: bool,
    said: String,
}

struct Actor {
    config: Config,
    replica: Option<Replica>,
    disk: Recovered,
    applied: Vec<String>,
    life: u64,
}

enum Due {
    Deliver(ReplicaId, ReplicaId, Message),
    Written(ReplicaId, u64, Step),
}

impl Stage {
    /// What happened since the last call.
    pub(crate) fn transcript(&mut self) -> String {
        std::mem::take(&mut self.said)
    }

    pub(crate) fn command(&mut self, line: &str) {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["group", count, ref settings @ ..] => self.group(number(count), settings, true),
            ["blank", count, ref settings @ ..] => self.group(number(count), settings, false),
            ["observer", at] => self.observer(id(at)),
            ["wipe", at] => self.wipe(id(at)),
            ["voters", at, ref ids @ ..] => self.change_voters(id(at), ids),
            ["handover", at] => self.input(id(at), Input::HandOver),
            ["run", millis] => self.run(Duration::from_millis(number(millis))),
            ["propose", at, ref texts @ ..] => self.propose(id(at), texts),
            ["confirm", at, ticket] => self.input(id(at), Input::Confirm(number(ticket))),
            ["suspect", at, whom] => self.input(id(at), Input::Suspect(id(whom))),
            ["campaign", at] => self.input(id(at), Input::Campaign),
            ["crash", at] => self.crash(id(at)),
            ["start", at] => self.start(id(at)),
            ["cut", a, b] => self.cut.extend([(id(a), id(b)), (id(b), id(a))]),
            ["mute", from, to] => self.cut.extend([(id(from), id(to))]),
            ["heal"] => self.cut.clear(),
            ["drop", kind] => self.drop.push_back((kind.to_owned(), None)),
            ["drop", kind, to] => self.drop.push_back((kind.to_owned(), Some(id(to)))),
            ["messages", on] => self.show = on == "on",
            ["logs"] => self.logs(),
            ["leaders"] => self.leaders(),
            _ => panic!("unknown command: {line}"),
        }
    }

    fn group(&mut self, count: u64, settings: &[&str], founded: bool) {
        let voters: Vec<_> = (1..=count).map(ReplicaId).collect();
        let founders = Voters::new(voters.iter().copied()).expect("a group");
        for voter in &voters {
            let mut config = Config::new(*voter, 1..=count as u8);
            for setting in settings {
                set(&mut config, setting);
            }
            let disk = Recovered::empty();
            let disk = if founded { disk.founded_by(founders.clone()) } else { disk };
            self.actors.insert(voter.number(), Actor::new(config, disk));
            self.start(*voter);
        }
    }

    /// A replica of the same settings that is no founder.
    fn observer(&mut self, at: ReplicaId) {
        let first = self.actors.values().next().expect("a group");
        let config = Config { id: at, ..first.config.clone() };
        self.actors.insert(at.number(), Actor::new(config, Recovered::empty()));
        self.start(at);
    }

    /// The disk is gone, and with it who the replica was.
    fn wipe(&mut self, at: ReplicaId) {
        self.crash(at);
        let actor = self.actors.get_mut(&at.number()).expect("a replica of the group");
        actor.config.id = ReplicaId::new(at.number(), actor.config.id.disk() + 1);
        actor.disk = Recovered::empty();
        actor.applied.clear();
        self.start(at);
    }

    /// The replicas with these numbers shall vote, on the disks that they have now.
    fn change_voters(&mut self, at: ReplicaId, numbers: &[&str]) {
        let voters = numbers.iter().map(|text| self.actors[&id(text).number()].config.id);
        let voters = Voters::new(voters).expect("a group");
        self.input(at, Input::ChangeVoters(voters));
    }

    fn start(&mut self, at: ReplicaId) {
        let actor = self.actors.get_mut(&at.number()).expect("a replica of the group");
        actor.replica = Some(Replica::new(actor.config.clone(), actor.disk.clone(), self.now));
    }

    fn crash(&mut self, at: ReplicaId) {
        let actor = self.actors.get_mut(&at.number()).expect("a replica of the group");
        actor.replica = None;
        actor.life += 1;
    }

    fn propose(&mut self, at: ReplicaId, texts: &[&str]) {
        let request = |text: &&str| {
            self.count += 1;
            Request {
                session: SessionId(at.0),
                number: self.count,
                payload: Arc::from(text.as_bytes()),
            }
        };
        let requests = texts.iter().map(request).collect();
        self.input(at, Input::Propose(requests));
    }

    fn run(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            let event = self.queue.first_key_value().map(|((at, _), _)| *at);
            let clocks = self.actors.values().filter_map(|actor| actor.replica.as_ref());
            let tick = clocks.map(|replica| (replica.deadline().0, replica.id())).min();
            let next = event.unwrap_or(Moment::NEVER).min(tick.map_or(Moment::NEVER, |(at, _)| at));
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            if event == Some(next) {
                if let Some((_, due)) = self.queue.pop_first() {
                    self.happen(due);
                }
            } else if let Some((_, at)) = tick {
                self.input(at, Input::Tick);
            }
        }
        self.now = until;
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Deliver(from, to, message) => {
                if self.show && !message.name().starts_with("heartbeat") && from != to {
                    let line = format!("   {from} -> {to} {}", brief(&message));
                    self.say(&line);
                }
                self.input(to, Input::Message { from, message });
            }
            Due::Written(at, life, mut step) => {
                let actor = self.actors.get_mut(&at.number()).expect("a replica of the group");
                if actor.life != life {
                    return;
                }
                let disk = &mut actor.disk;
                let written: Result<_, ()> = step.persist(|records| {
                    records.iter().for_each(|record| write(disk, record));
                    Ok(())
                });
                if let Ok(((), durable)) = written {
                    durable.into_messages().for_each(|out| self.send(at, out));
                }
            }
        }
    }

    fn input(&mut self, at: ReplicaId, input: Input) {
        let actor = self.actors.get_mut(&at.number()).expect("a replica of the group");
        let Some(replica) = &mut actor.replica else {
            return;
        };
        let mut step = replica.step(self.now, input);
        let life = actor.life;
        for chosen in step.take_chosen() {
            if let Some(voters) = chosen.value.voters() {
                actor.disk.voters = voters.clone();
            }
            let texts = chosen.value.requests().iter();
            let texts: Vec<_> =
                texts.map(|request| String::from_utf8_lossy(&request.payload)).collect();
            actor.applied.push(match &chosen.value {
                Value::NoOp => "no-op".to_owned(),
                Value::Batch(_) => texts.join("+"),
                Value::Voters(voters) => format!("voters {voters}"),
            });
            actor.disk.applied = chosen.slot;
        }
        for event in step.events() {
            if !matches!(event, Event::Accepted { by, .. } if by.number() == at.number()) {
                self.say(&format!("{at}: {event}"));
            }
        }
        for (ticket, yes) in step.confirmed() {
            self.say(&format!(
                "{at}: ticket {ticket} {}",
                if *yes { "confirmed" } else { "denied" }
            ));
        }
        for out in step.take_immediate() {
            self.send(at, out);
        }
        for fetch in step.fetch().to_vec() {
            let entries = self.actors[&at.number()].disk.accepted.iter();
            let entries = entries.filter(|entry| entry.slot >= fetch.from).take(fetch.limit);
            let entries = entries.cloned().collect();
            self.input(at, Input::Fetched { to: fetch.to, entries });
        }
        self.after(WRITE, Due::Written(at, life, step));
    }

    fn send(&mut self, at: ReplicaId, out: Outgoing) {
        let from = self.actors[&at.number()].config.id;
        let Outgoing { to, message } = out;
        let lost = |(kind, only): &(String, Option<ReplicaId>)| {
            let meant = only.is_none_or(|only| only.number() == to.number());
            kind == message.name() && meant && to.number() != from.number()
        };
        if let Some(at) = self.drop.iter().position(lost) {
            self.drop.remove(at);
            let line = format!("   {from} -> {to} {} is lost", brief(&message));
            self.say(&line);
        } else if !self.cut.contains(&(id_of(from), id_of(to))) {
            let hop = if from.number() == to.number() { Duration::ZERO } else { HOP };
            self.after(hop, Due::Deliver(from, to, message));
        }
    }

    fn after(&mut self, span: Duration, due: Due) {
        self.count += 1;
        self.queue.insert((self.now + span, self.count), due);
    }

    fn say(&mut self, line: &str) {
        let _ = writeln!(self.said, "{:>8} {line}", self.now.0 / 1000);
    }

    fn logs(&mut self) {
        for (id, actor) in &self.actors {
            let _ = writeln!(self.said, "log of {id}: {}", actor.applied.join(", "));
        }
    }

    fn leaders(&mut self) {
        for (id, actor) in &self.actors {
            let leader = actor.replica.as_ref().and_then(Replica::leader);
            let leader = leader.map_or("nobody".to_owned(), |leader| leader.to_string());
            let _ = writeln!(self.said, "{id} follows {leader}");
        }
    }
}

impl Actor {
    const fn new(config: Config, disk: Recovered) -> Self {
        Self { config, replica: None, disk, applied: Vec::new(), life: 0 }
    }
}

fn write(disk: &mut Recovered, record: &Record) {
    match record {
        Record::Promised(ballot) => disk.promised = *ballot,
        Record::Accepted { slot, ballot, value } => {
            disk.accepted.retain(|entry| entry.slot != *slot);
            let entry = Entry { slot: *slot, ballot: *ballot, value: value.clone() };
            disk.accepted.push(entry);
            disk.accepted.sort_by_key(|entry| entry.slot);
        }
        Record::Chosen(slot) => disk.chosen = *slot,
        Record::Founded(founders) => *disk = disk.clone().founded_by(founders.clone()),
        Record::Installed(_) => panic!("no scenario installs snapshots"),
    }
}

fn brief(message: &Message) -> String {
    match message {
        Message::Prepare { ballot, from } => format!("prepare {ballot} from slot {from}"),
        Message::Promise { ballot, entries, .. } => {
            let slots: Vec<_> =
                entries.iter().map(|entry| format!("{}@{}", entry.slot, entry.ballot)).collect();
            format!("promise {ballot} with [{}]", slots.join(" "))
        }
        Message::Accept { ballot, slot, .. } => format!("accept {ballot} slot {slot}"),
        Message::Accepted { ballot, from, to, .. } if from == to => {
            format!("accepted {ballot} slot {to}")
        }
        Message::Accepted { ballot, from, to, .. } => {
            format!("accepted {ballot} slots {from} to {to}")
        }
        Message::Nack { ballot, promised, .. } => format!("nack {ballot}, promised {promised}"),
        Message::Commit { ballot, chosen } => format!("commit {ballot} up to slot {chosen}"),
        Message::PreVoteAnswer { opinion, .. } => format!("pre-vote-answer {opinion:?}"),
        Message::CatchUp { from } => format!("catch-up from slot {from}"),
        Message::Suffix { entries, .. } => match &entries[..] {
            [] => "suffix, empty".to_owned(),
            [first, .., last] => format!("suffix {} to {}", first.slot, last.slot),
            [only] => format!("suffix {}", only.slot),
        },
        other => other.name().to_owned(),
    }
}

fn set(config: &mut Config, setting: &str) {
    let (name, value) = setting.split_once('=').expect("a setting as name=value");
    match name {
        "prefer" => drop(config.priority.insert(id(value).number(), 9)),
        "window" => config.window = number(value),
        "memory" => config.log_window = number(value),
        "chunk" => config.chunk_entries = number(value) as usize,
        _ => panic!("unknown setting: {setting}"),
    }
}

/// Cables know numbers, not disks.
const fn id_of(replica: ReplicaId) -> ReplicaId {
    ReplicaId::new(replica.number(), 0)
}

fn id(word: &str) -> ReplicaId {
    ReplicaId(number(word))
}

fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| panic!("not a number: {word}"))
}
