//! A case: a test body that runs against any broker, and the statements it proves in each version.

use crate::server::Server;

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    V311,
    V5,
}

impl Version {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V311 => "3.1.1",
            Self::V5 => "5",
        }
    }
}

/// One test body.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// The file it is in.
    pub(crate) chapter: &'static str,
    pub(crate) name: &'static str,
    /// The versions it runs for, and the ids of the statements it proves there, with spaces between.
    pub(crate) proves: &'static [(Version, &'static str)],
    pub(crate) run: fn(&Server),
}

impl Case {
    /// File and name.
    pub(crate) fn path(&self) -> String {
        format!("{}::{}", self.chapter.trim_start_matches("conformance::"), self.name)
    }

    /// The ids for a version; empty if there are none.
    pub(crate) fn ids(&self, version: Version) -> impl Iterator<Item = &'static str> {
        let of_version = self.proves.iter().filter(move |(of, _)| *of == version);
        of_version.flat_map(|(_, ids)| ids.split_whitespace())
    }
}

/// Lists the cases of a file: function, versions, and in each the statements that it proves.
macro_rules! cases {
    ($($run:ident: $($version:ident $ids:literal),+;)+) => {
        pub(crate) const CASES: &[$crate::case::Case] = &[$($crate::case::Case {
            chapter: module_path!(),
            name: stringify!($run),
            proves: &[$(($crate::case::Version::$version, $ids)),+],
            run: $run,
        }),+];
    };
}

pub(crate) use cases;
