package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Syslog says how rsyslogd writes.
type Syslog struct {
	// Traditional writes RFC 3164 headers ("Nov 20 13:04:15 vps sshd[7]: ") instead of Debian
	// 12's RFC 3339 ones.
	Traditional bool
	// Reduce writes "message repeated N times: [ ... ]", as Ubuntu is set up.
	Reduce bool
}

// StartSyslog starts rsyslogd, which writes what arrives at /dev/log for auth and authpriv to
// /var/log/auth.log, in the format of o, and also to auth-3164.log and auth-3339.log, and for
// everything else to /var/log/syslog.
func (m *Machine) StartSyslog(ctx context.Context, o Syslog) error {
	format, reduce := "RSYSLOG_FileFormat", "off"
	if o.Traditional {
		format = "RSYSLOG_TraditionalFileFormat"
	}
	if o.Reduce {
		reduce = "on"
	}
	conf := fmt.Sprintf(`module(load="imuxsock")
$RepeatedMsgReduction %s
$WorkDirectory /run
auth,authpriv.* /var/log/auth.log;%s
auth,authpriv.* /var/log/auth-3164.log;RSYSLOG_TraditionalFileFormat
auth,authpriv.* /var/log/auth-3339.log;RSYSLOG_FileFormat
*.*;auth,authpriv.none /var/log/syslog;%[2]s
`, reduce, format)
	if err := os.WriteFile(filepath.Join(m.dir, "var/log/rsyslog.conf"), []byte(conf), 0o644); err != nil {
		return fmt.Errorf("cannot configure rsyslogd: %w", err)
	}
	return m.start(ctx, "/dev/log", "/usr/sbin/rsyslogd", "-n", "-f", "/var/log/rsyslog.conf",
		"-i", "/run/rsyslogd.pid")
}

// StartJournal starts systemd-journald, which then owns /dev/log. Read it with journalctl
// through [Machine.Command].
func (m *Machine) StartJournal(ctx context.Context) error {
	if err := m.Command(ctx, "mkdir", "-p", "/run/systemd/journal", "/run/log/journal").Run(); err != nil {
		return fmt.Errorf("cannot make journald's folders: %w", err)
	}
	const socket = "/run/systemd/journal/dev-log"
	if err := m.start(ctx, socket, "/lib/systemd/systemd-journald"); err != nil {
		return err
	}
	if err := m.Command(ctx, "ln", "-s", socket, "/dev/log").Run(); err != nil {
		return fmt.Errorf("cannot link /dev/log to the journal: %w", err)
	}
	return nil
}
