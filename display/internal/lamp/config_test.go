package lamp_test

import (
	"strings"
	"testing"

	"github.com/pialert/pialert/display/internal/lamp"
	"github.com/pialert/pialert/pkg/config"
)

// file is a configuration that has lamps, as the display's has.
type file struct {
	Lamps []lamp.Config `yaml:"lamps"`
}

func (f *file) Validate() error { return lamp.Validate(f.Lamps) }

func TestLampsAreReadFromYAML(t *testing.T) {
	const text = `
lamps:
  - name: mail
    label: Mail and FTP
    agents: [mx1, mx2]
    kinds: [mail_login, ftp_login]
    color: "#ff8000"
    led: 1
    sweep_from: medium
    count: today
`
	var got file
	if err := config.Parse("display.yaml", []byte(text), &got); err != nil {
		t.Fatal(err)
	}
	mail := got.Lamps[0]
	if mail.Label != "Mail and FTP" || mail.Agents[1] != "mx2" || mail.Kinds[0] != "mail_login" ||
		mail.LED != 1 || mail.SweepFrom != "medium" || mail.Count != "today" {
		t.Errorf("got %+v", mail)
	}
}

func TestMistakesAreNamedWithTheirPlace(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"no lamps":      {"lamps: []\n", []string{"display.yaml:1", "1 to 8 lamps"}},
		"name":          {"lamps:\n- {name: SSH A, color: red, led: 0}\n", []string{":2:10: lamps[0].name: SSH A", "such as ssh-a"}},
		"name twice":    {"lamps:\n- {name: a, color: red, led: 0}\n- {name: a, color: red, led: 1}\n", []string{"lamps[1].name", "lamps[0]"}},
		"kind":          {"lamps:\n- {name: a, kinds: [ssh, sh], color: red}\n", []string{"lamps[0].kinds[1]: sh", "did you mean ssh?"}},
		"color":         {"lamps:\n- {name: a, color: beige}\n", []string{"lamps[0].color: beige", "purple"}},
		"black":         {"lamps:\n- {name: a, color: '#000000'}\n", []string{"lamps[0].color", "cannot be seen"}},
		"no color":      {"lamps:\n- {name: a}\n", []string{"lamps[0].color", "#rrggbb"}},
		"led":           {"lamps:\n- {name: a, color: red, led: 8}\n", []string{"lamps[0].led: 8", "0 to 7"}},
		"led twice":     {"lamps:\n- {name: a, color: red, led: 3}\n- {name: b, color: red, led: 3}\n", []string{"lamps[1].led: 3", "lamp a"}},
		"severity":      {"lamps:\n- {name: a, color: red, sweep_from: hgih}\n", []string{"lamps[0].sweep_from", "high"}},
		"count":         {"lamps:\n- {name: a, color: red, count: week}\n", []string{"lamps[0].count: week", "today"}},
		"agent":         {"lamps:\n- {name: a, color: red, agents: ['']}\n", []string{"lamps[0].agents[0]", "others"}},
		"label":         {"lamps:\n- {name: a, color: red, label: \"a\\e[2Jb\"}\n", []string{"lamps[0].label", "printable"}},
		"unknown key":   {"lamps:\n- {name: a, colour: red}\n", []string{"colour"}},
		"every mistake": {"lamps:\n- {name: a, color: x}\n- {name: b, color: y, led: 9}\n", []string{"lamps[0].color", "lamps[1].color", "lamps[1].led"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := config.Parse("display.yaml", []byte(test.text), &file{})
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error misses %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestDefaultsAreValid(t *testing.T) {
	if err := lamp.Validate(lamp.Defaults()); err != nil {
		t.Error(err)
	}
}

func TestColors(t *testing.T) {
	for text, want := range map[string]lamp.Color{"red": {255, 0, 0}, "#0a0B0c": {10, 11, 12}} {
		if got, err := lamp.ParseColor(text); err != nil || got != want {
			t.Errorf("%q = %v, error %v", text, got, err)
		}
	}
	for _, text := range []string{"", "Red", "#fff", "#1234567", "#+12345", "#0x1234"} {
		if got, err := lamp.ParseColor(text); err == nil {
			t.Errorf("%q = %v", text, got)
		}
	}
}
