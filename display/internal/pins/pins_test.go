package pins_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pialert/pialert/display/internal/pins"
)

func machine(model string) fstest.MapFS {
	return fstest.MapFS{"proc/device-tree/model": {Data: []byte(model + "\x00")}}
}

func TestModel(t *testing.T) {
	if got := pins.Model(machine("Raspberry Pi Zero W Rev 1.1")); got != "Raspberry Pi Zero W Rev 1.1" {
		t.Errorf("got %q", got)
	}
	// A unit that may see no more of /proc than processes.
	hidden := fstest.MapFS{"sys/firmware/devicetree/base/model": {Data: []byte("Raspberry Pi 5 Model B Rev 1.0\x00")}}
	if got := pins.Model(hidden); got != "Raspberry Pi 5 Model B Rev 1.0" {
		t.Errorf("got %q", got)
	}
	if got := pins.Model(fstest.MapFS{}); got != "" {
		t.Errorf("a PC is a %q", got)
	}
}

// The machine that runs the tests has no GPIO; what the errors say depends on the model alone.
func TestErrorsSayWhatIsMissing(t *testing.T) {
	tests := []struct {
		model string
		way   pins.Way
		want  []string
	}{
		{"", pins.Auto, []string{"no Raspberry Pi", "--driver terminal"}},
		{"Raspberry Pi Zero W Rev 1.1", pins.Auto, []string{"this Raspberry Pi Zero W Rev 1.1", "--driver terminal"}},
		{"Raspberry Pi 4 Model B Rev 1.4", pins.Auto, []string{"this Raspberry Pi 4 Model B", "--driver terminal"}},
		{"Raspberry Pi 5 Model B Rev 1.0", pins.Auto, []string{"this Raspberry Pi 5", "gpiochip0", "--driver terminal"}},
		{"Raspberry Pi 4 Model B Rev 1.4", pins.CDev, []string{"gpiochip0"}},
	}
	for _, test := range tests {
		t.Run(test.model+" "+string(test.way), func(t *testing.T) {
			board, err := pins.Open(machine(test.model), test.way)
			if err == nil {
				board.Close()
				t.Fatal("pins were opened on a machine without any")
			}
			if !errors.Is(err, pins.ErrNoHardware) {
				t.Errorf("the error is no ErrNoHardware: %v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error misses %q: %v", want, err)
				}
			}
		})
	}
	if _, err := pins.Open(machine(""), "magic"); err == nil || !strings.Contains(err.Error(), "auto, rpio or cdev") {
		t.Errorf("an unknown way: %v", err)
	}
}
