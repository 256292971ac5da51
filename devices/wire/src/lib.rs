//! What devices and gateways say to each other: topics, payloads, ids.
