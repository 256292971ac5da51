use std::time::Duration;

use bytes::Bytes;
use hearth_storage::Fault;
use tempfile::TempDir;

use super::desk::Work;
use super::*;
use broker_core::protocol::{Filter, Properties, Publish, Qos, RetainHandling, Will};
use broker_core::{LastWill, Lasting, Sent, StoredMessage, StoredSession, StoredWill, Waiting};
use broker_core::{Message, Moment};

pub(super) const SITE: &str = "home";

fn message(topic: &str, payload: &'static str, expires: Option<Moment>) -> Arc<Message> {
    let publish = Publish {
        dup: false,
        qos: Qos::AtLeastOnce,
        retain: true,
        pid: 1,
        topic: topic.into(),
        payload: Bytes::from_static(payload.as_bytes()),
        properties: Properties { forwarded: [1, 1].into(), expiry: None },
    };
    let mut message = Message::new(publish, Moment::default(), 1);
    message.expires = expires;
    message.owner = Some("eve".into());
    Arc::new(message)
}

fn session(client: &str, expiry: u32, ends_at: Option<Moment>) -> Keep {
    Keep::Session(Lasting { client: client.into(), user: Some("ada".into()), expiry, ends_at })
}

fn subscribed(client: &str, path: &str, qos: Qos) -> Keep {
    let filter = Filter {
        path: path.to_owned(),
        qos,
        no_local: true,
        retain_as_published: false,
        retain_handling: RetainHandling::Never,
    };
    Keep::Subscribed(client.into(), filter, Some(5))
}

fn open(folder: &TempDir) -> Opened {
    super::open(folder.path(), 1, SITE, 1).unwrap()
}

/// A life of a broker, in which the store is told this; `again` is all that there is, should it ask.
fn live(folder: &TempDir, changes: Vec<Keep>) {
    let desk = Arc::<Desk>::default();
    let store = Store::start(open(folder).file, desk.clone(), Box::new(Vec::new)).unwrap();
    let mut changes = changes;
    desk.put(Moment::default(), &mut changes);
    drop(store);
}

/// A life after which no table is empty.
pub(super) fn life(folder: &TempDir) {
    let waits = |number| waits(number, &message("waits", "x", Some(hours(9))), None);
    let changes = vec![
        Keep::Retained(message("a", "x", Some(hours(2)))),
        Keep::Retained(message("home/hall/lamp/state", "{\"state\":1}", None)),
        session("for-ever", u32::MAX, None),
        session("sleeper", 7200, Some(hours(2))),
        subscribed("sleeper", "home/+/+/state", Qos::ExactlyOnce),
        subscribed("sleeper", "a", Qos::AtMostOnce),
        subscribed("sleeper", "$share/g/b/#", Qos::AtMostOnce),
        Keep::Asleep("sleeper".into(), vec![waits(1), waits(2)], vec![1, 65_535]),
        Keep::Asleep("for-ever".into(), vec![waits(1)], vec![]),
        will("for-ever", "x", None),
        will("guest", "x", Some(hours(3))),
        Keep::Gateways,
    ];
    live(folder, changes);
}

fn topics(memory: &Memory) -> Vec<(&str, &[u8])> {
    memory.retained.iter().map(|m| (&*m.topic, &m.payload[..])).collect()
}

fn hours(hours: u64) -> Moment {
    Moment(Duration::from_secs(3600 * hours))
}

