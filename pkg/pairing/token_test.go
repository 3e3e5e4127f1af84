package pairing

import (
	"encoding/base64"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func exampleToken() Token {
	return Token{
		Role: Agent, Name: "web1", Key: Fingerprint{1, 2, 3}, Secret: [SecretSize]byte{4, 5, 6},
		Addresses: []string{"192.0.2.1:7483", "[2001:db8::1]:7483", "web1.example.org:7483"},
	}
}

func TestTokenRoundTrip(t *testing.T) {
	t.Parallel()
	for _, token := range []Token{exampleToken(), {Role: Display, Name: "d", Key: Fingerprint{9}}} {
		text := token.String()
		got, err := ParseToken("  " + text[:40] + "\n" + text[40:] + "\r\n")
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, token) {
			t.Errorf("got %+v, want %+v", got, token)
		}
	}
}

func TestDamagedTokenIsRefused(t *testing.T) {
	t.Parallel()
	text := exampleToken().String()
	for i := range text {
		changed := "A"
		if text[i] == 'A' {
			changed = "B"
		}
		if _, err := ParseToken(text[:i] + changed + text[i+1:]); err == nil {
			t.Errorf("taken with character %d changed", i)
		}
		if _, err := ParseToken(text[:i]); err == nil {
			t.Errorf("taken when cut at character %d", i)
		}
	}
}

func TestTokenErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	bad := func(change func(*Token)) string {
		token := exampleToken()
		change(&token)
		return token.String()
	}
	encoded := func(body ...byte) string {
		return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(body, checksum(body)...))
	}
	key := exampleToken().Key
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", "tokens begin with pialert1-"},
		{"something else", "hello", "tokens begin with pialert1-"},
		{"a later version", "pialert2-AAAA", "same version at both ends"},
		{"cut", exampleToken().String()[:50], "copy the whole line"},
		{"endless", tokenPrefix + strings.Repeat("A", 1<<20), "copy the whole line"},
		{"unknown role", bad(func(t *Token) { t.Role = 7 }), "role 7"},
		{"no key", bad(func(t *Token) { t.Key = Fingerprint{} }), "no key"},
		{"no secret between the key and a name", encoded(slices.Concat([]byte{byte(Agent)}, key[:], []byte{1, 'd', 0})...), "copy the whole line"},
		{"bad name", bad(func(t *Token) { t.Name = "a b" }), "a-z, 0-9"},
		{"bad address", bad(func(t *Token) { t.Addresses = []string{"\x1b[2J"} }), "no address has"},
		{"too many addresses", bad(func(t *Token) { t.Addresses = make([]string, 9) }), "at most 8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := ParseToken(test.text); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

// FuzzParseToken holds that a token that is taken is the one that was made, within its bounds.
func FuzzParseToken(f *testing.F) {
	f.Add(exampleToken().String())
	f.Add(Token{Role: Display, Name: "d", Key: Fingerprint{9}}.String())
	f.Add("pialert1-")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err != nil {
			return
		}
		if got := token.String(); got != strings.Join(strings.Fields(text), "") {
			t.Errorf("%q is the token %q", text, got)
		}
		if err := token.check(); err != nil {
			t.Errorf("taken though %v", err)
		}
	})
}

// FuzzDecodeToken goes behind the checksum.
func FuzzDecodeToken(f *testing.F) {
	f.Add([]byte{1})
	f.Add(make([]byte, 100))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if token, err := decodeToken(raw); err == nil {
			if again, err := ParseToken(token.String()); err != nil || !reflect.DeepEqual(again, token) {
				t.Errorf("%+v became %+v, %v", token, again, err)
			}
		}
	})
}
