package header

import "testing"

func TestCutKernel(t *testing.T) {
	for body, want := range map[string]string{
		"kernel: [  970.699397] DROP IN=eth0":   "DROP IN=eth0",
		"kernel: [970.699397]: DROP IN=eth0":    "DROP IN=eth0",
		"kernel: x970.699397] DROP IN=eth0":     "kernel: x970.699397] DROP IN=eth0",
		"kernel: [eth0: link] DROP IN=eth0":     "kernel: [eth0: link] DROP IN=eth0",
		"kernel: [1] DROP IN=eth0":              "kernel: [1] DROP IN=eth0",
		"kernel: 970.699397 DROP IN=eth0":       "kernel: 970.699397 DROP IN=eth0",
		"sshd: [  970.699397] DROP IN=eth0":     "sshd: [  970.699397] DROP IN=eth0",
		"kernel: [  970.699397    ] and behind": "kernel: [  970.699397    ] and behind",
	} {
		if got := string(cutKernel([]byte(body))); got != want {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
	}
}

func TestPaddedTime(t *testing.T) {
	for text, want := range map[string]bool{
		"  9:00:00": true, "  9:59:59 0": true,
		" 19:00:00": false, "  x:00:00": false, "  9-00:00": false, "  9:x0:00": false, "  9:0x:00": false,
		"  9:00-00": false, "  9:00:x0": false, "  9:00:0x": false,
	} {
		if got := isPaddedTime([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
