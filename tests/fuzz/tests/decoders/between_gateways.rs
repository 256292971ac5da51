//! What gateways send each other, and what they put into the log.

use gateway_core::command::Entry;
use gateway_core::peer::PeerMessage;
use hearth_fuzz::run;

#[test]
fn what_decodes_as_a_peer_message_is_what_its_encoding_decodes_as() {
    run("peer-message", 400_000, |input| {
        let Ok((from, message)) = PeerMessage::decode(input) else { return false };
        _ = message.leg();
        assert_eq!(PeerMessage::decode(&message.encode(from)), Ok((from, message)));
        true
    });
}

#[test]
fn what_decodes_as_an_entry_is_what_its_encoding_decodes_as() {
    run("entry", 400_000, |input| {
        let Ok(entry) = Entry::decode(input) else { return false };
        assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        true
    });
}

#[test]
fn nothing_may_follow_a_message_or_an_entry() {
    let message = PeerMessage::Ping(7).encode(paxos::ReplicaId::new(1, 2));
    assert!(PeerMessage::decode(&[&message[..], &[0]].concat()).is_err());
    let entry = super::seeds::entries().remove(0).encode();
    assert!(Entry::decode(&[&entry[..], &[0]].concat()).is_err());
}
