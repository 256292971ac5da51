//! What a client says, as bytes. Nothing here checks anything: wrong packets are made as easily as right ones.

use crate::case::Version;

/// Kinds of packets, as in the upper half of the first byte.
pub(crate) mod kind {
    pub(crate) const CONNECT: u8 = 1;
    pub(crate) const CONNACK: u8 = 2;
    pub(crate) const PUBLISH: u8 = 3;
    pub(crate) const PUBACK: u8 = 4;
    pub(crate) const PUBREC: u8 = 5;
    pub(crate) const PUBREL: u8 = 6;
    pub(crate) const PUBCOMP: u8 = 7;
    pub(crate) const SUBACK: u8 = 9;
    pub(crate) const UNSUBACK: u8 = 11;
    pub(crate) const PINGRESP: u8 = 13;
    pub(crate) const DISCONNECT: u8 = 14;
    pub(crate) const AUTH: u8 = 15;
}

/// Property identifiers.
pub(crate) mod id {
    pub(crate) const PAYLOAD_FORMAT: u8 = 0x01;
    pub(crate) const MESSAGE_EXPIRY: u8 = 0x02;
    pub(crate) const CONTENT_TYPE: u8 = 0x03;
    pub(crate) const RESPONSE_TOPIC: u8 = 0x08;
    pub(crate) const CORRELATION: u8 = 0x09;
    pub(crate) const SUBSCRIPTION: u8 = 0x0B;
    pub(crate) const SESSION_EXPIRY: u8 = 0x11;
    pub(crate) const ASSIGNED_ID: u8 = 0x12;
    pub(crate) const SERVER_KEEP_ALIVE: u8 = 0x13;
    pub(crate) const AUTH_METHOD: u8 = 0x15;
    pub(crate) const AUTH_DATA: u8 = 0x16;
    pub(crate) const REQUEST_PROBLEM: u8 = 0x17;
    pub(crate) const WILL_DELAY: u8 = 0x18;
    pub(crate) const REQUEST_RESPONSE: u8 = 0x19;
    pub(crate) const RESPONSE_INFORMATION: u8 = 0x1A;
    pub(crate) const SERVER_REFERENCE: u8 = 0x1C;
    pub(crate) const REASON: u8 = 0x1F;
    pub(crate) const RECEIVE_MAXIMUM: u8 = 0x21;
    pub(crate) const ALIAS_MAXIMUM: u8 = 0x22;
    pub(crate) const ALIAS: u8 = 0x23;
    pub(crate) const MAXIMUM_QOS: u8 = 0x24;
    pub(crate) const RETAIN_AVAILABLE: u8 = 0x25;
    pub(crate) const USER: u8 = 0x26;
    pub(crate) const MAXIMUM_PACKET: u8 = 0x27;
    pub(crate) const WILDCARDS_AVAILABLE: u8 = 0x28;
    pub(crate) const IDENTIFIERS_AVAILABLE: u8 = 0x29;
    pub(crate) const SHARED_AVAILABLE: u8 = 0x2A;
}

/// A whole packet around its body.
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first], &varint(body.len())[..], body].concat()
}

pub(crate) fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let more = value > 127;
        bytes.push((value & 127) as u8 | if more { 128 } else { 0 });
        value >>= 7;
        if !more {
            return bytes;
        }
    }
}

/// Text or binary data with its two bytes of length.
pub(crate) fn text(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// A list of encoded properties with its length.
pub(crate) fn properties(list: &[Vec<u8>]) -> Vec<u8> {
    let list = list.concat();
    [varint(list.len()), list].concat()
}

pub(crate) fn byte(id: u8, value: u8) -> Vec<u8> {
    vec![id, value]
}

pub(crate) fn two(id: u8, value: u16) -> Vec<u8> {
    [&[id], &value.to_be_bytes()[..]].concat()
}

pub(crate) fn four(id: u8, value: u32) -> Vec<u8> {
    [&[id], &value.to_be_bytes()[..]].concat()
}

pub(crate) fn string(id: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    [vec![id], text(value)].concat()
}

pub(crate) fn user(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    [vec![id::USER], text(key), text(value)].concat()
}

pub(crate) fn subscription(value: usize) -> Vec<u8> {
    [vec![id::SUBSCRIPTION], varint(value)].concat()
}

/// A CONNECT in the making. Flags that are not set here follow from what is present.
#[derive(Clone)]
pub(crate) struct Connect {
    pub(crate) version: Version,
    pub(crate) name: Vec<u8>,
    pub(crate) level: u8,
    pub(crate) first: u8,
    /// Overrides the flags that follow from the rest.
    pub(crate) flags: Option<u8>,
    pub(crate) clean: bool,
    pub(crate) keep_alive: u16,
    pub(crate) properties: Vec<Vec<u8>>,
    pub(crate) id: Vec<u8>,
    pub(crate) will: Option<Will>,
    pub(crate) user: Option<Vec<u8>>,
    pub(crate) password: Option<Vec<u8>>,
}

#[derive(Clone)]
pub(crate) struct Will {
    pub(crate) topic: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) properties: Vec<Vec<u8>>,
}

