package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// line is one line of a recording.
type line struct {
	at   time.Time
	log  string
	text []byte
}

// stamp is how the lines of a log begin with their time, or hold it between two texts.
type stamp struct{ before, after, layout string }

// stamps are those of the recordings: rsyslog's, and those of Apache's two logs.
var stamps = map[string]stamp{
	"auth.log":   {"", " ", time.RFC3339Nano},
	"access.log": {" [", "] \"", "02/Jan/2006:15:04:05 -0700"},
	"error.log":  {"[", "] ", "Mon Jan 02 15:04:05.000000 2006"},
}

// time returns the time of a line.
func (s stamp) time(text []byte) (time.Time, error) {
	_, rest, found := bytes.Cut(text, []byte(s.before))
	stamp, _, ends := bytes.Cut(rest, []byte(s.after))
	if !found || !ends {
		return time.Time{}, fmt.Errorf("no time in %q", text)
	}
	return time.Parse(s.layout, string(stamp))
}

// load reads recordings and returns all their lines in the order of time.
func load(dir string, names []string) ([]line, error) {
	var lines []line
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("cannot play the recording: %w", err)
		}
		for each := range bytes.Lines(text) {
			at, err := stamps[name].time(each)
			if err != nil {
				return nil, fmt.Errorf("cannot play %s: %w", name, err)
			}
			lines = append(lines, line{at, name, each})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	return lines, nil
}

// secondLog is the log of logins of the second server.
const secondLog = "second.log"

// share turns the recording of one server into that of two: of every three processes of sshd, one
// has run on the second. What it wrote stays together and in order.
func share(lines []line) {
	for i := range lines {
		_, rest, _ := bytes.Cut(lines[i].text, []byte("sshd["))
		digits, _, found := bytes.Cut(rest, []byte("]"))
		if pid, err := strconv.Atoi(string(digits)); found && err == nil && lines[i].log == "auth.log" && pid%3 == 0 {
			lines[i].log = secondLog
		}
	}
}

// play writes the lines into logs in dir, as far apart as they were recorded, until all are
// written or the context ends.
func play(ctx context.Context, dir string, lines []line) error {
	began := time.Now()
	for _, l := range lines {
		select {
		case <-time.After(l.at.Sub(lines[0].at) - time.Since(began)):
		case <-ctx.Done():
			return nil
		}
		file, err := os.OpenFile(filepath.Join(dir, l.log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = file.Write(l.text)
		if err := file.Close(); err != nil {
			return err
		}
		if err != nil {
			return err
		}
	}
	return nil
}
