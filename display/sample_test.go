package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const samplePath = "../packaging/display/display.yaml"

// TestSampleLoads loads the sample as it is installed: all of it is comments, so it changes
// nothing.
func TestSampleLoads(t *testing.T) {
	t.Parallel()
	cfg, err := loadConfig(samplePath, true)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := asYAML(t, cfg), asYAML(t, defaults()); got != want {
		t.Errorf("the sample changes the defaults to\n%s", got)
	}
}

// TestSampleNamesEveryDefault removes every # in front of a key, and expects what the program
// does without a configuration.
func TestSampleNamesEveryDefault(t *testing.T) {
	t.Parallel()
	sample, err := os.ReadFile(samplePath)
	if err != nil {
		t.Fatal(err)
	}
	var uncommented strings.Builder
	for line := range strings.Lines(string(sample)) {
		key, ok := strings.CutPrefix(line, "#")
		if ok && strings.HasPrefix(key, " ") && !strings.HasPrefix(key, "  ") {
			continue // prose
		}
		uncommented.WriteString(key)
	}
	path := filepath.Join(t.TempDir(), "display.yaml")
	if err := os.WriteFile(path, []byte(uncommented.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := loadConfig(path, true)
	if err != nil {
		t.Fatalf("%v\n%s", err, uncommented.String())
	}
	want := defaults()
	cfg.Name, want.Name = "", "" // the sample has an example there
	if got, want := asYAML(t, cfg), asYAML(t, want); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var keys map[string]any
	if err := yaml.Unmarshal([]byte(uncommented.String()), &keys); err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := yaml.Unmarshal([]byte(asYAML(t, defaults())), &all); err != nil {
		t.Fatal(err)
	}
	missing(t, "", all, keys)
}

// missing reports the keys of want that got has not. Elements of lists are examples in got.
func missing(t *testing.T, prefix string, want, got map[string]any) {
	t.Helper()
	for key, value := range want {
		below, there := got[key]
		if !there {
			t.Errorf("%s%s is missing in the sample", prefix, key)
		}
		if inner, ok := value.(map[string]any); ok {
			there, _ := below.(map[string]any)
			missing(t, prefix+key+".", inner, there)
		}
	}
}

func asYAML(t *testing.T, cfg Config) string {
	t.Helper()
	text, err := yaml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
