//! The forms of ids and messages.

use alloc::vec::Vec;

use crate::id::{Counter, DiskId, Incarnation, Life, NodeId, Nodes};
use crate::message::{Fence, Message, Publisher, Qos};
use crate::wire::coded::{Coded, Malformed, Reader, coded};

impl Coded for NodeId {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.number());
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        Self::new(u8::get(from)?).ok_or(Malformed::Number)
    }
}

impl Coded for Nodes {
    fn put(&self, out: &mut Vec<u8>) {
        self.bits().put(out);
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        let bits = u64::get(from)?;
        let nodes = Self::from_bits(bits);
        if nodes.bits() == bits { Ok(nodes) } else { Err(Malformed::Number) }
    }
}

macro_rules! numbers {
    ($($name:ident)+) => {
        $(impl Coded for $name {
            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }

            fn get(from: &mut Reader) -> Result<Self, Malformed> {
                u64::get(from).map(Self)
            }
        })+
    };
}

numbers! { Counter Incarnation DiskId }

impl Coded for Qos {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        match u8::get(from)? {
            0 => Ok(Self::AtMostOnce),
            1 => Ok(Self::AtLeastOnce),
            2 => Ok(Self::ExactlyOnce),
            _ => Err(Malformed::Number),
        }
    }
}

/// Without the time of its end, which stands beside it as what is left: clocks differ between nodes.
impl Coded for Message {
    fn put(&self, out: &mut Vec<u8>) {
        self.topic.put(out);
        self.payload.put(out);
        self.qos.put(out);
        self.retain.put(out);
        self.properties.put(out);
        self.publisher.put(out);
        self.user.put(out);
        self.fence.put(out);
        self.version.put(out);
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        Ok(Self {
            topic: Coded::get(from)?,
            payload: Coded::get(from)?,
            qos: Coded::get(from)?,
            retain: Coded::get(from)?,
            properties: Coded::get(from)?,
            expires: None,
            publisher: Coded::get(from)?,
            user: Coded::get(from)?,
            fence: Coded::get(from)?,
            version: Coded::get(from)?,
        })
    }
}

coded! {
    Life { node, incarnation }
    Publisher { client, since }
    Fence { zone, epoch }
}