#[test]
fn what_is_put_on_the_desk_is_there_in_the_next_life() {
    let folder = TempDir::new().unwrap();
    let changes = vec![
        Keep::Retained(message("a", "old", None)),
        Keep::Retained(message("b", "b", Some(hours(2)))),
        Keep::Retained(message("c", "c", None)),
        Keep::Retained(message("a", "new", None)),
        Keep::Cleared("c".into()),
        session("for-ever", u32::MAX, None),
        session("sleeper", 7200, Some(hours(2))),
        session("gone", 60, None),
        subscribed("sleeper", "z/#", Qos::ExactlyOnce),
        subscribed("sleeper", "a", Qos::AtMostOnce),
        subscribed("sleeper", "z/#", Qos::AtLeastOnce),
        subscribed("sleeper", "b", Qos::AtMostOnce),
        subscribed("gone", "b", Qos::AtMostOnce),
        Keep::Unsubscribed("sleeper".into(), "b".into()),
        Keep::SessionEnded("gone".into()),
        Keep::Gateways,
    ];
    live(&folder, changes);
    let Opened { memory, .. } = open(&folder);
    assert!(memory.gateways);
    assert_eq!(topics(&memory), [("a", &b"new"[..]), ("b", b"b")]);
    let StoredMessage { qos, properties, left, owner, .. } = &memory.retained[1];
    assert_eq!((*qos, &properties[..]), (Qos::AtLeastOnce, &[1, 1][..]));
    assert_eq!(owner.as_deref(), Some("eve"), "it stays on her account");
    assert!(left.is_some_and(|left| left > hours(1).0 && left <= hours(2).0), "{left:?}");
    let [ever, StoredSession { client, user, expiry, left, subscriptions, .. }] =
        &memory.sessions[..]
    else {
        panic!("{:?}", memory.sessions);
    };
    assert_eq!((&*ever.client, ever.expiry, ever.left), ("for-ever", u32::MAX, None));
    assert_eq!((&**client, user.as_deref(), *expiry), ("sleeper", Some("ada"), 7200));
    assert!(left.is_some_and(|left| left > hours(1).0 && left <= hours(2).0), "{left:?}");
    let found: Vec<_> =
        subscriptions.iter().map(|(f, id)| (&*f.path, f.qos, f.no_local, *id)).collect();
    let (z, a) = (("z/#", Qos::AtLeastOnce, true, Some(5)), ("a", Qos::AtMostOnce, true, Some(5)));
    assert_eq!(found, [z, a]);
}

fn waits(number: u32, message: &Arc<Message>, sent: Option<Sent>) -> Waiting {
    let (message, ids) = (message.clone(), [7, 70_000].into());
    Waiting { number, message, qos: Qos::ExactlyOnce, retain: true, stored: false, ids, sent }
}

#[test]
fn what_waits_for_sessions_is_there_once_and_until_the_last_has_it() {
    let folder = TempDir::new().unwrap();
    let ordered = |topic, order| {
        let message = message(topic, "x", None);
        let mut message = Arc::into_inner(message).unwrap();
        message.order = order;
        Arc::new(message)
    };
    let (both, one, none) = (ordered("both", 5), ordered("one", 6), ordered("none", 7));
    let sent = |released| Some(Sent { pid: 9, released });
    let changes = vec![
        session("a", u32::MAX, None),
        session("b", u32::MAX, None),
        Keep::Waiting("a".into(), waits(8, &none, None)),
        Keep::Asleep("a".into(), vec![waits(1, &both, sent(false))], vec![1, 65_535]),
        Keep::Asleep("b".into(), vec![waits(1, &one, None), waits(2, &none, None)], vec![3]),
        Keep::Waiting("b".into(), waits(3, &both, None)),
        // As it goes on when they are back.
        Keep::Waiting("a".into(), waits(1, &both, sent(true))),
        Keep::Delivered("b".into(), 2),
        Keep::Received("a".into(), 0x00ff),
        Keep::Awake("b".into()),
    ];
    live(&folder, changes);
    let Memory { messages, sessions, .. } = open(&folder).memory;
    let stand: Vec<_> = messages.iter().map(|m| (m.order, &*m.topic)).collect();
    assert_eq!(stand, [(5, "both"), (6, "one")]);
    let of = |at: usize| {
        let waiting = sessions[at].waiting.iter();
        waiting.map(|w| (w.number, w.order, w.sent)).collect::<Vec<_>>()
    };
    assert_eq!(of(0), [(1, 5, sent(true))]);
    assert_eq!(of(1), [(1, 6, None), (3, 5, None)]);
    assert_eq!([&sessions[0].received[..], &sessions[1].received], [&[1, 65_535, 0x00ff][..], &[]]);
    let first = &sessions[0].waiting[0];
    assert_eq!((first.qos, first.retain, first.stored), (Qos::ExactlyOnce, true, false));
    assert_eq!(*first.ids, [7, 70_000]);
    live(&folder, vec![Keep::SessionEnded("a".into()), Keep::Delivered("b".into(), 3)]);
    let left = open(&folder).memory.messages;
    assert_eq!(left.iter().map(|m| &*m.topic).collect::<Vec<_>>(), ["one"]);
}

