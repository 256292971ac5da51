//! Texts and properties of packets that come in, and what must not be in them.

use mqtt_protocol_core::mqtt::packet::{PropertiesParse, Property};
use mqtt_protocol_core::mqtt::result_code::MqttError;

use crate::packet::{Properties, Reason, topic};

/// The properties at the front, and how many bytes they take.
pub(super) fn parse_properties(body: &[u8]) -> Result<(Vec<Property>, usize), Reason> {
    let length = body.iter().take(4).position(|byte| byte & 0x80 == 0).ok_or(Reason::Malformed)?;
    if !shortest(&body[..=length]) {
        return Err(Reason::Malformed);
    }
    let (list, used) = Vec::<Property>::parse(body).map_err(refused)?;
    texts_without_null(&list)?;
    Ok((list, used))
}

/// Refuses properties that belong to other packets, where the parser would call that another fault; gives how many
/// bytes all properties have.
pub(super) fn own_properties(body: &[u8], own: fn(&Property) -> bool) -> Result<usize, Reason> {
    let (list, used) = parse_properties(body)?;
    if list.iter().all(own) { Ok(used) } else { Err(FOREIGN) }
}

/// What the parser says against a packet, as a reason.
pub(super) fn refused(error: MqttError) -> Reason {
    if error == MqttError::ProtocolError { Reason::Protocol } else { Reason::Malformed }
}

pub(super) fn texts_without_null(list: &[Property]) -> Result<(), Reason> {
    list.iter().try_for_each(|property| match property {
        Property::UserProperty(pair) => {
            without_null(pair.key()).and_then(|()| without_null(pair.val()))
        }
        Property::ContentType(text) => without_null(text.val()),
        Property::ResponseTopic(text) => without_null(text.val()),
        Property::ReasonString(text) => without_null(text.val()),
        Property::AuthenticationMethod(text) => without_null(text.val()),
        _ => Ok(()),
    })
}

/// A property that belongs to other packets makes this one malformed [MQTT 5, 2.2.2.2]; one that stands twice breaks
/// the protocol.
pub(super) const FOREIGN: Reason = Reason::Malformed;

/// Refuses properties that belong to other packets, and reasons given twice.
pub(super) fn only_reason_and_user(list: &[Property], reason: bool) -> Result<(), Reason> {
    let mut given = false;
    list.iter().try_for_each(|property| match property {
        Property::UserProperty(_) => Ok(()),
        Property::ReasonString(_) if reason && given => Err(Reason::Protocol),
        Property::ReasonString(_) if reason => {
            given = true;
            Ok(())
        }
        _ => Err(FOREIGN),
    })
}

/// Splits a publish's or will's properties into what travels on and what the broker acts upon.
pub(super) fn forwardable(list: &[Property]) -> Result<(Properties, Option<u16>), Reason> {
    let mut forwarded = Vec::new();
    let (mut expiry, mut alias, mut once) = (None, None, 0u8);
    for property in list {
        let bit = match property {
            Property::PayloadFormatIndicator(_) => 1,
            Property::ContentType(_) => 2,
            Property::ResponseTopic(topic) if !topic::valid_name(topic.val()) => {
                return Err(Reason::Protocol);
            }
            Property::ResponseTopic(_) => 4,
            Property::CorrelationData(_) => 8,
            Property::MessageExpiryInterval(seconds) => {
                expiry = Some(seconds.val());
                16
            }
            Property::TopicAlias(number) => {
                alias = Some(number.val());
                32
            }
            Property::WillDelayInterval(_) => 64,
            Property::UserProperty(_) => 0,
            // It belongs to PUBLISH, but not to a client's [MQTT-3.3.4-6].
            Property::SubscriptionIdentifier(_) => return Err(Reason::Protocol),
            _ => return Err(FOREIGN),
        };
        if once & bit != 0 {
            return Err(Reason::Protocol);
        }
        once |= bit;
        if bit < 16 {
            forwarded.extend_from_slice(&property.to_continuous_buffer());
        }
    }
    Ok((Properties { forwarded: forwarded.into(), expiry }, alias))
}

/// Whether a variable integer has no needless bytes [MQTT-1.5.5-1]; MQTT 3.1.1 allows them.
pub(super) fn shortest(bytes: &[u8]) -> bool {
    bytes.len() == 1 || bytes.last() != Some(&0)
}

pub(super) fn string(body: &[u8]) -> Result<(&str, usize), Reason> {
    let length = usize::from(u16::from_be_bytes([
        *body.first().ok_or(Reason::Malformed)?,
        *body.get(1).ok_or(Reason::Malformed)?,
    ]));
    let bytes = body.get(2..2 + length).ok_or(Reason::Malformed)?;
    let text = std::str::from_utf8(bytes).map_err(|_| Reason::Malformed)?;
    Ok((text, 2 + length))
}

/// No text may hold U+0000 [MQTT-1.5.4-2], in MQTT 3.1.1 [MQTT-1.5.3-2].
pub(super) fn without_null(text: &str) -> Result<(), Reason> {
    if text.bytes().any(|byte| byte == 0) { Err(Reason::Malformed) } else { Ok(()) }
}
