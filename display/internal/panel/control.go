package panel

import (
	"time"

	"github.com/pialert/pialert/display/internal/animate"
)

// Configure changes the lamps and the looks; see [animate.Scene.Configure].
func (p *Panel) Configure(lamps []animate.Lamp, cfg animate.Config) (err error) {
	p.change(func(scene *animate.Scene, _ time.Time) { err = scene.Configure(lamps, cfg) })
	return err
}

// Show has a lamp's colour and total shown for a while.
func (p *Panel) Show(lamp int) {
	p.change(func(scene *animate.Scene, now time.Time) { scene.Show(lamp, now) })
}

// ShowNext shows the lamp after the one that is shown, or else the first, and returns it.
func (p *Panel) ShowNext() (lamp int) {
	p.change(func(scene *animate.Scene, now time.Time) { lamp = scene.ShowNext(now) })
	return lamp
}

// SetLights switches the lights and the digits on or off. Counting goes on.
func (p *Panel) SetLights(on bool) {
	p.change(func(scene *animate.Scene, _ time.Time) { scene.SetDark(!on) })
}

// ToggleLights switches them over and returns whether they are on now.
func (p *Panel) ToggleLights() (on bool) {
	p.change(func(scene *animate.Scene, _ time.Time) {
		on = scene.Dark()
		scene.SetDark(!on)
	})
	return on
}

// SetLost says whether an agent of the lamp has not been heard for too long.
func (p *Panel) SetLost(lamp int, lost bool) {
	p.change(func(scene *animate.Scene, _ time.Time) { scene.SetLost(lamp, lost) })
}

// SetWaiting says whether there is nobody to hear from yet.
func (p *Panel) SetWaiting(waiting bool) {
	p.change(func(scene *animate.Scene, _ time.Time) { scene.SetWaiting(waiting) })
}

// Hold fills the LEDs with red for as long as a button has to be held; Release ends it.
func (p *Panel) Hold(long time.Duration) {
	p.change(func(scene *animate.Scene, now time.Time) { scene.Hold(long, now) })
}

// Release ends Hold.
func (p *Panel) Release() {
	p.change(func(scene *animate.Scene, _ time.Time) { scene.Release() })
}

// Say has a short word such as "FULL" shown on the digits for a while.
func (p *Panel) Say(word string, long time.Duration) (err error) {
	p.change(func(scene *animate.Scene, now time.Time) { err = scene.Say(word, long, now) })
	return err
}
