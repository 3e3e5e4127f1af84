package button

import (
	"context"
	"log/slog"
	"time"
)

// readEvery is how often buttons are read: often enough to see the bounces of a tap.
const readEvery = 5 * time.Millisecond

// SorryLong is how long the digits say that a press did nothing.
const SorryLong = 3 * time.Second

// Pin is a pin that is read.
type Pin interface {
	// Read returns whether it is high, which a button is while nobody presses it.
	Read() bool
}

// Panel is what the buttons change.
type Panel interface {
	ShowNext() (lamp int)
	ToggleLights() (on bool)
	Hold(long time.Duration) // shows how much of a press is still to come; only the first call of a press counts
	Release()
	Say(word string, long time.Duration) error
}

// Buttons are the push buttons of a device. One cycles the lamps. The other switches the lights with a tap and
// powers off with a long press, which the LEDs confirm while it is held.
type Buttons struct {
	Show, Lights Pin // nil if there is none
	Panel        Panel
	PowerOff     func(context.Context) error
	Logger       *slog.Logger

	show, lights Button
}

// Run does what the buttons ask for until ctx ends. Without any it returns at once.
func (b *Buttons) Run(ctx context.Context) error {
	if b.Show == nil && b.Lights == nil {
		return nil
	}
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	b.read(ctx, time.Now())
	b.Logger.Info("reading the buttons")
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			b.read(ctx, now)
		}
	}
}

// read looks at both.
func (b *Buttons) read(ctx context.Context, now time.Time) {
	if b.Show != nil {
		if action, _ := b.show.Feed(!b.Show.Read(), now); action == Short {
			b.Panel.ShowNext()
		}
	}
	if b.Lights != nil {
		action, held := b.lights.Feed(!b.Lights.Read(), now)
		b.press(ctx, action, held)
	}
}

// press does what the second button means.
func (b *Buttons) press(ctx context.Context, action Action, held float64) {
	switch action {
	case Short:
		b.Panel.ToggleLights()
	case Holding:
		b.Panel.Hold(time.Duration((1 - held) * float64(Long)))
	case Released:
		b.Panel.Release()
	case LongDone:
		b.Logger.Info("powering off: the button was held")
		if err := b.PowerOff(ctx); err != nil {
			b.Logger.Error("the button cannot power off", "error", err)
			b.Panel.Release()
			b.Panel.Say("Err", SorryLong)
		}
	}
}
