//! What mosquitto 2.0.11 does otherwise. A case listed here must fail against it: once it no longer does, either
//! mosquitto has changed, or the case no longer tests what it says.

use crate::case::Case;
use crate::case::Version::{self, V5, V311};

/// A known deviation.
pub(crate) struct Deviation {
    /// File and name of the case.
    pub(crate) case: &'static str,
    /// In which versions, and from which statements; none if it is no MUST, or a promise of ours beyond the standard.
    pub(crate) from: &'static [(Version, &'static str)],
    pub(crate) does: &'static str,
}

pub(crate) const MOSQUITTO: &[Deviation] = &[
    Deviation {
        case: "connect::mqtt_3_1_gets_an_answer",
        from: &[(V311, "")],
        does: "serves MQTT 3.1 too, which ours does not",
    },
    Deviation {
        case: "connect::auth_data_needs_a_method",
        from: &[(V5, "")],
        does: "takes authentication data without a method",
    },
    Deviation {
        case: "flow::a_client_may_take_very_little",
        from: &[(V5, "3.1.2-24")],
        does: "sends CONNACK and SUBACK of any size",
    },
    Deviation {
        case: "flow::a_smaller_maximum_counts_for_what_comes_again",
        from: &[(V5, "3.3.4-9")],
        does: "sends everything under way again at once, whatever the new Receive Maximum",
    },
    Deviation {
        case: "flow::messages_that_are_too_large_count_as_sent",
        from: &[(V5, "3.1.2-25")],
        does: "a QoS 1 or 2 message that is too large keeps its place in the window for ever",
    },
    Deviation {
        case: "flow::no_more_than_the_broker_takes",
        from: &[(V311, "4.5.0-1")],
        does: "acknowledges QoS 2 beyond max_inflight_messages to the end, and loses it",
    },
    Deviation {
        case: "flow::no_more_than_the_broker_takes",
        from: &[(V5, "")],
        does: "refuses the publish with 97 instead of ending the connection",
    },
    Deviation {
        case: "flow::no_more_than_the_client_takes",
        from: &[(V5, "3.3.4-9")],
        does: "sends one more than Receive Maximum after the first PUBACK",
    },
    Deviation {
        case: "flow::the_limit_itself_is_allowed",
        from: &[(V5, "3.1.2-24")],
        does: "sends packets of one byte more than Maximum Packet Size",
    },
    Deviation {
        case: "packets::a_server_does_not_take_what_servers_say",
        from: &[(V311, "4.8.0-1"), (V5, "4.13.1-1")],
        does: "takes PINGRESP, and from clients of 3.1.1 SUBACK and UNSUBACK",
    },
    Deviation {
        case: "packets::lengths_are_as_short_as_possible",
        from: &[(V5, "1.5.5-1")],
        does: "takes lengths with needless bytes",
    },
    Deviation {
        case: "packets::pingreq_is_empty",
        from: &[(V311, "4.8.0-1"), (V5, "4.13.1-1")],
        does: "takes a PINGREQ with something in it",
    },
    Deviation {
        case: "packets::reserved_flags_end_the_connection",
        from: &[(V311, "2.2.2-2"), (V5, "2.1.3-1")],
        does: "takes PUBACK, PUBCOMP and PINGREQ with wrong flags",
    },
    Deviation {
        case: "properties::properties_have_their_values",
        from: &[(V5, "4.13.1-1")],
        does: "takes payload format 2",
    },
    Deviation {
        case: "publish::nobody_gets_the_identifiers_of_a_publisher",
        from: &[(V5, "3.3.4-6")],
        does: "takes a PUBLISH with a subscription identifier",
    },
    Deviation {
        case: "publish::qos_0_has_no_dup",
        from: &[(V311, "3.3.1-2"), (V5, "3.3.1-2")],
        does: "takes QoS 0 with DUP",
    },
    Deviation {
        case: "qos::pubrel_of_an_unknown_id_is_answered",
        from: &[(V5, "")],
        does: "answers with reason 0 instead of 92",
    },
    Deviation {
        case: "qos::qos_2_again_and_again",
        from: &[(V311, "4.3.3-2"), (V5, "4.3.3-10")],
        does: "ends the connection at the third repetition of a QoS 2 PUBLISH",
    },
    Deviation {
        case: "reason_codes::clients_use_their_codes",
        from: &[(V5, "4.13.1-1")],
        does: "takes reason codes that the packet does not have",
    },
    Deviation {
        case: "request_response::a_response_topic_has_no_wildcards",
        from: &[(V5, "3.3.2-14")],
        does: "takes them",
    },
    Deviation {
        case: "rights::a_subscription_that_is_not_allowed_fails",
        from: &[(V311, ""), (V5, "")],
        does: "grants it, and leaves out each message instead",
    },
    Deviation {
        case: "session::what_is_under_way_does_not_expire",
        from: &[(V5, "4.3.3-7")],
        does: "forgets a QoS 2 message under way once it has expired",
    },
    Deviation {
        case: "shared::no_local_does_not_go_with_sharing",
        from: &[(V5, "3.8.3-4")],
        does: "takes both together",
    },
    Deviation {
        case: "shared::shared_filters_have_their_form",
        from: &[(V5, "4.8.2-1 4.8.2-2")],
        does: "takes $share/ as an ordinary filter",
    },
    Deviation {
        case: "shared::stored_messages_are_not_shared",
        from: &[(V5, "")],
        does: "sends stored messages to members",
    },
    Deviation {
        case: "subscribe::overlaps_deliver_by_the_highest_qos",
        from: &[(V311, "3.3.5-1")],
        does: "delivers by any one of the subscriptions",
    },
    Deviation {
        case: "websocket::a_text_frame_ends_the_connection",
        from: &[(V311, "6.0.0-1"), (V5, "6.0.0-1")],
        does: "takes text frames like binary ones",
    },
    Deviation {
        case: "websocket::the_subprotocol_is_mqtt",
        from: &[(V311, "6.0.0-4"), (V5, "6.0.0-4")],
        does: "answers mqttv3.1 to whoever offers that too",
    },
    Deviation {
        case: "websocket::what_is_no_frame_of_a_client_ends_the_connection",
        from: &[(V311, ""), (V5, "")],
        does: "goes on behind some such frames",
    },
    Deviation {
        case: "websocket::whoever_does_not_ask_for_mqtt_is_not_served",
        from: &[(V311, ""), (V5, "")],
        does: "serves who offers no subprotocol",
    },
    Deviation {
        case: "will::a_clean_start_ends_the_session_and_brings_the_will",
        from: &[(V5, "3.1.2-8")],
        does: "forgets the will with the session",
    },
    Deviation {
        case: "will::a_will_comes_when_the_session_ends",
        from: &[(V5, "3.1.2-8")],
        does: "forgets a will with a delay if the session has no expiry",
    },
    Deviation {
        case: "will::a_will_follows_the_takeover_of_a_kept_session",
        from: &[(V311, "3.1.2-8"), (V5, "3.1.2-8")],
        does: "forgets the will if the newer connection takes the session over",
    },
    Deviation {
        case: "will::goodbye_with_a_fault",
        from: &[(V5, "3.1.2-8")],
        does: "publishes no will after a DISCONNECT of 80 and more",
    },
];

pub(crate) fn find(case: &Case, version: Version) -> Option<&'static Deviation> {
    let of_case = MOSQUITTO.iter().filter(|deviation| deviation.case == case.path());
    of_case.into_iter().find(|deviation| deviation.from.iter().any(|(of, _)| *of == version))
}

/// Entries that name what does not exist.
pub(crate) fn faults(cases: &[Case]) -> Vec<String> {
    let mut faults = Vec::new();
    for Deviation { case: path, from, .. } in MOSQUITTO {
        for &(version, ids) in *from {
            let case = cases.iter().find(|case| case.path() == *path);
            let runs = case.is_some_and(|case| case.proves.iter().any(|(of, _)| *of == version));
            let proven: Vec<_> = case.iter().flat_map(|case| case.ids(version)).collect();
            let unknown: Vec<_> =
                ids.split_whitespace().filter(|id| !proven.contains(id)).collect();
            if !runs || !unknown.is_empty() {
                let version = version.name();
                faults
                    .push(format!("{path}, {version}: no such case, or it proves no {unknown:?}"));
            }
        }
    }
    faults
}
