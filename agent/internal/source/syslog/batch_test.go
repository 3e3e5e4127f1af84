package syslog

import (
	"bytes"
	"fmt"
	"net"
	"testing"
)

// Datagrams come whole, in their order and each with its own sender, however many wait.
func TestBatches(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1", "::1"} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(address)})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			one, err := net.Dial("udp", conn.LocalAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer one.Close()
			other := one
			if address == "127.0.0.1" {
				if other, err = (&net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("udp", conn.LocalAddr().String()); err != nil {
					t.Fatal(err)
				}
				defer other.Close()
			}
			type sent struct {
				from net.Conn
				data []byte
			}
			var all []sent
			for i := range 3 * batchSize / 2 {
				s := sent{one, fmt.Append(nil, i)}
				switch i % 3 {
				case 1:
					s.from = other
				case 2:
					s.data = bytes.Repeat([]byte{byte(i)}, 1000*i%1400)
				}
				if _, err := s.from.Write(s.data); err != nil {
					t.Fatal(err)
				}
				all = append(all, s)
			}
			packets := newBatch(conn)
			for len(all) > 0 {
				n, err := packets.read()
				if err != nil || n < 1 || n > len(all) {
					t.Fatalf("%d datagrams, %v, want up to %d", n, err, len(all))
				}
				for i, want := range all[:n] {
					data, addr := packets.datagram(i)
					from, _, _ := net.SplitHostPort(want.from.LocalAddr().String())
					if !bytes.Equal(data, want.data) || addr.String() != from {
						t.Errorf("%q from %s, want %q from %s", data, addr, want.data, from)
					}
				}
				all = all[n:]
			}
		})
	}
}
