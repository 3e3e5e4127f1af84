package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
)

// victims are the two programs, which are killed and started again.
type victims struct {
	pair           *program.Pair
	random         *rand.Rand
	agent, display *program.Process
	disks          disks
	kills, changes int
}

// begin starts both programs and pairs them.
func (v *victims) begin(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	if v.agent, err = v.pair.StartAgent(); err != nil {
		return err
	}
	if v.display, err = v.pair.StartDisplay(); err != nil {
		return err
	}
	return v.pair.Join(ctx)
}

// kill kills one of the two, or now and then both, and starts what it killed, at once or a
// little later.
func (v *victims) kill() error {
	either := v.random.IntN(10)
	agent, display := either < 5, either > 3
	for name, p := range map[string]*program.Process{"agent": v.agent, "display": v.display} {
		if p.Ended() {
			return fmt.Errorf("the %s ended by itself:\n%s", name, p.Stderr)
		}
	}
	if agent {
		v.agent.Kill()
		v.kills++
	}
	if display {
		v.display.Kill()
		v.kills++
	}
	if v.random.IntN(3) == 0 {
		time.Sleep(time.Duration(v.random.Int64N(int64(300 * time.Millisecond))))
	}
	var err error
	if agent {
		if v.agent, err = v.pair.StartAgent(); err != nil {
			return err
		}
	}
	if display {
		v.display, err = v.pair.StartDisplay()
	}
	return err
}

// changeKey has one of the two change its key now and then, whatever became of the last change. On a full
// disk that may fail.
func (v *victims) changeKey(ctx context.Context) error {
	command := [...]func(context.Context, ...string) (string, error){v.pair.Agent, v.pair.Display}[v.random.IntN(2)]
	if v.random.IntN(4) > 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	if out, err := command(ctx, "rotate-key"); err == nil {
		v.changes++
	} else if !v.disks.full() {
		return fmt.Errorf("cannot change a key: %w\n%s", err, out)
	}
	return nil
}

// end kills what still runs.
func (v *victims) end() {
	for _, p := range []*program.Process{v.agent, v.display} {
		if p != nil && !p.Ended() {
			p.Kill()
		}
	}
}
