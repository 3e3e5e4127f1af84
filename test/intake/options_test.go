package intake

import "github.com/pialert/pialert/test/daemon"

var (
	syslogOptions = daemon.Syslog{}
	sshdOptions   = daemon.SSHD{}
)
