package wire_test

import (
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/wire"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// TestARecordedBatch decodes what the first agent, which knew 21 kinds and neither families nor hosts
// on the wire, sent as one batch: an event of each kind. It was recorded from that program.
func TestARecordedBatch(t *testing.T) {
	raw, err := os.ReadFile("testdata/batch-of-21-kinds.pb")
	if err != nil {
		t.Fatal(err)
	}
	var batch pialertv1.Batch
	if err := proto.Unmarshal(raw, &batch); err != nil {
		t.Fatal(err)
	}
	names := []string{
		"ssh_login", "ssh_probe", "local_auth", "http_auth", "wordpress_login", "xmlrpc", "http_probe",
		"http_exploit", "http_malformed", "http_flood", "ban", "unban", "test", "mail_login", "ftp_login",
		"web_login", "router_login", "vpn_login", "visit", "mail_probe", "remote_login",
	}
	details := map[string]attack.Detail{
		"ssh_login": attack.SSH{Method: "password", InvalidUser: true}, "ssh_probe": attack.SSH{Reason: "bad banner"},
		"local_auth":   attack.Local{Service: "sudo", Target: "root", TTY: "pts/0"},
		"http_exploit": attack.HTTP{Method: "GET", Target: "/\xc0\xae/", Status: 404, UserAgent: "${jndi:", Host: "blog"},
		"http_flood": attack.Flood{
			Phase: attack.PhaseUpdate, Network: netip.MustParsePrefix("2001:db8::/64"), Method: "POST", Requests: 700, Window: 30 * time.Second,
		},
		"ban": attack.BanInfo{Jail: "sshd"}, "unban": attack.BanInfo{Jail: "sshd"},
		"mail_login": attack.Service{Name: "dovecot", Reason: "auth failed"},
	}
	if len(batch.GetEvents()) != len(names) {
		t.Fatalf("%d events, want %d", len(batch.GetEvents()), len(names))
	}
	noon := time.Date(2026, 11, 20, 12, 0, 0, 123456789, time.UTC)
	for i, message := range batch.GetEvents() {
		sequence, event, err := wire.Decode(message)
		if err != nil {
			t.Fatal(err)
		}
		kind, err := attack.ParseKind(names[i])
		if err != nil {
			t.Fatal(err)
		}
		want := attack.Event{
			Kind: kind, Severity: kind.Severity(), Rule: "rule-" + names[i],
			Logged: noon.Add(-time.Second), Observed: noon.Add(time.Duration(i) * time.Second),
			SourceIP: netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), SourcePort: uint16(40000 + i),
			User: "user\xff" + fmt.Sprint(i), Count: uint64(i + 1), Test: names[i] == "test",
			Log: "/var/log/auth.log", Detail: details[names[i]],
		}
		if sequence != uint64(i+1) || !reflect.DeepEqual(event, want) {
			t.Errorf("event %d is\n%+v, want\n%+v", sequence, event, want)
		}
	}
}
