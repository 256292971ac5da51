//! From the bytes of a CONNECT to what it says.

use std::borrow::Cow;

use bytes::Bytes;
use hearth_names::EPOCH_PROPERTY;
use mqtt_protocol_core::mqtt::packet::{Property, v3_1_1, v5_0};

use super::properties::{
    forwardable, own_properties, refused, string, texts_without_null, without_null,
};
use crate::packet::{Connect, Login, Properties, Publish, Qos, Reason, Version, Will, topic};

/// The flag of a will.
const WILL: u8 = 4;
/// Where the flags stand, and behind the keep alive the properties.
const FLAGS: usize = 7;
const PROPERTIES: usize = 10;

/// Reads the body of a CONNECT of either version.
pub(super) fn connect(body: &[u8]) -> Result<Connect, Reason> {
    let version = version(body)?;
    check_flags(*body.get(FLAGS).ok_or(Reason::Malformed)?)?;
    match version {
        Version::V311 => connect_v311(body),
        Version::V5 => connect_v5(body),
    }
}

/// The version of which the body of a CONNECT is.
pub(super) fn version(body: &[u8]) -> Result<Version, Reason> {
    // An old or foreign protocol gets an answer rather than silence [MQTT-3.1.2-2].
    if body.starts_with(b"\0\x06MQIsdp") {
        return Err(Reason::Version);
    }
    match body.strip_prefix(b"\0\x04MQTT").and_then(|rest| rest.first()) {
        Some(4) => Ok(Version::V311),
        Some(5) => Ok(Version::V5),
        Some(_) => Err(Reason::Version),
        None => Err(Reason::Malformed),
    }
}

/// Reserved bit, will QoS 3, and will bits without a will [MQTT-3.1.2-3, -11, -13, -14, -15].
fn check_flags(flags: u8) -> Result<(), Reason> {
    let will = flags & WILL != 0;
    if flags & 1 != 0 || flags & 0x18 == 0x18 || (!will && flags & 0x38 != 0) {
        return Err(Reason::Malformed);
    }
    Ok(())
}

fn connect_v311(body: &[u8]) -> Result<Connect, Reason> {
    let (packet, used) = v3_1_1::Connect::parse(body).map_err(|_| Reason::Malformed)?;
    if used != body.len() {
        return Err(Reason::Malformed);
    }
    login_without_null(packet.client_id(), packet.user_name())?;
    let clean = packet.clean_session();
    if packet.client_id().is_empty() && !clean {
        return Err(Reason::ClientId);
    }
    let will = match (packet.will_topic(), packet.will_payload()) {
        (Some(topic), Some(payload)) => {
            let flags = (packet.will_qos() as u8, packet.will_retain());
            Some(will(topic, payload, flags, Properties::default(), 0)?)
        }
        _ => None,
    };
    Ok(Connect {
        version: Version::V311,
        client_id: packet.client_id().to_owned(),
        login: login(packet.user_name(), packet.password()),
        clean,
        session_expiry: if clean { 0 } else { u32::MAX },
        keep_alive: packet.keep_alive(),
        receive_maximum: u16::MAX,
        maximum_packet: u32::MAX,
        alias_maximum: 0,
        epoch: 0,
        will,
    })
}

