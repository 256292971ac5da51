//! What a run showed, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value as Json, json};
use wire::CacheUse;

/// One line of a registration table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registered {
    pub(crate) name: String,
    pub(crate) node: u64,
    /// `Sensor` or `Device`.
    pub(crate) class: String,
}

/// Accesses of one gateway, as counted by the seed's rules: a cold miss is no miss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) cold_misses: u64,
}

/// What one gateway did.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GatewayReport {
    pub(crate) id: u8,
    pub(crate) serves: bool,
    pub(crate) alive: bool,
    /// Its devices after registration.
    pub(crate) registered: Vec<Registered>,
    /// Its devices at the end.
    pub(crate) devices: Vec<Registered>,
    pub(crate) counts: Counts,
    pub(crate) time: Duration,
    /// What its file holds, or why it cannot be read.
    pub(crate) file: Result<FileReport, String>,
}

/// What a gateway's file holds, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileReport {
    pub(crate) applied: u64,
    pub(crate) changes: usize,
    pub(crate) hash: u64,
}

/// What a run showed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Report {
    pub(crate) events: usize,
    /// What went wrong: events that failed, crashes that never came.
    pub(crate) failures: Vec<String>,
    pub(crate) failed_events: usize,
    pub(crate) time: Duration,
    /// The longest time that an event waited for its answer, and its number.
    pub(crate) longest: Option<(usize, Duration)>,
    pub(crate) differences: Vec<String>,
    pub(crate) gateways: Vec<GatewayReport>,
}

impl Counts {
    pub(crate) fn add(&mut self, access: CacheUse) {
        match access {
            CacheUse::Hit => self.hits += 1,
            CacheUse::Miss => self.misses += 1,
            CacheUse::Cold => self.cold_misses += 1,
            CacheUse::Off => {}
        }
    }
}

impl Report {
    /// Whether the run showed what it should.
    pub(crate) fn is_good(&self) -> bool {
        self.differences.is_empty() && self.failures.is_empty()
    }

    /// For people, line by line.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for gateway in &self.gateways {
            let _ = write!(text, "{}", tables(gateway.id, &gateway.devices));
        }
        for gateway in &self.gateways {
            let _ = write!(text, "{}", totals(gateway));
        }
        text.push_str(RULE);
        for gateway in &self.gateways {
            let _ = writeln!(text, "{}", file_line(gateway));
        }
        match self.differences.as_slice() {
            [] => text.push_str("The databases of all gateways are identical.\n"),
            some => {
                text.push_str("THE DATABASES DIFFER:\n");
                some.iter().for_each(|one| text.push_str(&format!("  {one}\n")));
            }
        }
        if let Some((event, pause)) = self.longest {
            let pause = pause.as_secs_f64();
            let _ = writeln!(
                text,
                "The longest wait for an answer was {pause:.3} s, at event {event}."
            );
        }
        let (events, failed, time) = (self.events, self.failed_events, self.time.as_secs_f64());
        let _ = writeln!(text, "{events} events, {failed} failed, in {time:.3} s.");
        self.failures.iter().for_each(|one| text.push_str(&format!("FAILED: {one}\n")));
        text
    }

    /// For programs.
    pub(crate) fn json(&self) -> Json {
        let gateways: Vec<Json> = self.gateways.iter().map(gateway_json).collect();
        json!({
            "identical": self.differences.is_empty(),
            "events": self.events,
            "failed": self.failed_events,
            "seconds": self.time.as_secs_f64(),
            "longest_wait": self.longest.map(|(event, pause)| {
                json!({"event": event, "seconds": pause.as_secs_f64()})
            }),
            "failures": self.failures,
            "differences": self.differences,
            "gateways": gateways,
        })
    }
}

const RULE: &str = "=====\n";

/// The two tables of a gateway, in the words of old.
pub(crate) fn tables(id: u8, devices: &[Registered]) -> String {
    let pairs = |shown: &dyn Fn(&Registered) -> String| {
        let pairs: Vec<_> =
            devices.iter().map(|one| format!("'{}': {}", one.name, shown(one))).collect();
        format!("{{{}}}", pairs.join(", "))
    };
    format!(
        "{RULE}All device registered to gateway - {id} are !!!\n\
         Node Name and Node Type are: {}\n\
         Node Name and ID are: {}\n{RULE}",
        pairs(&|one| format!("'{}'", one.class)),
        pairs(&|one| one.node.to_string()),
    )
}

