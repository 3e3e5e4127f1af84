// Command crowd is thousands of agents in one process, for measuring: the real uplink to a broker of
// each, with a key and a connection of its own, and a spool in memory in place of a disk.
//
//	crowd -dir DIR -agents 5000 -prepare > peers.json    the agents as a display's peers
//	crowd -dir DIR -agents 5000 -events 500000 -server nats://127.0.0.1:4222 -display KEY
//
// It prints "connected SECONDS" when all were welcomed, waits for a line on standard input, lets all
// events loose, and prints "committed SECONDS" when the display has acknowledged all of them. It then
// stays until standard input ends.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pialert/pialert/agent/internal/uplink"
	"github.com/pialert/pialert/agent/internal/uplink/nats"
	"github.com/pialert/pialert/pkg/broker"
	"github.com/pialert/pialert/pkg/pairing"
)

func main() {
	var c crowd
	flag.StringVar(&c.dir, "dir", "", "`folder` of the agents' keys")
	flag.IntVar(&c.agents, "agents", 10, "how many")
	flag.IntVar(&c.events, "events", 1000, "events of all of them together")
	flag.StringVar(&c.server, "server", "", "the broker's `address`")
	flag.StringVar(&c.display, "display", "", "the display's key, as peers prints it")
	prepare := flag.Bool("prepare", false, "print the agents as the peers of a display")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := c.open()
	switch {
	case err != nil:
	case *prepare:
		err = c.printPeers()
	default:
		err = c.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

type crowd struct {
	dir, server, display string
	agents, events       int
	keyrings             []*pairing.Keyring
}

// open makes or reads the agents' keys.
func (c *crowd) open() error {
	for i := range c.agents {
		name := fmt.Sprintf("agent-%05d", i)
		keyring, err := pairing.Open(filepath.Join(c.dir, name), pairing.Agent, name)
		if err != nil {
			return err
		}
		c.keyrings = append(c.keyrings, keyring)
	}
	return nil
}

func (c *crowd) printPeers() error {
	peers := []pairing.Peer{}
	for _, k := range c.keyrings {
		peers = append(peers, pairing.Peer{Name: k.Name(), Role: pairing.Agent, Key: k.Key(), Public: k.Public(), Paired: time.Unix(1e9, 0).UTC()})
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"version": 1, "peers": peers})
}

func (c *crowd) run(ctx context.Context) error {
	key, err := pairing.ParseFingerprint(c.display)
	if err != nil {
		return err
	}
	loose := make(chan struct{})
	var acked atomic.Int64
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	var all sync.WaitGroup
	defer all.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	start := time.Now()
	var uplinks []*nats.Uplink
	for i, keyring := range c.keyrings {
		if _, err := keyring.Peer("desk"); err != nil {
			if err := keyring.Add(pairing.Peer{Name: "desk", Role: pairing.Display, Key: key}); err != nil {
				return err
			}
		}
		share := c.events / c.agents
		if i < c.events%c.agents {
			share++
		}
		up := nats.New(nats.Options{
			Uplink:  uplink.Options{Version: "crowd", Spool: &spool{name: keyring.Name(), events: uint64(share), loose: loose, acked: &acked}, Logger: logger},
			Keyring: keyring, Broker: broker.Config{Servers: []string{c.server}, Stream: "pialert"},
		})
		uplinks = append(uplinks, up)
	}
	prepared := time.Since(start)
	start = time.Now()
	for _, up := range uplinks {
		all.Go(func() {
			if err := up.Run(ctx); err != nil {
				fmt.Fprintln(os.Stderr, "error:", err)
			}
		})
	}
	await(ctx, func() bool {
		for _, up := range uplinks {
			if states := up.States(); len(states) != 1 || !states[0].Up {
				return false
			}
		}
		return true
	})
	fmt.Printf("connected %.3f (keys in %.1f)\n", time.Since(start).Seconds(), prepared.Seconds())
	in := bufio.NewScanner(os.Stdin)
	if !in.Scan() {
		return nil
	}
	start = time.Now()
	close(loose)
	await(ctx, func() bool { return acked.Load() >= int64(c.events) })
	fmt.Printf("committed %.3f\n", time.Since(start).Seconds())
	for in.Scan() {
	}
	return nil
}

// await waits until something is so, or ctx ends.
func await(ctx context.Context, so func() bool) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
