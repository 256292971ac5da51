//! What a run ends with if something is not as it must be.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, panic_any, set_hook, take_hook};
use std::sync::Once;

/// A seed whose run broke a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The seed that shows it, every time.
    pub seed: u64,
    /// The claim that does not hold, by name; or where in the code the replica's own assertion stands.
    pub claim: String,
    /// What was seen instead.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}: {}", self.seed, self.claim, self.text)
    }
}

/// Ends the run unless the claim holds.
macro_rules! claim {
    ($holds:expr, $claim:literal, $($text:tt)+) => {
        if !$holds {
            $crate::verdict::broken($claim, format!($($text)+))
        }
    };
}
pub(crate) use claim;

/// How a broken claim travels up to [`judge`].
struct Broken {
    claim: &'static str,
    text: String,
}

pub(crate) fn broken(claim: &'static str, text: String) -> ! {
    if !JUDGING.get() {
        panic!("{claim}: {text}");
    }
    panic_any(Broken { claim, text })
}

/// Runs a seed. Broken claims and failed assertions of what it runs are its result and print nothing.
pub(crate) fn judge<T>(seed: u64, run: impl FnOnce() -> T) -> Result<T, Violation> {
    keep_judged_panics_quiet();
    JUDGING.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(run));
    JUDGING.set(false);
    outcome.map_err(|panic| violation(seed, panic))
}

fn violation(seed: u64, panic: Box<dyn Any + Send>) -> Violation {
    let panic = match panic.downcast::<Broken>() {
        Ok(broken) => {
            let Broken { claim, text } = *broken;
            return Violation { seed, claim: claim.to_owned(), text };
        }
        Err(panic) => panic,
    };
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Violation {
        seed,
        claim: format!("assertion at {}", PLACE.take()),
        text: text.unwrap_or_else(|| "a panic without words".to_owned()),
    }
}

thread_local! {
    static JUDGING: Cell<bool> = const { Cell::new(false) };
    /// Where the last judged panic began.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

fn keep_judged_panics_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            if !JUDGING.get() {
                before(info);
            } else if let Some(place) = info.location() {
                PLACE.set(format!("{}:{}", place.file(), place.line()));
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_claim_is_told_by_its_name() {
        let two = std::hint::black_box(2);
        let verdict = judge(7, || claim!(two == 3, "two is three", "it is {two}"));
        let violation = verdict.unwrap_err();
        assert_eq!(violation.to_string(), "seed 7: two is three: it is 2");
    }

    #[test]
    fn an_assertion_is_told_by_its_place() {
        let two = std::hint::black_box(2);
        let violation = judge(7, || assert!(two == 3, "not three")).unwrap_err();
        assert!(
            violation.claim.starts_with("assertion at tests/sim/src/verdict.rs:"),
            "{violation}"
        );
        assert_eq!(violation.text, "not three");
        assert_eq!(judge(8, || 5), Ok(5));
    }
}
