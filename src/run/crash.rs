//! When a gateway shall be killed: `1@3s`, `1@event:7`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A gateway, and when its process gets SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crash {
    pub(crate) gateway: u8,
    pub(crate) when: When,
}

/// The moment of a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// So long after START.
    After(Duration),
    /// Right after this event, counted from 1, has completed.
    Event(usize),
}

impl FromStr for Crash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no crash; write 1@3s, 1@500ms (after START) or 1@event:7 (after event 7)"
            )
        };
        let (gateway, when) = text.split_once('@').ok_or_else(wrong)?;
        let gateway = gateway.parse().map_err(|_| wrong())?;
        let when = match when.strip_prefix("event:") {
            Some(number) => {
                let number = number.parse().ok().filter(|number| *number > 0);
                When::Event(number.ok_or_else(wrong)?)
            }
            None => When::After(humantime::parse_duration(when).map_err(|_| wrong())?),
        };
        Ok(Self { gateway, when })
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.when {
            When::After(time) => write!(f, "{}@{}s", self.gateway, time.as_secs_f64()),
            When::Event(number) => write!(f, "{}@event:{number}", self.gateway),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_comes_at_a_time_or_after_an_event() {
        let crash: Crash = "1@3s".parse().expect("valid");
        assert_eq!(crash, Crash { gateway: 1, when: When::After(Duration::from_secs(3)) });
        let crash: Crash = "2@event:7".parse().expect("valid");
        assert_eq!(crash, Crash { gateway: 2, when: When::Event(7) });
        assert_eq!(crash.to_string(), "2@event:7");
        let after = |text: &str| text.parse::<Crash>().map(|crash| crash.when);
        assert_eq!(after("1@250ms"), Ok(When::After(Duration::from_millis(250))));
        assert_eq!(after("1@0.5s"), Ok(When::After(Duration::from_millis(500))));
    }

    #[test]
    fn anything_else_is_refused_with_examples() {
        for bad in ["", "1", "1@", "x@3s", "1@3", "1@event:0", "1@event:x", "1@-3s", "1@infs"] {
            let error = bad.parse::<Crash>().expect_err(bad);
            assert!(error.contains("1@event:7"), "{error}");
        }
    }
}
