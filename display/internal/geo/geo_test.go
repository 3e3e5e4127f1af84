package geo

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a real database says is tested with the whole display, in test/browser: this module has
// nothing that writes one.
func TestWithoutADatabaseNothingIsKnown(t *testing.T) {
	d, err := Open("", "")
	if err != nil {
		t.Fatal(err)
	}
	if place := d.Place(netip.MustParseAddr("192.0.2.1")); place != (Place{}) {
		t.Errorf("it says %+v", place)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestAFileThatIsNoneIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "GeoLite2.mmdb")
	for _, content := range []string{"", "no database", strings.Repeat("\xab\xcd\xefMaxMind.com", 3)} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%.20q: %v", content, err)
		}
	}
	d, err := Open(path+".gone", path)
	if err == nil || !strings.Contains(err.Error(), path+".gone") || !strings.Contains(err.Error(), path+":") {
		t.Errorf("one that is not there, and another: %v", err)
	}
	if place := d.Place(netip.MustParseAddr("192.0.2.1")); place != (Place{}) || d.Close() != nil {
		t.Errorf("it says %+v", place)
	}
}

func TestCodes(t *testing.T) {
	for code, want := range map[string]bool{"DE": true, "de": false, "D": false, "DEU": false, "<b": false, "": false} {
		if isCode(code) != want {
			t.Errorf("isCode(%q) = %v", code, !want)
		}
	}
}
