package terminal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func (t *Terminal) live(ctx context.Context) (err error) {
	restore := silence(t.out)
	defer restore()
	if _, err := io.WriteString(t.out, enter); err != nil {
		return err
	}
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH, syscall.SIGCONT)
	defer signal.Stop(resized)
	p := &painter{screen: t.screen}
	defer func() { err = errors.Join(err, t.leave(p)) }()
	step := time.NewTicker(sparkStep)
	defer step.Stop()
	for {
		if err := t.paint(p); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(minPaint):
		}
		select {
		case <-ctx.Done():
			return nil
		case <-resized:
			p.forget()
		case <-t.wake:
		case <-step.C: // the minute goes on
		}
	}
}

// paint writes what has changed since the last painting.
func (t *Terminal) paint(p *painter) error {
	t.mu.Lock()
	text := p.paint(&t.state, t.events, time.Now())
	t.mu.Unlock()
	if len(text) == 0 {
		return nil
	}
	_, err := t.out.Write(text)
	return err
}

// leave closes the screen, and writes below what was there before what was logged and the last
// picture. LEDs and digits are as they were before they went out.
func (t *Terminal) leave(p *painter) error {
	t.mu.Lock()
	var text bytes.Buffer
	text.WriteString(leave)
	for _, each := range t.logged {
		text.WriteString(each)
		text.WriteByte('\n')
	}
	final := t.state
	final.pixels, final.digits, final.note = t.state.lit.pixels, t.state.lit.digits, ""
	text.Write(p.last(&final, t.events, time.Now()))
	t.mu.Unlock()
	_, err := t.out.Write(text.Bytes())
	return err
}
