// Package fleet prepares a NATS server for an owner's agents and displays, and invites agents by the
// thousand.
//
// It is the owner's authority, in the sense of NATS: it holds the keys that sign what the server lets
// in (an operator, and one account, which sees nothing of others), and makes credentials with
// which an agent may publish on its own subjects and nowhere else. The server needs nothing but the
// configuration that is written once: a new agent brings its permission along, signed.
//
// These keys decide who may reach the broker, not who is paired: that is for pkg/pairing. Whoever steals
// them can fill the stream and cut agents off, but neither read nor make up an event.
//
// An invitation is a one-time secret for one name. It is kept as a hash until it is used or lapses.
package fleet
