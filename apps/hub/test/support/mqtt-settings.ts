/** Limits of a broker on loopback, with the defaults of the product. */
export const MQTT_LIMITS = {
  maxConnectionsPerAddress: 100,
  packetTimeoutSeconds: 30,
  maxMessagesPerSecond: 200,
}
