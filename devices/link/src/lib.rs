//! An MQTT connection that reports what happens to it: rumqttc with its habits cured.
