package main

import "testing"

// TestReportSocket: two agents of a machine that have a control socket each have a report socket each.
func TestReportSocket(t *testing.T) {
	for _, test := range []struct{ control, socket, want string }{
		{"/run/pialert-agent/control.sock", defaultReports().Socket, "/run/pialert-agent/report/report.sock"},
		{"/tmp/demo/agent.sock", defaultReports().Socket, "/tmp/demo/report/report.sock"},
		{"/tmp/demo/agent.sock", "/run/reports.sock", "/run/reports.sock"},
		{"/tmp/demo/agent.sock", "", ""},
	} {
		cfg := defaults()
		cfg.Control, cfg.Report.Socket = test.control, test.socket
		if got := cfg.reportSocket(); got != test.want {
			t.Errorf("control %q and report.socket %q give %q, want %q", test.control, test.socket, got, test.want)
		}
	}
}
