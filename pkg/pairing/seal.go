package pairing

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/binary"
	"errors"
	"fmt"

	"filippo.io/edwards25519"
)

// A sealed message is for one machine, from one machine, whoever carries and keeps it in between:
//
//	HPKE base mode (RFC 9180: X25519, HKDF-SHA256, ChaCha20-Poly1305) of
//	  the sender's public key | its Ed25519 signature | the message
//
// The X25519 keys are the pinned Ed25519 keys in their other form, as age and the Signal protocol
// use them (RFC 7748 section 4.1; that one key may do both is shown in ePrint 2021/509). The
// signature covers whom the message is for and what for, so that the receiver cannot pass it on as
// written to somebody else, nor a carrier use it at another place. HPKE's own authenticated mode would
// let whoever steals the receiver's key forge messages of everybody else to it.
const sealedVersion = "pialert sealed 1\x00"

// SealedOverhead is how much larger a sealed message is than the message, in bytes: the
// encapsulated key, the sender's key, the signature and the cipher's tag.
const SealedOverhead = 32 + ed25519.PublicKeySize + ed25519.SignatureSize + 16

// ErrNotSealed says that bytes are no message to this machine for that use: they were damaged or
// altered, or are for another one.
var ErrNotSealed = errors.New("it is no sealed message to this machine")

// suite are the parts of HPKE that this uses. ChaCha20 is fast on a Pi, which has no AES instructions.
func suite() (hpke.KDF, hpke.AEAD) { return hpke.HKDFSHA256(), hpke.ChaCha20Poly1305() }

// Public returns this machine's public key.
func (k *Keyring) Public() PublicKey {
	own := k.snapshot().own.certificate.PrivateKey.(ed25519.PrivateKey)
	return PublicKey(own.Public().(ed25519.PublicKey))
}

// Seal encrypts a message to the holder of a key, and signs it with this machine's. Use names
// what the message is for, such as the subject that it is published on: who opens it has to say the
// same.
func (k *Keyring) Seal(to PublicKey, use string, message []byte) ([]byte, error) {
	point, err := new(edwards25519.Point).SetBytes(to[:])
	if err != nil {
		return nil, fmt.Errorf("cannot seal for the key %s: %w", to.Fingerprint(), err)
	}
	curve, err := ecdh.X25519().NewPublicKey(point.BytesMontgomery())
	if err != nil {
		return nil, err
	}
	public, err := hpke.NewDHKEMPublicKey(curve)
	if err != nil {
		return nil, err
	}
	own := k.snapshot().own.certificate.PrivateKey.(ed25519.PrivateKey)
	about := sealedFor(to.Fingerprint(), use)
	plain := make([]byte, 0, ed25519.PublicKeySize+ed25519.SignatureSize+len(message))
	plain = append(plain, own.Public().(ed25519.PublicKey)...)
	plain = append(plain, ed25519.Sign(own, append(about, message...))...)
	plain = append(plain, message...)
	kdf, aead := suite()
	return hpke.Seal(public, kdf, aead, about, plain)
}

// Unseal opens a message that was sealed for this machine and that use. It returns whose key signed
// it, which may be anybody's: see [Keyring.Holder]. The error is [ErrNotSealed].
func (k *Keyring) Unseal(use string, sealed []byte) (from PublicKey, message []byte, err error) {
	own := k.snapshot().own
	about := sealedFor(own.fingerprint, use)
	kdf, aead := suite()
	plain, err := hpke.Open(own.sealing, kdf, aead, about, sealed)
	if err != nil || len(plain) < ed25519.PublicKeySize+ed25519.SignatureSize {
		return from, nil, ErrNotSealed
	}
	copy(from[:], plain)
	signature := plain[ed25519.PublicKeySize:][:ed25519.SignatureSize]
	message = plain[ed25519.PublicKeySize+ed25519.SignatureSize:]
	if !ed25519.Verify(from[:], append(about, message...), signature) {
		return PublicKey{}, nil, ErrNotSealed
	}
	return from, message, nil
}

// Holder returns the peer that holds a key; the error is [ErrNotPaired] if none does.
func (k *Keyring) Holder(key PublicKey) (Peer, error) {
	state := k.snapshot()
	if at := state.byKey(key.Fingerprint()); at >= 0 {
		return state.peers[at], nil
	}
	return Peer{}, fmt.Errorf("the key %s is %w", key.Fingerprint(), ErrNotPaired)
}

// Learn stores a peer's public key, so that messages can be sealed for it while it is away. The
// error is [ErrNotPaired] if no peer is pinned by its fingerprint.
func (k *Keyring) Learn(key PublicKey) error {
	if peer, err := k.Holder(key); err != nil || peer.Public == key {
		return err
	}
	return k.update(func(state *keys) error {
		at := state.byKey(key.Fingerprint())
		if at < 0 {
			return ErrNotPaired
		}
		state.peers[at].Public = key
		return nil
	})
}

// sealedFor is what a sealed message is bound to, besides its sender.
func sealedFor(to Fingerprint, use string) []byte {
	about := append([]byte(sealedVersion), to[:]...)
	about = binary.BigEndian.AppendUint16(about, uint16(len(use)))
	return append(about, use...)
}