fn totals(gateway: &GatewayReport) -> String {
    let Counts { hits, misses, cold_misses } = gateway.counts;
    let role = match (gateway.alive, gateway.serves) {
        (false, _) => " (killed)",
        (true, false) => " (standby)",
        (true, true) => "",
    };
    let (id, time) = (gateway.id, gateway.time.as_secs_f64());
    format!(
        "Total time taken to complete the GATEWAY-{id} Program is {time:.6}{role}\n\
         Total cache hits are {hits} and miss are {misses}\n\
         Cold misses, which are not counted as misses, are {cold_misses}\n"
    )
}

fn file_line(gateway: &GatewayReport) -> String {
    let id = gateway.id;
    match &gateway.file {
        Ok(FileReport { applied, changes, hash }) => {
            format!("GATEWAY-{id} database: {changes} changes at slot {applied}, hash {hash:016x}")
        }
        Err(why) => format!("GATEWAY-{id} database: {why}"),
    }
}

fn gateway_json(gateway: &GatewayReport) -> Json {
    let nodes = |devices: &[Registered]| -> BTreeMap<String, u64> {
        devices.iter().map(|one| (one.name.clone(), one.node)).collect()
    };
    let types: BTreeMap<&str, &str> =
        gateway.devices.iter().map(|one| (one.name.as_str(), one.class.as_str())).collect();
    let Counts { hits, misses, cold_misses } = gateway.counts;
    let file = gateway.file.as_ref().ok();
    json!({
        "id": gateway.id,
        "serves": gateway.serves,
        "alive": gateway.alive,
        "devices": nodes(&gateway.devices),
        "types": types,
        "registered": nodes(&gateway.registered),
        "hits": hits,
        "misses": misses,
        "cold_misses": cold_misses,
        "seconds": gateway.time.as_secs_f64(),
        "applied": file.map(|file| file.applied),
        "changes": file.map(|file| file.changes),
        "hash": file.map(|file| format!("{:016x}", file.hash)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let door = Registered { name: "doorSensor".into(), node: 4, class: "Sensor".into() };
        let gateway = GatewayReport {
            id: 1,
            serves: true,
            alive: true,
            registered: vec![door.clone()],
            devices: vec![door],
            counts: Counts { hits: 9, misses: 0, cold_misses: 1 },
            time: Duration::from_millis(1500),
            file: Ok(FileReport { applied: 12, changes: 7, hash: 0xAB }),
        };
        Report {
            events: 12,
            failures: vec![],
            failed_events: 0,
            time: Duration::from_secs(2),
            longest: Some((3, Duration::from_millis(420))),
            differences: vec![],
            gateways: vec![gateway],
        }
    }

    #[test]
    fn the_tables_and_totals_read_as_they_always_did() {
        let text = report().text();
        for line in [
            "All device registered to gateway - 1 are !!!",
            "Node Name and Node Type are: {'doorSensor': 'Sensor'}",
            "Node Name and ID are: {'doorSensor': 4}",
            "Total time taken to complete the GATEWAY-1 Program is 1.500000",
            "Total cache hits are 9 and miss are 0",
            "The databases of all gateways are identical.",
            "The longest wait for an answer was 0.420 s, at event 3.",
            "12 events, 0 failed, in 2.000 s.",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
        }
    }

    #[test]
    fn the_json_has_what_a_test_asks_for() {
        let json = report().json();
        assert_eq!(json["identical"], true);
        assert_eq!((json["events"].clone(), json["failed"].clone()), (json!(12), json!(0)));
        let gateway = &json["gateways"][0];
        assert_eq!(gateway["devices"], json!({"doorSensor": 4}));
        assert_eq!(gateway["cold_misses"], 1);
        assert_eq!(gateway["alive"], true);
    }

    #[test]
    fn a_difference_or_a_failure_makes_a_run_bad() {
        assert!(report().is_good());
        let differs = Report { differences: vec!["table status".into()], ..report() };
        assert!(!differs.is_good() && differs.text().contains("THE DATABASES DIFFER"));
        assert_eq!(differs.json()["identical"], false);
        let failed = Report { failures: vec!["event 3".into()], ..report() };
        assert!(!failed.is_good() && failed.text().contains("FAILED: event 3"));
    }

    #[test]
    fn without_a_cache_nothing_is_counted() {
        let mut counts = Counts::default();
        counts.add(CacheUse::Off);
        assert_eq!(counts, Counts::default());
        counts.add(CacheUse::Cold);
        assert_eq!((counts.hits, counts.misses, counts.cold_misses), (0, 0, 1));
    }
}
