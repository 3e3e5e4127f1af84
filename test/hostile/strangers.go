package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
	pialertv1 "github.com/pialert/pialert/proto/pialert/v1"
)

// strangers knock at the agent's port 600 times a second from 4,000 addresses, and 50 times a second
// from one more, which a paired display comes from as well.
type strangers struct {
	address string
	key     pairing.Fingerprint

	connections, hellos, secrets atomic.Uint64
}

const (
	knocks      = 600
	addresses   = 4000
	neighbours  = 50
	maxKnocking = 3000 // connections that are held at a time, for want of descriptors here
)

// shared is the address that the second display shares with strangers.
var shared = net.IPv4(127, 3, 0, 1)

func (s *strangers) run(ctx context.Context) {
	certificate := selfSigned()
	room := make(chan struct{}, maxKnocking)
	var all sync.WaitGroup
	defer all.Wait()
	knock := func(from net.IP, kind int) {
		select {
		case room <- struct{}{}:
		default:
			return
		}
		all.Go(func() {
			defer func() { <-room }()
			s.knock(ctx, from, kind, certificate)
		})
	}
	many, near := time.NewTicker(time.Second/knocks), time.NewTicker(time.Second/neighbours)
	defer many.Stop()
	defer near.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-many.C:
			at := i % addresses
			knock(net.IPv4(127, 2, byte(at>>8), byte(at)), i%8)
		case <-near.C:
			knock(shared, i%2)
		}
	}
}

// knock connects and does one of several things; what is not held to the end is cheap.
func (s *strangers) knock(ctx context.Context, from net.IP, kind int, certificate tls.Certificate) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	s.connections.Add(1)
	conn.SetDeadline(time.Now().Add(15 * time.Second))
	protocol := "pialert/1"
	switch kind {
	case 6:
		s.hellos.Add(1)
	case 7:
		s.hellos.Add(1)
		protocol = "pialert-join/1"
	default: // says nothing more than the beginning of a record, and waits
		conn.Write([]byte("\x16\x03\x01\x02\x00"))
		conn.Read(make([]byte, 1))
		return
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}, Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13})
	if secure.HandshakeContext(ctx) != nil {
		return
	}
	if protocol == "pialert-join/1" {
		secret := make([]byte, 16)
		rand.Read(secret)
		protodelim.MarshalTo(secure, &pialertv1.JoinRequest{Secret: secret, Name: "stranger", Role: pialertv1.Role_ROLE_DISPLAY})
		s.secrets.Add(1)
	}
	secure.Read(make([]byte, 1024))
}

// selfSigned makes a key that is paired nowhere.
func selfSigned() tls.Certificate {
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
}

// visits are those of the second display, from the address that it shares with strangers.
type visits struct {
	keyring *pairing.Keyring
	log     *slog.Logger

	tries, in int
	slowest   time.Duration
}

func (v *visits) run(ctx context.Context) {
	for ctx.Err() == nil {
		visit, leave := context.WithTimeout(ctx, 30*time.Second)
		began := time.Now()
		came := false
		dialer := link.Dialer{
			Keyring: v.keyring, Log: v.log,
			Dial: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: shared}, Timeout: 10 * time.Second}).DialContext,
		}
		dialer.Run(visit, func(context.Context, *link.Conn) error {
			came = true
			leave()
			return nil
		})
		leave()
		if ctx.Err() != nil && !came {
			return
		}
		if v.tries++; came {
			v.in++
		}
		v.slowest = max(v.slowest, time.Since(began))
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
		}
	}
}

func redeem(ctx context.Context, keyring *pairing.Keyring, token pairing.Token, log *slog.Logger) error {
	dialer := link.Dialer{Keyring: keyring, Log: log}
	_, err := dialer.Join(ctx, token, token.Addresses)
	return err
}
