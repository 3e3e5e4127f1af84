// Package chromium drives Debian's headless Chromium at the display's page: it opens pages as some
// screen shows them, looks into them, has axe-core judge them and takes their pictures.
//
// Only the fonts of fonts-dejavu-core are known to the browser, and times are those of UTC and of
// the United States, so that pictures of the same page are the same.
package chromium

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

//go:embed fonts.conf
var fonts []byte

// Screen is what a page is shown on.
type Screen struct {
	Width, Height int64
	Dark          bool
	Still         bool // its owner wants no motion
	Script        bool // JavaScript is on
}

// The screens that pages are judged on.
var (
	Desktop = Screen{Width: 1280, Height: 860, Script: true}
	Phone   = Screen{Width: 390, Height: 844, Script: true}
)

// Browser is a running Chromium with one tab.
type Browser struct {
	ctx context.Context

	mu       sync.Mutex
	problems []string // exceptions and complaints of pages
}

// Start starts a browser that ends with ctx or with stop.
func Start(ctx context.Context) (b *Browser, stop func(), err error) {
	dir, err := os.MkdirTemp("", "chromium")
	if err != nil {
		return nil, nil, err
	}
	conf := filepath.Join(dir, "fonts.conf")
	if err := os.WriteFile(conf, fonts, 0o644); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox,
		chromedp.UserDataDir(filepath.Join(dir, "profile")), chromedp.Env("FONTCONFIG_FILE="+conf, "HOME="+dir),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("lang", "en-US"), chromedp.Flag("font-render-hinting", "none"),
		// Other sites of tests are on this machine, and nothing is asked of any network.
		chromedp.Flag("host-resolver-rules", "MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("disable-features", "site-per-process,Translate,BlinkGenPropertyTrees,HttpsUpgrades"))
	ctx, end := chromedp.NewExecAllocator(ctx, options...)
	ctx, leave := chromedp.NewContext(ctx)
	stop = func() {
		leave()
		end()
		os.RemoveAll(dir)
	}
	b = &Browser{ctx: ctx}
	chromedp.ListenTarget(ctx, b.hear)
	if err := chromedp.Run(ctx); err != nil {
		stop()
		return nil, nil, fmt.Errorf("cannot start chromium: %w", err)
	}
	return b, stop, nil
}

// hear keeps what goes wrong in pages.
func (b *Browser) hear(event any) {
	var problem string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = e.ExceptionDetails.Error()
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.APITypeError && e.Type != runtime.APITypeWarning {
			return
		}
		for _, arg := range e.Args {
			problem += string(arg.Value) + " "
		}
	default:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, problem)
}

// Problems returns the exceptions and complaints of pages since the last call.
func (b *Browser) Problems() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	problems := b.problems
	b.problems = nil
	return problems
}

// Run does things in the tab.
func (b *Browser) Run(actions ...chromedp.Action) error { return chromedp.Run(b.ctx, actions...) }

// Open shows an address on a screen and waits until it is loaded.
func (b *Browser) Open(s Screen, address string) error {
	scheme, motion := "light", "no-preference"
	if s.Dark {
		scheme = "dark"
	}
	if s.Still {
		motion = "reduce"
	}
	err := b.Run(
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion},
		}),
		emulation.SetTimezoneOverride("UTC"),
		emulation.SetLocaleOverride().WithLocale("en-US"),
		emulation.SetScriptExecutionDisabled(!s.Script),
		chromedp.EmulateViewport(s.Width, s.Height),
		chromedp.Navigate(address),
		chromedp.WaitReady("main, form"),
	)
	if err != nil {
		return fmt.Errorf("cannot open %s: %w", address, err)
	}
	return nil
}

// Value evaluates an expression in the page; a promise is awaited.
func (b *Browser) Value(expression string, to any) error {
	await := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	if err := b.Run(chromedp.Evaluate(expression, to, await)); err != nil {
		return fmt.Errorf("cannot evaluate %s: %w", clip(expression), err)
	}
	return nil
}

// Await waits until an expression is true in the page, or for half a minute at most. Meanwhile the
// page may become another one.
func (b *Browser) Await(expression string) error {
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		var found bool
		if last = chromedp.Run(ctx, chromedp.Evaluate("Boolean("+expression+")", &found)); last == nil && found {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not become true: %w", clip(expression), errors.Join(last, ctx.Err()))
		case <-tick.C:
		}
	}
}

func clip(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return text[:min(len(text), 120)]
}

// Picture takes a picture of what the screen shows, as PNG.
func (b *Browser) Picture() (png []byte, err error) {
	err = b.Run(chromedp.CaptureScreenshot(&png))
	return png, err
}
