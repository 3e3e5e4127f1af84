package notice

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/pkg/attack"
)

// store is a real history as the service needs it.
type store struct{ *history.History }

func (s store) After(ctx context.Context, cursor int64, limit int) ([]Record, error) {
	records, err := s.History.After(ctx, cursor, limit)
	var all []Record
	for _, r := range records {
		all = append(all, Record{ID: r.ID, Agent: r.Agent, Arrived: r.Arrived, Event: r.Event})
	}
	return all, err
}

// stand is a channel that answers what a test wants.
type stand struct {
	answers []error // in turn; then it takes everything
	sent    []channel.Message
	before  func() // runs before the message is handed over
	during  func() // runs while the service is asked
	last    context.Context
}

func (s *stand) Send(ctx context.Context, m *channel.Message) (string, error) {
	s.last = ctx
	if s.before != nil {
		s.before()
	}
	if err := channel.Handover(ctx); err != nil {
		return "", err
	}
	s.sent = append(s.sent, *m)
	if s.during != nil {
		s.during()
	}
	if len(s.answers) == 0 {
		return "taken", nil
	}
	err := s.answers[0]
	s.answers = s.answers[1:]
	return "", err
}

// office is a service with one channel over a real history, whose clock the test moves.
type office struct {
	*Service
	t        *testing.T
	history  *history.History
	phone    *stand
	now      time.Time
	ran      time.Duration // how long the display has, whatever the clock says
	plan     *plan
	log      strings.Builder
	sequence uint64
}

func openOffice(t *testing.T) *office {
	t.Helper()
	h, err := history.Open(history.Options{Path: filepath.Join(t.TempDir(), "history.db")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, h.Close()); err != nil {
			t.Error(err)
		}
	})
	o := &office{t: t, history: h, phone: &stand{}, now: noon}
	o.start()
	return o
}

