use super::*;

const NOW: Duration = Duration::ZERO;

fn bulb() -> Core {
    Core::new(Kind::Bulb, spoken("off"), 7)
}

fn command(core: &mut Core, order: u64, state: &str) -> Vec<Effect> {
    let payload = format!(r#"{{"order":{order},"state":"{state}","clock":40}}"#);
    core.step(NOW, Input::Command(Bytes::from(payload)))
}

fn world(core: &mut Core, payload: &'static str) -> Vec<Effect> {
    let asker = Asker { topic: "reply".into(), correlation: Some(Bytes::from_static(b"c")) };
    core.step(NOW, Input::World { payload: Bytes::from(payload), asker: Some(asker) })
}

/// The report among the effects.
fn report(effects: &[Effect]) -> Option<(String, Report)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Report { id, payload } => Some((id.clone(), Report::parse(payload).unwrap())),
        Effect::Reply { .. } | Effect::Note(_) => None,
    })
}

fn notes(effects: &[Effect]) -> Vec<String> {
    let note = |effect: &Effect| match effect {
        Effect::Note(note) => Some(note.to_string()),
        Effect::Report { .. } | Effect::Reply { .. } => None,
    };
    effects.iter().filter_map(note).collect()
}

fn reply(effects: &[Effect]) -> Option<Bytes> {
    effects.iter().find_map(|effect| match effect {
        Effect::Reply { payload, .. } => Some(payload.clone()),
        Effect::Report { .. } | Effect::Note(_) => None,
    })
}

fn agree(core: &mut Core, id: &str) -> Vec<Effect> {
    let payload = r#"{"status":"ok","seq":1,"node":2,"owner":1,"clock":90}"#;
    let correlation = Some(Bytes::copy_from_slice(id.as_bytes()));
    core.step(NOW, Input::Answer { correlation, payload: Bytes::from(payload) })
}

/// A connected device whose registration is agreed.
fn registered() -> Core {
    let mut core = bulb();
    let (id, _) = report(&core.step(NOW, Input::Up)).unwrap();
    agree(&mut core, &id);
    core
}

#[test]
fn the_first_report_registers() {
    let mut core = bulb();
    assert_eq!(core.deadline(), None, "nothing leaves before the connection is up");
    let (id, first) = report(&core.step(NOW, Input::Up)).unwrap();
    assert_eq!((first.kind, first.state, first.clock), (Some(Kind::Bulb), spoken("off"), Clock(1)));
    assert_eq!(first.id.unwrap().to_string(), id);
    assert_eq!(notes(&agree(&mut core, &id)), ["registered as node 2 with gateway 1"]);
    assert_eq!(core.deadline(), None, "it is settled");
}

#[test]
fn an_unanswered_report_is_sent_again_with_the_same_id() {
    let mut core = bulb();
    let first = report(&core.step(NOW, Input::Up)).unwrap();
    let again = report(&core.step(core.deadline().unwrap(), Input::Wake)).unwrap();
    core.step(NOW, Input::Down);
    let reconnected = report(&core.step(NOW, Input::Up)).unwrap();
    assert_eq!(first, again);
    assert_eq!(first, reconnected);
}

#[test]
fn an_order_is_obeyed_once_and_reported_each_time() {
    let mut core = registered();
    let effects = command(&mut core, 3, "ON");
    assert_eq!(notes(&effects), ["obeyed order 3: state on"]);
    let (id, said) = report(&effects).unwrap();
    assert_eq!((said.state, said.order), (spoken("on"), Some(OrderNumber(3))));
    assert!(said.clock > Clock(90), "the report is later than the order and the answer before");
    agree(&mut core, &id);

    let again = command(&mut core, 3, "ON");
    assert_eq!(notes(&again), ["order 3 came again; it is reported again"]);
    let (repeated, said) = report(&again).unwrap();
    assert_eq!(said.order, Some(OrderNumber(3)));
    assert_ne!(id, repeated, "a report of its own");
}

#[test]
fn an_old_order_changes_nothing() {
    let mut core = registered();
    let (id, _) = report(&command(&mut core, 3, "ON")).unwrap();
    agree(&mut core, &id);
    let (_, said) = report(&command(&mut core, 2, "OFF")).unwrap();
    assert_eq!((said.state, said.order), (spoken("on"), Some(OrderNumber(3))));
    assert_eq!(core.state(), &spoken("on"));
}

