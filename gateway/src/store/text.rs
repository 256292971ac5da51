//! How what is no plain column is written: as text that people can read.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use gateway_core::command::{Agreed, Leadership, Offset, TimerName};
use gateway_core::house::{Change, Counters, Made, Presence, SeenKey};
use gateway_core::version::COUNTED_TIME;
use paxos::{ReplicaId, Voters};
use wire::{
    Account, Clock, Device, Epoch, NodeId, RequestId, Seq, UnixMillis, Version, Zone, ZoneVerb,
};

/// The rows of table `house`.
pub(super) type HouseValues = BTreeMap<&'static str, String>;

/// Counters, agreed settings and presence as rows of table `house`.
pub(super) fn house(counters: Counters, agreed: Agreed, presence: Presence) -> HouseValues {
    // Taken apart, so that a field that is added cannot be forgotten here.
    let Counters { seq, time, offset, clock, epoch, generation, leadership, version, digest } =
        counters;
    let Agreed { threshold, door_closes_after } = agreed;
    let Presence { inside, door_opened, quiet } = presence;
    let mut values = BTreeMap::from([
        ("seq", seq.to_string()),
        ("time", time.to_string()),
        ("clock", clock.to_string()),
        ("epoch", epoch.to_string()),
        ("generation", generation.to_string()),
        ("leadership", leadership.0.to_string()),
        ("digest", digest.to_string()),
        ("threshold", threshold.to_string()),
        ("door-closes-after", door_closes_after.map_or_else(|| NEVER.into(), |ms| ms.to_string())),
        ("inside", inside.to_string()),
        ("door-opened", door_opened.to_string()),
        ("quiet", quiet.to_string()),
    ]);
    // The tables of a site that was not raised are those that older programs have.
    if version > Version::FIRST {
        values.insert("version", version.to_string());
    }
    if version >= COUNTED_TIME {
        values.insert("offset", offset.0.to_string());
    }
    values
}

const NEVER: &str = "never";

/// The opposite of [`house`].
pub(super) fn parse_house(values: &BTreeMap<String, String>) -> Result<Change, String> {
    let door_closes_after = match text_of(values, "door-closes-after")? {
        NEVER => None,
        _ => Some(value(values, "door-closes-after")?),
    };
    Ok(Change::House(
        Counters {
            seq: Seq(value(values, "seq")?),
            time: UnixMillis(value(values, "time")?),
            offset: Offset(value_or_0(values, "offset")?),
            clock: Clock(value(values, "clock")?),
            epoch: Epoch(value(values, "epoch")?),
            generation: value(values, "generation")?,
            // A home that was begun before there were these has none.
            leadership: Leadership(value_or_0(values, "leadership")?),
            version: version(values)?,
            digest: value_or_0(values, "digest")?,
        },
        Agreed { threshold: value(values, "threshold")?, door_closes_after },
        Presence {
            inside: value(values, "inside")?,
            door_opened: value(values, "door-opened")?,
            quiet: value(values, "quiet")?,
        },
    ))
}

fn version(values: &BTreeMap<String, String>) -> Result<Version, String> {
    let known = values.contains_key("version").then(|| value(values, "version"));
    Ok(known.transpose()?.map_or(Version::FIRST, Version))
}

fn value_or_0<T: FromStr + Default>(
    values: &BTreeMap<String, String>,
    name: &str,
) -> Result<T, String> {
    if values.contains_key(name) { value(values, name) } else { Ok(T::default()) }
}

fn value<T: FromStr>(values: &BTreeMap<String, String>, name: &str) -> Result<T, String> {
    let text = text_of(values, name)?;
    text.parse().map_err(|_| format!("house.{name} is {text:?}"))
}

fn text_of<'a>(values: &'a BTreeMap<String, String>, name: &str) -> Result<&'a str, String> {
    values.get(name).map(String::as_str).ok_or_else(|| format!("house.{name} is missing"))
}

/// The row of table `house` that says how a zone came about.
pub(super) fn made_name(zone: &Zone) -> String {
    format!("{MADE}{zone}")
}

/// How the names of such rows begin.
const MADE: &str = "made/";

/// When a zone was made, and on whose account.
pub(super) fn made(made: &Made) -> String {
    let Made { at, by } = made;
    by.as_ref().map_or_else(|| at.to_string(), |by| format!("{at} {by}"))
}

/// The opposite of [`made_name`] and [`made`], for such a row.
pub(super) fn parse_made(name: &str, value: &str) -> Option<Result<Change, String>> {
    let zone = name.strip_prefix(MADE)?;
    let parsed = || {
        let (at, by) = value.split_once(' ').map_or((value, None), |(at, by)| (at, Some(by)));
        let by = by.map(str::parse::<Account>).transpose().ok()?;
        let made = Made { at: UnixMillis(at.parse().ok()?), by };
        Some(Change::Made(zone.parse().ok()?, made))
    };
    Some(parsed().ok_or_else(|| format!("house.{name} is {value:?}")))
}

/// Replicas, each as one number that tells its disk too.
pub(super) fn voters(voters: &Voters) -> String {
    voters.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(",")
}

/// The opposite of [`voters`].
pub(super) fn parse_voters(text: &str) -> Result<Voters, String> {
    let ids = text.split(',').filter(|id| !id.is_empty()).map(|id| id.parse().map(ReplicaId));
    let ids = ids.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    Voters::try_from(ids).map_err(|error| error.to_string())
}

