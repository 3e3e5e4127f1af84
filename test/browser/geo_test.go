package browser

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/pialert/pialert/test/browser/chromium"
)

// database writes a database in MaxMind's format and returns its path.
func database(t *testing.T, kind, network string, record mmdbtype.Map) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	_, prefix, err := net.ParseCIDR(network)
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Insert(prefix, record); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), kind+".mmdb")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.WriteTo(file); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// Countries and operators come from the owner's files, in the browser's language, and as text.
func TestPlacesOfSources(t *testing.T) {
	countries := database(t, "Test-Country", "203.0.113.0/24", mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String("VN")}})
	networks := database(t, "Test-ASN", "203.0.113.0/24", mmdbtype.Map{
		"autonomous_system_number": mmdbtype.Uint32(64500), "autonomous_system_organization": mmdbtype.String("Example <b>Telecom</b>"),
	})
	log := filepath.Join(t.TempDir(), "auth.log")
	s := startWith(t, fmt.Sprintf("geo: {database: %q, networks: %q}\n", countries, networks), fmt.Sprintf("{path: %q, start: beginning}", log))
	line := "%s vps sshd[4000]: Failed password for root from %s port 40000 ssh2\n"
	now := time.Now().Format("2006-01-02T15:04:05.000000-07:00")
	s.must(os.WriteFile(log, fmt.Appendf(nil, line+line, now, mallory, now, "198.51.100.7"), 0o644))
	s.open(chromium.Desktop, "/")
	await(t, total+" === 2")
	await(t, "document.querySelectorAll('.events tbody tr').length === 2")
	s.open(chromium.Desktop, "/sources")
	if got := value[string](t, fmt.Sprintf("[...document.querySelectorAll('.list tbody tr')].find(r => r.textContent.includes('%s')).cells[2].innerText", mallory)); got != "Vietnam\nExample <b>Telecom</b>" {
		t.Errorf("it is from %q", got)
	}
	if got := value[string](t, "[...document.querySelectorAll('.list tbody tr')].find(r => r.textContent.includes('198.51.100.7')).cells[2].innerText"); got != "" {
		t.Errorf("what the files do not know is from %q", got)
	}
	// A chart by country is reached by a click, and says the same.
	s.open(chromium.Desktop, "/history")
	value[bool](t, "([...document.querySelectorAll('.choices a')].find(a => a.textContent === 'by country').click(), true)")
	await(t, "location.search.includes('by=country') && document.querySelector('.plot canvas')")
	legend := "[...document.querySelectorAll('.legend li')].map(li => li.innerText.trim()).filter(Boolean).join(', ')"
	for path, want := range map[string]string{
		"/history?by=country":            "Vietnam 1, unknown 1, all 2",
		"/source/203.0.0.0/8?by=country": "Vietnam 1, all 1", "/source/" + mallory.String() + "?by=country": "Vietnam 1, all 1",
	} {
		s.open(chromium.Desktop, path)
		if got := value[string](t, legend); got != want {
			t.Errorf("the chart by country of %s has %q, want %q", path, got, want)
		}
	}
}