#[test]
fn a_bad_order_is_noted_and_nothing_else() {
    let mut core = registered();
    let effects = core.step(NOW, Input::Command(Bytes::from("ON")));
    assert!(matches!(effects.as_slice(), [Effect::Note(Note::NotUnderstood(_))]));
    assert_eq!(core.state(), &spoken("off"));
}

#[test]
fn the_user_is_answered_when_the_report_is_agreed() {
    let mut core = registered();
    let effects = world(&mut core, r#"{"state":"open","presence":true,"clock":200,"id":"u-1"}"#);
    let (id, said) = report(&effects).unwrap();
    assert_eq!((said.state, said.presence), (spoken("on"), Some(true)));
    assert_eq!(said.clock, Clock(202), "receiving is an event, and so is reporting");
    assert_eq!(reply(&effects), None);
    let agreed = reply(&agree(&mut core, &id)).unwrap();
    assert_eq!(Answer::parse(&agreed).unwrap().get("seq"), 1);
    // The answer was lost and the user asks again.
    let again = world(&mut core, r#"{"state":"open","presence":true,"clock":200,"id":"u-1"}"#);
    assert_eq!((report(&again), reply(&again)), (None, Some(agreed)));
}

#[test]
fn an_impatient_user_is_answered_once() {
    let mut core = registered();
    let (id, _) = report(&world(&mut core, r#"{"state":1,"id":"u-1"}"#)).unwrap();
    assert_eq!(world(&mut core, r#"{"state":1,"id":"u-1"}"#), []);
    assert!(reply(&agree(&mut core, &id)).is_some());
    assert_eq!(core.deadline(), None, "there was only one report");
}

#[test]
fn a_refusal_is_final_and_told() {
    let mut core = registered();
    let (id, _) = report(&world(&mut core, r#"{"state":1,"id":"u-1"}"#)).unwrap();
    let refusal = Bytes::from(r#"{"status":"error","error":"no"}"#);
    let correlation = Some(Bytes::from(id));
    let effects = core.step(NOW, Input::Answer { correlation, payload: refusal.clone() });
    assert_eq!(notes(&effects), ["a report was refused: no"]);
    assert_eq!(reply(&effects), Some(refusal));
    assert_eq!(core.deadline(), None);
}

#[test]
fn an_answer_that_is_none_settles_nothing() {
    let mut core = bulb();
    let (id, _) = report(&core.step(NOW, Input::Up)).unwrap();
    let correlation = Some(Bytes::from(id));
    core.step(NOW, Input::Answer { correlation, payload: Bytes::from("ok") });
    agree(&mut core, "another");
    assert!(core.deadline().is_some());
}

#[test]
fn an_answer_without_correlation_names_the_report_by_its_id() {
    let mut core = bulb();
    let (id, _) = report(&core.step(NOW, Input::Up)).unwrap();
    let payload = Bytes::from(format!(r#"{{"status":"ok","node":2,"owner":1,"id":"{id}"}}"#));
    core.step(NOW, Input::Answer { correlation: None, payload });
    assert_eq!(core.deadline(), None);
}

#[test]
fn reports_keep_their_order() {
    let mut core = bulb();
    core.step(NOW, Input::Reading(spoken("20.5")));
    let (first, _) = report(&core.step(NOW, Input::Up)).unwrap();
    assert_eq!(report(&core.step(NOW, Input::Reading(spoken("21")))), None);
    let (second, said) = report(&agree(&mut core, &first)).unwrap();
    assert_eq!(said.state, spoken("20.5"));
    let (_, said) = report(&agree(&mut core, &second)).unwrap();
    assert_eq!(said.state, spoken("21"));
}

#[test]
fn a_user_whose_report_is_given_up_is_told() {
    let mut core = registered();
    core.step(NOW, Input::Down);
    core.step(NOW, Input::Reading(spoken("on")));
    world(&mut core, r#"{"state":1,"id":"u-1"}"#);
    let told = (0..64).find_map(|_| reply(&core.step(NOW, Input::Reading(spoken("on")))));
    assert!(Answer::parse(&told.unwrap()).unwrap().failure().is_some());
}

fn spoken(text: &str) -> State {
    State::new(text).expect("a short text")
}