/// A timer's name.
pub(super) fn timer(name: TimerName) -> String {
    match name {
        TimerName::CloseDoor(node) => format!("close-door/{node}"),
        TimerName::DropOrder(node) => format!("drop-order/{node}"),
    }
}

/// The opposite of [`timer`].
pub(super) fn parse_timer(text: &str) -> Result<TimerName, String> {
    let named = text.split_once('/').and_then(|(what, node)| {
        let node = NodeId(node.parse().ok()?);
        match what {
            "close-door" => Some(TimerName::CloseDoor(node)),
            "drop-order" => Some(TimerName::DropOrder(node)),
            _ => None,
        }
    });
    named.ok_or_else(|| format!("timers.name is {text:?}"))
}

/// A request that was seen, without its zone. A device's name has no slash, an id may have some.
pub(super) fn seen(key: &SeenKey) -> String {
    match key {
        SeenKey::Id(_, device, verb, id) => format!("{verb}/{device}/{id}"),
        SeenKey::Dated(_, device, verb, id) => format!("dated/{verb}/{device}/{id}"),
        SeenKey::Stamp(_, stamp) => format!("stamp/{stamp}"),
    }
}

/// The opposite of [`seen`].
pub(super) fn parse_seen(zone: Zone, text: &str) -> Result<SeenKey, String> {
    let (kind, rest) = text.split_once('/').ok_or_else(|| format!("seen.key is {text:?}"))?;
    if kind == "stamp" {
        let stamp = rest.parse().map_err(|error| unreadable("seen.key", text, error))?;
        return Ok(SeenKey::Stamp(zone, stamp));
    }
    let dated = text.strip_prefix("dated/");
    let key = dated.unwrap_or(text).split_once('/').and_then(|(verb, rest)| {
        let (device, id) = rest.split_once('/')?;
        let (device, id) = (Device::new(device).ok()?, RequestId::new(id).ok()?);
        Some((verb.parse::<ZoneVerb>().ok()?, device, id))
    });
    let (verb, device, id) = key.ok_or_else(|| format!("seen.key is {text:?}"))?;
    let key = if dated.is_some() { SeenKey::Dated } else { SeenKey::Id };
    Ok(key(zone, device, verb, id))
}

/// What is wrong with a text found at `place`, a table and a column.
pub(super) fn unreadable(place: &str, text: &str, error: impl Display) -> String {
    format!("{place} is {text:?}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::house::House;
    use wire::Stamp;

    #[test]
    fn how_a_zone_came_about_comes_back() {
        let zone: Zone = "living room".parse().expect("a name");
        let account = Account { role: "device".into(), user: "living room/lamp".into() };
        for by in [None, Some(account)] {
            let row = Made { at: UnixMillis(7), by };
            let again = parse_made(&made_name(&zone), &made(&row));
            assert_eq!(again, Some(Ok(Change::Made(zone.clone(), row))));
        }
        assert_eq!(parse_made("version", "8"), None);
        assert_eq!(parse_made("made/a", "x"), Some(Err("house.made/a is \"x\"".into())));
    }

    #[test]
    fn house_values_come_back() {
        let counters = Counters {
            seq: Seq(1),
            time: UnixMillis(2),
            offset: Offset(-86_400_000),
            clock: Clock(3),
            epoch: Epoch(4),
            generation: u64::MAX,
            leadership: Leadership(9),
            version: COUNTED_TIME,
            digest: 1 << 63,
        };
        let presence = Presence { inside: true, door_opened: false, quiet: true };
        for door_closes_after in [None, Some(0), Some(5000)] {
            let agreed = Agreed { threshold: 7, door_closes_after };
            let rows = house(counters, agreed, presence);
            let rows = rows.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
            assert_eq!(parse_house(&rows), Ok(Change::House(counters, agreed, presence)));
        }
        let before = house(Counters::default(), House::new().agreed(), presence);
        assert!(
            !before.contains_key("version") && !before.contains_key("offset"),
            "as a program that knows no versions has it"
        );
        let before = before.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
        let Ok(Change::House(counters, ..)) = parse_house(&before) else { panic!("house values") };
        assert_eq!(counters.version, Version::FIRST);
        assert_eq!(parse_house(&BTreeMap::new()), Err("house.door-closes-after is missing".into()));
    }

    #[test]
    fn timers_come_back_by_their_names() {
        for name in [TimerName::CloseDoor(NodeId(4)), TimerName::DropOrder(NodeId(2))] {
            assert_eq!(parse_timer(&timer(name)), Ok(name));
        }
        for bad in ["", "close-door", "close-door/x", "ring/3"] {
            assert!(parse_timer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_was_seen_comes_back() {
        let zone = Zone::new("salle à manger").unwrap();
        let device = Device::new("a b").unwrap();
        for id in ["1", "a/b", "/", "x y\n"] {
            let id = RequestId::new(id).unwrap();
            let key = SeenKey::Id(zone.clone(), device.clone(), ZoneVerb::Set, id);
            assert_eq!(parse_seen(zone.clone(), &seen(&key)), Ok(key));
        }
        let key = SeenKey::Stamp(zone.clone(), Stamp { broker: 1, incarnation: 2, counter: 3 });
        assert_eq!(seen(&key), "stamp/1/2/3");
        assert_eq!(parse_seen(zone.clone(), &seen(&key)), Ok(key));
        for bad in ["", "set", "set/a", "set//x", "stamp/1/2", "what/1/2/3"] {
            assert!(parse_seen(zone.clone(), bad).is_err(), "{bad}");
        }
    }
}
