//! What devices and people send, and what gateways answer.

use hearth_fuzz::run;
use wire::{
    Answer, Clock, Command, GetRequest, Heartbeat, Kind, LocalGet, Register, Report, SetRequest,
    Site, Stamp, State, Topic, Topics, VotersRequest,
};

const RUNS: u64 = 100_000;

fn sound(state: &State) {
    assert_eq!(state.as_str().parse::<State>().as_ref(), Ok(state), "as text");
    for (kind, _) in Kind::ALL {
        // What a device makes of it means the same to its kind.
        assert!(kind.same(&kind.own(state), state), "to a {kind}");
        let value = kind.value(state);
        assert!(value.is_none_or(|value| value.number().is_finite()), "{value:?}");
        assert_eq!(value.and_then(|value| kind.value(&value.state())), value, "as its value");
    }
}

/// A gateway takes it over and counts on.
fn can_be_followed(clock: Clock) {
    let mut own = Clock(0);
    assert!(own.observe(clock) > clock && own.tick() > clock);
}

#[test]
fn report() {
    run("report", RUNS, |input| {
        let Ok(report) = Report::parse(input) else { return false };
        sound(&report.state);
        can_be_followed(report.clock);
        assert_eq!(Report::parse(report.to_payload().as_bytes()), Ok(report));
        true
    });
}

#[test]
fn set() {
    run("set", RUNS, |input| {
        let Ok(request) = SetRequest::parse(input) else { return false };
        sound(&request.state);
        can_be_followed(request.clock);
        true
    });
}

#[test]
fn get_and_local_get() {
    run("get", RUNS, |input| {
        let local = LocalGet::parse(input);
        if let Ok(get) = &local {
            let bare = format!("{}/{}", get.zone, get.device);
            // A name may begin like a JSON object; only the other form can name such a one.
            if !bare.trim_start().starts_with(['{', '[']) && bare.trim() == bare {
                assert_eq!(LocalGet::parse(bare.as_bytes()).ok().as_ref(), Some(get));
            }
        }
        let query = GetRequest::parse(input);
        query.iter().for_each(|query| can_be_followed(query.clock));
        local.is_ok() || query.is_ok()
    });
}

#[test]
fn register_and_voters() {
    run("api", RUNS, |input| {
        let register = Register::parse(input);
        if let Ok(register) = &register {
            let again = Register::parse(register.to_json().to_string().as_bytes());
            assert_eq!(again.as_ref(), Ok(register));
        }
        let voters = VotersRequest::parse(input);
        if let Ok(voters) = &voters {
            let again = VotersRequest::parse(voters.to_json().to_string().as_bytes());
            assert_eq!(again.as_ref(), Ok(voters));
        }
        register.is_ok() || voters.is_ok()
    });
}

#[test]
fn heartbeat() {
    run("heartbeat", RUNS, |input| {
        let Ok(beat) = Heartbeat::parse(input) else { return false };
        assert_eq!(Heartbeat::parse(&beat.to_payload()), Ok(beat));
        true
    });
}

#[test]
fn answer() {
    run("answer", RUNS, |input| {
        let Ok(answer) = Answer::parse(input) else { return false };
        _ = answer.failure();
        assert_eq!(Answer::parse(answer.to_json().to_string().as_bytes()), Ok(answer));
        true
    });
}

#[test]
fn command() {
    run("command", RUNS, |input| {
        let Ok(command) = Command::parse(input) else { return false };
        sound(&command.state);
        can_be_followed(command.clock);
        assert_eq!(Command::parse(command.to_json(Kind::Door).to_string().as_bytes()), Ok(command));
        true
    });
}

#[test]
fn stamp() {
    run("stamp", RUNS, |input| {
        let text = std::str::from_utf8(input).ok();
        let Some(Ok(stamp)) = text.map(str::parse::<Stamp>) else { return false };
        assert_eq!(stamp.to_string().parse(), Ok(stamp));
        true
    });
}

#[test]
fn topic() {
    let topics = Topics::new(Site::new("home").unwrap());
    run("topic", RUNS, |input| {
        let text = std::str::from_utf8(input).ok();
        let Some(topic) = text.and_then(|text| topics.parse(text)) else { return false };
        let text = match &topic {
            Topic::Device(zone, device, verb) => topics.device(zone, device, *verb),
            Topic::Api(verb) => topics.api(*verb),
            Topic::Gateway(gateway, verb) => topics.gateway(*gateway, *verb),
            Topic::Paxos(gateway, leg) => topics.paxos(*gateway, *leg),
            Topic::Waiting => topics.waiting(),
            Topic::Asking => topics.asking(),
        };
        assert_eq!(topics.parse(&text), Some(topic));
        true
    });
}
