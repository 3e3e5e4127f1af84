// Package pairing decides who may speak: it keeps a machine's key, the keys of its peers, and
// the rules by which two machines come to know each other. It owns the store of the keys
// (keyring.go, identity.go, peersfile.go) and the TLS that proves them (tls.go, session.go), because what
// a handshake accepts is what the store holds at that moment; who else opens connections gets a
// [Session] from it and sees neither.
//
// Keys are pinned, as WireGuard and Syncthing pin them: a peer is the SHA-256 of its public key
// under a name, nothing is signed by an authority, and no date makes a key lapse. Each machine
// makes its own Ed25519 key, and the key never leaves it. Connections are TLS 1.3 with
// certificates at both ends; the certificates are made in memory and carry nothing but the key.
//
// # What is kept
//
// A state directory holds identity.key (the key), identity.next.key (during a change of keys),
// peers.json (the peers) and pairing.lock. All are 0600 and belong to the owner of the
// directory. Every change is made under the lock and is durable before it counts, so the daemon
// and the commands may change them side by side. A [Keyring] is one process' view of them.
//
// # How machines pair
//
// The end that listens invites: it keeps a one-time secret in memory and prints a [Token] that
// carries the secret, its addresses and its key's fingerprint. The end that dials redeems the
// token over a connection to exactly that key. Both store each other, or neither does: see
// [Keyring.Join]. The secret is useless to anyone but who holds the token, and useless to
// everyone once it was used or ten minutes have passed.
//
// # How a key changes
//
// [Keyring.Rotate] makes the next key. Paired machines tell each other the fingerprints of
// their next keys in the greeting that opens each connection, and each answers once it has
// stored the other's. When every peer has stored it, the next key replaces the key; a peer
// that is away holds the change up until it was seen or is unpaired. A peer that
// authenticates with the next key thereby retires the former one.
//
// # What strangers get
//
// A connection that does not open with a TLS 1.3 hello for one of our two protocols is closed
// without a single byte. One that does but has no paired key gets our certificate, which
// holds a public key and no name, and is cut before any byte of ours is said inside. Tokens
// can be redeemed only while an invitation is pending; who shows none that is hears the same at any time.
package pairing
