package notice

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/notice/channel"
)

// A channel fails once nothing was delivered for an hour, whatever its service answers, and until it delivers
// again. Whether it is asked at all makes no difference.
func TestAChannelThatFailsForAnHour(t *testing.T) {
	for name, answer := range map[string]*channel.Failure{
		"down":       {Outcome: channel.Failed, Answer: "503 down"},
		"refusing":   {Outcome: channel.Refused, Answer: "401 wrong token"},
		"throttling": {Outcome: channel.Throttled, Answer: "429", Wait: 24 * time.Hour},
		"silent":     {Outcome: channel.Unknown, Answer: "no answer"},
	} {
		o := openOffice(t)
		o.attack(1)
		o.work(time.Minute)
		o.pass(7 * time.Hour)
		o.phone.answers = slices.Repeat([]error{answer}, 1000)
		o.attack(1)
		o.work(gatherTime + time.Second)
		o.pass(59 * time.Minute)
		o.work(time.Second)
		if failing := o.Failing(); failing != nil {
			t.Errorf("%s: %q fail before the hour is over", name, failing)
		}
		o.pass(time.Minute)
		o.work(2 * time.Second)
		if failing := o.Failing(); !slices.Equal(failing, []string{"phone"}) {
			t.Errorf("%s: %q fail after an hour", name, failing)
		}
		o.pass(4 * 24 * time.Hour) // its message is given up, if it was not before
		o.attack(1)
		o.work(time.Minute)
		if failing := o.Failing(); !slices.Equal(failing, []string{"phone"}) {
			t.Errorf("%s: %q fail after four days", name, failing)
		}
		o.phone.answers = nil
		o.pass(25 * time.Hour)
		o.attack(1)
		o.work(time.Minute)
		if failing := o.Failing(); failing != nil {
			t.Errorf("%s: %q fail though a message arrived", name, failing)
		}
	}
}

// A message that waited while the display was off, or while its clock was set, says nothing of its channel.
func TestADisplayThatWasOff(t *testing.T) {
	o := openOffice(t)
	o.phone.answers = []error{&channel.Failure{Outcome: channel.Failed, Answer: "503 down"}}
	o.attack(1)
	o.work(5 * time.Second)
	o.now = o.now.Add(48 * time.Hour)
	o.start()
	if err := o.turn(t.Context(), o.plan); err != nil {
		t.Fatal(err)
	}
	if failing := o.Failing(); failing != nil {
		t.Errorf("%q fail", failing)
	}
	o.work(time.Second)
	if all := o.entries(); len(all) != 1 || all[0].State != Delivered {
		t.Errorf("outbox %+v", all)
	}
}

// What waits for a channel that cannot be opened is not sent, and neither forgotten nor kept for ever.
func TestAChannelThatCannotBeOpened(t *testing.T) {
	o := openOffice(t)
	delete(o.options.Channels, "phone")
	look := func(span time.Duration) {
		t.Helper()
		o.pass(span)
		for range 5 {
			o.pass(time.Second)
			if err := o.turn(t.Context(), o.plan); err != nil {
				t.Fatal(err)
			}
		}
	}
	o.attack(1)
	look(0)
	look(time.Hour)
	if failing, all := o.Failing(), o.entries(); !slices.Equal(failing, []string{"phone"}) || len(all) != 1 || all[0].State != Queued {
		t.Errorf("%q fail, outbox %+v", failing, all)
	}
	look(4 * 24 * time.Hour)
	o.attack(1)
	look(time.Hour)
	if !strings.Contains(o.log.String(), "notices were given up") {
		t.Errorf("the log says %s", &o.log)
	}
	if failing, all := o.Failing(), o.entries(); !slices.Equal(failing, []string{"phone"}) || len(all) != 2 || all[0].State != Failed || all[0].Answer != "given up: there is no such channel" {
		t.Errorf("%q fail, outbox %+v", failing, all)
	}
}
