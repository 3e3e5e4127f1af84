package syslog

import (
	"context"
	"encoding/json"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
)

// position is what is stored of a port: that it is open, before anything can come in, and with how many
// connections. Who finds it open at its start knows that the agent was killed.
type position struct {
	Open        bool `json:"open"`
	Connections int  `json:"connections"`
}

// announce has it stored that the port is open, before it is, and waits until that is so.
func (p *Port) announce(ctx context.Context, emit source.Emit) error {
	chunk, now := p.chunk(nil)
	chunk.Position, _ = json.Marshal(now)
	committed := make(chan error, 1)
	chunk.Committed = func(err error) { committed <- err }
	if err := emit(ctx, chunk); err != nil {
		return err
	}
	p.stored = now
	select {
	case <-committed: // if it never will be, ctx ends, too
	case <-ctx.Done():
	}
	return nil
}

// chunk returns one without a position, and what the position is now.
func (p *Port) chunk(lines []byte) (source.Chunk, position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return source.Chunk{Name: p.options.Name, Source: p.options.Name, Data: lines, Observed: time.Now(), Once: true},
		position{!p.closed, len(p.connections)}
}

// hand gives lines to emit, and what is to be stored of the port if that has changed.
func (p *Port) hand(ctx context.Context, emit source.Emit, lines []byte) error {
	chunk, now := p.chunk(lines)
	if now != p.stored {
		chunk.Position, _ = json.Marshal(now)
	} else if len(lines) == 0 {
		return nil
	}
	if err := emit(ctx, chunk); err != nil {
		return err
	}
	p.stored = now
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Bytes += uint64(len(lines))
	if len(lines) > 0 {
		p.stats.LastLine = chunk.Observed
	}
	return nil
}

// interrupted looks at what was stored: whether the port was open when the agent was killed.
func (p *Port) interrupted() {
	stored, ok := p.options.Restore(p.options.Name)
	var before position
	if !ok || json.Unmarshal(stored, &before) != nil || !before.Open && before.Connections <= 0 {
		return
	}
	p.options.Restore = func(string) ([]byte, bool) { return nil, false } // this process has seen it
	p.mu.Lock()
	p.network.Killed, p.network.Interrupted = true, uint64(max(before.Connections, 0))
	p.mu.Unlock()
	p.options.Logger.Warn("the agent was killed while it listened; what was on its way may be lost",
		"listen", p.options.Name, "connections", before.Connections)
}
