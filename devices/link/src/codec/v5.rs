//! MQTT 5.

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    Connect, ConnectProperties, ConnectReturnCode, Disconnect, DisconnectReasonCode, Filter,
    LastWill, Login, Packet, PingReq, PubAck, PubAckReason, PubComp, PubRec, PubRecReason, PubRel,
    Publish as RawPublish, PublishProperties, Subscribe, SubscribeReasonCode,
};

use super::{Accepted, Arrived, Incoming, LARGEST, Outgoing};
use crate::message::{Publish, Reason};
use crate::{Options, Qos};

/// Reads a packet that is alone in `buffer`, and whole by its own account.
pub(super) fn read(buffer: &mut BytesMut) -> Result<Incoming, String> {
    if let Some(goodbye) = short_disconnect(buffer) {
        return Ok(goodbye);
    }
    let packet = Packet::read(buffer, Some(LARGEST as u32))
        .map_err(|error| format!("unreadable packet from the broker: {error}"))?;
    Ok(match packet {
        Packet::ConnAck(ack) if ack.code == ConnectReturnCode::Success => {
            let asked = ack.properties.as_ref();
            Incoming::Accepted(Accepted {
                session_present: ack.session_present,
                receive_maximum: asked.and_then(|asked| asked.receive_max),
                largest: asked.and_then(|asked| asked.max_packet_size),
                keep_alive: asked.and_then(|asked| asked.server_keep_alive),
            })
        }
        Packet::ConnAck(ack) => Incoming::Refused(refusal(ack.code)),
        Packet::Publish(publish) => Incoming::Publish(arrived(publish)?),
        Packet::PubAck(ack) => Incoming::PubAck(ack.pkid, puback(ack.reason)),
        Packet::PubRec(ack) => Incoming::PubRec(ack.pkid, pubrec(ack.reason)),
        Packet::PubRel(ack) => Incoming::PubRel(ack.pkid),
        Packet::PubComp(ack) => Incoming::PubComp(ack.pkid),
        Packet::SubAck(ack) => {
            let outcomes = ack.return_codes.into_iter().map(|code| match code {
                SubscribeReasonCode::Success(qos) => Ok(from_raw(qos)),
                other => Err(format!("refused by the broker: {other:?}")),
            });
            Incoming::SubAck(ack.pkid, outcomes.collect())
        }
        Packet::PingResp(_) => Incoming::Pong,
        Packet::Disconnect(goodbye) => {
            let said = goodbye.properties.and_then(|properties| properties.reason_string);
            disconnect(goodbye.reason_code, said)
        }
        other => return Err(format!("the broker sent a packet that only clients send: {other:?}")),
    })
}

/// A DISCONNECT may leave out its properties, or all of its body, which rumqttc cannot read.
fn short_disconnect(packet: &[u8]) -> Option<Incoming> {
    let reason = match *packet {
        [0xE0, 0] => 0,
        [0xE0, 1, reason] => reason,
        _ => return None,
    };
    let reason =
        DisconnectReasonCode::try_from(reason).unwrap_or(DisconnectReasonCode::UnspecifiedError);
    Some(disconnect(reason, None))
}

fn disconnect(reason: DisconnectReasonCode, said: Option<String>) -> Incoming {
    let taken_over = reason == DisconnectReasonCode::SessionTakenOver;
    let text = match (taken_over, said) {
        (true, _) => "another connection took over the client id".to_owned(),
        (false, Some(said)) => format!("the broker ended the connection: {said} ({reason:?})"),
        (false, None) => format!("the broker ended the connection: {reason:?}"),
    };
    Incoming::Disconnect { text, taken_over }
}

fn refusal(code: ConnectReturnCode) -> String {
    match code {
        ConnectReturnCode::BadUserNamePassword => "wrong user name or password".into(),
        ConnectReturnCode::NotAuthorized => "not authorised".into(),
        ConnectReturnCode::UnsupportedProtocolVersion
        | ConnectReturnCode::RefusedProtocolVersion => "the broker does not speak MQTT 5".into(),
        other => format!("refused by the broker: {other:?}"),
    }
}

