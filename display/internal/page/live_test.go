package page

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
)

// paper is the news of a test.
type paper struct {
	last  atomic.Int64 // the newest event
	reads atomic.Int64
	state string
}

func (p *paper) rows(_ context.Context, after int64) ([]byte, int64, error) {
	p.reads.Add(1)
	last := p.last.Load()
	if after >= last {
		return nil, after, nil
	}
	return message("rows", fmt.Append(nil, last), fmt.Appendf(nil, "%d to %d", after+1, last)), last, nil
}

func (p *paper) agents(context.Context) []byte { return message("agents", nil, []byte(p.state)) }

// all returns the messages that wait for a page.
func (s *stream) all() (names []string, open bool) {
	for {
		select {
		case m, open := <-s.messages:
			if !open {
				return names, false
			}
			names = append(names, strings.TrimSpace(string(m)))
		default:
			return names, true
		}
	}
}

func TestAPageIsToldWhatItMissedAndThenWhatHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, news := newLive(), &paper{state: "two"}
		news.last.Store(7)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx, news) }()
		l.Totals([]uint64{3, 4}, 7)
		l.Picture(animate.Frame{Pixels: [animate.Pixels]animate.Pixel{{R: 255, Brightness: animate.MaxLights}}})
		synctest.Wait()
		if news.reads.Load() > 0 {
			t.Error("the history was read for nobody")
		}
		s := l.open(5)
		time.Sleep(time.Second)
		got, _ := s.all()
		joined := strings.Join(got, "\n")
		for _, want := range []string{`"lights":"ff0000`, `{"all":7,"lamps":[3,4]}`, "id: 7\nevent: rows\ndata: 6 to 7", "event: agents\ndata: two"} {
			if strings.Count(joined, want) != 1 && want != `"lights":"ff0000` {
				t.Errorf("%q is not once in\n%s", want, joined)
			}
		}
		if !strings.Contains(joined, `"lights":"ff0000`) {
			t.Errorf("no picture in\n%s", joined)
		}

		// A hundred commits of a second are two messages, and all of their events are in them.
		for range 100 {
			news.last.Add(1)
			l.Stored()
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		got, _ = s.all()
		var rows []string
		for _, m := range got {
			if strings.Contains(m, "event: rows") {
				rows = append(rows, m)
			}
		}
		if len(rows) < 2 || len(rows) > 4 || !strings.HasSuffix(rows[len(rows)-1], "to 107") || !strings.Contains(rows[0], "data: 8 to") {
			t.Errorf("the events came as %q", rows)
		}
		// Nothing happens, so nothing is read and nothing is told.
		news.reads.Store(0)
		time.Sleep(time.Minute)
		if got, _ := s.all(); len(got) > 0 || news.reads.Load() > 0 {
			t.Errorf("in a quiet minute there came %q and %d reads", got, news.reads.Load())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, open := s.all(); open {
			t.Error("a page is still open at the end")
		}
	})
}

// Sixty pictures a second become twenty, and the last one is always told.
func TestAPageIsNotToldMoreThanItCanDraw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLive()
		go l.Run(t.Context(), &paper{})
		s := l.open(0)
		pictures := 0
		var last string
		for i := range 120 {
			l.Picture(animate.Frame{Pixels: [animate.Pixels]animate.Pixel{{R: uint8(i), Brightness: animate.MaxLights}}})
			time.Sleep(time.Second / 60)
			got, _ := s.all()
			for _, m := range got {
				if strings.Contains(m, "event: picture") {
					pictures, last = pictures+1, m
				}
			}
		}
		time.Sleep(time.Second)
		got, _ := s.all()
		for _, m := range got {
			if strings.Contains(m, "event: picture") {
				last = m
			}
		}
		if pictures < 35 || pictures > 42 {
			t.Errorf("in two seconds there came %d pictures", pictures)
		}
		want := pictureOf(animate.Frame{Pixels: [animate.Pixels]animate.Pixel{{R: 119, Brightness: animate.MaxLights}}})
		if !strings.Contains(last, want.Lights) {
			t.Errorf("the last picture is %s, want %s", last, want.Lights)
		}
	})
}

func TestASlowPageIsDroppedAndTheOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLive()
		go l.Run(t.Context(), &paper{})
		slow, quick := l.open(0), l.open(0)
		for i := range 2 * maxBehind {
			l.Picture(animate.Frame{Pixels: [animate.Pixels]animate.Pixel{{R: uint8(i), Brightness: 1}}})
			time.Sleep(frameEvery)
			if _, open := quick.all(); !open {
				t.Fatal("the quick page was dropped")
			}
		}
		if got, open := slow.all(); open || len(got) != maxBehind {
			t.Errorf("the slow page is open: %v, and was told %d times", open, len(got))
		}
		if open, dropped := l.Stats(); open != 1 || dropped != 1 {
			t.Errorf("%d pages are open, %d were dropped", open, dropped)
		}
		l.close(slow) // as its handler does
	})
}

func TestOnlySoManyPagesAreOpen(t *testing.T) {
	l := newLive()
	var streams []*stream
	for range maxStreams {
		streams = append(streams, l.open(0))
	}
	if l.open(0) != nil {
		t.Error("one more was opened")
	}
	l.close(streams[0])
	if l.open(0) == nil {
		t.Error("there is no room after one has left")
	}
}

// Over HTTP: what a browser that comes back names as its last event is where it goes on.
func TestStream(t *testing.T) {
	s := New(Options{State: func(context.Context) (State, error) { return State{}, nil }})
	news := &paper{}
	news.last.Store(41)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go s.live.Run(ctx, news)
	server := httptest.NewServer(s)
	defer server.Close()
	for _, test := range []struct{ query, header, want string }{{"?after=12", "", "data: 13 to 41"}, {"?after=12", "40", "data: 41 to 41"}} {
		r, _ := http.NewRequestWithContext(ctx, "GET", server.URL+"/live"+test.query, nil)
		if test.header != "" {
			r.Header.Set("Last-Event-ID", test.header)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if got := answer.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("it is %q", got)
		}
		lines := bufio.NewScanner(answer.Body)
		for lines.Scan() && lines.Text() != test.want {
			if strings.HasPrefix(lines.Text(), "data: ") && strings.Contains(lines.Text(), " to ") {
				t.Fatalf("it goes on with %q, want %q", lines.Text(), test.want)
			}
		}
		if lines.Err() != nil {
			t.Fatal(lines.Err())
		}
	}
}
