//! Why a gateway stops with an error.

use std::fmt;

use wire::{GatewayId, SiteGeneration};

use crate::store::StoreError;

/// Why a gateway stopped with an error; the text says what, where and what to do.
#[derive(Debug)]
pub enum Error {
    /// The settings make no group of voters.
    Voters(paxos::ConfigError),
    /// The replica's file cannot be used, or a write to it failed.
    Store(StoreError),
    /// Another gateway with this id is running.
    Twin {
        /// The id.
        gateway: GatewayId,
        /// The other one's incarnation.
        incarnation: u64,
    },
    /// A later life of this gateway has joined.
    Outlived {
        /// The id.
        gateway: GatewayId,
        /// The later life's incarnation.
        incarnation: u64,
    },
    /// Its file is blank, and the site is of this generation.
    Adopt(SiteGeneration),
    /// Its file was put back to an older state.
    SetBack(String),
    /// Something that can never be is: the replica must not go on.
    Invariant(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Voters(error) => write!(f, "the settings make no group of gateways: {error}"),
            Self::Store(error) => error.fmt(f),
            Self::Twin { gateway, incarnation } => write!(
                f,
                "a gateway {gateway} is running already (incarnation {incarnation}); \
                 stop it, or start this one with another --id"
            ),
            Self::Outlived { gateway, incarnation } => write!(
                f,
                "gateway {gateway} has joined this site in a life that began later (incarnation \
                 {incarnation}): its clock was set back and its file is another one since, or a second \
                 gateway {gateway} runs. If none does, start this one again: it begins a life after that \
                 one. Otherwise stop one of them"
            ),
            Self::Adopt(generation) => {
                write!(f, "the site is of generation {generation}, and this file is empty")
            }
            Self::SetBack(why) => why.fmt(f),
            Self::Invariant(why) => write!(f, "this replica stops, because {why}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Voters(error) => Some(error),
            Self::Store(error) => Some(error),
            Self::Twin { .. }
            | Self::Outlived { .. }
            | Self::Adopt(_)
            | Self::SetBack(_)
            | Self::Invariant(_) => None,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<paxos::ConfigError> for Error {
    fn from(error: paxos::ConfigError) -> Self {
        Self::Voters(error)
    }
}