// start makes a service as after a start of the program.
func (o *office) start() {
	o.t.Helper()
	c := Defaults()
	c.Channels = []ChannelConfig{{Name: "phone", Webhook: &Webhook{URL: "https://hooks.example.org/"}}}
	c.Rules = []RuleConfig{{To: []string{"phone"}, When: &When{Families: []string{"ssh"}}}}
	if err := c.Validate(); err != nil {
		o.t.Fatal(err)
	}
	o.Service = New(Options{
		Config: c, Channels: map[string]Channel{"phone": o.phone}, History: store{o.history}, Zone: time.UTC,
		Now: func() time.Time { return o.now }, Ran: func() time.Duration { return o.ran }, Logger: slog.New(slog.NewTextHandler(&o.log, nil)),
		Around: Around{
			Heard: func() []Heard { return nil }, Dropped: func() []Dropped { return nil },
			Summary: func(context.Context, time.Time, time.Time) (Summary, error) { return Summary{}, nil },
		},
	})
	plan, err := o.open(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	o.plan = plan
}

// attack commits attempts.
func (o *office) attack(count uint64) {
	o.t.Helper()
	o.sequence++
	committed := make(chan error, 1)
	err := o.history.Append(o.t.Context(), "web1", 1, o.sequence, []attack.Event{{
		Kind: attack.SSHLogin, Severity: attack.Medium, Observed: noon, Count: count, SourceIP: netip.MustParseAddr("203.0.113.7"), User: "root",
	}}, func(_ uint64, err error) { committed <- err })
	if err := errors.Join(err, <-committed); err != nil {
		o.t.Fatal(err)
	}
}

// pass lets time go by.
func (o *office) pass(span time.Duration) {
	o.now = o.now.Add(span)
	o.ran += span
}

// work lets the service look and deliver, second by second.
func (o *office) work(span time.Duration) {
	o.t.Helper()
	w := &worker{"phone", o.phone, o.outbox, nil, o.options.Logger, o.options.Now}
	for end := o.now.Add(span); o.now.Before(end); o.pass(time.Second) {
		if err := o.turn(o.t.Context(), o.plan); err != nil {
			o.t.Fatal(err)
		}
		for {
			wait, err := w.step(o.t.Context())
			if err != nil {
				o.t.Fatal(err)
			}
			if wait > 0 {
				break
			}
		}
	}
}

func (o *office) entries() []Entry {
	o.t.Helper()
	all, err := o.List(o.t.Context(), 100)
	if err != nil {
		o.t.Fatal(err)
	}
	return all
}

func TestANoticeArrivesOnce(t *testing.T) {
	o := openOffice(t)
	o.attack(1)
	o.work(10 * time.Second)
	if len(o.phone.sent) != 1 || o.phone.sent[0].Subject != `1 failed SSH login of "root" from 203.0.113.7 on web1` {
		t.Fatalf("sent %+v", o.phone.sent)
	}
	all := o.entries()
	if len(all) != 1 || all[0].State != Delivered || all[0].Attempts != 1 || all[0].Answer != "taken" || o.phone.sent[0].ID != "notice1" {
		t.Errorf("outbox %+v", all)
	}
}

// What happened before there were notices, and what was told before a restart, is not told.
func TestTheCursor(t *testing.T) {
	o := openOffice(t)
	o.attack(1)
	o.start() // no message yet, so nothing is kept
	o.attack(2)
	o.work(10 * time.Second)
	o.start()
	o.work(time.Hour)
	if len(o.phone.sent) != 1 || !strings.HasPrefix(o.phone.sent[0].Subject, "2 failed SSH logins") {
		t.Errorf("sent %+v", o.phone.sent)
	}
}

// A crash while events are held back repeats none of them and loses none.
func TestACrashBetweenMessages(t *testing.T) {
	o := openOffice(t)
	o.attack(1)
	o.work(10 * time.Second)
	o.attack(10)
	o.work(30 * time.Second)
	o.start() // as after a crash: what was not saved is read again
	o.attack(100)
	o.work(10 * time.Minute)
	if len(o.phone.sent) != 2 || !strings.HasPrefix(o.phone.sent[1].Subject, "110 failed SSH logins on web1") {
		t.Errorf("sent %+v", o.phone.sent)
	}
}

// A crash while a service is asked leaves open whether the message arrived: it is sent once more,
// under the same id.
func TestACrashWhileSending(t *testing.T) {
	o := openOffice(t)
	o.attack(1)
	o.work(time.Second)
	crash := errors.New("crash")
	for range 2 {
		o.phone.during = func() { panic(crash) }
		func() {
			defer func() {
				if recover() != crash {
					t.Error("it was not sent")
				}
			}()
			o.work(10 * time.Second)
		}()
		o.phone.during = nil
		o.start()
	}
	o.work(time.Hour)
	ids := []string{o.phone.sent[0].ID, o.phone.sent[1].ID}
	if len(o.phone.sent) != 2 || !slices.Equal(ids, []string{"notice1", "notice1"}) {
		t.Errorf("sent %q, want the same twice", ids)
	}
	if all := o.entries(); len(all) != 1 || all[0].State != Failed || all[0].Unknown != 2 {
		t.Errorf("outbox %+v", all)
	}
	if n := strings.Count(o.log.String(), "the display ended twice"); n != 1 {
		t.Errorf("the log says %d times that it may not have arrived: %s", n, &o.log)
	}
	if err := o.Retry(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	o.work(time.Second)
	if all := o.entries(); len(o.phone.sent) != 3 || all[0].State != Delivered {
		t.Errorf("after a retry: outbox %+v", all)
	}
}

// A crash before a message is handed over leaves nothing open, however often.
func TestACrashWhileConnecting(t *testing.T) {
	o := openOffice(t)
	o.attack(1)
	o.work(time.Second)
	crash := errors.New("crash")
	for range 5 {
		o.phone.before = func() { panic(crash) }
		func() {
			defer func() {
				if recover() != crash {
					t.Error("it was not to be sent")
				}
			}()
			o.work(10 * time.Second)
		}()
		o.phone.before = nil
		o.start()
	}
	o.work(time.Hour)
	if all := o.entries(); len(o.phone.sent) != 1 || len(all) != 1 || all[0].State != Delivered || all[0].Unknown != 0 {
		t.Errorf("%d sent, outbox %+v", len(o.phone.sent), all)
	}
}

// A message is not handed over while the outbox cannot note it, which is no attempt.
func TestAnOutboxThatCannotBeWritten(t *testing.T) {
	o := openOffice(t)
	full := errors.New("no space left")
	o.outbox.history = brittle{o.outbox.history, &full}
	o.attack(1)
	working := full
	full = nil
	if err := o.turn(t.Context(), o.plan); err != nil {
		t.Fatal(err)
	}
	o.pass(gatherTime)
	if err := o.turn(t.Context(), o.plan); err != nil {
		t.Fatal(err)
	}
	full = working
	w := &worker{"phone", o.phone, o.outbox, nil, o.options.Logger, o.options.Now}
	if _, err := w.step(t.Context()); !errors.Is(err, working) || len(o.phone.sent) > 0 {
		t.Errorf("%d sent, error %v", len(o.phone.sent), err)
	}
	full = nil
	o.work(time.Second)
	if all := o.entries(); len(o.phone.sent) != 1 || len(all) != 1 || all[0].State != Delivered || all[0].Attempts != 1 {
		t.Errorf("%d sent, outbox %+v", len(o.phone.sent), all)
	}
}

// brittle is a history that cannot be written to while its fault is set.
type brittle struct {
	History
	fault *error
}

func (b brittle) Update(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error {
	if *b.fault != nil {
		return *b.fault
	}
	return b.History.Update(ctx, do)
}

func (b brittle) Note(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error {
	if *b.fault != nil {
		return *b.fault
	}
	return b.History.Note(ctx, do)
}
