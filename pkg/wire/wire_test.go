package wire_test

import (
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wire"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

var observed = time.Date(2026, 11, 20, 12, 0, 0, 123456789, time.UTC)

func event() attack.Event {
	return attack.Event{
		Kind: attack.SSHLogin, Severity: attack.Medium, Rule: "sshd-failed-password",
		Logged: observed.Add(-time.Second), Observed: observed,
		SourceIP: netip.MustParseAddr("192.0.2.7"), SourcePort: 40022, User: "root", Count: 1,
		Log: "/var/log/auth.log", Detail: attack.SSH{Method: "password"},
	}
}

func TestEventSurvivesTheWire(t *testing.T) {
	tests := map[string]func(*attack.Event){
		"as it is":           func(e *attack.Event) {},
		"user is not UTF-8":  func(e *attack.Event) { e.User = "\xff\xfe\x00root" },
		"IPv6":               func(e *attack.Event) { e.SourceIP = netip.MustParseAddr("2001:db8::7") },
		"a name, no address": func(e *attack.Event) { e.SourceIP, e.SourceHost = netip.Addr{}, "scanner.example" },
		"no time in line":    func(e *attack.Event) { e.Logged = time.Time{} },
		"fired by hand":      func(e *attack.Event) { e.Kind, e.Test = attack.Test, true },
		"no detail":          func(e *attack.Event) { e.Detail = nil },
		"probe":              func(e *attack.Event) { e.Detail = attack.SSH{Reason: "bad banner", InvalidUser: true} },
		"web": func(e *attack.Event) {
			e.Kind = attack.HTTPExploit
			e.Detail = attack.HTTP{Method: "GET", Target: "/\xc0\xae\xc0\xae/", Status: 404, UserAgent: "${jndi:", Host: "blog"}
		},
		"flood": func(e *attack.Event) {
			e.Kind, e.Count = attack.HTTPFlood, 0
			e.Detail = attack.Flood{Phase: attack.PhaseUpdate, Network: netip.MustParsePrefix("192.0.2.0/24"), Method: "POST", Requests: 700, Window: 30 * time.Second}
		},
		"ban":             func(e *attack.Event) { e.Kind, e.Detail = attack.Ban, attack.BanInfo{Jail: "sshd"} },
		"local":           func(e *attack.Event) { e.Detail = attack.Local{Service: "sudo", Target: "root", TTY: "pts/0"} },
		"another machine": func(e *attack.Event) { e.Host = "router\xff" },
		"a scan": func(e *attack.Event) {
			e.Kind, e.Count = attack.HTTPScan, 0
			e.Detail = attack.Episode{Phase: attack.PhaseEnd, Network: netip.MustParsePrefix("2001:db8::/64"), Distinct: 90, Attempts: 1 << 40, Window: time.Hour}
		},
		"from many networks": func(e *attack.Event) {
			e.Kind, e.Detail = attack.SSHDistributed, attack.Episode{Phase: attack.PhaseStart, Distinct: 40}
		},
		"accepted": func(e *attack.Event) {
			e.Kind = attack.SSHAccepted
			e.Detail = attack.Accepted{Service: "sshd", Method: "publickey", Fingerprint: "SHA256:abc", Reason: "new network"}
		},
		"counted elsewhere": func(e *attack.Event) { e.Kind, e.Detail = attack.Counter, attack.Count{Key: "mails", Value: 1} },
		"the highest port":  func(e *attack.Event) { e.SourcePort = 65535 },
		"one address": func(e *attack.Event) {
			e.Kind = attack.HTTPScan
			e.Detail = attack.Episode{Phase: attack.PhaseStart, Network: netip.MustParsePrefix("192.0.2.7/32"), Distinct: 1}
		},
		"the highest number of a kind": func(e *attack.Event) { e.Kind = attack.UnknownKind(65535, attack.FamilySSH, true) },
		"a newer program's":            func(e *attack.Event) { e.Kind = attack.UnknownKind(4711, attack.FamilyWordPress, true) },
		"mail":                         func(e *attack.Event) { e.Detail = attack.Service{Name: "dovecot", Reason: "auth failed"} },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			want := event()
			change(&want)
			raw, err := proto.Marshal(wire.Encode(42, "vps", &want))
			if err != nil {
				t.Fatal(err)
			}
			var message pialertv1.Event
			if err := proto.Unmarshal(raw, &message); err != nil {
				t.Fatal(err)
			}
			sequence, got, err := wire.Decode(&message)
			if err != nil {
				t.Fatal(err)
			}
			if sequence != 42 || !reflect.DeepEqual(got, want) {
				t.Errorf("got %d %+v\nwant 42 %+v", sequence, got, want)
			}
		})
	}
}

