package pairing

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// SecretSize is the size of a token's one-time secret, in bytes: nobody guesses 128 bits.
const SecretSize = 16

// Token is what the listening end prints and the dialling end redeems. Whoever holds it can
// pair once; the fingerprint in it keeps everyone else out of the middle.
type Token struct {
	Role      Role   // what the listening end is
	Name      string // what it goes by
	Key       Fingerprint
	Secret    [SecretSize]byte
	Addresses []string // where it listens, best first; may be empty for a way that needs none
}

const (
	tokenPrefix   = "pialert1-" // the digit is the version of the form
	tokenChecksum = 4           // bytes of SHA-256: catches a paste that lost something
	maxToken      = 4096        // characters
)

// String returns the token as one word: the prefix and unpadded base64url (RFC 4648 section 5)
// of role, key, secret, name, addresses and checksum; texts are preceded by their length as one
// or two bytes.
func (t Token) String() string {
	raw := []byte{byte(t.Role)}
	raw = append(raw, t.Key[:]...)
	raw = append(raw, t.Secret[:]...)
	raw = append(raw, byte(len(t.Name)))
	raw = append(raw, t.Name...)
	raw = append(raw, byte(len(t.Addresses)))
	for _, address := range t.Addresses {
		raw = append(raw, byte(len(address)>>8), byte(len(address)))
		raw = append(raw, address...)
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(raw, checksum(raw)...))
}

func checksum(raw []byte) []byte {
	sum := sha256.Sum256(append([]byte(tokenPrefix), raw...))
	return sum[:tokenChecksum]
}

var errDamaged = errors.New("the token is damaged: copy the whole line again")

// ParseToken reads what [Token.String] writes, and checks it. Blanks around and line breaks
// within, as a terminal or a mail program may add, are ignored.
func ParseToken(text string) (Token, error) {
	text = strings.Join(strings.Fields(text), "")
	digits, ok := strings.CutPrefix(text, tokenPrefix)
	switch {
	case !ok && regexp.MustCompile(`^pialert[0-9]+-[A-Za-z0-9_-]+$`).MatchString(text):
		return Token{}, errors.New("the token is of another version of PiAlert: use the same version at both ends")
	case !ok:
		return Token{}, fmt.Errorf("this is no token: tokens begin with %s", tokenPrefix)
	case len(text) > maxToken:
		return Token{}, errDamaged
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(digits)
	if err != nil || len(raw) < tokenChecksum {
		return Token{}, errDamaged
	}
	body, sum := raw[:len(raw)-tokenChecksum], raw[len(raw)-tokenChecksum:]
	if subtle.ConstantTimeCompare(sum, checksum(body)) != 1 {
		return Token{}, errDamaged
	}
	token, err := decodeToken(body)
	if err != nil {
		return Token{}, fmt.Errorf("cannot use the token: %w", err)
	}
	return token, nil
}

func decodeToken(raw []byte) (Token, error) {
	var t Token
	fields := tokenReader{rest: raw}
	t.Role = Role(fields.number(1))
	copy(t.Key[:], fields.take(len(t.Key)))
	copy(t.Secret[:], fields.take(len(t.Secret)))
	t.Name = string(fields.take(fields.number(1)))
	for range fields.number(1) {
		if fields.short {
			break
		}
		t.Addresses = append(t.Addresses, string(fields.take(fields.number(2))))
	}
	if fields.short || len(fields.rest) > 0 {
		return Token{}, errDamaged
	}
	return t, t.check()
}

// check returns an error that says what is wrong with t, or nil.
func (t *Token) check() error {
	if !t.Role.Valid() {
		return fmt.Errorf("its role %d is unknown", uint8(t.Role))
	}
	listener := Peer{Name: t.Name, Role: t.Role, Key: t.Key, Addresses: t.Addresses}
	return listener.check(t.Role.Other())
}

// tokenReader cuts fields off. Once a field was missing everything it returns is empty.
type tokenReader struct {
	rest  []byte
	short bool
}

func (r *tokenReader) take(n int) []byte {
	if r.short || n > len(r.rest) {
		r.short = true
		return nil
	}
	field := r.rest[:n]
	r.rest = r.rest[n:]
	return field
}

func (r *tokenReader) number(size int) int {
	n := 0
	for _, b := range r.take(size) {
		n = n<<8 | int(b)
	}
	return n
}
