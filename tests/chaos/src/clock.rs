//! Wrong clocks, by `libfaketime`: the time of day is wrong, the monotonic clock stays as it is.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A time of day that is wrong by some seconds.
#[derive(Clone, Debug)]
pub struct WrongClock {
    library: PathBuf,
    seconds: i64,
}

impl WrongClock {
    /// Makes the program see it.
    pub(crate) fn set(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME", format!("{:+}", self.seconds))
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}

/// The library that makes clocks wrong.
#[derive(Clone, Debug)]
pub struct Faketime(PathBuf);

impl Faketime {
    /// Looks for the library, and whether the program lets it in.
    ///
    /// # Errors
    /// Why no clock can be wrong.
    pub fn find(program: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(program).map_err(|error| error.to_string())?;
        if !loads_libraries(&bytes) {
            return Err(format!("{} is a static program", program.display()));
        }
        let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        let library = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
        let found = library.into_iter().find(|library| library.exists());
        found.map(Self).ok_or_else(|| "the package faketime is not installed".to_owned())
    }

    /// A clock that is wrong by so many seconds.
    #[must_use]
    pub fn wrong_by(&self, seconds: i64) -> WrongClock {
        WrongClock { library: self.0.clone(), seconds }
    }
}

/// Whether an ELF file of 64 bits names an interpreter: a static program has none, and loads nothing.
fn loads_libraries(elf: &[u8]) -> bool {
    const INTERPRETER: u32 = 3;
    let number = |at: usize, length: usize| {
        let bytes = elf.get(at..at + length)?;
        Some(bytes.iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)))
    };
    let headers = || Some((number(32, 8)?, number(54, 2)?, number(56, 2)?));
    let Some((start, size, count)) = headers() else { return false };
    let kinds = (0..count).map(|place| number(start + place * size, 4));
    elf.starts_with(b"\x7fELF") && kinds.flatten().any(|kind| kind == INTERPRETER as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_loads_libraries_and_a_text_does_not() {
        assert!(loads_libraries(&std::fs::read("/bin/sh").unwrap()));
        assert!(!loads_libraries(b"no program"));
    }
}
