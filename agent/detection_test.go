package main

import (
	"log/slog"
	"testing"

	"github.com/pialert/pialert/agent/internal/source"
	"github.com/pialert/pialert/agent/internal/source/journal"
)

// A machine without journalctl may have other logs to follow.
func TestNoJournalIsNoReasonToEnd(t *testing.T) {
	t.Parallel()
	missing := journal.New(journal.Options{Name: "journal", Command: []string{"/nowhere/journalctl"}})
	run := &detection{sources: []source.Source{missing}, logger: slog.New(slog.DiscardHandler)}
	run.pipeline, _ = newTestPipeline(t)
	if err := run.follow(t.Context(), missing); err != nil {
		t.Error(err)
	}
	if state := run.stats()[0].State; state != source.Failing {
		t.Errorf("status says that the journal is %s", state)
	}
}
