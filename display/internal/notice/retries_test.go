package notice

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/notice/channel"
)

func TestRetries(t *testing.T) {
	o := openOffice(t)
	down := &channel.Failure{Outcome: channel.Failed, Answer: "503 down"}
	o.phone.answers = []error{down, down, &channel.Failure{Outcome: channel.Throttled, Answer: "429", Wait: 17 * time.Minute}}
	o.attack(1)
	o.work(5 * time.Second) // gathered for three seconds, then tried
	if n := len(o.phone.sent); n != 1 {
		t.Fatalf("%d attempts, want 1", n)
	}
	o.work(10 * time.Second)
	o.work(30 * time.Second)
	if n := len(o.phone.sent); n != 3 {
		t.Fatalf("%d attempts, want 3", n)
	}
	o.work(16 * time.Minute)
	if n := len(o.phone.sent); n != 3 {
		t.Fatalf("%d attempts before the service wants one, want 3", n)
	}
	o.work(2 * time.Minute)
	if all := o.entries(); len(o.phone.sent) != 4 || all[0].State != Delivered || all[0].Attempts != 3 {
		t.Errorf("%d attempts, outbox %+v; want 4 of which 3 count", len(o.phone.sent), all)
	}
}

// A service may answer a request by its header alone, while another goroutine begins to write the body: a message that
// was refused is not being sent again.
func TestNothingIsHandedOverBehindTheAnswer(t *testing.T) {
	o := openOffice(t)
	o.phone.answers = []error{&channel.Failure{Outcome: channel.Refused, Answer: "403 wrong token"}}
	o.attack(1)
	o.work(5 * time.Second)
	if err := channel.Handover(o.phone.last); err == nil {
		t.Error("the message was handed over when the service had answered")
	}
	if all := o.entries(); len(all) != 1 || all[0].State != Failed {
		t.Errorf("outbox %+v, want it failed", all)
	}
}

func TestSettle(t *testing.T) {
	fresh := Entry{Created: noon}
	tried := Entry{Created: noon, Attempts: 50}
	for name, test := range map[string]struct {
		entry Entry
		err   error
		state State
		next  time.Duration
	}{
		"delivered":            {fresh, nil, Delivered, 0},
		"failed":               {fresh, &channel.Failure{Outcome: channel.Failed}, Queued, 10 * time.Second},
		"failed often":         {tried, &channel.Failure{Outcome: channel.Failed}, Queued, time.Hour},
		"asked to wait":        {tried, &channel.Failure{Outcome: channel.Throttled, Wait: time.Minute}, Queued, time.Minute},
		"down for a while":     {fresh, &channel.Failure{Outcome: channel.Failed, Wait: time.Hour}, Queued, time.Hour},
		"refused":              {fresh, &channel.Failure{Outcome: channel.Refused}, Failed, 10 * time.Second},
		"unknown":              {fresh, &channel.Failure{Outcome: channel.Unknown}, Queued, 10 * time.Second},
		"unknown again":        {Entry{Created: noon, Unknown: 1}, &channel.Failure{Outcome: channel.Unknown}, Failed, 10 * time.Second},
		"an error of nobody's": {fresh, errors.New("x"), Queued, 10 * time.Second},
	} {
		got := settle(test.entry, "", test.err, noon)
		if got.State != test.state || got.Next.Sub(noon) != test.next {
			t.Errorf("%s: %s, next in %s; want %s in %s", name, got.State, got.Next.Sub(noon), test.state, test.next)
		}
	}
}

// A message is tried for as long as it is kept while the display runs. A clock that is set neither ends that nor draws it out.
func TestKeep(t *testing.T) {
	for name, throttled := range map[string]bool{"down": false, "throttling": true} {
		o := openOffice(t)
		answer := &channel.Failure{Outcome: channel.Failed, Answer: "503 down"}
		if throttled {
			answer = &channel.Failure{Outcome: channel.Throttled, Answer: "429", Wait: time.Hour}
		}
		o.phone.answers = slices.Repeat([]error{answer}, 10_000)
		o.attack(1)
		o.work(5 * time.Second)
		truth := o.now
		for year := range 2 {
			o.now = truth.AddDate(73*(1-2*year), 0, 0) // 2099, then 1953
			before := len(o.phone.sent)
			o.work(2 * time.Minute)
			if all := o.entries(); len(all) != 1 || all[0].State != Queued || len(o.phone.sent) == before {
				t.Errorf("%s in %d: %d attempts, outbox %+v", name, o.now.Year(), len(o.phone.sent)-before, all)
			}
		}
		o.now = truth
		o.work(time.Minute)
		o.pass(3*24*time.Hour - time.Hour)
		o.work(time.Minute)
		if all := o.entries(); len(all) != 1 || all[0].State != Queued {
			t.Errorf("%s, before it is over: outbox %+v", name, all)
		}
		o.pass(time.Hour)
		o.work(2 * time.Minute)
		if all := o.entries(); len(all) != 1 || all[0].State != Failed || all[0].Answer != "given up: "+answer.Error() {
			t.Errorf("%s: outbox %+v", name, all)
		}
	}
}

// An outbox of an earlier version goes on.
func TestAnOutboxOfBefore(t *testing.T) {
	o := openOffice(t)
	o.phone.answers = []error{&channel.Failure{Outcome: channel.Failed, Answer: "503 down"}}
	o.attack(1)
	o.work(5 * time.Second)
	if err := o.history.Update(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `ALTER TABLE notices DROP COLUMN waited`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		o.start()
		o.work(2 * time.Minute)
		if all := o.entries(); len(all) != 1 || all[0].State != Delivered {
			t.Errorf("outbox %+v", all)
		}
	}
}

func TestRetryOfWhatFailed(t *testing.T) {
	o := openOffice(t)
	o.phone.answers = []error{&channel.Failure{Outcome: channel.Refused, Answer: "401 wrong token"}}
	o.attack(1)
	o.work(time.Minute)
	all := o.entries()
	if len(all) != 1 || all[0].State != Failed || !strings.Contains(all[0].Answer, "401 wrong token") {
		t.Fatalf("outbox %+v", all)
	}
	if err := o.Retry(t.Context(), all[0].ID); err != nil {
		t.Fatal(err)
	}
	o.work(time.Second)
	if all := o.entries(); all[0].State != Delivered {
		t.Errorf("outbox %+v", all)
	}
	if err := o.Retry(t.Context(), all[0].ID); !errors.Is(err, errNoEntry) {
		t.Errorf("a delivered one was queued again: %v", err)
	}
}

// Whatever happens, a channel gets no more than its bound in a day, and the last one says so.
func TestTheDailyBound(t *testing.T) {
	o := openOffice(t)
	o.outbox.daily = 3
	for range 6 {
		o.attack(1)
		o.work(10 * time.Minute)
	}
	if len(o.phone.sent) != 3 || !slices.Contains(o.phone.sent[2].Lines, "This is the last notice of the day by phone: its bound is 3.") {
		t.Fatalf("sent %+v", o.phone.sent)
	}
	status, err := o.Status(t.Context())
	if err != nil || len(status) != 1 || status[0].Capped != 3 || status[0].Delivered != 3 || status[0].Answer != "taken" || status[0].Answered.IsZero() {
		t.Errorf("status %+v, %v", status, err)
	}
	o.now = noon.AddDate(0, 0, 1)
	o.attack(1)
	o.work(time.Minute)
	if len(o.phone.sent) != 4 {
		t.Errorf("%d sent on the next day, want 4", len(o.phone.sent))
	}
}
