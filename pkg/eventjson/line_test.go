package eventjson_test

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/eventjson"
	"github.com/pialert/pialert/pkg/schema"
)

// Lines have the fields of Line, and no others: those of events with everything and with nothing, of
// every kind of detail, and those of corrections.
func TestLines(t *testing.T) {
	s := schema.Of(reflect.TypeFor[eventjson.Line]())
	at := time.Date(2026, 11, 20, 18, 4, 30, 5000, time.UTC)
	full := attack.Event{
		Kind: attack.SSHLogin, Severity: attack.High, Rule: "r", Logged: at, Observed: at, SourceIP: netip.MustParseAddr("2001:db8::7"), SourceHost: "h.example",
		SourcePort: 22, User: "a\x00\"b\xff", Count: 7, Host: "web-2", Log: "/var/log/auth.log",
	}
	var p eventjson.Printer
	for _, detail := range []attack.Detail{
		nil, attack.SSH{Method: "password", Reason: "x"}, attack.HTTP{Method: "GET", Target: "/\u202e", Status: 404}, attack.Service{Name: "dovecot", Reason: "r"},
		attack.Local{Service: "sudo", Target: "root"}, attack.BanInfo{Jail: "sshd"}, attack.Count{Key: "k", Value: 3},
	} {
		full.Detail = detail
		line := p.Append(nil, &full, eventjson.Where{Agent: "vps", Arrived: at, Line: 9})
		if err := s.Check(line); err != nil {
			t.Errorf("%v\n%s", err, line)
		}
	}
	for _, line := range [][]byte{
		p.Append(nil, &attack.Event{Kind: attack.UnknownKind(300, attack.FamilySSH, true)}, eventjson.Where{}),
		p.AppendCorrection(nil, attack.SSHLogin, eventjson.Where{Agent: "vps", Arrived: at}, -5, "a mistake"),
	} {
		if err := s.Check(line); err != nil {
			t.Errorf("%v\n%s", err, line)
		}
	}
}