fn connect_v5(body: &[u8]) -> Result<Connect, Reason> {
    no_foreign_properties(body)?;
    let (packet, lone_password) = parse_v5(body)?;
    login_without_null(packet.client_id(), packet.user_name())?;
    texts_without_null(packet.props())?;
    texts_without_null(packet.will_props())?;
    let mut connect = Connect {
        version: Version::V5,
        client_id: packet.client_id().to_owned(),
        login: login(packet.user_name(), packet.password().or(lone_password)),
        clean: packet.clean_start(),
        session_expiry: 0,
        keep_alive: packet.keep_alive(),
        receive_maximum: u16::MAX,
        maximum_packet: u32::MAX,
        alias_maximum: 0,
        epoch: 0,
        will: None,
    };
    let mut without_method = false;
    for property in packet.props() {
        match property {
            Property::SessionExpiryInterval(seconds) => connect.session_expiry = seconds.val(),
            Property::ReceiveMaximum(count) if count.val() > 0 => {
                connect.receive_maximum = count.val();
            }
            Property::MaximumPacketSize(bytes) if bytes.val() > 0 => {
                connect.maximum_packet = bytes.val();
            }
            Property::TopicAliasMaximum(count) => connect.alias_maximum = count.val(),
            Property::ReceiveMaximum(_) | Property::MaximumPacketSize(_) => {
                return Err(Reason::Protocol);
            }
            Property::AuthenticationMethod(_) => return Err(Reason::AuthenticationMethod),
            Property::AuthenticationData(_) => without_method = true,
            Property::UserProperty(pair) if pair.key() == EPOCH_PROPERTY => {
                connect.epoch = pair.val().parse().unwrap_or(0);
            }
            _ => {}
        }
    }
    if without_method {
        return Err(Reason::Protocol);
    }
    if let (Some(topic), Some(payload)) = (packet.will_topic(), packet.will_payload()) {
        let delay = packet.will_props().iter().find_map(|property| match property {
            Property::WillDelayInterval(seconds) => Some(seconds.val()),
            _ => None,
        });
        let (properties, _) = forwardable(packet.will_props())?;
        let flags = (packet.will_qos() as u8, packet.will_retain());
        connect.will = Some(will(topic, payload, flags, properties, delay.unwrap_or(0))?);
    }
    Ok(connect)
}

fn no_foreign_properties(body: &[u8]) -> Result<(), Reason> {
    let properties = body.get(PROPERTIES..).ok_or(Reason::Malformed)?;
    let used = own_properties(properties, |property| {
        matches!(
            property,
            Property::SessionExpiryInterval(_)
                | Property::ReceiveMaximum(_)
                | Property::MaximumPacketSize(_)
                | Property::TopicAliasMaximum(_)
                | Property::RequestResponseInformation(_)
                | Property::RequestProblemInformation(_)
                | Property::UserProperty(_)
                | Property::AuthenticationMethod(_)
                | Property::AuthenticationData(_)
        )
    })?;
    if body[FLAGS] & WILL == 0 {
        return Ok(());
    }
    let (_, client_id) = string(&properties[used..])?;
    own_properties(&properties[used + client_id..], |property| {
        matches!(
            property,
            Property::WillDelayInterval(_)
                | Property::PayloadFormatIndicator(_)
                | Property::MessageExpiryInterval(_)
                | Property::ContentType(_)
                | Property::ResponseTopic(_)
                | Property::CorrelationData(_)
                | Property::UserProperty(_)
        )
    })?;
    Ok(())
}

fn login(user: Option<&str>, password: Option<&[u8]>) -> Login {
    Login { user: user.map(Into::into), password: password.map(Into::into) }
}

/// The packet, and a password that has no user name. The parser refuses such a password, which MQTT 5 allows; so it is
/// taken off before, being the last field.
fn parse_v5(body: &[u8]) -> Result<(v5_0::Connect, Option<&[u8]>), Reason> {
    let alone = body[FLAGS] & 0xC0 == 0x40;
    let mut before = Cow::Borrowed(body);
    if alone {
        before.to_mut()[FLAGS] &= !0x40;
    }
    let (packet, used) = v5_0::Connect::parse(&before).map_err(refused)?;
    let rest = &body[used..];
    if !alone {
        return if rest.is_empty() { Ok((packet, None)) } else { Err(Reason::Malformed) };
    }
    let (&length, password) = rest.split_first_chunk().ok_or(Reason::Malformed)?;
    if password.len() != usize::from(u16::from_be_bytes(length)) {
        return Err(Reason::Malformed);
    }
    Ok((packet, Some(password)))
}

fn login_without_null(client_id: &str, user_name: Option<&str>) -> Result<(), Reason> {
    without_null(client_id)?;
    user_name.map_or(Ok(()), without_null)
}

fn will(
    topic: &str,
    payload: &[u8],
    (qos, retain): (u8, bool),
    properties: Properties,
    delay: u32,
) -> Result<Will, Reason> {
    if !topic::valid_name(topic) {
        return Err(Reason::Topic);
    }
    let publish = Publish {
        dup: false,
        qos: Qos::from_bits(qos).ok_or(Reason::Malformed)?,
        retain,
        pid: 0,
        topic: topic.into(),
        payload: Bytes::copy_from_slice(payload),
        properties,
    };
    Ok(Will { publish, delay })
}
