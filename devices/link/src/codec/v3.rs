//! MQTT 3.1.1.

use bytes::BytesMut;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    Connect, ConnectReturnCode, LastWill, Login, Packet, PubAck, PubComp, PubRec, PubRel,
    Publish as RawPublish, Subscribe, SubscribeFilter, SubscribeReasonCode,
};

use super::{Accepted, Arrived, Incoming, LARGEST, Outgoing};
use crate::message::Publish;
use crate::{Options, Qos};

/// Reads a packet that is alone in `buffer`, and whole by its own account.
pub(super) fn read(buffer: &mut BytesMut) -> Result<Incoming, String> {
    let packet = Packet::read(buffer, LARGEST)
        .map_err(|error| format!("unreadable packet from the broker: {error}"))?;
    Ok(match packet {
        Packet::ConnAck(ack) if ack.code == ConnectReturnCode::Success => {
            Incoming::Accepted(Accepted {
                session_present: ack.session_present,
                receive_maximum: None,
                largest: None,
                keep_alive: None,
            })
        }
        Packet::ConnAck(ack) => Incoming::Refused(refusal(ack.code).to_owned()),
        Packet::Publish(publish) => Incoming::Publish(arrived(publish)),
        Packet::PubAck(ack) => Incoming::PubAck(ack.pkid, Ok(())),
        Packet::PubRec(ack) => Incoming::PubRec(ack.pkid, Ok(())),
        Packet::PubRel(ack) => Incoming::PubRel(ack.pkid),
        Packet::PubComp(ack) => Incoming::PubComp(ack.pkid),
        Packet::SubAck(ack) => {
            let outcomes = ack.return_codes.into_iter().map(|code| match code {
                SubscribeReasonCode::Success(qos) => Ok(from_raw(qos)),
                SubscribeReasonCode::Failure => Err("refused by the broker".to_owned()),
            });
            Incoming::SubAck(ack.pkid, outcomes.collect())
        }
        Packet::PingResp => Incoming::Pong,
        other => return Err(format!("the broker sent a packet that only clients send: {other:?}")),
    })
}

fn refusal(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::Success => "accepted",
        ConnectReturnCode::RefusedProtocolVersion => "the broker does not speak MQTT 3.1.1",
        ConnectReturnCode::BadClientId => "the broker does not like the client id",
        ConnectReturnCode::ServiceUnavailable => "the broker is not available",
        ConnectReturnCode::BadUserNamePassword => "wrong user name or password",
        ConnectReturnCode::NotAuthorized => "not authorised",
    }
}

fn arrived(publish: RawPublish) -> Arrived {
    let mut message = Publish::new(publish.topic, publish.payload);
    message.qos = from_raw(publish.qos);
    message.retain = publish.retain;
    Arrived { packet: publish.pkid, dup: publish.dup, message }
}

pub(super) fn write(
    packet: Outgoing<'_>,
    largest: usize,
    buffer: &mut BytesMut,
) -> Result<(), String> {
    let packet = match packet {
        Outgoing::Connect(options) => Packet::Connect(connect(options)),
        Outgoing::Publish(id, publish) => Packet::Publish(RawPublish {
            dup: false,
            qos: raw(publish.qos),
            retain: publish.retain,
            topic: publish.topic,
            pkid: id,
            payload: publish.payload,
        }),
        // MQTT 3.1.1 has no word for a refusal.
        Outgoing::PubAck(id, _) => Packet::PubAck(PubAck::new(id)),
        Outgoing::PubRec(id, _) => Packet::PubRec(PubRec::new(id)),
        Outgoing::PubRel(id) => Packet::PubRel(PubRel::new(id)),
        Outgoing::PubComp(id) => Packet::PubComp(PubComp::new(id)),
        Outgoing::Subscribe(id, filters) => {
            let filter =
                |(path, qos): &(String, Qos)| SubscribeFilter::new(path.clone(), raw(*qos));
            let mut subscribe = Subscribe::new_many(filters.iter().map(filter));
            subscribe.pkid = id;
            Packet::Subscribe(subscribe)
        }
        Outgoing::Ping => Packet::PingReq,
        Outgoing::Disconnect => Packet::Disconnect,
    };
    packet.write(buffer, largest).map(drop).map_err(|error| error.to_string())
}

fn connect(options: &Options) -> Connect {
    let mut connect = Connect::new(options.client_id.as_str());
    connect.keep_alive = options.keep_alive_seconds();
    connect.clean_session = options.clean;
    connect.last_will = options.will.as_ref().map(|will| {
        LastWill::new(will.topic.as_str(), will.payload.clone(), raw(will.qos), will.retain)
    });
    connect.login = options.address.user.as_ref().map(|name| {
        Login::new(name.as_str(), options.address.password.as_deref().unwrap_or_default())
    });
    connect
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
