package eventjson_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/eventjson"
)

func ExamplePrinter_Append() {
	event := attack.Event{
		Kind: attack.HTTPProbe, Severity: attack.Low, Rule: "http-dotenv", Count: 1, Host: "web-2", Log: "/var/log/nginx/access.log",
		Logged:   time.Date(2026, 11, 20, 18, 4, 30, 0, time.UTC),
		SourceIP: netip.MustParseAddr("192.0.2.7"), Detail: attack.HTTP{Method: "GET", Target: "/.env\x1b[2J", Status: 404},
	}
	var p eventjson.Printer
	fmt.Printf("%s", p.Append(nil, &event, eventjson.Where{Agent: "vps", Arrived: event.Logged.Add(time.Second)}))
	// Output:
	// {"agent":"vps","arrived":"2026-11-20T18:04:31Z","file":"/var/log/nginx/access.log","time":"2026-11-20T18:04:30Z","kind":"http_probe","rule":"http-dotenv","source_ip":"192.0.2.7","count":1,"severity":"low","host":"web-2","detail":{"method":"GET","target":"/.env\u001b[2J","status":404}}
}