fn will(client: &str, payload: &'static str, due: Option<Moment>) -> Keep {
    let properties = Properties { forwarded: [1, 1].into(), expiry: Some(60) };
    let publish = Publish {
        dup: false,
        qos: Qos::ExactlyOnce,
        retain: true,
        pid: 0,
        topic: "will".into(),
        payload: Bytes::from_static(payload.as_bytes()),
        properties,
    };
    let will = Will { publish, delay: 7 };
    Keep::Will(Box::new(LastWill { client: client.into(), user: Some("ada".into()), will, due }))
}

#[test]
fn wills_are_there_until_they_are_over() {
    let folder = TempDir::new().unwrap();
    let changes = vec![
        will("there", "old", None),
        will("gone", "x", Some(hours(2))),
        will("over", "x", None),
        will("there", "new", None),
        Keep::WillOver("over".into()),
    ];
    live(&folder, changes);
    let wills = open(&folder).memory.wills;
    let [gone, StoredWill { client, user, will, left }] = &wills[..] else { panic!("{wills:?}") };
    assert!(&*gone.client == "gone" && gone.left.is_some_and(|left| left > hours(1).0));
    assert_eq!((&**client, user.as_deref(), will.delay, *left), ("there", Some("ada"), 7, None));
    let Publish { qos, retain, topic, payload, properties, .. } = &will.publish;
    assert_eq!(
        (*qos, *retain, &**topic, &payload[..]),
        (Qos::ExactlyOnce, true, "will", &b"new"[..])
    );
    assert_eq!((&properties.forwarded[..], properties.expiry), (&[1, 1][..], Some(60)));
}

#[test]
fn a_file_from_before_there_were_wills_is_brought_up_to_date() {
    let folder = TempDir::new().unwrap();
    live(&folder, vec![Keep::Retained(message("a", "x", None))]);
    let path = folder.path().join("broker-1.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    let before =
        "DROP TABLE wills; ALTER TABLE retained DROP COLUMN owner; PRAGMA user_version = 1";
    old.execute_batch(before).unwrap();
    drop(old);
    live(&folder, vec![will("there", "x", None)]);
    let memory = open(&folder).memory;
    assert_eq!((topics(&memory), memory.wills.len()), (vec![("a", &b"x"[..])], 1));
}

#[test]
fn what_has_expired_meanwhile_does_not_come_back() {
    let folder = TempDir::new().unwrap();
    let changes = vec![
        Keep::Retained(message("short", "x", Some(hours(1)))),
        session("short", 3600, Some(hours(1))),
        subscribed("short", "a", Qos::AtMostOnce),
    ];
    live(&folder, changes);
    let file = open(&folder).file;
    let later = apply::unix_millis() + 3_600_000;
    let memory = load::memory(&file, later).unwrap();
    assert!(memory.retained.is_empty() && memory.sessions.is_empty());
    let count = |table| {
        file.connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))
    };
    assert_eq!(
        (count("retained"), count("sessions"), count("subscriptions")),
        (Ok(0), Ok(0), Ok(0))
    );
}

