package main

import (
	"log/slog"
	"testing"

	"github.com/pialert/pialert/agent/internal/watch"
)

// A machine without journalctl may have other logs to follow.
func TestNoJournalIsNoReasonToEnd(t *testing.T) {
	t.Parallel()
	run := &detection{
		journal: watch.NewJournal(watch.JournalOptions{Name: "journal", Command: []string{"/nowhere/journalctl"}}),
		logger:  slog.New(slog.DiscardHandler),
	}
	run.pipeline, _ = newTestPipeline(t)
	if err := run.followJournal(t.Context()); err != nil {
		t.Error(err)
	}
	if state := run.journal.Stats()[0].State; state != watch.Failing {
		t.Errorf("status says that the journal is %s", state)
	}
}