// episode makes a message that of a scan with a detail.
func episode(detail *pialertv1.EpisodeDetail) func(*pialertv1.Event) {
	return func(m *pialertv1.Event) {
		m.Kind, m.Detail = pialertv1.Kind_KIND_HTTP_SCAN, &pialertv1.Event_Episode{Episode: detail}
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := map[string]func(*pialertv1.Event){
		"no number":         func(m *pialertv1.Event) { m.Sequence = 0 },
		"no kind":           func(m *pialertv1.Event) { m.Kind = 0 },
		"negative kind":     func(m *pialertv1.Event) { m.Kind = -1 },
		"no severity":       func(m *pialertv1.Event) { m.Severity = 0 },
		"negative severity": func(m *pialertv1.Event) { m.Severity = -1 },
		"long host":         func(m *pialertv1.Event) { m.Host = make([]byte, attack.MaxName+1) },
		"no observation":    func(m *pialertv1.Event) { m.Observed = nil },
		"year 1970":         func(m *pialertv1.Event) { m.Logged = timestamppb.New(time.Unix(0, 0)) },
		"year 9999":         func(m *pialertv1.Event) { m.Observed.Seconds = 253402300799 },
		"beyond all years":  func(m *pialertv1.Event) { m.Observed.Seconds = math.MaxInt64 },
		"negative nanos":    func(m *pialertv1.Event) { m.Logged.Nanos = -1 },
		"absurd count":      func(m *pialertv1.Event) { m.Count = math.MaxUint64 },
		"no count":          func(m *pialertv1.Event) { m.Count = 0 },
		"five byte address": func(m *pialertv1.Event) { m.SourceIp = []byte("12345") },
		"mapped address": func(m *pialertv1.Event) {
			m.SourceIp = []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04")
		},
		"port 65536":  func(m *pialertv1.Event) { m.SourcePort = 65536 },
		"long user":   func(m *pialertv1.Event) { m.User = make([]byte, attack.MaxUser+1) },
		"long rule":   func(m *pialertv1.Event) { m.Rule = strings.Repeat("r", attack.MaxRuleID+1) },
		"long method": func(m *pialertv1.Event) { m.GetSsh().Method = make([]byte, attack.MaxWord+1) },
		"status 1000": func(m *pialertv1.Event) {
			m.Detail = &pialertv1.Event_Http{Http: &pialertv1.HTTPDetail{Status: 1000}}
		},
		"a status that wraps to 200": func(m *pialertv1.Event) {
			m.Kind = pialertv1.Kind_KIND_HTTP_PROBE
			m.Detail = &pialertv1.Event_Http{Http: &pialertv1.HTTPDetail{Status: 1<<16 + 200}}
		},
		"a port that wraps to 22":           func(m *pialertv1.Event) { m.SourcePort = 1<<16 + 22 },
		"a severity that wraps to medium":   func(m *pialertv1.Event) { m.Severity = -254 },
		"a kind that wraps to ssh_login":    func(m *pialertv1.Event) { m.Kind = 1<<16 + 1 },
		"scan without a phase":              episode(&pialertv1.EpisodeDetail{}),
		"scan with a negative phase":        episode(&pialertv1.EpisodeDetail{Phase: -1}),
		"scan over a window of no duration": episode(&pialertv1.EpisodeDetail{Phase: 1, Window: &durationpb.Duration{Seconds: 1, Nanos: -1}}),
		"scan from a /129": episode(&pialertv1.EpisodeDetail{
			Phase: 1, Network: netip.MustParseAddr("2001:db8::").AsSlice(), PrefixLength: 129}),
		"scan from a network of five bytes": episode(&pialertv1.EpisodeDetail{Phase: 1, Network: []byte("12345"), PrefixLength: 8}),
		"flood from nowhere":                func(m *pialertv1.Event) { m.Detail = &pialertv1.Event_Flood{} },
		"flood from a /33": func(m *pialertv1.Event) {
			m.Detail = &pialertv1.Event_Flood{Flood: &pialertv1.FloodDetail{Phase: 1, Network: []byte{192, 0, 2, 0}, PrefixLength: 33}}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			e := event()
			message := wire.Encode(1, "vps", &e)
			change(message)
			if _, got, err := wire.Decode(message); !errors.Is(err, attack.ErrInvalid) {
				t.Errorf("got %+v, error %v; want ErrInvalid", got, err)
			}
		})
	}
}

