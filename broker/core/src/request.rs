//! A request to the broker itself, published to its own topic by whoever may publish there.

use bytes::Bytes;

use crate::id::SessionKey;
use crate::packet::{Publish, correlation, response_topic};

/// Something that a client asks of the broker.
#[derive(Debug)]
pub struct Request {
    /// What it asks for.
    pub payload: Bytes,
    pub(crate) asker: SessionKey,
    pub(crate) topic: Box<str>,
    /// Its sender may publish there, which was looked at when it came.
    pub(crate) response_topic: Option<Box<str>>,
    pub(crate) correlation: Box<[u8]>,
}

impl Request {
    pub(crate) fn of(asker: SessionKey, publish: Publish) -> Self {
        let properties = &publish.properties.forwarded;
        Self {
            asker,
            response_topic: response_topic(properties).map(Into::into),
            correlation: correlation(properties),
            topic: publish.topic,
            payload: publish.payload,
        }
    }
}
