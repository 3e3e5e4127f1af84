package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/pialert/pialert/pkg/config"
)

const secret = "https://dns.example/update?token=s3cr3t"

type holder struct {
	Name   string        `yaml:"name" json:"name"`
	Update config.Secret `yaml:"update" json:"update"`
	Number int           `yaml:"number" json:"number"`
}

func TestASecretIsShownNowhere(t *testing.T) {
	var h holder
	if err := config.Parse("c.yaml", []byte("name: desk\nupdate: "+secret+"\n"), &h); err != nil || h.Update.Reveal() != secret {
		t.Fatalf("%q was read, error %v", h.Update.Reveal(), err)
	}
	asYAML, err := yaml.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("read", "update", h.Update, "all", h)
	for _, shown := range []string{string(asYAML), string(asJSON), log.String(), fmt.Sprint(h), fmt.Sprintf("%+v %#v %q %s", h, h, h.Update, h.Update)} {
		if strings.Contains(shown, "s3cr3t") {
			t.Errorf("it is shown in %s", shown)
		}
	}
	if !strings.Contains(string(asYAML), "update: (not shown)") {
		t.Errorf("that there is one is not shown:\n%s", asYAML)
	}
}

// Whatever is wrong with a file, the error quotes no value: a key may be mistyped, or a quote missing.
func TestErrorsQuoteNoValues(t *testing.T) {
	for name, text := range map[string]string{
		"a mistyped key":        "name: desk\nupdat: " + secret + "\n",
		"a key twice":           "update: " + secret + "\nupdate: " + secret + "\n",
		"a wrong indentation":   "name: desk\n   update: " + secret + "\n",
		"an open quote":         "update: \"" + secret + "\n",
		"a tab":                 "\tupdate: " + secret + "\n",
		"a list instead":        "update: [" + secret + "]\n",
		"a map instead":         "update: {" + secret + ": " + secret + "}\n",
		"the next line":         "update: " + secret + "\nnumber: many\n",
		"the line before":       "number: many\nupdate: " + secret + "\n",
		"a colon too many":      "name: a: " + secret + "\n",
		"an alias":              "update: *" + secret + "\n",
		"nothing but the value": secret + "\n",
		"a flow map":            "{name: desk, updat: '" + secret + "'}\n",
		"a version of YAML":     "%YAML " + secret + "\n---\nname: desk\n",
		"an open flow map":      "{name: desk, update: '" + secret + "'\n",
	} {
		var h holder
		err := config.Parse("c.yaml", []byte(text), &h)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "dns.example") || !strings.HasPrefix(err.Error(), "c.yaml:") {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := config.Parse("c.yaml", []byte("name: desk\nnumber: \"many\n"), &holder{})
	if err == nil || !strings.Contains(err.Error(), `at the key "number"`) {
		t.Errorf("the error names no key: %v", err)
	}
}

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	for name, test := range map[string]struct {
		text string
		mode os.FileMode
		want string // or what the error says
		ok   bool
	}{
		"good":      {secret + "\n", 0o640, secret, true},
		"open":      {secret, 0o644, "chmod o=", false},
		"empty":     {" \n", 0o600, "one line", false},
		"two lines": {"a\nb\n", 0o600, "one line", false},
		"too long":  {strings.Repeat("x", 5000), 0o600, "longer than", false},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, test.mode); err != nil {
			t.Fatal(err)
		}
		got, err := config.SecretFrom("", path)
		if test.ok && (err != nil || got.Reveal() != test.want) {
			t.Errorf("%s: %q, error %v", name, got.Reveal(), err)
		}
		if !test.ok && (err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cr3t")) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := config.SecretFrom(secret, filepath.Join(dir, "good")); !errors.Is(err, config.ErrTwoSecrets) {
		t.Errorf("two secrets: %v", err)
	}
	if got, err := config.SecretFrom(secret, ""); err != nil || got.Reveal() != secret {
		t.Errorf("one that is given: %q, error %v", got.Reveal(), err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if got, err := config.ReadSecret("good"); err != nil || got.Reveal() != secret {
		t.Errorf("a credential of systemd's: %q, error %v", got.Reveal(), err)
	}
	if _, err := config.ReadSecret(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
}
