package broker

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/pialert/pialert/pkg/pairing"
)

// sample is an enrolment as fleet add makes it.
func sample(t testing.TB) Enrolment {
	t.Helper()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return Enrolment{
		Token: "pialert1-AAAA", Servers: []string{"tls://n1.example.org:4222", "tls://n2.example.org:4222"}, Stream: "pialert",
		CA: ca, Credentials: Credentials{JWT: []byte("a.b.c"), Seed: seed},
	}
}

func TestEnrolmentsAreOneWord(t *testing.T) {
	e := sample(t)
	word := e.String()
	if !IsEnrolment(word) || strings.ContainsAny(word, " \n\t'\"$") {
		t.Errorf("no word for a shell: %q", word)
	}
	for _, text := range []string{word, word[:70] + "\n" + word[70:], "  " + word + "\n"} { // as terminals break it
		if got, err := ParseEnrolment(text); err != nil || fmt.Sprint(got) != fmt.Sprint(e) {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
}

// pack makes a word of anything.
func pack(t testing.TB, raw []byte) string {
	t.Helper()
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(raw)
	w.Close()
	return enrolmentPrefix + base64.RawURLEncoding.EncodeToString(packed.Bytes())
}

func TestDamagedEnrolments(t *testing.T) {
	e := sample(t)
	word := e.String()
	for n := range word {
		if _, err := ParseEnrolment(word[:n]); !errors.Is(err, errDamaged) {
			t.Fatalf("the first %d characters of %d are taken: %v", n, len(word), err)
		}
	}
	with := func(change func(e *Enrolment)) string {
		changed := e
		change(&changed)
		raw, err := json.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		return pack(t, raw)
	}
	for name, text := range map[string]string{
		"another version": strings.Replace(word, "1-", "2-", 1), "noise": enrolmentPrefix + "!!!!", "no JSON": pack(t, []byte("no JSON")),
		"a server that is none": with(func(e *Enrolment) { e.Servers = []string{"tls://n1.example.org:4222/path"} }),
		"a damaged certificate": with(func(e *Enrolment) { e.CA = e.CA[:len(e.CA)/2] }),
		"a damaged key":         with(func(e *Enrolment) { e.Credentials.Seed = e.Credentials.Seed[1:] }),
		"a small word for much": pack(t, append(append([]byte(`{"stream":"`), bytes.Repeat([]byte("a"), 1<<20)...), `"}`...)),
		"too long":              enrolmentPrefix + strings.Repeat("A", maxEnrolment),
	} {
		if _, err := ParseEnrolment(text); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzEnrolment(f *testing.F) {
	f.Add(sample(f).String())
	f.Add(pack(f, []byte(`{"servers":["nats://h"]}`)))
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseEnrolment(text)
		if err != nil {
			return
		}
		for _, server := range e.Servers {
			if err := CheckServer(server); err != nil {
				t.Errorf("it takes the server %q", server)
			}
		}
		again, err := ParseEnrolment(e.String())
		if err == nil && fmt.Sprint(again) != fmt.Sprint(e) {
			t.Errorf("%+v became %+v", e, again)
		}
	})
}

func TestCredentialsFile(t *testing.T) {
	creds := sample(t).Credentials
	file, err := creds.File()
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseCredentials(file, "nats.creds")
	if err != nil || string(read.JWT) != string(creds.JWT) || string(read.Seed) != string(creds.Seed) {
		t.Errorf("%+v became %+v, %v", creds, read, err)
	}
	if id, err := read.ID(); err != nil || !strings.HasPrefix(string(id), "U") {
		t.Errorf("its holder is %q, %v", id, err)
	}
	for _, text := range []string{"", "noise", strings.Split(string(file), "-----BEGIN USER")[0]} {
		if _, err := ParseCredentials([]byte(text), "nats.creds"); err == nil || !strings.Contains(err.Error(), "nats.creds") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := (Credentials{Seed: []byte("SUnot")}).File(); err == nil {
		t.Error("a file is made of no key")
	}
}

func TestSubjects(t *testing.T) {
	id := DisplayID(pairing.Fingerprint{0xff, 0xfe, 1})
	if want := ID("__4B" + strings.Repeat("A", 39)); id != want { // no . * or >, which divide a subject
		t.Errorf("the ID is %q, want %q", id, want)
	}
	if got := Sender(Subject(Events, id, "UAGENT")); got != "UAGENT" {
		t.Errorf("the sender is %q", got)
	}
}

// Errors of nats-server say whether to wait for room or for the broker.
func TestWhatErrorsMean(t *testing.T) {
	full := &jetstream.APIError{ErrorCode: 10077, Description: "maximum bytes exceeded"}
	for _, test := range []struct {
		err        error
		full, away bool
	}{
		{full, true, false},
		{fmt.Errorf("it says %w", full), true, false},
		{&jetstream.APIError{ErrorCode: 10047}, true, false},
		{&jetstream.APIError{ErrorCode: 10002}, true, false},
		{&jetstream.APIError{ErrorCode: 10059}, false, false},
		{nats.ErrTimeout, false, true},
		{jetstream.ErrNoStreamResponse, false, true},
		{nats.ErrPermissionViolation, false, false},
	} {
		if IsFull(test.err) != test.full || IsAway(test.err) != test.away {
			t.Errorf("%v: full %t, away %t", test.err, IsFull(test.err), IsAway(test.err))
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := Defaults()
	good.Servers = []string{"tls://n1.example.org:4222", "nats://127.0.0.1"}
	if err := good.Check("link.nats"); err != nil {
		t.Error(err)
	}
	for _, bad := range []Config{
		{Stream: "pialert"},
		{Stream: "pialert", Servers: []string{"n1.example.org:4222"}},
		{Stream: "pialert", Servers: []string{"tls://user:word@n1.example.org"}},
		{Stream: "pialert", Servers: []string{"https://n1.example.org"}},
		{Stream: "a.b", Servers: good.Servers},
		{Servers: good.Servers},
	} {
		if err := bad.Check("link.nats"); err == nil || !strings.Contains(err.Error(), "link.nats.") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
