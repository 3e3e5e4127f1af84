package pins

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestBusyNamesTheHolder(t *testing.T) {
	err := busy(4, "onewire@0").Error()
	for _, want := range []string{"BCM 4", `"onewire@0"`, "dtoverlay=", "another pin"} {
		if !strings.Contains(err, want) {
			t.Errorf("%q does not say %s", err, want)
		}
	}
	if err := busy(23, "").Error(); !strings.Contains(err, "held by another program") {
		t.Errorf("got %q", err)
	}
}

// The first words of soc/ranges on a Pi Zero, a Pi 3 and a Pi 4, whose addresses have two words.
func TestPeripherals(t *testing.T) {
	tests := map[string]struct {
		ranges string
		want   int64
	}{
		"Pi Zero": {"\x7e\x00\x00\x00\x20\x00\x00\x00\x01\x00\x00\x00", 0x20000000},
		"Pi 3":    {"\x7e\x00\x00\x00\x3f\x00\x00\x00\x01\x00\x00\x00", 0x3f000000},
		"Pi 4":    {"\x7e\x00\x00\x00\x00\x00\x00\x00\xfe\x00\x00\x00", 0xfe000000},
		"hidden":  {"", 0x20000000},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{"proc/device-tree/soc/ranges": {Data: []byte(test.ranges)}}
			if got := peripherals(root); got != test.want {
				t.Errorf("got %#x, want %#x", got, test.want)
			}
		})
	}
}