impl Will {
    pub(crate) fn new(topic: &str, payload: &str) -> Self {
        let (topic, payload) = (topic.into(), payload.into());
        Self { topic, payload, qos: 1, retain: false, properties: Vec::new() }
    }

    pub(crate) fn qos(self, qos: u8) -> Self {
        Self { qos, ..self }
    }

    pub(crate) fn retain(self) -> Self {
        Self { retain: true, ..self }
    }

    pub(crate) fn with(mut self, property: Vec<u8>) -> Self {
        self.properties.push(property);
        self
    }
}

impl Connect {
    pub(crate) fn new(version: Version, id: &str) -> Self {
        Self {
            version,
            name: b"MQTT".to_vec(),
            level: if version == Version::V5 { 5 } else { 4 },
            first: kind::CONNECT << 4,
            flags: None,
            clean: true,
            keep_alive: 0,
            properties: Vec::new(),
            id: id.into(),
            will: None,
            user: None,
            password: None,
        }
    }

    /// A session that outlives the connection.
    pub(crate) fn keep(mut self) -> Self {
        self.clean = false;
        if self.version == Version::V5 {
            self.properties.push(four(id::SESSION_EXPIRY, 3600));
        }
        self
    }

    pub(crate) fn resume(self) -> Self {
        Self { clean: false, ..self }
    }

    pub(crate) fn alive(self, seconds: u16) -> Self {
        Self { keep_alive: seconds, ..self }
    }

    pub(crate) fn will(self, will: Will) -> Self {
        Self { will: Some(will), ..self }
    }

    pub(crate) fn with(mut self, property: Vec<u8>) -> Self {
        self.properties.push(property);
        self
    }

    pub(crate) fn flags(self, flags: u8) -> Self {
        Self { flags: Some(flags), ..self }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        packet(self.first, &self.body())
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let v5 = self.version == Version::V5;
        let mut body = text(&self.name);
        body.extend([self.level, self.flags.unwrap_or_else(|| self.usual_flags())]);
        body.extend(self.keep_alive.to_be_bytes());
        if v5 {
            body.extend(properties(&self.properties));
        }
        body.extend(text(&self.id));
        if let Some(will) = &self.will {
            if v5 {
                body.extend(properties(&will.properties));
            }
            body.extend(text(&will.topic));
            body.extend(text(&will.payload));
        }
        body.extend(self.user.iter().chain(&self.password).flat_map(text));
        body
    }

    fn usual_flags(&self) -> u8 {
        let will =
            self.will.as_ref().map_or(0, |will| 4 | (will.qos << 3) | (u8::from(will.retain) << 5));
        let login = (u8::from(self.user.is_some()) << 7) | (u8::from(self.password.is_some()) << 6);
        login | will | (u8::from(self.clean) << 1)
    }
}

/// A PUBLISH in the making.
#[derive(Clone)]
pub(crate) struct Publish {
    pub(crate) topic: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    /// Chosen by the client if missing.
    pub(crate) pid: Option<u16>,
    pub(crate) properties: Vec<Vec<u8>>,
}

impl Publish {
    pub(crate) fn new(topic: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> Self {
        Self {
            topic: topic.as_ref().into(),
            payload: payload.as_ref().into(),
            qos: 0,
            retain: false,
            dup: false,
            pid: None,
            properties: Vec::new(),
        }
    }

    pub(crate) fn qos(self, qos: u8) -> Self {
        Self { qos, ..self }
    }

    pub(crate) fn retain(self) -> Self {
        Self { retain: true, ..self }
    }

    pub(crate) fn dup(self) -> Self {
        Self { dup: true, ..self }
    }

    pub(crate) fn pid(self, pid: u16) -> Self {
        Self { pid: Some(pid), ..self }
    }

    pub(crate) fn with(mut self, property: Vec<u8>) -> Self {
        self.properties.push(property);
        self
    }

    pub(crate) fn bytes(&self, version: Version) -> Vec<u8> {
        let mut body = text(&self.topic);
        if self.qos > 0 {
            body.extend(self.pid.unwrap_or(0).to_be_bytes());
        }
        if version == Version::V5 {
            body.extend(properties(&self.properties));
        }
        body.extend(&self.payload);
        let flags = (u8::from(self.dup) << 3) | (self.qos << 1) | u8::from(self.retain);
        packet((kind::PUBLISH << 4) | flags, &body)
    }
}

/// The body of a SUBSCRIBE.
pub(crate) fn subscribe(
    version: Version,
    pid: u16,
    list: &[Vec<u8>],
    filters: &[(impl AsRef<[u8]>, u8)],
) -> Vec<u8> {
    let mut body = pid.to_be_bytes().to_vec();
    if version == Version::V5 {
        body.extend(properties(list));
    }
    for (filter, options) in filters {
        body.extend(text(filter));
        body.push(*options);
    }
    body
}

/// The body of an UNSUBSCRIBE.
pub(crate) fn unsubscribe(version: Version, pid: u16, filters: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut body = pid.to_be_bytes().to_vec();
    if version == Version::V5 {
        body.push(0);
    }
    body.extend(filters.iter().flat_map(text));
    body
}
