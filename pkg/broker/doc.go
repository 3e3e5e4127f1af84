// Package broker is how the machines of a fleet reach each other through a NATS server, where no
// two of them need to reach each other.
//
// The broker is not trusted: it carries and keeps what pkg/pairing has signed and sealed, so whoever
// runs it, or breaks into it, can hold messages back and see how many there are, and nothing else.
// It is not trusted to deliver once or in order either: the numbers of the events are.
//
// # Subjects
//
// Subjects name keys, never machines, since names have dots and tell who is there:
//
//	pialert.v1.events.DISPLAY.AGENT     kept in the stream until the display has committed them
//	pialert.v1.ticks.DISPLAY            asks every agent for a heartbeat, which echoes it
//	pialert.v1.beats.DISPLAY.AGENT      heartbeats, not kept
//	pialert.v1.receipts.AGENT.DISPLAY   what the display has committed, not kept
//	pialert.v1.key.DISPLAY              asks for a display's public key
//	pialert.v1.join.DISPLAY.AGENT       redeems a token
//
// DISPLAY is the fingerprint of the display's key, AGENT the public key of the agent's credentials,
// which the broker lets publish there and nowhere else. What is sealed names its whole subject, so
// it is good for no other.
package broker