fn puback(reason: PubAckReason) -> Result<(), String> {
    match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn pubrec(reason: PubRecReason) -> Result<(), String> {
    match reason {
        PubRecReason::Success | PubRecReason::NoMatchingSubscribers => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn arrived(publish: RawPublish) -> Result<Arrived, String> {
    let properties = publish.properties.unwrap_or_default();
    let message = Publish {
        topic: super::topic(&publish.topic)?,
        qos: from_raw(publish.qos),
        retain: publish.retain,
        payload: publish.payload,
        response_topic: properties.response_topic,
        expires: properties.message_expiry_interval,
        correlation: properties.correlation_data,
        properties: properties.user_properties,
    };
    Ok(Arrived { packet: publish.pkid, dup: publish.dup, message })
}

const fn refused_publish(reason: Reason) -> PubAckReason {
    match reason {
        Reason::PayloadFormat => PubAckReason::PayloadFormatInvalid,
        Reason::TopicName => PubAckReason::TopicNameInvalid,
        Reason::NotAuthorized => PubAckReason::NotAuthorized,
        Reason::Quota => PubAckReason::QuotaExceeded,
    }
}

const fn refused_release(reason: Reason) -> PubRecReason {
    match reason {
        Reason::PayloadFormat => PubRecReason::PayloadFormatInvalid,
        Reason::TopicName => PubRecReason::TopicNameInvalid,
        Reason::NotAuthorized => PubRecReason::NotAuthorized,
        Reason::Quota => PubRecReason::QuotaExceeded,
    }
}

pub(super) fn write(
    packet: Outgoing<'_>,
    largest: usize,
    buffer: &mut BytesMut,
) -> Result<(), String> {
    let packet = match packet {
        Outgoing::Connect(options) => connect(options),
        Outgoing::Publish(id, publish) => Packet::Publish(outgoing(id, publish)),
        Outgoing::PubAck(id, refusal) => {
            let mut ack = PubAck::new(id, None);
            ack.reason = refusal.map_or(PubAckReason::Success, refused_publish);
            Packet::PubAck(ack)
        }
        Outgoing::PubRec(id, refusal) => {
            let mut ack = PubRec::new(id, None);
            ack.reason = refusal.map_or(PubRecReason::Success, refused_release);
            Packet::PubRec(ack)
        }
        Outgoing::PubRel(id) => Packet::PubRel(PubRel::new(id, None)),
        Outgoing::PubComp(id) => Packet::PubComp(PubComp::new(id, None)),
        Outgoing::Subscribe(id, filters) => {
            let filter = |(path, qos): &(String, Qos)| Filter::new(path.as_str(), raw(*qos));
            let mut subscribe = Subscribe::new_many(filters.iter().map(filter), None);
            subscribe.pkid = id;
            Packet::Subscribe(subscribe)
        }
        Outgoing::Ping => Packet::PingReq(PingReq),
        Outgoing::Disconnect => {
            Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection))
        }
    };
    let largest = u32::try_from(largest).ok();
    packet.write(buffer, largest).map(drop).map_err(|error| error.to_string())
}

fn outgoing(id: u16, publish: Publish) -> RawPublish {
    let bare = publish.response_topic.is_none()
        && publish.correlation.is_none()
        && publish.expires.is_none()
        && publish.properties.is_empty();
    let properties = PublishProperties {
        response_topic: publish.response_topic,
        correlation_data: publish.correlation,
        message_expiry_interval: publish.expires,
        user_properties: publish.properties,
        ..PublishProperties::default()
    };
    let properties = (!bare).then_some(properties);
    let mut raw = RawPublish::new(publish.topic, raw(publish.qos), publish.payload, properties);
    raw.pkid = id;
    raw.retain = publish.retain;
    raw
}

fn connect(options: &Options) -> Packet {
    let mut properties = ConnectProperties::new();
    properties.session_expiry_interval = Some(options.session_expiry_seconds());
    properties.receive_maximum = Some(options.receive_maximum.max(1));
    properties.max_packet_size = Some(LARGEST as u32);
    properties.user_properties.clone_from(&options.properties);
    let connect = Connect {
        keep_alive: options.keep_alive_seconds(),
        client_id: options.client_id.clone(),
        clean_start: options.clean,
        properties: Some(properties),
    };
    let will = options.will.as_ref().map(|will| {
        LastWill::new(will.topic.as_str(), will.payload.clone(), raw(will.qos), will.retain, None)
    });
    let login = options.address.user.as_ref().map(|name| {
        Login::new(name.as_str(), options.address.password.as_deref().unwrap_or_default())
    });
    Packet::Connect(connect, will, login)
}

fn raw(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
        Qos::ExactlyOnce => QoS::ExactlyOnce,
    }
}

fn from_raw(qos: QoS) -> Qos {
    match qos {
        QoS::AtMostOnce => Qos::AtMostOnce,
        QoS::AtLeastOnce => Qos::AtLeastOnce,
        QoS::ExactlyOnce => Qos::ExactlyOnce,
    }
}