#[test]
fn every_life_has_a_higher_number_also_when_the_clock_was_set_back() {
    let folder = TempDir::new().unwrap();
    let lives = [500, 400, 400, 900]
        .map(|now| super::open(folder.path(), 1, SITE, now).unwrap().incarnation);
    assert_eq!(lives, [500, 501, 502, 900]);
}

#[test]
fn gateways_of_another_site_are_none_of_ours() {
    let folder = TempDir::new().unwrap();
    live(&folder, vec![Keep::Gateways]);
    assert!(!super::open(folder.path(), 1, "cottage", 1).unwrap().memory.gateways);
}

fn fault(opened: Result<Opened, StoreError>) -> Fault {
    match opened.map(drop).unwrap_err() {
        StoreError::File(error) => error.into_fault(),
        other => panic!("{other}"),
    }
}

#[test]
fn a_file_is_for_one_broker_and_must_be_sound() {
    let folder = TempDir::new().unwrap();
    let first = open(&folder);
    let refused = || fault(super::open(folder.path(), 1, SITE, 1));
    assert!(
        matches!(refused(), Fault::Locked { holder: Some(holder), .. } if holder.contains("process"))
    );
    assert!(super::open(folder.path(), 2, SITE, 1).is_ok(), "the file of another broker");
    first.file.connection.pragma_update(None, "user_version", 99).unwrap();
    drop(first);
    assert!(matches!(refused(), Fault::Newer { found: 99, .. }));
    let path = folder.path().join("broker-1.db");
    std::fs::remove_file(&path).unwrap();
    let foreign = rusqlite::Connection::open(&path).unwrap();
    foreign.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(foreign);
    assert!(matches!(refused(), Fault::Foreign));
}

#[test]
fn a_row_that_nobody_would_have_written_is_damage() {
    let folder = TempDir::new().unwrap();
    live(&folder, vec![Keep::Retained(message("a", "x", None))]);
    let file = open(&folder).file;
    file.connection.execute("UPDATE retained SET qos = 3", []).unwrap();
    drop(file);
    begins_anew(&folder, 1);
}

#[test]
fn a_damaged_file_is_put_aside_and_what_must_not_be_forgotten_is_not() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("broker-1.db");
    live(&folder, vec![Keep::Retained(message("a", "x", None))]);
    let sound = std::fs::read(&path).unwrap();
    let garbage = "what a cat left on the keyboard".repeat(1000).into_bytes();
    let spoilt = [Vec::new(), vec![0; sound.len()], sound[..sound.len() / 2].to_vec(), garbage];
    for (number, spoilt) in (1..).zip(spoilt) {
        std::fs::write(&path, &spoilt).unwrap();
        begins_anew(&folder, number);
        let aside = folder.path().join(format!("broker-1.db.damaged-{number}"));
        assert_eq!(std::fs::read(aside).unwrap(), spoilt, "it is there as it was");
    }
    // No more are kept than a disk can bear.
    for _ in 0..20 {
        std::fs::write(&path, "").unwrap();
        drop(open(&folder));
    }
    let files = std::fs::read_dir(folder.path()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.contains("damaged")).count(), 9);
}

/// Nothing of before is left but that there are gateways, and the number of this life is not the clock's.
fn begins_anew(folder: &TempDir, number: u32) {
    let opened = open(folder);
    assert!(opened.memory.retained.is_empty() && opened.memory.sessions.is_empty());
    assert!(opened.memory.gateways, "nothing may be acknowledged without them");
    assert!(opened.incarnation > 1, "a clock that was set back gives no number twice");
    drop(opened);
    assert!(folder.path().join(format!("broker-1.db.damaged-{number}")).exists());
    assert!(open(folder).memory.gateways, "nor in the next life");
}

