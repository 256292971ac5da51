//! What devices, gateways and people say to each other over MQTT.
//!
//! This crate gives payloads their meaning: topics are built and parsed here, payloads become
//! checked types here, and nothing else in Hearth looks inside a payload. It opens nothing and
//! reads no clock.
//!
//! ```text
//! bytes ──parse──▶ Topic, Report, SetRequest, …  ──▶ decisions ──▶ StateMessage, Command, Answer ──▶ bytes
//! ```
//!
//! Every payload has a golden file under `golden/`, so that a change of the protocol shows as a
//! diff of a file that people can read.

#![forbid(unsafe_code)]

mod answer;
mod device;
mod error;
mod heartbeat;
mod id;
mod json;
mod name;
mod registers;
mod report;
mod request;
mod state;
mod topic;
mod value;
mod version;
mod visible;

pub use answer::{Answer, CacheUse};
pub use device::{Class, Kind};
pub use error::PayloadError;
pub use heartbeat::{CacheCounts, Digest, Heartbeat, Liveness, SiteGeneration, Times, Written};
pub use hearth_names::{
    Account, Allowance, EPOCH_PROPERTY, Knock, MAKER_PROPERTY, Maker, NameError, REPLY_PROPERTY,
    REPORT, RETAINED_PROPERTY, SET, STAMP_PROPERTY, Stamp, StampError, Turned, UP_TO_PROPERTY,
};
pub use id::{Clock, Epoch, GatewayId, NodeId, OrderNumber, Seq, UnixMillis};
pub use name::{Device, Site, Zone};
pub use registers::{Command, Desired, StateMessage};
pub use report::Report;
pub use request::{GetRequest, LocalGet, Register, RequestId, SetRequest, VotersRequest};
pub use state::State;
pub use topic::{ApiVerb, GatewayVerb, PaxosLeg, Topic, Topics, ZoneVerb};
pub use value::Value;
pub use version::{Version, Versions};
pub use visible::{Visible, is_hidden, visible};
