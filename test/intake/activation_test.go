package intake

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// A port below 1024 is opened by systemd and taken over by an agent without any right, the first message
// starts it, and none is lost.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			const address, messages = "127.0.0.2:514", 20
			options := []string{"--listen=" + address}
			if network == "udp" {
				options = append(options, "--datagram")
			}
			s := bootWith(t, fmt.Sprintf("syslog:\n  - {listen: '%s://%s', from: [127.0.0.0/8]}\n", network, address), false, func(s *server) {
				const nobody = 65534
				s.must(os.Chown(s.dir, nobody, nobody))
				s.must(os.Chmod(filepath.Dir(programs.Agent), 0o755))
				s.before = append([]string{"systemd-socket-activate"}, append(options,
					"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--")...)
				s.opened = func() {
					conn, err := net.Dial(network, address)
					s.must(err)
					defer conn.Close()
					for i := range messages {
						_, err := io.WriteString(conn, "<38>Nov 20 12:00:00 web sshd[7]: "+failed(i)+"\n")
						s.must(err)
					}
				}
			})
			s.want(map[string]uint64{network: messages})
		})
	}
}
