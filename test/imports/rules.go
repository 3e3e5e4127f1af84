package imports

// module is the programs' module; all other paths here are inside it.
const module = "github.com/pialert/pialert/"

// below lists what a stage stands on besides pkg/: other rooms of its program, named from the
// program's internal folder. A stage that is not listed stands on pkg/ alone. Rooms inside a stage's
// own folder need no entry; one that stands on more than its stage has one of its own.
var below = map[string][]string{
	// A line's meaning: headers and rules at the bottom, the engine on top.
	"agent/internal/header": {"value"},
	"agent/internal/ignore": {"value"},
	"agent/internal/intake": {"value"},
	"agent/internal/weblog": {"value"},
	"agent/internal/rule":   {"header", "pattern", "value", "weblog"},
	"agent/internal/detect": {"header", "rule", "value", "weblog"},
	"agent/internal/scan":   {"detect", "rule", "unpack"},

	// What came over a network has a header that has to be read before anything is a line.
	"agent/internal/source": {"header", "unpack", "value"},

	// A ban: who decides it at the bottom, who carries it out beside, and between them who hands it over.
	"agent/internal/exempt":    {"value"},
	"agent/internal/responder": {"value"},
	"agent/internal/policy":    {"value"},
	"agent/internal/enforce":   {"policy", "responder", "value"},

	// Pictures: the scene is what all that draws agrees on.
	"display/internal/page":      {"animate"},
	"display/internal/panel":     {"animate"},
	"display/internal/terminal":  {"animate"},
	"display/internal/portrait":  {"animate", "lamp"},
	"display/internal/framecost": {"animate", "blinkt", "lamp", "pins"},

	// The page's sample alone shows the default lamps.
	"display/internal/page/pagetest": {"lamp"},
}

// bare lists packages that import nothing of this module: pure cores and drivers, which others can
// take as they are.
var bare = []string{
	"agent/internal/pattern",
	"agent/internal/value",
	"agent/internal/unpack",
	"display/internal/blinkt",
	"display/internal/button",
	"display/internal/pins",
	"display/internal/tm1637",
	"pkg/attack",
	"pkg/config",
}

// fenced lists who, with all below it, may import what few should know: generated types stop at wire and at the ends
// of a transport, and a library that is given but not trusted is fenced in by one package.
var fenced = map[string][]string{
	module + "proto/pialert/v1": {
		"pkg/wire", "pkg/pairing", "agent/internal/spool", "agent/internal/uplink", "display/internal/receive",
	},
	"github.com/nxadm/tail/":                 {"agent/internal/source/file"},
	"github.com/stianeikeland/go-rpio/":      {"display/internal/pins"},
	"github.com/warthog618/go-gpiocdev":      {"display/internal/pins"},
	"modernc.org/sqlite":                     {"display/internal/history"},
	"github.com/prometheus/client_golang/":   {"pkg/metrics"},
	"github.com/spf13/cobra":                 {"agent", "display", "pkg/cli", "pkg/paircmd"},
	"github.com/godbus/dbus/":                {"display"},
	"github.com/coreos/go-systemd/":          {"pkg/cli"},
	"github.com/oschwald/maxminddb-golang/":  {"display/internal/geo"},
	"github.com/schollz/progressbar/":        {"agent/internal/scan", "display"},
	"github.com/fsnotify/":                   {"agent/internal/responder/hostsdeny"},
	"go.etcd.io/bbolt":                       {"agent/internal/responder"},
	"github.com/google/nftables":             {"agent/internal/responder/nftables"},
	"github.com/wneessen/go-mail":            {"display/internal/notice/smtp"},
	"github.com/nats-io/nats.go":             {"pkg/broker", "agent/internal/uplink/nats", "display/internal/receive/nats"},
	"github.com/nats-io/nkeys":               {"pkg/broker", "display/internal/fleet"},
	"github.com/nats-io/jwt/":                {"display/internal/fleet"},
	"filippo.io/edwards25519":                {"pkg/pairing"},
	"google.golang.org/grpc/codes":           {"agent/internal/uplink", "display/internal/receive", "proto/pialert/v1"},
	"google.golang.org/protobuf/types/known": {"pkg/wire", "proto/pialert/v1", "agent/internal/uplink"},
}

// unknownToPrograms lists modules that only tests and tools may need.
var unknownToPrograms = []string{
	"github.com/chromedp/", "github.com/nats-io/nats-server/", "github.com/emersion/go-smtp", "github.com/maxmind/mmdbwriter",
	"github.com/google/go-containerregistry", "github.com/leodido/go-syslog/", "testing",
}