#[test]
fn a_full_disk_is_said_once_and_made_good_when_there_is_room() {
    let folder = TempDir::new().unwrap();
    let opened = open(&folder);
    let pages = |most: u32| {
        move |c: &rusqlite::Connection| {
            c.query_row(&format!("PRAGMA max_page_count = {most}"), [], |row| row.get::<_, u32>(0))
        }
    };
    pages(12)(&opened.file.connection).unwrap();
    let desk = Arc::<Desk>::default();
    let all = {
        let desk = desk.clone();
        move || {
            // By the time it is tried again something has been cleared away.
            desk.begin_anew(Moment::default());
            vec![Keep::Retained(message("small", "enough", None))]
        }
    };
    let store = Store::start(opened.file, desk.clone(), Box::new(all)).unwrap();
    let large: &'static str = "x".repeat(100_000).leak();
    desk.put(Moment::default(), &mut vec![Keep::Retained(message("large", large, None))]);
    let until = |there_is: bool| {
        while desk.trouble().is_some() != there_is {
            std::thread::yield_now();
        }
    };
    until(true);
    assert!(desk.trouble().unwrap().contains("the disk is full"), "{:?}", desk.trouble());
    // Nobody waits and nothing piles up meanwhile.
    desk.put(Moment::default(), &mut vec![Keep::Cleared("large".into())]);
    until(false);
    desk.put(Moment::default(), &mut vec![Keep::Retained(message("after", "it", None))]);
    drop(store);
    assert_eq!(topics(&open(&folder).memory), [("after", &b"it"[..]), ("small", b"enough")]);
}

#[test]
fn a_writer_that_is_behind_is_spared_what_is_pointless_and_in_the_end_every_single_change() {
    let desk = Desk::default();
    let mut same: Vec<_> = (0..100_000).map(|_| Keep::Retained(message("a", "x", None))).collect();
    desk.put(Moment::default(), &mut same);
    assert!(matches!(desk.take(None, false), Work::Changes(left, _) if left.len() == 1));
    for n in 0..100_000 {
        desk.put(Moment::default(), &mut vec![Keep::Cleared(format!("a/{n}").into())]);
    }
    assert!(matches!(desk.take(None, false), Work::Changes(left, _) if left.len() == 100_000));
    for n in 0..300_000 {
        desk.put(Moment::default(), &mut vec![Keep::Cleared(format!("a/{n}").into())]);
    }
    assert!(matches!(desk.take(None, false), Work::Everything));
    desk.begin_anew(Moment::default());
    desk.put(Moment::default(), &mut vec![Keep::Gateways]);
    assert!(matches!(desk.take(None, false), Work::Changes(left, _) if left.len() == 1));
}

/// `f4fe4dd` is the file that a broker of that program left behind; files of later programs come beside it and are
/// never written anew.
#[test]
fn a_file_of_an_older_program_is_opened_and_everything_is_there() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/f4fe4dd/broker-1.db");
    let folder = TempDir::new().unwrap();
    std::fs::copy(golden, folder.path().join("broker-1.db")).unwrap();
    let Opened { memory, incarnation, .. } = open(&folder);
    assert!(memory.gateways);
    assert_eq!(incarnation, 1_796_077_363_479);
    let topics = topics(&memory);
    let states = topics.iter().filter(|(topic, _)| topic.ends_with("/state")).count();
    assert_eq!((topics.len(), states), (17, 10));
    assert!(topics.contains(&("notes/fridge", b"milk")));
    let expiring = memory.retained.iter().find(|message| &*message.topic == "notes/expiring");
    let expiring = expiring.expect("it lasts for a century");
    assert!(expiring.left.is_some() && !expiring.properties.is_empty());
    let sleeper = |client| memory.sessions.iter().find(|session| &*session.client == client);
    let (first, second) = (sleeper("sleeper").unwrap(), sleeper("sleeper2").unwrap());
    assert_eq!((first.waiting.len(), first.subscriptions.len(), first.expiry), (3, 1, u32::MAX));
    assert_eq!(second.waiting.last().map(|waiting| waiting.qos), Some(Qos::ExactlyOnce));
    assert_eq!(memory.messages.len(), 4);
    assert!(memory.wills.iter().any(|will| &*will.client == "mortal"));
}
