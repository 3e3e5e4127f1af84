package animate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/pkg/config"
)

// file has the looks at its top, as the display's configuration does.
type file struct {
	animate.Config `yaml:",inline"`
}

func (f *file) Validate() error { return f.Config.Validate() }

func TestConfigIsReadFromYAML(t *testing.T) {
	const text = `
brightness: {lights: 20}
night:
  - {from: "22:00", to: "06:30", lights: 2, digits: 1}
zone: Europe/Berlin
idle: clock
hold: 10s
exit:
  lights: ["", "#200000"]
  digits: Pi
`
	got := file{animate.Defaults()}
	if err := config.Parse("display.yaml", []byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if got.Brightness != (animate.Brightness{Lights: 20, Digits: 3}) {
		t.Errorf("brightness %+v", got.Brightness)
	}
	if want := (animate.Hours{From: "22:00", To: "06:30", Brightness: animate.Brightness{Lights: 2, Digits: 1}}); got.Night[0] != want {
		t.Errorf("night %+v", got.Night)
	}
	if got.Idle != "clock" || time.Duration(got.Hold) != 10*time.Second || got.Exit.Digits != "Pi" {
		t.Errorf("got %+v", got)
	}
	scene, err := animate.New(nil, got.Config, noon)
	if err != nil {
		t.Fatal(err)
	}
	exit := scene.Exit()
	if exit.Pixels[1].R == 0 || exit.Pixels[1].G != 0 || exit.Pixels[0].Brightness != 0 || show(exit.Digits.Cells) != " Pi " {
		t.Errorf("the exit's picture is %+v", exit)
	}
}

func TestDefaultsAreValidAndLeaveItDark(t *testing.T) {
	cfg := animate.Defaults()
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if exit := newScene(t).Exit(); exit != (animate.Frame{}) {
		t.Errorf("the exit's picture is %+v", exit)
	}
}

func TestMistakesAreNamedWithTheirPlace(t *testing.T) {
	tests := map[string]struct{ text, place, hint string }{
		"too bright":    {"brightness: {lights: 32, digits: 3}", ":1:22: brightness.lights: 32", "0 (off) to 31"},
		"digits":        {"brightness:\n  digits: -1", ":2:11: brightness.digits: -1", "0 (off) to 8"},
		"night's from":  {"night:\n- {from: 10pm, to: '06:00'}", ":2:10: night[0].from: 10pm", `"22:00"`},
		"night's to":    {"night:\n- {from: '22:00', to: '24:00'}", "night[0].to: 24:00", `"22:00"`},
		"empty night":   {"night:\n- {from: '22:00', to: '22:00'}", "night[0].to: 22:00", "ends when it begins"},
		"night's light": {"night:\n- {from: '22:00', to: '23:00', lights: 99}", "night[0].lights: 99", "31"},
		"zone":          {"zone: Mars/Olympus", ":1:7: zone: Mars/Olympus", "Europe/Berlin"},
		"idle":          {"idle: total # of all\nidel: clock", ":2:1", "idel"},
		"idle's word":   {"idle: weather", ":1:7: idle: weather", "clock"},
		"hold":          {"hold: 5", ":1:7", "5"},
		"exit's LEDs":   {"exit: {lights: ['', '', '', '', '', '', '', '', '']}", "exit.lights: 9", "8 LEDs"},
		"exit's color":  {"exit: {lights: [red]}", "exit.lights[0]: red", "#rrggbb"},
		"exit's word":   {"exit: {digits: KWM}", ":1:16: exit.digits: KWM", "seven segments"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := config.Parse("display.yaml", []byte(test.text), &file{animate.Defaults()})
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), test.place) || !strings.Contains(err.Error(), test.hint) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
