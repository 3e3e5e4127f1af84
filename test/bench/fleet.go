package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/pairing"
)

// crowds are how many agents are measured, and events how many they send altogether.
var crowds = []int{10, 100, 1000, 5000}

const fleetEvents = 500_000

// fleetTimeout is how long one crowd may take.
const fleetTimeout = 10 * time.Minute

// fleet measures agents by the thousand, whose events come by a nats-server with file storage beside.
func (b *bench) fleet(ctx context.Context) error {
	crowd, err := b.buildCrowd(ctx)
	if err != nil {
		return err
	}
	for _, agents := range crowds {
		found, err := b.crowd(ctx, crowd, agents)
		if err != nil {
			return err
		}
		row(fmt.Sprintf("%s agents by NATS", thousands(agents)), "50,000 events/s at 5,000 agents",
			"connected in %.1f s; %s events/s to committed history; broker %.1f MiB, %.1f KiB an agent; display %.1f MiB, %.1f KiB an agent; `fleet status` in %d ms, `status` in %d ms",
			found.connected, thousands(int(fleetEvents/found.committed)), mib(found.broker), kib(found.broker-found.emptyBroker, agents),
			mib(found.display), kib(found.display-found.emptyDisplay, agents), found.fleetStatus.Milliseconds(), found.status.Milliseconds())
	}
	return nil
}

// buildCrowd builds the program that is thousands of agents, and returns its path.
func (b *bench) buildCrowd(ctx context.Context) (crowd string, err error) {
	crowd = filepath.Join(b.dir, "crowd")
	build := exec.CommandContext(ctx, "go", "build", "-o", crowd, "./agent/internal/uplink/nats/crowd")
	build.Dir = repository
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the crowd: %w\n%s", err, out)
	}
	return crowd, nil
}

// peers returns the file of a display's peers that has so many agents in it.
func (b *bench) peers(ctx context.Context, crowd string, agents int) ([]byte, error) {
	return exec.CommandContext(ctx, crowd, "-dir", filepath.Join(b.dir, "keys"), "-agents", strconv.Itoa(agents), "-prepare").Output()
}

func mib(bytes int64) float64             { return float64(bytes) / (1 << 20) }
func kib(bytes int64, agents int) float64 { return float64(bytes) / (1 << 10) / float64(agents) }

// crowdFound is what was measured of one crowd. Memory is of agents that are connected and quiet.
type crowdFound struct {
	connected, committed                       float64 // seconds
	broker, emptyBroker, display, emptyDisplay int64   // bytes resident
	status, fleetStatus                        time.Duration
}

// crowd measures so many agents.
func (b *bench) crowd(ctx context.Context, crowd string, agents int) (found crowdFound, err error) {
	ctx, cancel := context.WithTimeout(ctx, fleetTimeout)
	defer cancel()
	dir, err := os.MkdirTemp(b.dir, "fleet")
	if err != nil {
		return found, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return found, err
	}
	address := "nats://" + free.Addr().String()
	free.Close()
	config := filepath.Join(dir, "nats.conf")
	text := fmt.Sprintf("listen: %q\nmax_payload: 1048576\njetstream {store_dir: %q}\n", strings.TrimPrefix(address, "nats://"), dir)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return found, err
	}
	broker, err := program.Start(exec.Command("nats-server", "-c", config))
	if err != nil {
		return found, err
	}
	defer broker.Kill()
	pair, err := program.LayOut(dir, b.programs, program.Settings{Dial: "nats", DisplayNATS: fmt.Sprintf("{servers: [%q]}", address)})
	if err != nil {
		return found, err
	}
	display, err := pairing.Open(filepath.Join(dir, "display"), pairing.Display, program.DisplayName)
	if err != nil {
		return found, err
	}
	keys := filepath.Join(b.dir, "keys") // of all crowds
	peers, err := b.peers(ctx, crowd, agents)
	if err != nil {
		return found, err
	}
	if err := os.WriteFile(filepath.Join(dir, "display", "peers.json"), peers, 0o600); err != nil {
		return found, err
	}
	shown, err := pair.StartDisplay()
	if err != nil {
		return found, err
	}
	defer shown.Kill()
	socket := control.Client{Path: filepath.Join(dir, "display.sock")}
	if err := program.Poll(ctx, func() error { return socket.Call(ctx, "/status", nil, nil) }); err != nil {
		return found, err
	}
	found.emptyBroker, found.emptyDisplay = residentNow(broker), residentNow(shown)

	// Each crowd has a display of its own, so its agents know that one.
	for i := range agents {
		os.Remove(filepath.Join(keys, fmt.Sprintf("agent-%05d", i), "peers.json"))
	}
	run := exec.CommandContext(ctx, crowd, "-dir", keys, "-agents", strconv.Itoa(agents), "-events", strconv.Itoa(fleetEvents),
		"-server", address, "-display", display.Key().String())
	run.Stderr = os.Stderr
	in, err := run.StdinPipe()
	if err != nil {
		return found, err
	}
	out, err := run.StdoutPipe()
	if err != nil {
		return found, err
	}
	if err := run.Start(); err != nil {
		return found, err
	}
	defer func() { in.Close(); err = errors.Join(err, run.Wait()) }()
	said := bufio.NewScanner(out)
	if found.connected, err = seconds(said, "connected"); err != nil {
		return found, err
	}
	found.broker, found.display = residentNow(broker), residentNow(shown)
	start := time.Now()
	if _, err := io.WriteString(in, "go\n"); err != nil {
		return found, err
	}
	err = program.Poll(ctx, func() error {
		var status program.DisplayStatus
		err := socket.Call(ctx, "/status", nil, &status)
		if err == nil && status.Total != fleetEvents {
			err = fmt.Errorf("the display counts %d of %d", status.Total, fleetEvents)
		}
		time.Sleep(200 * time.Millisecond) // it costs the display something to say so
		return err
	})
	if err != nil {
		return found, fmt.Errorf("%w\n%s", err, shown.Stderr)
	}
	found.committed = time.Since(start).Seconds()
	for path, took := range map[string]*time.Duration{"/status": &found.status, "/fleet": &found.fleetStatus} {
		asked := time.Now()
		if err := socket.Call(ctx, path, nil, nil); err != nil {
			return found, err
		}
		*took = time.Since(asked)
	}
	_, err = seconds(said, "committed")
	return found, err
}

// seconds reads what a crowd says of how long something took.
func seconds(said *bufio.Scanner, what string) (float64, error) {
	if !said.Scan() {
		return 0, fmt.Errorf("the crowd ended before it was %s", what)
	}
	words := strings.Fields(said.Text())
	if len(words) < 2 || words[0] != what {
		return 0, fmt.Errorf("the crowd said %q", said.Text())
	}
	return strconv.ParseFloat(words[1], 64)
}

// residentNow returns the memory of a process.
func residentNow(p *program.Process) int64 {
	memory, err := resident(p.Pid())
	if err != nil {
		return 0
	}
	return memory.now
}
