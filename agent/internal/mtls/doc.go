// Package mtls encrypts connections from elsewhere, and says who may open them by the certificates
// that they show.
//
// # What it promises
//
//   - Nothing older than TLS 1.2 is spoken.
//   - The certificate is read anew for each connection, so that one that was renewed is in use at once.
//   - Where clients are listed, no other one gets further than the handshake: each is known by the
//     SHA-256 fingerprint of its certificate, or by a name in it if an authority of the owner's signed
//     it for clients. That is asked of every connection: no session is resumed.
//
// # What it refuses
//
// It trusts no authority but the one that it is given, and asks no list of revoked certificates: who
// must not come any more is taken off the list.
package mtls
