package notices

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
)

var kills = flag.Int("kills", 20, "how often TestKills kills the display")

// receiver is a webhook that counts what it takes.
type receiver struct {
	mu    sync.Mutex
	taken map[string]int // messages by idempotency key
	sum   uint64         // attempts that the messages tell of, each once
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var body struct{ Subject string }
	if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var n uint64
	if _, err := fmt.Sscanf(body.Subject, "%d failed SSH login", &n); err != nil {
		http.Error(w, body.Subject, http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := request.Header.Get("Idempotency-Key")
	if r.taken[key]++; r.taken[key] == 1 {
		r.sum += n
	}
}

// untilTold waits until messages have told of so many attempts.
func (r *receiver) untilTold(h *home, truth uint64) {
	h.t.Helper()
	h.must(program.Poll(h.ctx, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.sum < truth {
			return fmt.Errorf("told of %d attempts so far, want %d", r.sum, truth)
		}
		return nil
	}))
}

// A hundred thousand attempts make a few messages, and the messages tell of a hundred thousand.
func TestAFlood(t *testing.T) {
	t.Parallel()
	r := &receiver{taken: map[string]int{}}
	server := httptest.NewServer(r)
	defer server.Close()
	h := settle(t, fmt.Sprintf("  channels:\n    - {name: mail, webhook: {url: %q}}\n%s", server.URL, rule), nil)
	const truth = 100_000
	begun := time.Now()
	h.attack("root", truth)
	r.untilTold(h, truth)
	r.mu.Lock()
	defer r.mu.Unlock()
	most := 10 * (1 + int(time.Since(begun)/(10*time.Second)))
	if r.sum != truth || len(r.taken) > most {
		t.Errorf("%d messages tell of %d attempts, want at most %d of %d", len(r.taken), r.sum, most, truth)
	}
}

// Killed at any moment, the display tells of every attempt once. Only a message that was under way
// may come twice, under the same key, and the outbox says how many those may be.
func TestKills(t *testing.T) {
	t.Parallel()
	r := &receiver{taken: map[string]int{}}
	server := httptest.NewServer(r)
	defer server.Close()
	h := settle(t, fmt.Sprintf("  channels:\n    - {name: mail, webhook: {url: %q}}\n  daily: 10000\n%s", server.URL, rule), nil)
	random := rand.New(rand.NewPCG(1, uint64(*kills)))
	var truth uint64
	for range *kills {
		n := 1 + random.IntN(20)
		h.attack("root", n)
		truth += uint64(n)
		alive := time.NewTimer(time.Duration(random.IntN(5000)) * time.Millisecond)
		<-alive.C
		h.display.Kill()
		h.start()
	}
	h.must(h.Up(h.ctx))
	r.untilTold(h, truth)
	unknown, messages := 0, 0
	for _, one := range h.await() {
		unknown += one.Unknown
		messages++
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	twice := 0
	for key, n := range r.taken {
		twice += n - 1
		if n > 2 {
			t.Errorf("%s came %d times", key, n)
		}
	}
	if r.sum != truth || twice > unknown {
		t.Errorf("told of %d attempts, want %d; %d came twice, of %d whose outcome was unknown", r.sum, truth, twice, unknown)
	}
	t.Logf("%d kills, %d attempts told in %d messages; %d came twice, of %d whose outcome was unknown", *kills, truth, messages, twice, unknown)
}
