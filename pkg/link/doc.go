// Package link opens and accepts the connections between paired machines, whoever of the two
// dials: an agent and a display differ only in what they do with an open [Conn].
//
// A [Dialer] keeps a connection to every peer that has an address, over TCP or through ssh, and
// opens it again, with growing random pauses, for as long as it runs. A [Listener] accepts
// connections on TCP and Unix sockets. Both hand a connection on only when pkg/pairing has
// found out who is at the other end, close it at once when that peer is unpaired, and see to it
// that a peer has one connection at a time. A connection whose other end vanished without a
// word is noticed within 30 seconds.
//
// Strangers cost little: handshakes are bounded in number, per address and in time, and are
// logged at a limited rate.
//
// [ClientConn] and [Accepted] let gRPC run over connections that are open already, in either
// direction. [Relay] joins a pipe to a Unix socket, for the way through ssh.
package link
