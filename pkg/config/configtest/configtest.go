// Package configtest holds a sample configuration to the program that it belongs to.
package configtest

import (
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/pialert/pialert/pkg/config"
)

// Sample tests the sample at a path. As it is installed, all of it is comments, so that it changes
// nothing. With the # in front of every key removed it says what the program does without a
// configuration, and leaves no key out. Of what keys differ from program to program, such as a name,
// same takes the value out of both.
func Sample[Config any](t *testing.T, path string, defaults func() Config, same func(sample, program *Config)) {
	t.Run("changes nothing", func(t *testing.T) {
		t.Parallel()
		cfg := defaults()
		if err := config.Load(path, &cfg); err != nil {
			t.Fatal(err)
		}
		if got, want := asYAML(t, cfg), asYAML(t, defaults()); got != want {
			t.Errorf("the sample changes the defaults to\n%s", got)
		}
	})
	t.Run("names every default", func(t *testing.T) {
		t.Parallel()
		text := uncommented(t, path)
		cfg, want := defaults(), defaults()
		if err := config.Parse("sample without #", []byte(text), &cfg); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		same(&cfg, &want)
		if got, want := asYAML(t, cfg), asYAML(t, want); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		missing(t, "", keys(t, asYAML(t, defaults())), keys(t, text))
	})
}

// uncommented removes every # in front of a key.
func uncommented(t *testing.T, path string) string {
	t.Helper()
	sample, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for line := range strings.Lines(string(sample)) {
		key, ok := strings.CutPrefix(line, "#")
		if ok && strings.HasPrefix(key, " ") && !strings.HasPrefix(key, "  ") {
			continue // prose
		}
		text.WriteString(key)
	}
	return text.String()
}

func keys(t *testing.T, text string) map[string]any {
	t.Helper()
	var all map[string]any
	if err := yaml.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	return all
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

func asYAML(t *testing.T, cfg any) string {
	t.Helper()
	text, err := yaml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
