//! The event file: what the home is put through, one event a line.

use std::fmt;

use wire::{GatewayId, Kind, State, Value};

/// A checked event file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
}

/// One event, with its place in the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) line: usize,
    /// The event without who does it, as people read it.
    pub(crate) text: String,
    pub(crate) event: Event,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    /// Someone asks a gateway for a state.
    Query(Kind),
    /// Someone tells a gateway to switch something.
    Order(Act),
    /// The user does something in the house, and a device notices.
    User(Act),
    /// A gateway proposes with a ballot of its own while another one leads, and the user does
    /// several things at once.
    Contend(GatewayId, Vec<Act>),
}

/// A change of one device.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Act {
    pub(crate) kind: Kind,
    pub(crate) state: State,
    /// Whether a presence sensor sees someone too.
    pub(crate) presence: bool,
    /// As written.
    pub(crate) text: String,
}

/// A line that is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventError {
    file: String,
    line: usize,
    what: String,
}

const KNOWN: &str = "\
START and STOP; \
GATEWAY:QUERY BULB|OUTLET|DOOR|MOTION STATE, GATEWAY:QUERY TEMPERATURE; \
GATEWAY: or USER: with BULB ON|OFF, OUTLET ON|OFF, DOOR OPEN|CLOSE [PS], MOTION ACTIVE|INACTIVE, \
TEMPERATURE <number>; \
CONTEND <gateway>: <event> | <event>; \
# begins a comment";

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

impl std::error::Error for EventError {}

/// Reads an event file; `file` is its name, for errors.
pub(crate) fn parse(file: &str, text: &str) -> Result<Script, EventError> {
    let error = |line, what| EventError { file: file.to_owned(), line, what };
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, without_comment(line)));
    let mut lines = lines.filter(|(_, line)| !line.is_empty());
    match lines.next() {
        Some((_, "START")) => {}
        Some((at, other)) => {
            return Err(error(at, format!("the first event must be START, not {other:?}")));
        }
        None => return Err(error(1, "the file has no events; it begins with START".to_owned())),
    }
    let (mut steps, mut last) = (Vec::new(), 1);
    for (line, text) in lines.by_ref() {
        last = line;
        if text == "STOP" {
            return match lines.next() {
                None => Ok(Script { steps }),
                Some((at, _)) => Err(error(at, "nothing may follow STOP".to_owned())),
            };
        }
        let (event, text) = event(text).map_err(|what| error(line, what))?;
        steps.push(Step { line, text, event });
    }
    Err(error(last, "the file ends without STOP".to_owned()))
}

/// What the user can do, from words such as `DOOR OPEN PS`.
pub(crate) fn act(text: &str) -> Result<Act, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (words, presence) = match words.as_slice() {
        ["DOOR", what, "PS"] => (vec!["DOOR", what], true),
        _ => (words, false),
    };
    let (kind, state) = match *words.as_slice() {
        ["BULB", "ON"] => (Kind::Bulb, Value::ON.state()),
        ["BULB", "OFF"] => (Kind::Bulb, Value::OFF.state()),
        ["OUTLET", "ON"] => (Kind::Outlet, Value::ON.state()),
        ["OUTLET", "OFF"] => (Kind::Outlet, Value::OFF.state()),
        ["DOOR", "OPEN"] => (Kind::Door, Value::ON.state()),
        ["DOOR", "CLOSE"] => (Kind::Door, Value::OFF.state()),
        ["MOTION", "ACTIVE"] => (Kind::Motion, Value::ON.state()),
        ["MOTION", "INACTIVE"] => (Kind::Motion, Value::OFF.state()),
        ["TEMPERATURE", degrees] => match State::new(degrees) {
            Ok(state) if Kind::Temperature.value(&state).is_some() => (Kind::Temperature, state),
            _ => return Err(format!("{degrees:?} is no number of degrees")),
        },
        _ => return Err(format!("unknown event {text:?}; there are: {KNOWN}")),
    };
    let state = kind.own(&state);
    Ok(Act { kind, state, presence, text: text.to_owned() })
}

fn event(line: &str) -> Result<(Event, String), String> {
    let (who, what) = line
        .split_once(':')
        .ok_or_else(|| format!("unknown event {line:?}; there are: {KNOWN}"))?;
    let what = what.trim();
    let event = match who.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["GATEWAY"] => match query(what) {
            Some(kind) => Event::Query(kind),
            None => Event::Order(act(what)?),
        },
        ["USER"] => Event::User(act(what)?),
        ["CONTEND", gateway] => {
            let gateway = gateway.parse().ok().filter(|id| (1..=254).contains(id));
            let gateway = gateway.ok_or("CONTEND needs a gateway's number, as in CONTEND 2: …")?;
            let acts: Vec<Act> =
                what.split('|').map(|one| act(one.trim())).collect::<Result<_, _>>()?;
            Event::Contend(GatewayId(gateway), acts)
        }
        _ => return Err(format!("{who:?} cannot act; there are: {KNOWN}")),
    };
    Ok((event, what.to_owned()))
}