// What a newer agent says beyond what this program knows changes nothing else of its event.
func TestDecodeTakesWhatANewerAgentSays(t *testing.T) {
	tests := map[string]struct {
		change func(*pialertv1.Event)
		want   func(*attack.Event)
	}{
		"a kind": {
			func(m *pialertv1.Event) { m.Kind, m.Family, m.Attempt = 300, pialertv1.Family_FAMILY_OTHER, true },
			func(e *attack.Event) { e.Kind = attack.UnknownKind(300, attack.FamilyOther, true) },
		},
		"a kind of a new family": {
			func(m *pialertv1.Event) { m.Kind, m.Family, m.Attempt = 300, 256+2, false },
			func(e *attack.Event) { e.Kind = attack.UnknownKind(300, attack.FamilyOther, false) },
		},
		"a kind that counts nothing": {
			func(m *pialertv1.Event) { m.Kind, m.Count = 300, 0 },
			func(e *attack.Event) { e.Kind, e.Count = attack.UnknownKind(300, attack.FamilySSH, true), 0 },
		},
		"another family of a known kind": {
			func(m *pialertv1.Event) { m.Family, m.Attempt = pialertv1.Family_FAMILY_OTHER, false },
			func(*attack.Event) {},
		},
		"a severity": {
			func(m *pialertv1.Event) { m.Severity = 258 },
			func(e *attack.Event) { e.Severity = attack.High },
		},
		"a detail": {
			func(m *pialertv1.Event) {
				m.Detail = nil
				m.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 30, protowire.BytesType), []byte{8, 1}))
			},
			func(e *attack.Event) { e.Detail = nil },
		},
		"a field of a detail": {
			func(m *pialertv1.Event) {
				m.GetSsh().ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 7))
			},
			func(*attack.Event) {},
		},
		"a phase": {
			func(m *pialertv1.Event) {
				m.Kind = pialertv1.Kind_KIND_HTTP_SCAN
				m.Detail = &pialertv1.Event_Episode{Episode: &pialertv1.EpisodeDetail{Phase: 9}}
			},
			func(e *attack.Event) {
				e.Kind, e.Detail = attack.HTTPScan, attack.Episode{Phase: attack.PhaseUpdate}
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want := event()
			message := wire.Encode(1, "vps", &want)
			test.change(message)
			test.want(&want)
			raw, err := proto.Marshal(message)
			if err != nil {
				t.Fatal(err)
			}
			message = new(pialertv1.Event)
			if err := proto.Unmarshal(raw, message); err != nil {
				t.Fatal(err)
			}
			if _, got, err := wire.Decode(message); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, error %v\nwant %+v", got, err, want)
			}
		})
	}
}

// Every detail has a message, with a field for each of its own.
func TestEveryDetailHasAMessage(t *testing.T) {
	for _, detail := range attack.Details() {
		if flood, ok := detail.(attack.Flood); ok {
			flood.Network = netip.MustParsePrefix("192.0.2.0/24")
			detail = flood
		}
		e := event()
		e.Kind, e.Detail = attack.UnknownKind(4711, attack.FamilySSH, true), detail
		if message := wire.Encode(1, "vps", &e); message.GetDetail() == nil {
			t.Errorf("%T is not sent", detail)
		}
	}
}

// FuzzDecode holds that no bytes panic and that what is accepted is in bounds and encodes back
// to itself.
func FuzzDecode(f *testing.F) {
	e := event()
	for _, detail := range []attack.Detail{
		nil, e.Detail, attack.HTTP{Target: "/"}, attack.BanInfo{Jail: "j"}, attack.Local{}, attack.Service{},
		attack.Flood{Phase: attack.PhaseStart, Network: netip.MustParsePrefix("2001:db8::/64")},
	} {
		e.Detail = detail
		raw, err := proto.Marshal(wire.Encode(1, "vps", &e))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var message pialertv1.Event
		if proto.Unmarshal(raw, &message) != nil {
			return
		}
		sequence, got, err := wire.Decode(&message)
		if err != nil {
			return
		}
		if err := got.Check(); err != nil {
			t.Fatalf("accepted %+v: %v", got, err)
		}
		again, back, err := wire.Decode(wire.Encode(sequence, "vps", &got))
		if err != nil || again != sequence || !reflect.DeepEqual(back, got) {
			t.Fatalf("%+v came back as %+v, error %v", got, back, err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	e := event()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := proto.Marshal(wire.Encode(1, "vps", &e)); err != nil {
			b.Fatal(err)
		}
	}
}
