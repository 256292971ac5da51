//! The embedded MQTT broker: a connection edge around rumqttd's router.
