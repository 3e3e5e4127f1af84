package config_test

import (
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/config"
)

type sample struct {
	Name  string          `yaml:"name"`
	Wait  config.Duration `yaml:"wait"`
	Keep  config.Size     `yaml:"keep"`
	Level slog.Level      `yaml:"level"`
	Many  int             `yaml:"many"`
	Lamps []struct {
		Color string `yaml:"color"`
	} `yaml:"lamps"`
}

func (s *sample) Validate() error {
	var problems []error
	if s.Name == "" {
		problems = append(problems, &config.FieldError{Path: "name", Value: s.Name, Problem: "give it a name"})
	}
	for i, lamp := range s.Lamps {
		if lamp.Color != "red" {
			path := "lamps[" + string(rune('0'+i)) + "].color"
			problems = append(problems, &config.FieldError{Path: path, Value: lamp.Color, Problem: "only red is for sale"})
		}
	}
	return errors.Join(problems...)
}

func TestDefaultsStayWhereTheFileIsSilent(t *testing.T) {
	cfg := sample{Name: "desk", Wait: config.Duration(time.Minute)}
	if err := config.Parse("c.yaml", []byte("wait: 5s\nkeep: 64MiB\n"), &cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.Name != "desk" || cfg.Wait != config.Duration(5*time.Second) || cfg.Keep != 64<<20 {
		t.Errorf("got %+v", cfg)
	}
}

func TestEmptyFileIsAllDefaults(t *testing.T) {
	for _, text := range []string{"", "# nothing yet\n", "---\n"} {
		cfg := sample{Name: "desk"}
		if err := config.Parse("c.yaml", []byte(text), &cfg); err != nil || cfg.Name != "desk" {
			t.Errorf("%q: %+v, error %v", text, cfg, err)
		}
	}
}

func TestRefusalsSayWhere(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"unknown key":           {"name: a\nnmae: b\n", []string{"c.yaml:2:1", "nmae"}},
		"key twice":             {"name: a\nname: b\nlamps: [{color: red,\n color: red}]\nwait: soon\n", []string{"c.yaml:2:1: name: it stands in line 1 already", "c.yaml:4:2: lamps[0].color: it stands in line 3 already", "c.yaml:5:7"}},
		"wrong type":            {"name: a\nlamps: 7\n", []string{"c.yaml:2:"}},
		"no duration":           {"wait: soon\n", []string{"c.yaml:1:7", "soon"}},
		"no size":               {"keep: 3 parsecs\n", []string{"c.yaml:1:7", "3 parsecs", "64MiB"}},
		"a comment is no value": {"wait: 600 # s\n", []string{"c.yaml:1:7"}},
		"no level":              {"level: loud\n", []string{"c.yaml:1:8: level: \"loud\" is no level: use debug, info, warn or error"}},
		"no list":               {"lamps: {color: red}\n", []string{"c.yaml:1:", "lamps: ", "is no list"}},
		"no mapping":            {"lamps: [red]\n", []string{"c.yaml:1:9: lamps[0]: \"red\" is no mapping"}},
		"no number":             {"many: few\n", []string{"c.yaml:1:7: many: \"few\" is no whole number"}},
		"the nearest key":       {"lmaps: []\n", []string{"there is no lmaps; did you mean lamps?"}},
		"no key is near":        {"colour_of_the_sky: 7\n", []string{"there is no colour_of_the_sky; there are name, wait"}},
		"all at once": {
			"nmae: b\nwait: soon\nkeep: 3 parsecs\nlamps:\n- color: blue\n- colr: red\n",
			[]string{"c.yaml:1:1: ", "c.yaml:2:7: wait: ", "c.yaml:3:7: keep: ", "c.yaml:5:10: lamps[0].color: blue", "c.yaml:6:3: there is no lamps[1].colr; did you mean color?"},
		},
		"a second document": {"name: a\n---\nwait: 7s\n", []string{"c.yaml:3:", "second document"}},
		"behind a mark":     {"\ufeffnmae: b\n", []string{"c.yaml:1:1: there is no nmae; did you mean name?"}},
		"broken":            {"name: [\n", []string{"c.yaml:1:"}},
		"every bad value": {
			"name: ''\nlamps:\n- color: red\n- color: blue\n- color: green\n",
			[]string{"c.yaml:1:7: name", "c.yaml:4:10: lamps[1].color: blue", "c.yaml:5:10: lamps[2].color: green"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := config.Parse("c.yaml", []byte(test.text), &sample{Name: "desk"})
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error misses %q:\n%v", want, err)
				}
			}
			for _, word := range []string{"struct", "config.", "[]", "slog", "uint", "main."} {
				if strings.Contains(strings.ReplaceAll(err.Error(), "lamps: []", ""), word) {
					t.Errorf("the error speaks Go: %v", err)
				}
			}
		})
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := config.Load(path, &sample{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("name: "+strings.Repeat("x", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := config.Load(path, &sample{}); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("a huge file: %v", err)
	}
}

func TestListenable(t *testing.T) {
	for text, want := range map[string]bool{
		":7483": true, "127.0.0.1:0": true, "[::1]:9480": true, "localhost:65535": true,
		"": false, "7483": false, "127.0.0.1": false, "::1:9480x": false, ":65536": false, ":-1": false, ":http": false, ":": false, "http://a:80": false,
	} {
		if got := config.Listenable(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]config.Size{"0": 0, "4096": 4 << 10, "7B": 7, "64MiB": 64 << 20, "2GiB": 2 << 30} {
		if got, err := config.ParseSize(text); err != nil || got != want {
			t.Errorf("%q = %d, error %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "1.5MiB", "9999999999GiB", "MiB"} {
		if got, err := config.ParseSize(text); err == nil {
			t.Errorf("%q = %d", text, got)
		}
	}
	if got := config.Size(1001).String(); got != "1001B" {
		t.Errorf("1001 bytes are written %q", got)
	}
	if got := config.Size(64 << 20).String(); got != "64MiB" {
		t.Errorf("64 MiB is written %s", got)
	}
}

func TestDurations(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
		back string
	}{
		{"30s", 30 * time.Second, "30s"},
		{"90m", 90 * time.Minute, "1h30m"},
		{"30d", 30 * 24 * time.Hour, "30d"},
		{"2h", 2 * time.Hour, "2h"},
		{"10m", 10 * time.Minute, "10m"},
	}
	for _, test := range tests {
		got, err := config.ParseDuration(test.text)
		if err != nil || time.Duration(got) != test.want || got.String() != test.back {
			t.Errorf("%q = %v (%s), error %v", test.text, time.Duration(got), got, err)
		}
	}
	for _, text := range []string{"", "30", "-5s", "soon", "1.5d", "99999999d"} {
		if got, err := config.ParseDuration(text); err == nil {
			t.Errorf("%q = %v", text, got)
		}
	}
}

// What the YAML library itself reads is read the same way: anchors, merges, folded texts, and texts
// that look like numbers.
func TestItIsYAML(t *testing.T) {
	cfg := sample{Name: "desk", Many: 3}
	text := "lamps: [&a {color: red}, {<<: *a}, *a]\nname: >-\n  the\n  desk\nlevel: warn\n---\n"
	if err := config.Unmarshal([]byte(text), &cfg); err != nil {
		t.Fatal(err)
	}
	if cfg.Name != "the desk" || cfg.Many != 3 || cfg.Level != slog.LevelWarn || len(cfg.Lamps) != 3 || cfg.Lamps[1].Color != "red" || cfg.Lamps[2].Color != "red" {
		t.Errorf("got %+v", cfg)
	}
	if err := config.Unmarshal([]byte("name: 007\n"), &cfg); err != nil || cfg.Name != "007" {
		t.Errorf("a name of digits is %q, error %v", cfg.Name, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("name: a\nlamps:\n- color: red\n"))
	f.Add([]byte("name: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		config.Parse("c.yaml", text, &sample{Name: "desk"})
	})
}

// A mapping with names of the file's own is read over the defaults, name by name.
func TestNames(t *testing.T) {
	type shelf struct {
		After int `yaml:"after"`
		For   int `yaml:"for"`
	}
	var cfg struct {
		Kinds map[string]shelf `yaml:"kinds"`
	}
	cfg.Kinds = map[string]shelf{"a": {1, 2}, "b": {3, 4}}
	before := cfg.Kinds
	if err := config.Parse("x.yaml", []byte("kinds:\n  b: {for: 5}\n  c: {after: 6}\n"), &cfg); err != nil {
		t.Fatal(err)
	}
	want := map[string]shelf{"a": {1, 2}, "b": {3, 5}, "c": {6, 0}}
	if !maps.Equal(cfg.Kinds, want) || before["b"].For != 4 {
		t.Errorf("got %v, want %v; the defaults are %v", cfg.Kinds, want, before)
	}
	err := config.Parse("x.yaml", []byte("kinds:\n  d: {four: 5}\n  e: 7\n"), &cfg)
	for _, part := range []string{"x.yaml:2:7: there is no kinds.d.four", "kinds.e: \"7\" is no mapping"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want %q in it", err, part)
		}
	}
}
