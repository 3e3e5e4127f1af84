package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// attacks writes numbered attacks into a log, as sshd behind rsyslog does, and rotates it.
type attacks struct {
	log     string
	random  *rand.Rand
	written uint64 // attempts, each of which names a user of its own number
	rotated int
	kept    int // old files that a rotation leaves

	file *os.File // the log, or for a while after a rotation what it was
	late int      // writes that still go to the old file; 0 if there is none
}

// userOf is the account that attempt number n tries.
func userOf(n uint64) string { return fmt.Sprintf("u%06d", n) }

// Bounds of what is written at a time. On average 25 attempts every 15 ms are some 1,600 a
// second, with four lines each.
const (
	mostAtOnce = 50
	pause      = 15 * time.Millisecond
	rotateOdds = 150 // one in so many writes is followed by a rotation
)

// run writes until the context ends. A write may end in the middle of a line, or between the
// lines of one attempt; the next goes on from there.
func (a *attacks) run(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(a.log), 0o755); err != nil {
		return err
	}
	if err := a.open(); err != nil {
		return err
	}
	defer func() { a.file.Close() }()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	var rest []byte
	for {
		select {
		case <-ctx.Done():
			_, err := a.file.Write(rest)
			return err
		case now := <-tick.C:
			text := rest
			for range 1 + a.random.IntN(mostAtOnce) {
				text = a.attempt(text, now)
			}
			cut := len(text) - a.random.IntN(len(text)/4)
			if a.late == 1 {
				cut = len(text) // the old file ends with a whole line
			}
			if _, err := a.file.Write(text[:cut]); err != nil {
				return fmt.Errorf("cannot write the log: %w", err)
			}
			rest = append([]byte(nil), text[cut:]...)
			if err := a.rotate(); err != nil {
				return fmt.Errorf("cannot rotate the log: %w", err)
			}
		}
	}
}

// attempt appends what sshd writes of one more connection with one wrong password.
func (a *attacks) attempt(text []byte, now time.Time) []byte {
	a.written++
	user := userOf(a.written)
	source := fmt.Sprintf("203.0.113.%d", 1+a.random.IntN(250))
	port := 1024 + a.random.IntN(64000)
	head := fmt.Sprintf("%s vps sshd[%d]: ", now.Format("2006-01-02T15:04:05.000000-07:00"), 1000+a.written%30000)
	return fmt.Appendf(text, "%sInvalid user %s from %s port %d\n"+
		"%[1]spam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%[3]s \n"+
		"%[1]sFailed password for invalid user %s from %s port %d ssh2\n"+
		"%[1]sConnection closed by invalid user %[2]s %[3]s port %[4]d [preauth]\n", head, user, source, port)
}

// rotate now and then renames the log and creates it anew, as logrotate does, and keeps some
// old ones. As rsyslogd does until it is told, run first goes on with the old file for a while.
func (a *attacks) rotate() error {
	switch {
	case a.late > 1:
		a.late--
		return nil
	case a.late == 1:
		a.late = 0
		if err := a.file.Close(); err != nil {
			return err
		}
		return a.open()
	case a.random.IntN(rotateOdds) > 0:
		return nil
	}
	for n := a.kept; n > 1; n-- {
		os.Rename(fmt.Sprintf("%s.%d", a.log, n-1), fmt.Sprintf("%s.%d", a.log, n)) // may not be there yet
	}
	if err := os.Rename(a.log, a.log+".1"); err != nil {
		return err
	}
	a.rotated++
	a.late = 1 + a.random.IntN(5)
	return os.WriteFile(a.log, nil, 0o640)
}

func (a *attacks) open() (err error) {
	a.file, err = os.OpenFile(a.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	return err
}