fn query(what: &str) -> Option<Kind> {
    match *what.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["QUERY", "BULB", "STATE"] => Some(Kind::Bulb),
        ["QUERY", "OUTLET", "STATE"] => Some(Kind::Outlet),
        ["QUERY", "DOOR", "STATE"] => Some(Kind::Door),
        ["QUERY", "MOTION", "STATE"] => Some(Kind::Motion),
        ["QUERY", "TEMPERATURE"] => Some(Kind::Temperature),
        _ => None,
    }
}

fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or("").trim()
}

impl Event {
    /// The kinds of device that the event needs.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        match self {
            Self::Query(kind) => vec![*kind],
            Self::Order(act) | Self::User(act) => vec![act.kind],
            Self::Contend(_, acts) => acts.iter().map(|act| act.kind).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        parse("x.events", text).expect_err("refused").to_string()
    }

    #[test]
    fn every_event_of_the_list_is_understood() {
        let file = "# a morning\nSTART\nGATEWAY:QUERY BULB STATE\nGATEWAY:QUERY OUTLET STATE
            GATEWAY:QUERY DOOR STATE\nGATEWAY:QUERY MOTION STATE\nGATEWAY:QUERY TEMPERATURE
            GATEWAY:BULB ON\nUSER:BULB OFF\nGATEWAY:OUTLET ON\nUSER:OUTLET OFF  # the heater
            USER:DOOR OPEN PS\nUSER:DOOR OPEN\nGATEWAY:DOOR CLOSE PS\nUSER:DOOR CLOSE

            USER:MOTION ACTIVE\nUSER:MOTION INACTIVE\nUSER:TEMPERATURE 54
            CONTEND 2: MOTION INACTIVE | TEMPERATURE 45\nSTOP\n";
        let steps = parse("x.events", file).expect("valid").steps;
        assert_eq!(steps.len(), 17);
        assert_eq!(steps[0].event, Event::Query(Kind::Bulb));
        assert_eq!((steps[0].line, steps[0].text.as_str()), (3, "QUERY BULB STATE"));
        let Event::User(act) = &steps[9].event else { panic!("{:?}", steps[9]) };
        assert!(act.presence && act.kind == Kind::Door && act.state.as_str() == "open");
        let Event::Contend(gateway, acts) = &steps[16].event else { panic!("{:?}", steps[16]) };
        assert_eq!((gateway.0, acts.len()), (2, 2));
        assert_eq!(acts[1].state.as_str(), "45");
    }

    #[test]
    fn a_bad_line_is_named_with_what_is_known() {
        let text = refusal("START\nGATEWAY:QUERY TOASTER STATE\nSTOP\n");
        assert!(text.starts_with("x.events:2: unknown event"), "{text}");
        assert!(text.contains("QUERY BULB|OUTLET"), "{text}");
        assert!(refusal("START\nDOOR OPEN\nSTOP").contains("x.events:2"));
        assert!(refusal("START\nCAT:DOOR OPEN\nSTOP").contains("\"CAT\" cannot act"));
        assert!(refusal("START\nUSER:QUERY DOOR STATE\nSTOP").contains("unknown event"));
        assert!(refusal("START\nUSER:TEMPERATURE warm\nSTOP").contains("number of degrees"));
        assert!(refusal("START\nUSER:BULB ON PS\nSTOP").contains("unknown event"));
        assert!(refusal("START\nCONTEND x: DOOR OPEN\nSTOP").contains("gateway's number"));
    }

    #[test]
    fn a_file_begins_with_start_and_ends_with_stop() {
        assert!(refusal("").contains("no events"));
        assert!(refusal("\nUSER:BULB ON\nSTOP").contains("x.events:2: the first event"));
        assert!(
            refusal("START\nUSER:BULB ON\n").contains("x.events:2: the file ends without STOP")
        );
        assert!(refusal("START\nSTOP\nUSER:BULB ON").contains("x.events:3: nothing may follow"));
    }

    #[test]
    fn the_shipped_scenarios_are_valid() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/scenarios");
        let files = std::fs::read_dir(folder).expect("the folder of scenarios");
        let mut found = 0;
        for path in files.map(|file| file.expect("a file").path()) {
            let text = std::fs::read_to_string(&path).expect("readable");
            let parsed = parse(&path.display().to_string(), &text);
            assert!(parsed.is_ok(), "{parsed:?}");
            found += 1;
        }
        assert!(found >= 4);
    }
}
